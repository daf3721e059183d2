"""Tables of an explanation: as the page shows them, and as records with all digits for CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from equimodal.inference.explanation.explain import Explanation
from equimodal.inference.explanation.misleading import Misled
from equimodal.inference.explanation.parts import FEW_ROWS, LARGEST_GROUPS, Part
from equimodal.inference.means import Mean
from equimodal.tables.table import Cell, Column, Table
from equimodal.tables.words import interval, number

STRONGEST = 20
"""Misled rows in the table of the page; the file has all of them."""
MOST_PAIRS = 20
"""Confused pairs of classes in the table of the page; the file has all of them."""
INTERVALS = "95% bootstrap intervals"


def class_tables(found: Explanation) -> list[Table]:
    """Return what the model does on each class: accuracy, and contributions."""
    drawn = "whole groups of" if found.group_count is not None else "the rows of"
    note = f"{INTERVALS}, drawn from {drawn} each class; {_few()}"
    return [
        _accuracy("Accuracy by class", note, "class", found.classes, found),
        _contributions("Contribution by class", found.classes, found, "class"),
    ]


def group_tables(found: Explanation) -> list[Table]:
    """Return what the model does on each group, or on the largest; none where there are none."""
    if not found.groups:
        return []
    count = found.group_count or 0
    which = f"The {LARGEST_GROUPS} of {count} groups with the most rows. " if count > len(found.groups) else ""
    note = f"{which}{INTERVALS}, drawn from the rows of each group; {_few()}"
    return [
        _accuracy("Accuracy by group", note, "group", found.groups, found),
        _contributions("Contribution by group", found.groups, found, "group"),
    ]


def _few() -> str:
    return f"a part with fewer than {FEW_ROWS} rows is marked."


def _accuracy(title: str, note: str, header: str, chosen: Sequence[Part], found: Explanation) -> Table:
    parts = (found.overall, *chosen)
    columns = [Column("rows", tuple(Cell(str(part.rows), "few" * part.few) for part in parts))]
    if any(part.groups is not None for part in chosen):
        columns.append(Column("groups", tuple(Cell(str(part.groups)) for part in parts)))
    columns.append(Column("all modalities", tuple(_cell(part.accuracy) for part in parts)))
    columns += [
        Column(f"{name} alone", tuple(_cell(part.alone.get(name)) for part in parts)) for name in found.modalities
    ]
    return Table(title, note, tuple(part.name for part in parts), tuple(columns), header, over_all=True)


def _contributions(title: str, parts: Sequence[Part], found: Explanation, header: str) -> Table:
    note = (
        "Mean over the rows of what each modality adds to the log probability of the label (Shapley value, in nats). "
        "Below 0: it speaks against the label."
    )
    parts = (found.overall, *parts)
    columns = [Column("rows", tuple(Cell(str(part.rows), "few" * part.few) for part in parts))]
    columns += [
        Column(name, tuple(_cell(part.contributions.get(name), sign=True) for part in parts))
        for name in found.modalities
    ]
    return Table(title, note, tuple(part.name for part in parts), tuple(columns), header, over_all=True)


def _cell(mean: Mean | None, *, sign: bool = False) -> Cell:
    if mean is None:
        return Cell(number(None))
    return Cell(number(mean.value, sign=sign), "" if mean.ends is None else interval(*mean.ends, sign=sign))


def misleading_table(found: Explanation) -> Table:
    """Return what leaving out each modality would change."""
    counts = found.misleading.counts
    each = list(counts.values())
    return Table(
        "Leaving out one modality",
        "Of the rows that have the modality and another one. Misled: wrong with all modalities, right without "
        "this one. Helped: right with all, wrong without it. Luck makes a few rows right as well: a modality misleads "
        "where it does not help far more rows.",
        tuple(counts),
        (
            Column("rows", tuple(Cell(str(one.rows)) for one in each)),
            Column("misled", tuple(Cell(str(one.misled)) for one in each)),
            Column("share misled", tuple(Cell(number(one.misled / one.rows if one.rows else None)) for one in each)),
            Column("helped", tuple(Cell(str(one.helped)) for one in each)),
            Column("share helped", tuple(Cell(number(one.helped / one.rows if one.rows else None)) for one in each)),
        ),
        "modality",
    )


def strongest_table(found: Explanation) -> Table:
    """Return the rows that are misled most."""
    rows, said = found.misleading.rows[:STRONGEST], found.predictions
    of = (
        f"The {len(rows)} strongest of {len(found.misleading.rows)}. " if len(found.misleading.rows) > len(rows) else ""
    )
    return Table(
        "Misled rows",
        f"{of}Gain: what leaving out the modality adds to the log probability of the label, in nats.",
        tuple(str(said.ids[one.row]) for one in rows),
        (
            Column("misled by", tuple(Cell(one.modality) for one in rows)),
            Column("gain", tuple(Cell(number(one.gain, 2, sign=True)) for one in rows)),
            Column("label", tuple(Cell(str(said.labels[one.row])) for one in rows)),
            Column("all say", tuple(Cell(str(said.predicted[one.row])) for one in rows)),
            *(
                Column(f"{name} says", tuple(Cell(decision(found, one.row, name)) for one in rows))
                for name in found.modalities
            ),
        ),
        "id",
    )


def decision(found: Explanation, row: int, modality: str) -> str:
    """Return what a modality alone says of a row, a dash where the row lacks it."""
    return str(found.predictions.decisions[modality][row]) or number(None)


def calibration_table(found: Explanation) -> Table:
    """Return ECE and loss before and after the temperature."""
    trust = found.reliability
    each = {"as it is": trust.before}
    if trust.after is not None and trust.temperature is not None:
        each[f"with temperature {trust.temperature:.2f}"] = trust.after
    return Table(
        "Calibration",
        f"The logits are divided by one temperature, fitted on validation; no decision changes. {trust.note}".rstrip(),
        tuple(each),
        (
            Column("ECE", tuple(Cell(number(one.ece)) for one in each.values())),
            Column("loss", tuple(Cell(number(one.loss)) for one in each.values())),
        ),
        "probabilities",
    )


def score_table(found: Explanation) -> Table:
    """Return precision, recall and F1 of each class."""
    scores = found.confusion.scores()
    return Table(
        "Precision, recall and F1",
        "Precision: of the rows that are said to be of the class, the share that is. Recall: of the rows of the class, "
        "the share that is recognised. F1: their harmonic mean.",
        tuple(scores),
        (
            Column("rows", tuple(Cell(str(part.rows), "few" * part.few) for part in found.classes)),
            Column("precision", tuple(Cell(number(one.precision)) for one in scores.values())),
            Column("recall", tuple(Cell(number(one.recall)) for one in scores.values())),
            Column("F1", tuple(Cell(number(one.f1)) for one in scores.values())),
        ),
        "class",
    )


def pairs_table(found: Explanation) -> Table:
    """Return the pairs of classes that are confused most."""
    pairs = found.confusion.mistaken()
    shown = pairs[:MOST_PAIRS]
    more = f" {len(pairs)} pairs are confused in all." if len(pairs) > len(shown) else ""
    return Table(
        "Most confused classes",
        f"Rows of one class that are taken for another, and their share of its rows.{more}",
        tuple(pair.label for pair in shown),
        (
            Column("taken for", tuple(Cell(pair.predicted) for pair in shown)),
            Column("rows", tuple(Cell(str(pair.rows)) for pair in shown)),
            Column("share", tuple(Cell(number(pair.share)) for pair in shown)),
        ),
        "class",
    )


def records(found: Explanation) -> dict[str, list[dict[str, Any]]]:
    """Return the records of each file, by its name; there may be none of groups, misled rows and interactions."""
    scores = found.confusion.scores()
    said, trust = found.predictions, found.reliability
    contribution = found.measured.contribution
    ends = contribution.intervals.interactions if contribution.intervals else {}
    return {
        "explain_classes.csv": [
            {"class": part.name, **_of_part(part), **asdict(scores[part.name])} for part in found.classes
        ],
        "explain_groups.csv": [{"group": part.name, **_of_part(part)} for part in found.groups],
        "explain_modalities.csv": [{"modality": name, **asdict(one)} for name, one in found.misleading.counts.items()],
        "explain_misled.csv": [_of_misled(found, one) for one in found.misleading.rows],
        "explain_interactions.csv": [
            {"pair": pair, "interaction": value, **(ends[pair]._asdict() if pair in ends else {})}
            for pair, value in (contribution.interactions or {}).items()
        ],
        "explain_reliability.csv": [
            {"probabilities": what, "temperature": temperature, "ece": one.ece, **asdict(each)}
            for what, temperature, one in (("before", 1.0, trust.before), ("after", trust.temperature, trust.after))
            if one is not None
            for each in one.bins
        ],
        "explain_confusion.csv": [
            {"class": label, "predicted": predicted, "rows": int(found.confusion.counts[i, j])}
            for i, label in enumerate(said.classes)
            for j, predicted in enumerate(said.classes)
            if found.confusion.counts[i, j]
        ],
    }


def _of_part(part: Part) -> dict[str, Any]:
    """Return the numbers of a part: its rows, and each mean with the ends of its interval."""
    fields: dict[str, Any] = {"rows": part.rows, "groups": part.groups, "few": int(part.few)}
    means = {"accuracy": part.accuracy}
    means |= {f"{name}: accuracy alone": mean for name, mean in part.alone.items()}
    means |= {f"{name}: contribution": mean for name, mean in part.contributions.items()}
    for name, mean in means.items():
        low, high = (None, None) if mean is None or mean.ends is None else mean.ends
        fields |= {name: None if mean is None else mean.value, f"{name}, low": low, f"{name}, high": high}
    return fields


def _of_misled(found: Explanation, one: Misled) -> dict[str, Any]:
    said = found.predictions
    return {
        "id": str(said.ids[one.row]),
        "modality": one.modality,
        "gain": one.gain,
        "label": str(said.labels[one.row]),
        "prediction": str(said.predicted[one.row]),
        **{f"{name}: decision": str(said.decisions[name][one.row]) for name in found.modalities},
    }
