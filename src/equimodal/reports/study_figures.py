"""The figures of a study's report, as charts."""

from __future__ import annotations

from equimodal.comparison.study import Study
from equimodal.display.charts import INK, MUTED, Chart, Entry, Mark, Row, RowChart, Style


def study_charts(study: Study) -> list[Chart]:
    """Return the critical-difference diagram, and each declared comparison with its interval."""
    charts: list[Chart] = []
    if study.ranked:
        charts.append(critical_differences(study))
    if any(decision.mean is not None for decision in study.decisions()):
        charts.append(declared(study))
    return charts


def critical_differences(study: Study) -> RowChart:
    """Mean rank of each method, half a critical difference to either side."""
    ranking = study.ranking()
    half = ranking.critical_difference / 2
    rows = tuple(
        Row(method, (Mark(mean, Style(INK if method == study.methods[0] else MUTED), (mean - half, mean + half)),))
        for method, mean in ranking.ranks.items()
    )
    return RowChart(
        key="ranks",
        title="Critical differences",
        caption=f"Mean rank by accuracy over {ranking.settings} settings, 1 being the best. Two methods can be "
        "distinguished where their lines do not overlap (Nemenyi, critical difference "
        f"{ranking.critical_difference:.2f}).",
        axis="mean rank",
        rows=rows,
    )


def declared(study: Study) -> RowChart:
    """Difference of each declared comparison, with its 95% interval."""
    rows, legend = [], []
    for place, decision in enumerate(study.decisions(), start=1):
        interval = None if decision.low is None or decision.high is None else (decision.low, decision.high)
        mark = Mark(decision.mean, Style(INK if decision.decided else MUTED), interval)
        rows.append(Row(str(place), (mark,)))
        legend.append(Entry(f"{place}: {decision.primary}"))
    return RowChart(
        key="declared",
        title="What was declared",
        caption="Difference and its 95% interval. Dark where it can be distinguished from noise.",
        axis="difference",
        rows=tuple(rows),
        level=0.0,
        legend=tuple(legend),
    )
