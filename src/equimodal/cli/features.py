"""`equimodal features`: what the cache of features holds, and making room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

features = typer.Typer(
    name="features",
    help="The cache of what frozen encoders return: list it, or remove what is not needed.",
    no_args_is_help=True,
)
Folder = Annotated[
    Path | None,
    typer.Argument(metavar="[DIR]", help="The folder of the cache. Default: your own.", show_default=False),
]


@features.command("ls")
def list_features(folder: Folder = None) -> None:
    """List the features in a cache: of which encoder and column, how many rows, when they were last used."""
    from equimodal.features.listing import contents, table
    from equimodal.features.place import is_cache, place_of
    from equimodal.tables.text import text_section
    from equimodal.tables.words import size_in_words

    place = place_of(True if folder is None else folder)
    if folder is None and not is_cache(place):
        print(f"There is no cache in {place} yet.")
        return
    found = contents(place)
    if found:
        print(text_section(table(found, f"Features in {place}")))
    size = size_in_words(sum(each.size for each in found))
    print(f"{len(found)} column{'' if len(found) == 1 else 's'}, {size}")


@features.command()
def prune(
    folder: Folder = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Not used for so many days.", show_default=False)
    ] = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Of an earlier version of an encoder or format, or unreadable.")
    ] = False,
    keep_size: Annotated[
        float | None,
        typer.Option(metavar="GB", help="The longest unused, until the others fit.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All features.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove features from a cache, after asking. They are computed anew when they are needed again."""
    import time

    from equimodal.errors import ConfigError
    from equimodal.features.listing import contents, encoder_of
    from equimodal.features.place import place_of
    from equimodal.features.pruning import Rule
    from equimodal.features.pruning import prune as remove
    from equimodal.tables.words import size_in_words

    rule = Rule(everything=everything, older_than=older_than, stale=stale, keep_size=keep_size)
    place = place_of(True if folder is None else folder)
    chosen = rule.chosen(contents(place), time.time())
    if not chosen:
        print("Nothing to remove.")
        return
    for each in chosen:
        modality = each.manifest.modality if each.manifest else "unreadable"
        print(f"{encoder_of(each)}, {modality}: {size_in_words(each.size)}")
    size = size_in_words(sum(each.size for each in chosen))
    if not yes:
        try:
            agreed = input(f"Remove these {size} from {place}? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            raise ConfigError("There is nobody to ask: say --yes to remove without asking.") from None
        if not agreed:
            print("Nothing was removed.")
            return
    left = remove(chosen)
    gone = [each for each in chosen if each not in left]
    print(f"Removed {size_in_words(sum(each.size for each in gone))}.")
    if left:
        print(f"{len(left)} of {len(chosen)} stay: a process is writing them, or they may not be removed.")
