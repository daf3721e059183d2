"""The permutation test and Holm's correction against SciPy and second implementations."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from equimodal.statistics.permutation import holm, permutation_p, seeds_needed, smallest_p

VALUES = st.lists(st.integers(-60, 60).map(lambda count: count / 48), min_size=2, max_size=9)


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
