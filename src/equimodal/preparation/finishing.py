"""From decoded rows to a data folder: which rows stay, the columns, and the description that comes last."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from equimodal.config.yaml import write_yaml
from equimodal.data.assignment import PARTS
from equimodal.data.columns.base import checksum_of
from equimodal.data.description import DESCRIPTION
from equimodal.data.identifiers import sortable
from equimodal.errors import DataError
from equimodal.files import write_text, write_whole
from equimodal.media.clip import Clip
from equimodal.media.texts import one_line
from equimodal.preparation.arrays import Target
from equimodal.preparation.duplicates import Pair, find_duplicates
from equimodal.preparation.outcomes import Outcome, Outcomes
from equimodal.preparation.plan import Plan
from equimodal.preparation.record import THEN, Prepared, state_of, write_record

OnError = Literal["stop", "missing", "drop"]
COLUMNS, READY = "columns", "ready"
UNREADABLE, DUPLICATES = "unreadable.csv", "duplicates.csv"
_ROWS = 256
_SHOWN = 3


@dataclass(frozen=True)
class Decoded:
    """All rows, decoded.

    Args:
        plan: what was to be done.
        outcomes: of every file.
        targets: by modality, the file of its rows.
    """

    plan: Plan
    outcomes: Outcomes
    targets: dict[str, Target]

    def bad(self) -> list[tuple[int, str, Outcome]]:
        """Return the files that gave no row: row, modality, and what came of it."""
        return [
            (row, name, outcome)
            for row in sorted(self.outcomes)
            for name, outcome in self.outcomes[row].items()
            if outcome.cause is not None
        ]

    def text(self, row: int, modality: str) -> str:
        """Return a row's text; empty where it has none."""
        cell = self.plan.layout.samples[row].cells.get(modality)
        if isinstance(cell, str):
            return one_line(cell)
        outcome = self.outcomes[row].get(modality)
        return outcome.text or "" if outcome else ""

    def present(self, row: int, modality: str) -> bool:
        """Return whether a row has a modality."""
        if self.plan.forms[modality].medium == "text":
            return bool(self.text(row, modality))
        outcome = self.outcomes[row].get(modality)
        return outcome is not None and outcome.cause is None

    def digest(self, row: int, modality: str) -> str | None:
        """Return a checksum of a row's file, with its section, or of its text."""
        if not self.present(row, modality):
            return None
        if self.plan.forms[modality].medium == "text":
            return checksum_of([self.text(row, modality)])
        cell, digest = self.plan.layout.samples[row].cells[modality], self.outcomes[row][modality].digest
        return f"{digest} {cell.section}".strip() if isinstance(cell, Clip) else digest


def finish(decoded: Decoded, folder: Path, work: Path, on_error: OnError) -> Prepared:
    """Make the data folder. Whatever stops it, starting again makes the same folder.

    The columns are made beside the rows in `work`, and come into the folder in one step; the description that makes
    it a data folder is written last.

    Raises:
        DataError: with `stop`, some file is unreadable; or no row of a modality is left.
        RunError: the disk is full or not writable.
    """
    plan, bad = decoded.plan, decoded.bad()
    _write_list(folder / UNREADABLE, ("id", "modality", "file", "cause", "reason"), _bad_lines(plan, bad))
    if bad and on_error == "stop":
        raise DataError(_stopped(folder, plan, bad))
    kept, dropped = _kept(decoded, bad, on_error)
    _check_left(plan, decoded, kept, folder)
    pairs = [pair for name in plan.forms for pair in _duplicates(decoded, name, kept)]
    lines = [_pair_line(plan, pair, kept) for pair in pairs]
    _write_list(folder / DUPLICATES, ("modality", "how", "id", "is like", "across"), lines)
    ready = work / READY
    shutil.rmtree(ready, ignore_errors=True)
    ready.mkdir()
    description = _write_columns(decoded, kept, ready)
    states = {f"{COLUMNS}/{path.name}": state_of(path) for path in sorted(ready.iterdir())}
    text = write_yaml(description)
    states[DESCRIPTION] = len(text.encode()), checksum_of([text])
    record = _record(decoded, kept, dropped, bad, pairs, on_error, states)
    write_record(folder, record)
    shutil.rmtree(folder / COLUMNS, ignore_errors=True)  # of a process that was killed just after this step
    ready.rename(folder / COLUMNS)
    write_text(folder / DESCRIPTION, text, THEN)
    return record


