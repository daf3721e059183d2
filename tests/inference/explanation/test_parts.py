"""Numbers of classes and groups: against pandas and SciPy, and where there are few rows or groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from equimodal.inference.explanation.parts import by_class, by_group, whole
from equimodal.training.predictions import SamplePredictions


def predictions(rows=120, classes=("a", "b", "c"), seed=0):
    """Made-up predictions, and whether each of two modalities alone is right."""
    random = np.random.default_rng(seed)
    labels = np.array(classes)[np.arange(rows) % 3 % len(classes)]
    predicted = np.where(random.random(rows) < 0.7, labels, np.roll(labels, 1))
    each = {name: random.normal(size=rows) for name in ("sound", "text")}
    found = SamplePredictions(
        tuple(classes), np.arange(rows).astype(str), labels, predicted, np.zeros((rows, len(classes))),
        dict.fromkeys(each, labels), {name: np.ones(rows) for name in each}, each,
    )  # fmt: skip
    return found, random.random((2, rows)) < 0.5


def test_numbers_of_each_class_are_those_of_pandas():
    found, alone = predictions()
    table = pd.DataFrame({"label": found.labels, "right": found.right, "sound": alone[0], **{
        f"phi {name}": values for name, values in found.contributions.items()
    }})  # fmt: skip
    for part in by_class(found, alone):
        means = table[table["label"] == part.name].drop(columns="label").mean().to_dict()
        assert part.accuracy is not None
        assert part.accuracy.value == pytest.approx(means["right"])
        assert part.alone["sound"].value == pytest.approx(means["sound"])
        assert part.contributions["text"].value == pytest.approx(means["phi text"])
        assert part.rows == 40 and not part.few


def test_intervals_of_rows_are_those_of_scipy():
    found, alone = predictions()
    part = whole(found, alone)
    expected = bootstrap(
        (found.contributions["sound"],), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    ends = part.contributions["sound"].ends
    assert ends is not None and ends == pytest.approx((expected.low, expected.high), abs=0.02)


def test_whole_groups_are_drawn():
    """Rows of a group are copies of one another: the interval is that of 30 groups, twice as wide."""
    found, alone = predictions(rows=30, classes=("a",))
    tiled = SamplePredictions(
        found.classes,
        np.arange(120).astype(str),
        np.tile(found.labels, 4),
        np.tile(found.predicted, 4),
        np.zeros((120, 1)),
        {name: np.tile(column, 4) for name, column in found.decisions.items()},
        {name: np.tile(column, 4) for name, column in found.label_probabilities.items()},
        {name: np.tile(column, 4) for name, column in found.contributions.items()},
    )
    groups = np.tile(np.arange(30).astype(str), 4)
    by_rows, in_groups = (by_class(tiled, np.tile(alone, 4), each)[0].contributions["text"] for each in (None, groups))
    assert by_rows.ends is not None and in_groups.ends is not None
    assert by_rows.value == in_groups.value
    ratio = np.ptp(in_groups.ends) / np.ptp(by_rows.ends)
    assert ratio == pytest.approx(2, rel=0.15)


def test_few_rows_and_absent_classes():
    found, alone = predictions(rows=12, classes=("a", "b", "c", "never"))
    first, *_, never = by_class(found, alone)
    assert first.few and first.accuracy is not None and first.accuracy.ends is not None
    assert (never.rows, never.accuracy, never.alone) == (0, None, {})
    groups = np.array(["one", "two"] * 6)  # two groups in each class: no interval
    part = by_class(found, alone, groups)[0]
    assert part.groups == 2 and part.accuracy is not None and part.accuracy.ends is None


@pytest.mark.parametrize(("count", "shown"), [(50, 50), (51, 10)])
def test_of_many_groups_the_largest_are_shown(count, shown):
    found, alone = predictions(rows=300)
    groups = np.array([f"g{min(row % count, row // 3):02d}" for row in range(300)])
    count = len(np.unique(groups))
    assert count in (50, 51)
    parts = by_group(found, alone, groups)
    sizes = pd.Series(groups).value_counts()
    assert len(parts) == shown
    assert [part.rows for part in parts] == sorted(sizes.tolist(), reverse=True)[:shown]
    one = parts[0]
    assert one.accuracy is not None
    assert one.accuracy.value == pytest.approx(found.right[groups == one.name].mean())


def test_groups_of_one_row_each_are_rows():
    found, alone = predictions(rows=20)
    assert by_group(found, alone, np.arange(20).astype(str)) == []
