"""Entries missing at random: the weighted mean of coalitions against a simulation, and in its limits."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from equimodal.contribution.missing import area_missing, value_missing
from equimodal.errors import ConfigError


def subsets(n):
    return [members for size in range(n + 1) for members in combinations(range(n), size)]


def named(values, n):
    return {"+".join(f"m{i}" for i in members): value for members, value in zip(subsets(n), values, strict=True)}


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("rate", [0.3, 0.5, 0.7])
def test_it_is_what_a_simulation_finds(n, rate):
    """Which rows are right depends on what they keep; each draw removes entries, and rows without any are redrawn."""
    rng = np.random.default_rng(n)
    samples, draws = 400, 2000
    right = {members: rng.random(samples) < rng.random() for members in subsets(n)}
    table = np.stack([right[tuple(i for i in range(n) if mask >> i & 1)] for mask in range(2**n)])
    kept = rng.random((draws, samples, n)) >= rate
    masks = (kept << np.arange(n)).sum(-1)
    simulated = table[masks, np.arange(samples)]
    accuracy = float(simulated[masks > 0].mean())  # given that something is kept, as when such rows are redrawn
    found = value_missing(named([right[members].mean() for members in subsets(n)], n), n, rate)
    assert found == pytest.approx(accuracy, abs=4 * 0.5 / np.sqrt(samples * draws))


@given(st.integers(2, 5), st.floats(0, 0.99), st.floats(-2, 2))
def test_the_weights_sum_to_1(n, rate, value):
    assert value_missing(named([9.0] + [value] * (2**n - 1), n), n, rate) == pytest.approx(value, abs=1e-9)


def test_limits():
    values = {"": 0.1, "a": 0.5, "b": 0.7, "c": 0.3, "a+b": 0.8, "a+c": 0.8, "b+c": 0.8, "a+b+c": 0.9}
    assert value_missing(values, 3, 0) == 0.9
    assert value_missing(values, 3, 1 - 1e-9) == pytest.approx(0.5, abs=1e-6)  # one entry is left: the mean of them


def test_it_is_unknown_where_a_coalition_is():
    assert value_missing({"": 0.1, "a": 0.5, "a+b": 0.8}, 2, 0.5) is None


@pytest.mark.parametrize("rate", [1, 1.5, -0.1, float("nan"), True, "0.5", None])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ConfigError, match="rate: expected the share of entries that are missing"):
        value_missing({"": 0.1, "a": 0.5, "b": 0.5, "a+b": 0.8}, 2, rate)


def test_the_area_is_that_under_the_curve():
    values = {"a": 0.5, "b": 0.3, "a+b": 0.9}
    rates = np.arange(10) / 10
    curve = [(r * (1 - r) * 0.8 + (1 - r) ** 2 * 0.9) / (1 - r**2) for r in rates]
    assert area_missing(values, 2) == pytest.approx(integrate.trapezoid(curve, rates) / 0.9)
    assert area_missing({"a": 0.5, "a+b": 0.9}, 2) is None
