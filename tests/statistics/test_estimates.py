"""Statistics against SciPy, closed forms and second implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from equimodal.statistics.estimates import Pooled, estimate, paired, pool


def interval(values, overlap=0.0):
    found = estimate(values, overlap)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.mean, found.high


VALUES = st.lists(st.integers(-60, 60).map(lambda count: count / 48), min_size=2, max_size=9)


@given(VALUES)
def test_interval_of_independent_values_is_students(values):
    found = estimate(values)
    if np.ptp(values):
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    else:
        assert (found.low, found.high) == (None, None)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert found.median == pytest.approx(np.median(values), abs=1e-12)


def test_interval_of_redrawn_splits_is_nadeau_and_bengios():
    values = [0.71, 0.74, 0.69, 0.77, 0.73]
    low, mean, high = interval(values, overlap=200 / 600)
    # The published form: variance (1/J + n2/n1) S^2, here with the tabulated t of 4 degrees of freedom.
    variance = (1 / 5 + 1 / 3) * sum((v - 0.728) ** 2 for v in values) / 4
    assert high - mean == pytest.approx(2.776445 * math.sqrt(variance), rel=1e-6)
    assert mean - low == pytest.approx(high - mean)


def test_corrected_interval_covers_correlated_splits():
    """Values that share a part with correlation rho: the corrected interval holds the mean in 95%."""
    rng, seeds, rho = np.random.default_rng(0), 10, 0.25
    overlap = rho / (1 - rho)  # the correlation that the correction supposes
    draws = math.sqrt(rho) * rng.normal(size=(2000, 1)) + math.sqrt(1 - rho) * rng.normal(size=(2000, seeds))
    covered = {}
    for name, value in {"corrected": overlap, "plain": 0.0}.items():
        intervals = [interval(list(row), value) for row in draws]
        covered[name] = np.mean([low <= 0 <= high for low, _, high in intervals])
    assert covered["corrected"] == pytest.approx(0.95, abs=0.015)
    assert covered["plain"] < 0.75


def test_the_interval_of_redrawn_splits_holds_the_truth_with_few_labels():
    """Worlds of 1000 rows, redrawn ten times into 600 and 300; 60 of the 600 are trained on: nearest class mean.

    The correction is by 300/600. By 300/60 the interval would be three times as long, for no better coverage.
    """
    rng, means = np.random.default_rng(0), np.random.default_rng(1).normal(0, 0.7, (3, 5))

    def draw(rows):
        labels = np.resize(np.arange(3), rows)
        return means[labels] + rng.normal(size=(rows, 5)), labels

    def accuracy(x, y, inputs, labels):
        centres = np.stack([x[y == k].mean(0) for k in range(3)])
        return np.mean(((inputs[:, None] - centres) ** 2).sum(-1).argmin(1) == labels)

    truth = np.mean([accuracy(*draw(60), *draw(3000)) for _ in range(300)])
    covered = []
    for _ in range(150):
        x, y = draw(1000)
        seeds = []
        for _ in range(10):
            order = rng.permutation(1000)
            train, test = order[:600], order[-300:]
            few = np.concatenate([rng.choice(train[y[train] == k], 20, replace=False) for k in range(3)])
            seeds.append(accuracy(x[few], y[few], x[test], y[test]))
        low, _, high = interval(seeds, overlap=300 / 600)
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.95


def test_undefined_values_are_counted_and_left_out():
    found = estimate([0.5, None, 0.7, None])
    assert (found.count, found.undefined) == (2, 2)
    assert found.mean == pytest.approx(0.6)
    assert estimate([None]).mean is None
    assert estimate([None]).undefined == 1


@pytest.mark.parametrize(
    "values",
    [
        [0.5],
        [0.5, None],
        [0.5] * 4,
        [0.70 - 0.65, 0.75 - 0.70, 0.80 - 0.75],  # the same but for rounding
        [0.0, 0.0],
    ],
)
def test_without_spread_there_is_no_interval(values):
    found = estimate(values, overlap=0.5)
    assert (found.low, found.high) == (None, None)
    assert found.mean == pytest.approx(values[0])
    assert found.count + found.undefined == len(values)


def test_pairs_with_an_undefined_side_are_undefined():
    assert paired([1.0, None, 3.0], [0.5, 1.0, None]) == [0.5, None, None]
    with pytest.raises(ValueError, match="longer"):
        paired([1.0], [1.0, 2.0])


def test_pooled_over_settings_the_interval_holds_the_truth_as_often_as_it_says():
    rng, held, tries = np.random.default_rng(0), 0, 4000
    for _ in range(tries):
        found = pool([rng.normal(1.0, 0.1, 6), rng.normal(2.0, 3.0, 6), rng.normal(3.0, 1.0, 4)], [0.0] * 3)
        assert found.low is not None and found.high is not None
        held += found.low <= 2.0 <= found.high
    assert held / tries == pytest.approx(0.95, abs=0.015)


def test_one_setting_pooled_is_its_estimate():
    values = [0.1, 0.3, None, 0.2, 0.25]
    one, alone = pool([values], [0.4]), estimate(values, 0.4)
    assert (one.mean, one.low, one.high) == pytest.approx((alone.mean, alone.low, alone.high))
    assert one.free == pytest.approx(3)


def test_settings_without_a_number_are_left_out_and_those_without_spread_count():
    assert pool([[None, None]], [0.0]) == Pooled(None)
    assert pool([[0.5], [0.1, 0.2]], [0.0, 0.0]) == Pooled(pytest.approx(0.325), count=3)
    assert pool([[0.5, 0.5], [0.0, 0.0]], [0.0, 0.0]) == Pooled(0.25, count=4)
    found, half = pool([[0.0, 0.0, 0.0], [0.1, 0.2, 0.3], [None] * 3], [0.0] * 3), estimate([0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.1) and found.free == pytest.approx(2)
    assert found.high is not None and half.high is not None and half.mean is not None
    assert found.high - 0.1 == pytest.approx((half.high - half.mean) / 2)