def _kept(
    decoded: Decoded, bad: Sequence[tuple[int, str, Outcome]], on_error: OnError
) -> tuple[np.ndarray, Counter[str]]:
    """Return the rows that stay, and how many do not, by cause."""
    dropped: dict[int, str] = {}
    if on_error == "drop":
        for row, _, outcome in bad:
            dropped.setdefault(row, str(outcome.cause))
    count = len(decoded.plan.layout.samples)
    for row in range(count):
        if row not in dropped and not any(decoded.present(row, name) for name in decoded.plan.forms):
            dropped[row] = "no modality left"
    return np.array([row for row in range(count) if row not in dropped], np.int64), Counter(dropped.values())


def _check_left(plan: Plan, decoded: Decoded, kept: np.ndarray, folder: Path) -> None:
    gone = [name for name in plan.forms if not any(decoded.present(row, name) for row in kept.tolist())]
    if gone:
        raise DataError(
            f"{folder}: not one file of {', '.join(gone)} could be read. {UNREADABLE} there says why. Mend "
            "them, or leave them out (of a table with --ignore)."
        )


def _duplicates(decoded: Decoded, modality: str, kept: np.ndarray) -> list[Pair]:
    rows = kept.tolist()
    outcomes = [decoded.outcomes[row].get(modality) for row in rows]
    return find_duplicates(
        modality,
        [decoded.digest(row, modality) for row in rows],
        [None if outcome is None else outcome.likeness for outcome in outcomes],
        [decoded.plan.layout.samples[row].split for row in rows],
    )


def _write_columns(decoded: Decoded, kept: np.ndarray, ready: Path) -> dict[str, Any]:
    """Write every column, and return what `data.yaml` says of them."""
    plan, rows = decoded.plan, kept.tolist()
    arrays: dict[str, Any] = {}
    lengths: dict[str, str] = {}
    present: dict[str, str] = {}
    for name, form in plan.forms.items():
        if form.medium == "text":
            text = "".join(f"{decoded.text(row, name)}\n" for row in rows)
            write_text(ready / f"{name}.txt", text, THEN)
            arrays[name] = {"file": f"{COLUMNS}/{name}.txt"}
            continue
        _place(decoded.targets[name], kept, ready / f"{name}.npy")
        arrays[name] = {"file": f"{COLUMNS}/{name}.npy", "kind": form.kind}
        here = np.array([decoded.present(row, name) for row in rows], bool)
        present[name] = _write_array(ready / f"{name}_present.npy", here)
        if form.varies:
            steps = [decoded.outcomes[row][name].steps if there else 1 for row, there in zip(rows, here, strict=True)]
            lengths[name] = _write_array(ready / f"{name}_lengths.npy", np.array(steps, np.int64))
    samples = [plan.layout.samples[row] for row in rows]
    found: dict[str, Any] = {"arrays": arrays, "ids": _write_words(ready, "ids", [each.id for each in samples])}
    if samples[0].label is not None:
        found["labels"] = _write_words(ready, "labels", [str(each.label) for each in samples])
        if plan.layout.classes is not None:
            there = {each.label for each in samples}
            found["classes"] = [name for name in plan.layout.classes if name in there]
    if samples[0].group is not None:
        found["groups"] = _write_words(ready, "groups", [str(each.group) for each in samples])
    if samples[0].split is not None:
        numbers = np.array([PARTS.index(str(each.split)) for each in samples], np.int64)
        found["split"] = _write_array(ready / "split.npy", numbers)
    return found | ({"lengths": lengths} if lengths else {}) | ({"present": present} if present else {})


