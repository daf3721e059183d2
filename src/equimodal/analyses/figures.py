"""The figures of a whole analysis: of each part, and over all settings."""

from __future__ import annotations

from dataclasses import replace

from equimodal.analyses.charts import estimate_mark, score_chart
from equimodal.analyses.findings import Findings
from equimodal.analyses.tables import SCORES
from equimodal.display.charts import Chart, Row, Style
from equimodal.files import safe_name


def analysis_charts(findings: Findings) -> list[list[Chart]]:
    """Return the figures of each part; where there are several, their keys and titles name the part."""
    parts = findings.parts()
    made = []
    for number, part in enumerate(parts, start=1):
        prefix = f"{number}-{safe_name(part.title).lower()}" if len(parts) > 1 else findings.kind
        where = f", {part.title}" if len(parts) > 1 else ""
        charts = part.analysis.charts(part.result)
        made.append([replace(chart, key=f"{prefix}-{chart.key}", title=f"{chart.title}{where}") for chart in charts])
    return made


def overall_charts(findings: Findings) -> list[Chart]:
    """Return each score's differences over all settings, of each recipe; none for a single setting."""
    overall = findings.overall()
    charts = []
    for recipe, whole in overall.items():
        of = f", {recipe}" if len(overall) > 1 else ""
        reference = next(name for name in whole.rows if name not in whole.compared)
        for column, words, _, _ in SCORES:
            differences = {name: whole.difference(name, column) for name in whole.compared}
            rows = tuple(Row(name, (estimate_mark(found, Style()),)) for name, found in differences.items())
            chart = score_chart(column, words, rows, reference=reference)
            key = "-".join(["overall", *([safe_name(recipe).lower()] if of else []), chart.key])
            charts.append(replace(chart, key=key, title=f"{chart.title} over all settings{of}"))
    return charts
