"""Which files a data set has for each split: as its card says, as their names say, or as `save_to_disk` left them."""

from __future__ import annotations

import glob
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from equimodal.data.assignment import PARTS
from equimodal.data.checks import raise_problems
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.preparation.huggingface.card import CARD, DEFAULT, Card, read_card
from equimodal.preparation.huggingface.recognition import DICT, INFO, STATE, is_saved
from equimodal.preparation.huggingface.snapshot import (
    check_file,
    check_finished,
    check_links,
    leads_out,
    outside,
)
from equimodal.preparation.layout import WORDS
from equimodal.preparation.shards import ENDINGS
from equimodal.preparation.tables import list_places

WHOLE = "all"
"""The split of a data set that has none."""
_SHARD = re.compile(r"data/(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*\.parquet")
_OF = re.compile(r"-(\d{5})-of-(\d{5})")
_BETWEEN = re.compile(r"[-._ 0-9]+")


@dataclass(frozen=True)
class Files:
    """The shards of a data set.

    Args:
        splits: by name, paths below the folder, in order.
        features: by column, what is declared beside the shards.
        counts: by split, how many rows there are said to be.
    """

    splits: Mapping[str, list[Path]]
    features: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


def find_files(folder: Path, config: str | None = None) -> Files:
    """Return the shards of a data set, by split.

    Args:
        folder: of the data set, without links.
        config: its configuration; None: the one that the card names first, or the only one.

    Raises:
        DataError: files are missing, downloaded in part, of another kind, or lie elsewhere.
        ConfigError: there is no such configuration, or there are several.
    """
    check_finished(folder)
    check_links(folder)
    saved = is_saved(folder)
    if saved and config is not None:
        raise ConfigError(f"--config: {folder} was made by save_to_disk and has no configurations. Leave it out.")
    files = _saved(folder, folder) if saved else _downloaded(folder, config)
    problems = [each for split, paths in files.splits.items() for each in _problems(folder, split, paths)]
    raise_problems(problems, str(folder))
    return files


def _problems(root: Path, split: str, paths: Sequence[Path]) -> list[str]:
    """Return what is wrong with the shards of a split."""
    lost, twice = _numbering(paths)
    gone = [path.relative_to(root).as_posix() for path in paths if not path.is_file()]
    stray = [path.relative_to(root).as_posix() for path in paths if leads_out(root, path)]
    problems = []
    if lost:
        problems.append(
            f"Split '{split}': shards are missing: {list_places(lost)} (there: {len(paths)}). Download it again."
        )
    if twice:
        problems.append(
            f"Split '{split}': expected the shards of one download, but {list_places(twice)} lie together. Remove the "
            "older ones, or download the data set into an empty folder."
        )
    if stray:
        problems.append(outside(root, stray))
    elif gone:
        problems.append(f"Split '{split}': no such file: {list_places(gone)}. Save or download it again.")
    return problems


def _saved(folder: Path, root: Path) -> Files:
    if (folder / DICT).is_file():
        splits = _json(folder / DICT, root).get("splits")
        if not isinstance(splits, list) or not splits or not all(_plain(name) for name in splits):
            raise DataError(f"{folder / DICT}: names no splits. Save the data set again.")
        parts = {str(split): _saved(folder / split, root) for split in splits}
        features = next(iter(parts.values())).features
        return Files({name: part.splits[WHOLE] for name, part in parts.items()}, features)
    state = _json(folder / STATE, root)
    names = [each.get("filename") for each in state.get("_data_files") or [] if isinstance(each, dict)]
    if not names or not all(_plain(name) for name in names):
        raise DataError(f"{folder / STATE}: names no shards. Save the data set again.")
    info = _json(folder / INFO, root) if (folder / INFO).is_file() else {}
    features = info.get("features")
    return Files({WHOLE: [folder / str(name) for name in names]}, features if isinstance(features, dict) else {})


def _plain(name: Any) -> bool:
    """Return whether a name leads to a file or folder directly below, and not anywhere else."""
    return isinstance(name, str) and name not in ("", ".", "..") and PurePosixPath(name).name == name


def _json(path: Path, root: Path) -> dict[str, Any]:
    check_file(root, path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{path}: is missing, though {path.parent} looks like a data set of save_to_disk. Save or copy it again."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is damaged ({error}). Save or copy it again.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: is damaged (no mapping). Save or copy it again.")
    return content


