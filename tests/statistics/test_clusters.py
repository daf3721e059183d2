"""How many rows in groups are worth, against an F test, closed forms and simulated groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway

from equimodal.statistics.clusters import effective_samples, intraclass_correlation


def grouped(rng, rho, sizes):
    """Rows of unit variance, correlated by rho within a group."""
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    common = rng.normal(size=len(sizes))[numbers]
    return np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=len(numbers)), numbers


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), sizes=st.lists(st.integers(1, 9), min_size=2, max_size=7))
def test_the_correlation_is_that_of_an_f_test(seed, sizes):
    if max(sizes) == 1:
        sizes = [*sizes, 2]
    values, numbers = grouped(np.random.default_rng(seed), 0.4, sizes)
    F = f_oneway(*(values[numbers == g] for g in range(len(sizes)))).statistic
    N, G = sum(sizes), len(sizes)
    m0 = (N - sum(m * m for m in sizes) / N) / (G - 1)
    expected = (F - 1) / (F - 1 + m0)
    assert intraclass_correlation(values, numbers) == pytest.approx(min(max(expected, 0), 1), abs=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.2, 0.7])
def test_it_finds_the_correlation_of_simulated_groups(rho):
    rng = np.random.default_rng(1)
    values, numbers = grouped(rng, rho, rng.integers(2, 20, size=3000))
    assert intraclass_correlation(values, numbers) == pytest.approx(rho, abs=0.03)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_what_changes_nothing(seed, scale, shift):
    rng = np.random.default_rng(seed)
    values, numbers = grouped(rng, 0.5, rng.integers(1, 8, size=6))
    order, names = rng.permutation(len(values)), rng.permutation(6) * 7 - 3
    expected = effective_samples(np.stack([values, values**2], 1), numbers)
    changed = np.stack([scale * values + shift, values**2], 1)[order]
    assert effective_samples(changed, names[numbers][order]) == pytest.approx(expected, rel=1e-6)


def test_nothing_is_known_of_one_group_of_single_rows_or_of_constants():
    values = np.arange(6.0)
    assert intraclass_correlation(values, np.zeros(6)) is None
    assert intraclass_correlation(values, np.arange(6)) is None
    assert intraclass_correlation(np.ones(6), np.array([0, 0, 0, 1, 1, 1])) is None


def test_rows_that_stand_alone_are_all_worth_one():
    values = np.random.default_rng(0).normal(size=(30, 2))
    assert effective_samples(values, None) == effective_samples(values, np.arange(30)) == 30
    assert effective_samples(values[:0], np.arange(0)) == 0


def test_with_few_groups_a_correlation_is_assumed():
    """One group: the prior .05. Two: (1 * rho + 4 * .05) / 5, with rho = 1 for rows that a group repeats."""
    assert effective_samples(np.random.default_rng(0).normal(size=(80, 1)), np.zeros(80)) == pytest.approx(80 / 4.95)
    repeated, numbers = np.repeat([[0.0], [1.0]], 40, axis=0), np.repeat([0, 1], 40)
    assert effective_samples(repeated, numbers) == pytest.approx(80 / (1 + 39 * (1 + 0.2) / 5))
    unlike = np.tile([[0.0], [1.0]], (40, 1))  # rho = 0 of two groups alike
    assert effective_samples(unlike, numbers) == pytest.approx(80 / (1 + 39 * 0.2 / 5))


def test_the_most_correlated_column_counts():
    rng = np.random.default_rng(2)
    values, numbers = grouped(rng, 0.6, [10] * 50)
    noise = rng.normal(size=500)
    both = effective_samples(np.stack([noise, values], 1), numbers)
    assert both == effective_samples(values[:, None], numbers) < effective_samples(noise[:, None], numbers) / 3


@pytest.mark.parametrize("rho", [0.1, 0.5])
def test_of_many_groups_it_is_the_worth_of_a_mean(rho):
    """The variance of a mean over rows, simulated, is that of so many independent rows."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 30, size=150)
    means, worth = [], []
    for _ in range(600):
        values, numbers = grouped(rng, rho, sizes)
        means.append(values.mean())
        worth.append(effective_samples(values[:, None], numbers))
    assert np.mean(worth) == pytest.approx(1 / np.var(means), rel=0.15)
