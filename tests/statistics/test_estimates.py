"""Statistics against SciPy, closed forms and second implementations."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from equimodal.statistics.estimates import (
    Pooled,
    estimate,
    holm,
    paired,
    permutation_p,
    pool,
    seeds_needed,
    smallest_p,
    told_apart,
)


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


@given(VALUES, st.sampled_from([0.0, 0.5]))
def test_a_difference_is_told_apart_where_its_interval_leaves_out_0(values, overlap):
    said = told_apart(asdict(estimate(values, overlap)))
    if np.ptp(values) == 0:
        assert said == ("level" if values[0] == 0 else "unknown")
        return
    t = np.mean(values) / (np.std(values, ddof=1) * math.sqrt(1 / len(values) + overlap))
    bound = stats.t.ppf(0.975, len(values) - 1)
    assert said == ("above" if t > bound else "below" if t < -bound else "level")


def test_pairs_with_an_undefined_side_are_undefined():
    assert paired([1.0, None, 3.0], [0.5, 1.0, None]) == [0.5, None, None]
    with pytest.raises(ValueError, match="longer"):
        paired([1.0], [1.0, 2.0])


@settings(max_examples=40, deadline=None)
@given(VALUES.filter(lambda values: len(values) <= 7))
@example([22 / 48, -35 / 48, -10 / 48, 10 / 48, 13 / 48])  # of sum 0, which SciPy misses for rounding in fractions
def test_exact_permutation_is_scipys(values):
    whole = np.round(48 * np.array(values))  # p is the same, and sums of whole numbers that tie are equal
    assert np.allclose(whole / 48, values, atol=1e-15)
    expected = stats.permutation_test((whole,), np.mean, permutation_type="samples", n_resamples=10_000)
    assert permutation_p(values) == pytest.approx(expected.pvalue, abs=1e-12)


@given(VALUES)
def test_exact_permutation_counts_sign_patterns(values):
    numbers = [round(48 * value) for value in values]  # whole numbers: no rounding, ties are ties
    signs = itertools.product((-1, 1), repeat=len(numbers))
    sums = [abs(sum(s * n for s, n in zip(pattern, numbers, strict=True))) for pattern in signs]
    expected = sum(total >= abs(sum(numbers)) for total in sums) / len(sums)
    assert permutation_p(values) == pytest.approx(expected, abs=1e-12)


def test_many_pairs_are_drawn_and_near_the_exact_value():
    counts = np.random.default_rng(3).integers(-10, 16, 26)
    exact = Counter({0: 1})  # exact distribution of the signed sum, by convolution over whole numbers
    for count in counts:
        step = Counter()
        for total, ways in exact.items():
            step[total + count] += ways
            step[total - count] += ways
        exact = step
    expected = sum(w for t, w in exact.items() if abs(t) >= abs(counts.sum())) / 2 ** len(counts)
    assert 0.01 < expected < 0.9
    found = permutation_p((counts / 100).tolist())
    assert found == pytest.approx(expected, abs=4 * math.sqrt(expected / 9999) + 2e-4)
    assert found == permutation_p((counts / 100).tolist())  # seeded


@pytest.mark.parametrize("pairs", [1, 2, 5, 10, 20])
def test_smallest_p_is_reached_and_not_undercut(pairs):
    differences = np.random.default_rng(pairs).uniform(0.1, 1, pairs)
    assert permutation_p(differences) == smallest_p(pairs) == min(1, 2 / 2**pairs)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_bonferroni_test(p_values):
    m = len(p_values)
    for i in range(m):
        others = [j for j in range(m) if j != i]
        intersections = [(i, *rest) for size in range(m) for rest in itertools.combinations(others, size)]
        expected = max(min(1, len(s) * min(p_values[j] for j in s)) for s in intersections)
        assert holm(p_values)[i] == pytest.approx(expected)


def test_holm_of_nothing():
    assert holm([]) == []


@pytest.mark.parametrize("comparisons", [1, 2, 3, 4, 5, 10])
def test_seeds_needed_is_the_least_number(comparisons):
    enough = [seeds for seeds in range(1, 20) if comparisons * smallest_p(seeds) <= 0.05]
    assert seeds_needed(comparisons) == min(enough)


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
    assert pool([[0.5], [0.1, 0.2]], [0.0, 0.0]) == Pooled(pytest.approx(0.325))
    assert pool([[0.5, 0.5], [0.0, 0.0]], [0.0, 0.0]) == Pooled(0.25)
    found, half = pool([[0.0, 0.0, 0.0], [0.1, 0.2, 0.3], [None] * 3], [0.0] * 3), estimate([0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.1) and found.free == pytest.approx(2)
    assert found.high is not None and half.high is not None and half.mean is not None
    assert found.high - 0.1 == pytest.approx((half.high - half.mean) / 2)
