"""A comparison in plain text and in Markdown: the numbers, and how to read them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from equimodal.evaluate.comparison import Comparison
from equimodal.evaluate.statistics import seeds_needed, smallest_p, told_apart

WIDTH = 110
"""Widest plain-text table; beyond it the modalities' own accuracies go to a second one."""
LEVEL = 0.05

Column = tuple[str, list[str]]


def as_text(comparison: Comparison) -> str:
    """Return the table, aligned, and a few sentences on how to read it."""
    methods, numbers, alone, balance = _columns(comparison)
    text = _aligned([methods, *numbers, *alone, *balance])
    if max(map(len, text.splitlines())) > WIDTH:
        text = f"{_aligned([methods, *numbers, *balance])}\n\n{_aligned([methods, *alone])}"
    sentences = [textwrap.fill(line, WIDTH) for line in reading(comparison)]
    return "\n".join([text, "", *sentences])


def as_markdown(comparison: Comparison) -> str:
    """Return the table as Markdown, and how to read it."""
    methods, numbers, alone, balance = _columns(comparison)
    columns = [methods, *numbers, *alone, *balance]
    lines = [
        [header for header, _ in columns],
        [":--", *["--:"] * (len(columns) - 1)],
        *zip(*(cells for _, cells in columns), strict=True),
    ]
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*rows, "", *reading(comparison)]) + "\n"


def reading(comparison: Comparison) -> list[str]:
    """Return what a reader needs to tell a difference from noise, one string a subject."""
    table, seeds = comparison.table(), len(comparison.seeds)
    lines = [] if seeds == 1 or len(table) == 1 else _verdict(comparison.baseline, table, seeds)
    lines.append(_intervals(comparison, seeds))
    undefined = sum(row["edm"]["undefined"] for row in table)
    if undefined:
        lines.append(
            f"EDM is undefined in {undefined} of {seeds * len(table)} runs (no better than the prior): "
            "its mean and median leave them out."
        )
    return lines


def _verdict(baseline: str, table: Sequence[Mapping[str, Any]], seeds: int) -> list[str]:
    differences = {row["method"]: row["accuracy"]["difference"] for row in table[1:]}
    verdicts = {method: told_apart(d) for method, d in differences.items()}

    def listed(*wanted: str) -> str:
        return ", ".join(f"{m} ({differences[m]['mean']:+.3f})" for m, said in verdicts.items() if said in wanted)

    lines = []
    if apart := listed("above", "below"):
        lines.append(f"Different from {baseline} in accuracy, by the 95% interval of the paired difference: {apart}.")
    elif "level" in verdicts.values():
        lines.append(f"No difference in accuracy to {baseline} can be told from noise: no 95% interval leaves out 0.")
    if unknown := listed("unknown"):
        lines.append(
            f"Not to be judged by an interval, for all seeds gave the same difference to {baseline}: {unknown}."
        )
    rejected = [f"{method} (p {d['p_holm']:.3g})" for method, d in differences.items() if d["p_holm"] <= LEVEL]
    lowest, tests = smallest_p(seeds), len(differences)
    second = (
        f"By exact paired permutation, Holm-corrected for {tests} comparison{'s' * (tests > 1)} at {LEVEL}: "
        f"{', '.join(rejected) or 'none'}. The smallest p that {seeds} seeds can give is {lowest:.3g}"
    )
    if tests > 1:
        second += f", {min(1.0, lowest * tests):.3g} corrected"
    if lowest * tests > LEVEL:
        second += f": none can be under {LEVEL} with fewer than {seeds_needed(tests, LEVEL)} seeds"
    return [*lines, f"{second}."]


def _intervals(comparison: Comparison, seeds: int) -> str:
    if seeds == 1:
        return "One seed: no interval, and no difference can be told from noise. Give more seeds."
    if comparison.redraw == "none":
        return (
            f"Intervals: Student's t, 95%, over {seeds} seeds on one fixed split. "
            "They hold training noise only, not what another sample would change."
        )
    return (
        f"Intervals: t, 95%, over {seeds} redrawn splits, widened for the samples that splits share "
        f"(Nadeau and Bengio: variance x (1/{seeds} + {comparison.overlap:.2f}))."
    )


def _columns(comparison: Comparison) -> tuple[Column, list[Column], list[Column], list[Column]]:
    """Return the columns as text: methods, accuracy and its difference, each modality alone, balance."""
    table = comparison.table()

    def means(column: str, digits: int) -> list[str]:
        return [_number(row[column]["mean"], digits) for row in table]

    numbers = [("accuracy", [_with_half_width(row["accuracy"]) for row in table])]
    if len(table) > 1:
        differences = [_difference(row["accuracy"]["difference"]) for row in table]
        numbers.append((f"difference to {comparison.baseline}", differences))
    alone = [(f"{name} alone", means(f"unimodal.{name}", 3)) for name in comparison.modalities]
    edm = [
        _number(row["edm"]["mean"], 2) + (f" ({row['edm']['median']:.2f})" if row["edm"]["median"] is not None else "")
        for row in table
    ]
    balance = [("EDM (median)", edm), ("smallest u", means("smallest_utilisation", 2))]
    return ("method", [row["method"] for row in table]), numbers, alone, balance


def _number(value: float | None, digits: int) -> str:
    return "undefined" if value is None else f"{value:.{digits}f}"


def _with_half_width(numbers: Mapping[str, Any]) -> str:
    if numbers["low"] is None:
        return _number(numbers["mean"], 3)
    return f"{numbers['mean']:.3f} ± {(numbers['high'] - numbers['low']) / 2:.3f}"


def _difference(numbers: Mapping[str, Any] | None) -> str:
    if numbers is None:
        return "-"
    if numbers["low"] is None:
        return f"{numbers['mean']:+.3f}"
    return f"{numbers['mean']:+.3f} [{numbers['low']:+.3f}, {numbers['high']:+.3f}]"


def _aligned(columns: Sequence[Column]) -> str:
    """Lay out columns: the first to the left, the others to the right."""
    widths = [max(map(len, [header, *cells])) for header, cells in columns]
    rows = [[header for header, _ in columns], *zip(*(cells for _, cells in columns), strict=True)]
    lines = [
        "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))])
        for first, *rest in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
