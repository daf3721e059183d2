"""Declared comparisons: their numbers against NumPy, SciPy and statsmodels, and the words."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from comparison.made_up import comparison
from equimodal.comparison.primary import decide
from equimodal.config.compare import Primary
from equimodal.errors import ConfigError
from equimodal.statistics.power import detectable_difference

A = [0.62, 0.66, 0.61, 0.70, 0.64, 0.66]
B = [0.60, 0.61, 0.60, 0.65, 0.62, 0.60]
C = [0.61, 0.60, 0.62, 0.64, 0.63, 0.60]


def exact_p(differences):
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([1, -1], repeat=len(differences))]
    return np.mean(np.array(sums) >= abs(sum(differences)) - 1e-12)


def test_one_setting_is_the_corrected_t_and_the_exact_permutation():
    declared = [Primary(method="a", against="b"), Primary(method="c", against="b")]
    found = decide({"toy": comparison({"a": A, "b": B, "c": C})}, declared)
    for decision, values in zip(found, (A, C), strict=True):
        d = np.array(values) - np.array(B)
        half = stats.t.ppf(0.975, 5) * d.std(ddof=1) * np.sqrt(1 / 6 + 50 / 100)
        assert (decision.mean, decision.low, decision.high) == pytest.approx(
            (d.mean(), d.mean() - half, d.mean() + half)
        )
        assert decision.p == pytest.approx(exact_p(d))
        assert decision.smallest_p == 2 / 2**6
    expected = multipletests([decision.p for decision in found], method="holm")[1]
    assert [decision.p_holm for decision in found] == pytest.approx(expected)


def test_the_detectable_difference_against_statsmodels():
    d = np.array(A) - np.array(B)
    (alone,) = decide({"toy": comparison({"a": A, "b": B}, redraw="none")}, [Primary(method="a", against="b")])
    effect = TTestPower().solve_power(nobs=6, alpha=0.05, power=0.8, alternative="two-sided")
    assert alone.detectable == pytest.approx(effect * d.std(ddof=1), rel=1e-3)
    two = decide({"toy": comparison({"a": A, "b": B}, redraw="none")}, [Primary(method="a", against="b")] * 2)
    effect = TTestPower().solve_power(nobs=6, alpha=0.025, power=0.8, alternative="two-sided")
    assert two[0].detectable == pytest.approx(effect * d.std(ddof=1), rel=1e-3)


@pytest.mark.parametrize("free", [1, 2, 4, 9, 29])
def test_a_true_difference_of_that_size_is_found_four_times_in_five(free):
    size = detectable_difference(1.0, free)
    rng = np.random.default_rng(0)
    t = (rng.normal(size=200_000) + size) / np.sqrt(rng.chisquare(free, 200_000) / free)
    assert np.mean(np.abs(t) > stats.t.ppf(0.975, free)) == pytest.approx(0.8, abs=0.005)


def test_over_settings_it_is_the_mean_difference_with_added_variances():
    settings = {"one": comparison({"a": A, "b": B}), "two": comparison({"a": C, "b": B})}
    (found,) = decide(settings, [Primary(method="a", against="b")])
    differences = [np.array(A) - np.array(B), np.array(C) - np.array(B)]
    assert found.mean == pytest.approx(np.mean([d.mean() for d in differences]))
    v = [d.var(ddof=1) * (1 / 6 + 0.5) / 4 for d in differences]
    free = sum(v) ** 2 / sum(x**2 / 5 for x in v)
    half = stats.t.ppf(0.975, free) * np.sqrt(sum(v))
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half))
    assert found.p == pytest.approx(exact_p(np.concatenate(differences)))
    assert found.pairs == 12
    (alone,) = decide(settings, [Primary(method="a", against="b", setting="two")])
    assert alone.mean == pytest.approx(differences[1].mean()) and alone.pairs == 6


def test_without_spread_there_is_no_interval_and_no_power():
    (found,) = decide({"toy": comparison({"a": [0.75] * 3, "b": [0.5] * 3})}, [Primary(method="a", against="b")])
    assert (found.mean, found.low, found.high, found.detectable) == (0.25, None, None, None)
    assert not found.decided
    (one,) = decide({"toy": comparison({"a": [0.75], "b": [0.5]})}, [Primary(method="a", against="b")])
    assert (one.low, one.detectable, one.p) == (None, None, 1.0)


def test_a_column_that_is_undefined_decides_nothing():
    made = comparison({"a": A, "b": B}, edm=None)
    found = decide({"toy": made}, [Primary(method="a", against="b", column="edm"), Primary(method="a", against="b")])
    assert (found[0].mean, found[0].p_holm, found[0].decided) == (None, None, False)
    assert str(found[0]).endswith("undefined in every seed.")
    assert found[1].p_holm == found[1].p  # the undefined one is no test


def test_a_difference_takes_both_the_test_and_the_interval():
    (found,) = decide({"toy": comparison({"a": A, "b": B}, redraw="none")}, [Primary(method="a", against="b")])
    assert found.p_holm == pytest.approx(0.03125) and (found.low or 0) > 0 and found.decided
    assert str(found).startswith("a vs b, accuracy: +0.035 [")
    assert "a difference (corrected p 0.0312; the smallest that 6 pairs can give is 0.031; " in str(found)
    (wide,) = decide({"toy": comparison({"a": A, "b": B})}, [Primary(method="a", against="b")])
    assert wide.p_holm == pytest.approx(0.03125) and (wide.low or 0) < 0 and not wide.decided
    assert "open: the test finds a difference, and the interval does not" in str(wide)


def test_unknown_names_are_answered():
    with pytest.raises(ConfigError, match="Did you mean 'accuracy'"):
        decide({"toy": comparison({"a": A, "b": B})}, [Primary(method="a", against="b", column="acuracy")])


def test_a_comparison_says_what_was_declared_in_its_configuration():
    made = comparison({"b": B, "a": A, "c": C})
    assert made.decisions() == []
    assert "exact paired permutation" in str(made)
    declared = [Primary(method="a", against="b"), Primary(method="a", against="c", column="macro_f1")]
    made.provenance["configuration"] = {"compare": {"primary": [primary.model_dump() for primary in declared]}}
    assert made.decisions() == decide({"toy": made}, declared)
    text = " ".join(str(made).split())
    assert f"Declared beforehand: {made.decisions()[0]}" in text
    assert "exact paired permutation" not in text


def test_accuracy_with_entries_missing_can_be_declared():
    toy = comparison({"a": A, "b": B})
    (found,) = decide({"toy": toy}, [Primary(method="a", against="b", column="missing_50")])
    # the made-up subsets: a and all together score the accuracy, b alone .5 in every run
    assert found.mean == pytest.approx(2 / 3 * np.mean(np.array(A) - np.array(B)))
    assert found.p == pytest.approx(exact_p(np.array(A) - np.array(B)))
