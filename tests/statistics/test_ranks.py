"""Ranks over settings against published tables, SciPy and a count by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from equimodal.statistics.ranks import Ranking, rank


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (7, 2.949), (10, 3.164)])
def test_the_critical_difference_is_that_of_demsars_table_5(methods, q):
    N = 14
    rng = np.random.default_rng(0)
    found = rank({f"m{i}": rng.random(N).tolist() for i in range(methods)}).critical_difference
    assert found == pytest.approx(q * math.sqrt(methods * (methods + 1) / (6 * N)), rel=1e-3)


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=3, max_size=6),
    st.randoms(use_true_random=False),
)
def test_ranks_against_counting_and_friedman_against_scipy(table, random):
    scores = {f"m{i}": [float(v) for v in row] for i, row in enumerate(table)}
    found = rank(scores)
    for method, own in scores.items():
        counted = []
        for setting, value in enumerate(own):
            above = sum(other[setting] > value for other in scores.values())
            level = sum(other[setting] == value for other in scores.values())
            counted.append(above + (level + 1) / 2)
        assert found.ranks[method] == pytest.approx(np.mean(counted))
    assert list(found.ranks.values()) == sorted(found.ranks.values())
    if any(row != table[0] for row in table):
        assert found.p == pytest.approx(stats.friedmanchisquare(*scores.values()).pvalue)
    else:
        assert found.p is None


def test_groups_are_the_longest_runs_within_the_critical_difference():
    # ranks 1, 2, 3, 4, 5 in each of 30 settings: CD = 2.728 sqrt(30 / 180) = 1.11
    scores = {f"m{i}": [5.0 - i] * 30 for i in range(5)}
    found = rank(scores)
    assert found.critical_difference == pytest.approx(1.114, abs=0.002)
    assert found.groups == (("m0", "m1"), ("m1", "m2"), ("m2", "m3"), ("m3", "m4"))
    assert rank({name: values[:2] for name, values in scores.items()}).groups == (("m0", "m1", "m2", "m3", "m4"),)


def test_one_method_has_a_rank_and_no_test():
    assert rank({"only": [0.5, 0.7]}) == Ranking({"only": 1.0}, 2, None, 0.0, ())
    assert rank({"only": [0.5]}).ranks == {"only": 1.0}


def test_too_few_to_test_are_still_ranked():
    found = rank({"a": [0.5], "b": [0.7]})
    assert found.ranks == {"b": 1.0, "a": 2.0}
    assert found.p is None
