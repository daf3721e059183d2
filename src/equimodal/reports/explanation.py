"""Explain a run: the page `explain.html`, and its tables as CSV beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from equimodal._version import __version__
from equimodal.display.charts import modality_styles
from equimodal.display.html import write_page
from equimodal.files import write_text
from equimodal.inference.explanation.explain import Explanation, explain
from equimodal.reports import explanation_figures as figures
from equimodal.reports import explanation_tables as tables
from equimodal.reports.cards import Card, card
from equimodal.reports.explanation_verdict import explanation_verdict
from equimodal.reports.robustness import chosen_rows
from equimodal.tables.csv import as_csv
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.text import as_text

PAGE = "explain.html"
MOST_CARDS = 12
"""Misled rows that the page shows with what they hold (ours)."""


@dataclass(frozen=True)
class Explained:
    """What was found, and the files that were written."""

    found: Explanation
    files: tuple[Path, ...]

    def __str__(self) -> str:
        found = self.found
        shown: list[Table] = [tables.misleading_table(found), tables.calibration_table(found)]
        if len(found.classes) <= figures.MOST_IN_MATRIX:
            shown[:0] = tables.class_tables(found)
        verdict = explanation_verdict(found)
        text = as_text(shown, [verdict.headline, *verdict.details])
        return f"{text}\n\nwritten: {', '.join(map(str, self.files))}"


def explain_run(
    folder: str | Path,
    data: str | None = None,
    *,
    split: str | None = None,
    trust: Collection[str] = (),
    out: Path | None = None,
) -> Explained:
    """Explain a run's model, and write `explain.html` with its tables as CSV.

    The page shows accuracy and contributions by class and by group, the rows that a modality misleads, the interactions
    of pairs, reliability and confusions.

    Args:
        folder: the run's folder.
        data: see `equimodal.inference.evaluation.evaluate_run`, and so for `split` and `trust`.
        split: one part of data that are split.
        trust: modules whose classes may be imported.
        out: the folder of the files; None: the run's.

    Raises:
        ConfigError: other rows than the run's own test part are explained, and no folder is named for the files.
        DataError: the data do not fit the model, or the run's own data cannot be loaded again.
        RunError: there is no finished run, or a file cannot be written.

    Example:
        >>> import tempfile, numpy as np
        >>> from equimodal.config.run import build_config
        >>> from equimodal.data.catalogue import load
        >>> from equimodal.training.fit import train
        >>> y = np.arange(60) % 2
        >>> with tempfile.TemporaryDirectory() as place:
        ...     data = Path(place) / "mine.npz"
        ...     np.savez(data, a=y[:, None] + np.zeros((60, 2)), b=np.ones((60, 3)), labels=y)
        ...     config = build_config({"data": {"name": str(data)}, "method": "joint", "training": {"epochs": 1}})
        ...     run = train(config, load(str(data)), folder=Path(place) / "run", quiet=True)
        ...     explained = explain_run(f"{place}/run")
        >>> explained.found.overall.rows, explained.files[0].name
        (12, 'explain.html')
    """
    folder = Path(folder)
    run, chosen = chosen_rows(folder, data, split, None, trust, out)
    found, where = explain(run, chosen), out or folder
    title = f"{run.config.method.label} on {run.config.data.title}"
    files = [write_explanation_page(found, title, where / PAGE)]
    for name, lines in tables.records(found).items():
        if not lines:
            (where / name).unlink(missing_ok=True)  # of an earlier explanation, which the page would contradict
            continue
        write_text(where / name, as_csv(table_of_records("", lines)), then="write it again")
        files.append(where / name)
    return Explained(found, tuple(files))


def write_explanation_page(found: Explanation, title: str, path: Path) -> Path:
    """Write an explanation as one HTML page; see `equimodal.reports.pages.write_run_page`.

    Args:
        found: what was found.
        title: of the page.
        path: the file; its folder is made if it does not exist.

    Returns:
        The path.

    Raises:
        RunError: if the file could not be written.
    """
    matrix = figures.confusion_chart(found)
    interactions = figures.interaction_chart(found)
    return write_page(
        path,
        "equimodal.reports",
        "explanation",
        title=title,
        found=found,
        verdict=explanation_verdict(found),
        styles=modality_styles(found.modalities),
        classes=tables.class_tables(found),
        class_charts=figures.part_charts(found),
        groups=tables.group_tables(found),
        misleading=[tables.misleading_table(found)],
        strongest=[tables.strongest_table(found)] if found.misleading.rows else [],
        cards=list(_cards(found)),
        interactions=[] if interactions is None else [interactions],
        confusion=[] if matrix is None else [matrix],
        scores=[tables.score_table(found)],
        pairs=[tables.pairs_table(found)] if found.confusion.mistaken() else [],
        reliability=[figures.reliability_chart(found)],
        calibration=[tables.calibration_table(found)],
        provenance={"equimodal": __version__, "rows": f"{found.rows.name}, {found.split}"},
    )


def _cards(found: Explanation) -> Iterable[Card]:
    """Yield the strongest misled rows with what they hold, each once."""
    said, by_row = found.predictions, {}
    for one in found.misleading.rows:
        by_row.setdefault(one.row, []).append(one)
    for row, misled in list(by_row.items())[:MOST_CARDS]:
        alone = ", ".join(f"{name} {tables.decision(found, row, name)}" for name in found.modalities)
        yield card(
            found.rows,
            row,
            [
                f"label: {said.labels[row]}; all say: {said.predicted[row]}",
                f"alone: {alone}",
                *(f"without {one.modality}: right, {one.gain:+.2f} nats" for one in misled),
            ],
        )
