"""What is checked of media of one's own, however they are given: ids, classes, groups and parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from equimodal.data.checks import raise_problems
from equimodal.preparation.division import completed, shared_groups
from equimodal.preparation.layout import Layout
from equimodal.preparation.names import alike, is_unicode
from equimodal.preparation.tables import list_places


def own_layout(layout: Layout, source: Path) -> Layout:
    """Return a layout whose parts are complete, with notes on what may be a mistake.

    Args:
        layout: of a manifest or a folder per class.
        source: it, for messages.

    Raises:
        DataError: groups are in several parts, or names cannot be written in UTF-8.
    """
    problems = []
    torn = [repr(each.id) for each in layout.samples if not is_unicode(f"{each.id}{each.label}")]
    if torn:
        problems.append(f"{source}: names of files that are not UTF-8: {list_places(torn)}. Rename these files.")
    shared = shared_groups(layout.samples)
    if shared:
        problems.append(
            f"{source}: groups are in several parts: {list_places(shared)}. Put each group into one part, or leave "
            "the column 'split' out to have one drawn, or the column 'group' if its samples may be shared."
        )
    raise_problems(problems, str(source))
    samples, notes = completed(layout.samples)
    classes = alike({str(each.label) for each in samples})
    notes += [
        f"Classes that differ only in capitals, spaces or accents: {', '.join(map(repr, each))}." for each in classes
    ]
    if len(layout.media) == 1:
        notes.append(f"There is one modality ({next(iter(layout.media))}); training needs two or more.")
    return replace(layout, samples=samples, notes=[*layout.notes, *notes])
