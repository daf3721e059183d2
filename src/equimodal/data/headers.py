"""First lines that may be headers: the number of rows in the other files decides, or the user is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from equimodal.data.text import Entries

K = TypeVar("K")


def settle(entries: Mapping[K, Entries]) -> tuple[dict[K, Entries], list[str]]:
    """Return the entries with headers of numbers and empty last lines taken away, and what is left in doubt.

    Args:
        entries: what each file holds, by the name of its array. All should have the same number of rows.
    """
    known = {len(each.values) for each in entries.values() if not each.heads and not each.blank}
    settled = dict(entries)
    if len(known) == 1:
        count = known.pop()
        settled = {name: _fit(each, count) for name, each in entries.items()}
        return settled, _one_more(settled)
    problems = [_doubt(each) for each in entries.values() if each.heads] if not known else []
    return settled, problems or _one_more(settled)


def _fit(entries: Entries, count: int) -> Entries:
    rows = len(entries.values)
    if entries.heads and rows == count + 1:
        return entries.without_first()
    return entries.cut(count) if rows - entries.blank <= count < rows else entries


def _one_more(entries: Mapping[K, Entries]) -> list[str]:
    """Return a message for each text file with exactly one row more than all others have."""
    fewest = min(len(each.values) for each in entries.values())
    more = {name: each for name, each in entries.items() if len(each.values) != fewest}
    if not more or any(len(each.values) != fewest + 1 or each.first is None for each in more.values()):
        return []
    return [
        f"{each.path}: has {fewest + 1} rows, one more than the other files ({fewest}). Is its first line, "
        f"'{each.first}', a header? {_remedy(each)}"
        for each in more.values()
    ]


def _remedy(entries: Entries) -> str:
    kind = entries.values.dtype.kind
    if kind == "T":  # lines of text have no header
        return "Delete that line."
    return "Delete that line, or name " + (f"it '{entries.path.stem}'." if kind == "U" else "its columns.")


def _doubt(entries: Entries) -> str:
    table = entries.values.dtype.kind == "f"
    named = "name the columns" if table else f"name it '{entries.path.stem}'"
    plain = "write it with decimals (0.0), or save the array as .npy" if table else "save the column as .txt"
    return (
        f"{entries.path}: its first row, '{entries.first}', may be a header of numbers or a sample, and no other file "
        f"says how many rows there are. If it is a header, {named} or delete it. If it is a sample, {plain}."
    )