def _downloaded(folder: Path, config: str | None) -> Files:
    check_file(folder, folder / CARD)
    card = read_card(folder)
    if not card.files:
        return _by_names(folder, config, card)
    name = config if config is not None else card.first
    if name is None or name not in card.files:
        raise _no_config(folder, name, list(card.files))
    splits: dict[str, list[Path]] = {}
    problems: list[str] = []
    for split, patterns in card.files[name].items():
        splits[split] = sorted({path for each in patterns for path in _matching(folder, each, problems)})
        if not splits[split]:
            problems.append(
                f"Split '{split}': {CARD} names {', '.join(patterns)}, and no such file is there. Download it."
            )
        other = [path.name for path in splits[split] if path.suffix not in ENDINGS[:1]]
        if other:
            problems.append(
                f"Split '{split}': cannot read {list_places(other)}. Only .parquet is read from a data set; for other "
                "files write a manifest (see docs/data/media.md)."
            )
    raise_problems(problems, str(folder))
    return Files(splits, card.features.get(name, {}), card.counts.get(name, {}))


def _matching(folder: Path, pattern: str, problems: list[str]) -> list[Path]:
    # `glob` finds files below `**`, as the hub does, and follows links, of which the hub's cache consists.
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or ":" in pattern:
        problems.append(f"{CARD} names '{pattern}', which leads out of the folder. Only files below it are read.")
        return []
    found = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207
    return [folder / each for each in found if not (folder / each).is_dir()]


def _no_config(folder: Path, name: str | None, known: list[str]) -> ConfigError:
    if name is None:
        return ConfigError(f"{folder}: has several configurations. Say which: --config. Known: {', '.join(known)}.")
    return ConfigError(f"--config: there is no configuration '{name}' in {folder}.{did_you_mean(name, known)}")


def _by_names(folder: Path, config: str | None, card: Card) -> Files:
    """Return the shards as the hub finds them: in numbered shards, by the names of folders, then of files."""
    paths = sorted(path for path in folder.glob("**/*.parquet") if not _hidden(path.relative_to(folder)))
    if not paths:
        raise DataError(
            f"{folder}: holds no .parquet. Expected a data set as it is downloaded (data/train-00000-of-00001.parquet) "
            "or as save_to_disk leaves it."
        )
    names = [path.relative_to(folder).as_posix() for path in paths]
    numbered = {name: match["split"] for name in names if (match := _SHARD.fullmatch(name))}
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for name, split in numbered.items():
        found[DEFAULT][split].append(folder / name)
    if not numbered:
        for name in names:
            for place, part in enumerate(PurePosixPath(name).parts[:-1]):
                if split := _split_in(part):
                    before = "/".join(PurePosixPath(name).parts[:place])
                    found[before if before not in ("", "data") else DEFAULT][split].append(folder / name)
                    break
    if not found:
        for name in names:
            if split := _split_in(PurePosixPath(name).stem):
                found[DEFAULT][split].append(folder / name)
    said = bool(found)
    if not said:
        found[DEFAULT]["train"] = paths
    wanted = config or (next(iter(found)) if len(found) == 1 else DEFAULT if DEFAULT in found else None)
    if wanted is None or wanted not in found:
        raise _no_config(folder, wanted, list(found))
    counts = card.counts.get(wanted, {})
    there = {WORDS.get(split, split) for split in found[wanted]}
    lacking = [split for split in counts if WORDS.get(split, split) not in there]
    if said and lacking:
        raise DataError(
            f"{folder}: expected files of {', '.join(counts)}, as {CARD} tells, but there is none of "
            f"{', '.join(lacking)}. Finish the download."
        )
    order = [*PARTS, *sorted(found[wanted])]
    splits = {split: found[wanted][split] for split in sorted(found[wanted], key=order.index)}
    return Files(splits, card.features.get(wanted, {}), counts)


def _split_in(name: str) -> str | None:
    words = [WORDS[word] for word in _BETWEEN.split(name) if word in WORDS]
    return words[0] if words else None


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def _numbering(paths: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Return what numbered names tell of shards: the names of those that are not there, and those that overlap."""
    there: dict[Path, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for path in paths:
        if match := _OF.search(path.name):
            there[path.with_name(path.name[: match.start()])][match[2]].append(int(match[1]))
    lost = [
        f"{stem.name}-{number:05d}-of-{total}"
        for stem, totals in there.items()
        for total, numbers in totals.items()
        for number in range(int(total))
        if number not in numbers
    ]
    twice = [
        f"{stem.name}-...-of-{total}"
        for stem, totals in there.items()
        for total, numbers in totals.items()
        if len(totals) > 1 or len(numbers) > len(set(numbers))
    ]
    return lost, twice
