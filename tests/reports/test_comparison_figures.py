import numpy as np
import pytest
from scipy import stats

from equimodal.reports.comparison_figures import ComparisonCharts

from .made_up import make_comparison

JOINT = np.array([0.70, 0.71, 0.72, 0.73])
ALTERNATING = np.array([0.701, 0.691, 0.681, 0.671])


def test_accuracy_rows_hold_means_intervals_and_seeds(comparison):
    chart = ComparisonCharts(comparison).accuracy()
    assert [row.label for row in chart.rows] == ["joint", "alternating", "equilibrium"]
    mark = chart.rows[0].marks[0]
    assert mark.value == pytest.approx(JOINT.mean())
    assert mark.each == pytest.approx(tuple(JOINT))
    half = stats.t.ppf(0.975, 3) * JOINT.std(ddof=1) * np.sqrt(1 / 4 + 50 / 100)
    assert mark.interval == pytest.approx((JOINT.mean() - half, JOINT.mean() + half))
    assert chart.level == pytest.approx(JOINT.mean())


def test_differences_are_paired_by_seed(comparison):
    chart = ComparisonCharts(comparison).differences()
    assert chart is not None
    assert [row.label for row in chart.rows] == ["alternating", "equilibrium"]
    assert chart.rows[0].marks[0].each == pytest.approx(tuple(ALTERNATING - JOINT))
    assert chart.rows[1].marks[0].value == pytest.approx(0.08)


def test_utilisation_has_a_mark_for_each_modality(comparison):
    chart = ComparisonCharts(comparison).utilisation()
    image, text = chart.rows[0].marks
    assert image.value == pytest.approx(0.45 / 0.46)
    assert text.value == pytest.approx(0.1 / 0.46)
    assert [entry.label for entry in chart.legend] == ["image", "text"]
    assert (image.style, text.style) == tuple(entry.style for entry in chart.legend)


def test_entries_missing_have_a_mark_for_each_rate(comparison):
    chart = ComparisonCharts(comparison).missing()
    assert chart is not None
    assert [entry.label for entry in chart.legend] == ["none", "30%", "50%", "70%"]
    for row in chart.rows:
        for mark, column in zip(row.marks, ("accuracy", "missing_30", "missing_50", "missing_70"), strict=True):
            assert mark.value == pytest.approx(np.mean(comparison.values(row.label, column)))


def test_edm_and_scatter(comparison):
    charts = ComparisonCharts(comparison)
    expected = np.mean([0.35 / (a - 0.2) for a in JOINT])
    mark = charts.edm().rows[0].marks[0]
    assert mark.value == pytest.approx(expected)
    assert mark.reference == pytest.approx(np.median([0.35 / (a - 0.2) for a in JOINT]))
    points = charts.balance().points
    assert (points[0].label, points[0].y) == ("1", pytest.approx(JOINT.mean()))
    assert points[0].x == pytest.approx(expected)
    assert [entry.label for entry in charts.balance().legend] == ["1 joint", "2 alternating", "3 equilibrium"]


def test_undefined_edm_is_left_out_and_said():
    charts = ComparisonCharts(make_comparison(fused=(0.1, 0.7, 0.78)))
    assert charts.edm().rows[0].marks[0].value is None
    assert [point.label for point in charts.balance().points] == ["2", "3"]
    assert charts.balance().legend[0].label == "1 joint (EDM undefined)"


def test_one_method_has_no_differences_and_one_seed_no_intervals():
    assert ComparisonCharts(make_comparison(["joint"])).differences() is None
    charts = ComparisonCharts(make_comparison(seeds=1))
    assert charts.accuracy().rows[0].marks[0].interval is None
    assert "interval" not in charts.accuracy().caption