def _place(target: Target, kept: np.ndarray, path: Path) -> None:
    """Give a modality's rows their place: the whole file as a second name of it, or those rows that stay."""
    if len(kept) == target.count:
        try:
            os.link(target.path, path)
        except OSError:  # a disk without links
            write_whole(path, lambda temporary: _copy(target.path, temporary), THEN)
        return
    values = np.lib.format.open_memmap(target.path, mode="r")

    def write(temporary: Path) -> None:
        smaller = Target(temporary, target.form, len(kept))
        smaller.create()
        for start in range(0, len(kept), _ROWS):
            smaller.write(start, values[kept[start : start + _ROWS]])

    write_whole(path, write, THEN)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _write_words(ready: Path, name: str, words: list[str]) -> str:
    values = np.array(words, dtype=str)
    return _write_array(ready / f"{name}.npy", sortable(values) if name == "labels" else values)


def _write_array(path: Path, values: np.ndarray) -> str:
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.lib.format.write_array(file, values, allow_pickle=False)

    write_whole(path, write, THEN)
    return f"{COLUMNS}/{path.name}"


def _write_list(path: Path, header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Write a list as CSV, if it has an entry."""
    if not lines:
        with suppress(FileNotFoundError):
            path.unlink()
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    write_text(path, text.getvalue(), THEN)


def _bad_lines(plan: Plan, bad: Sequence[tuple[int, str, Outcome]]) -> list[tuple[str, ...]]:
    return [
        (plan.layout.samples[row].id, name, _shown(plan, row, name), str(outcome.cause), outcome.reason)
        for row, name, outcome in bad
    ]


def _shown(plan: Plan, row: int, modality: str) -> str:
    cell = plan.layout.samples[row].cells[modality]
    return cell if isinstance(cell, str) else plan.layout.shown(cell)


def _pair_line(plan: Plan, pair: Pair, kept: np.ndarray) -> tuple[str, ...]:
    one, other = (plan.layout.samples[int(kept[row])].id for row in (pair.row, pair.other))
    return (pair.modality, pair.how, one, other, pair.across)


def _stopped(folder: Path, plan: Plan, bad: Sequence[tuple[int, str, Outcome]]) -> str:
    causes = Counter((name, str(outcome.cause)) for _, name, outcome in bad)
    counts = ", ".join(f"{name} {cause}: {count}" for (name, cause), count in sorted(causes.items()))
    first = "; ".join(f"{_shown(plan, row, name)} {outcome.reason}" for row, name, outcome in bad[:_SHOWN])
    more = "; ..." if len(bad) > _SHOWN else ""
    files = "1 file is" if len(bad) == 1 else f"{len(bad)} files are"
    return (
        f"{files} unreadable ({counts}): {first}{more}. All are listed in {folder / UNREADABLE}. Mend them; or say "
        "--on-error missing (the sample lacks that modality) or --on-error drop (leave the sample out), which decodes "
        "nothing again."
    )


def _record(
    decoded: Decoded,
    kept: np.ndarray,
    dropped: Counter[str],
    bad: Sequence[tuple[int, str, Outcome]],
    pairs: Sequence[Pair],
    on_error: OnError,
    states: dict[str, tuple[int, str]],
) -> Prepared:
    plan = decoded.plan
    modalities = {
        name: {
            "medium": form.medium,
            "kind": form.kind,
            "shape": list(form.shape),
            "present": sum(decoded.present(row, name) for row in kept.tolist()),
        }
        for name, form in plan.forms.items()
    }
    unreadable = {
        name: dict(sorted(Counter(str(outcome.cause) for _, each, outcome in bad if each == name).items()))
        for name in plan.forms
    }
    duplicates = {
        name: dict(
            sorted(Counter(f"{p.how}, {p.across}" if p.across else p.how for p in pairs if p.modality == name).items())
        )
        for name in plan.forms
    }
    return Prepared(
        identity=plan.identity(),
        on_error=on_error,
        settings=plan.settings.model_dump(mode="json"),
        given=len(plan.layout.samples),
        rows=len(kept),
        dropped=dict(sorted(dropped.items())),
        modalities=modalities,
        unreadable={name: counts for name, counts in unreadable.items() if counts},
        duplicates={name: counts for name, counts in duplicates.items() if counts},
        notes=tuple(plan.layout.notes),
        files=states,
    )
