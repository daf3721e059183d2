"""A comparison in sentences: differences that can and cannot be judged."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import optimize, stats

from comparison.made_up import comparison
from equimodal.comparison.reading import findings, notes, reading
from reports.made_up import make_comparison


@pytest.mark.parametrize(("seeds", "alternating"), [(5, 0.701), (8, 0.701), (5, 0.9)])
def test_the_same_difference_in_all_seeds_is_no_real_difference(seeds, alternating):
    made = make_comparison(seeds=seeds, fused=(0.70, alternating, 0.78), wobble=0)
    first, *rest = findings(made)
    assert rest == ["Not judged, because all seeds gave the same difference to joint: equilibrium (+0.080)."]
    assert "equilibrium" not in first
    told = "alternating is more accurate than joint"
    assert first.startswith(told if alternating == 0.9 else f"With these {seeds} seeds the difference in accuracy")
    assert "+0.080 [" not in str(made) + made.to_markdown() + made.to_latex()


def test_a_real_difference_is_reported_with_its_interval():
    base, better, worse = [0.5, 0.52, 0.54, 0.5, 0.53], [0.7, 0.73, 0.74, 0.71, 0.72], [0.4] * 5
    made = comparison({"joint": base, "up": better, "down": worse})
    lines = findings(made)
    for line, word, values in zip(lines, ("up is more", "down is less"), (better, worse), strict=True):
        each = np.subtract(values, base)
        half = stats.t.ppf(0.975, 4) * each.std(ddof=1) * np.sqrt(1 / 5 + 1 / 2)
        numbers = [float(n.replace("\u2212", "-")) for n in re.findall("[+\u2212]" r"\d\.\d+", line)]
        assert numbers == pytest.approx([each.mean() - half, each.mean() + half, each.mean()], abs=6e-4)
        assert line.startswith(f"{word} accurate than joint: 95% sure that the difference is between ")


def test_what_could_have_been_missed_is_what_the_power_of_a_t_test_says():
    base, other = [0.5, 0.52, 0.54, 0.5, 0.55], [0.51, 0.5, 0.56, 0.5, 0.53]
    (line,) = findings(comparison({"joint": base, "other": other}, redraw="none"))
    error = np.subtract(other, base).std(ddof=1) / np.sqrt(5)
    bound = stats.t.ppf(0.975, 4)

    def power(d):
        return stats.nct.sf(bound, 4, d / error) + stats.nct.cdf(-bound, 4, d / error)

    missed = optimize.brentq(lambda d: power(d) - 0.8, 0, 6 * error)
    assert line == (
        "With these 5 seeds the difference in accuracy to joint cannot be distinguished from noise for other. "
        f"A true difference below {missed:.3f} could easily be missed."
    )


def test_several_that_are_level_share_a_sentence():
    near, far = [0.51, 0.51, 0.54, 0.51, 0.52], [0.7, 0.32, 0.64, 0.6, 0.3]
    (line,) = findings(comparison({"joint": [0.5, 0.52, 0.54, 0.5, 0.53], "near": near, "far": far}))
    ((low, high),) = re.findall(r"differences below ([\d.]+) to ([\d.]+), depending", line)
    assert float(low) < 0.05 < 0.3 < float(high)
    assert "for near and far." in line


def test_no_difference_in_any_seed_is_none():
    values = [0.7, 0.71, 0.72, 0.7, 0.71]
    made = comparison({"joint": values, "same": values, "equal": values})
    assert findings(made) == [
        "With these 5 seeds the difference in accuracy to joint cannot be distinguished from noise for same and equal. "
        "There was no difference in any seed."
    ]
    assert "Holm-corrected for 2 comparisons at 0.05: none." in notes(made)[0]


def test_few_seeds_are_not_judged():
    """The reported case: three differences that happen to agree, beside larger ones that scatter."""
    made = comparison({"joint": [0.5, 0.52, 0.54], "agrees": [0.521, 0.551, 0.567], "larger": [0.58, 0.54, 0.67]})
    assert findings(made) == [
        "Not judged, with fewer than 5 seeds: the difference in accuracy to joint of agrees (+0.026) and "
        "larger (+0.077). A few seeds often agree by chance."
    ]
    assert all(form.count("too few seeds") == 2 for form in (str(made), made.to_markdown(), made.to_latex()))


def test_many_seeds_that_agree_are_left_to_the_permutation_test():
    lines = reading(make_comparison(seeds=10, wobble=0))
    assert "equilibrium (+0.080)" in lines[1]
    assert lines[2].startswith("Different in accuracy by exact paired permutation")
    assert "equilibrium (p 0.00391)" in lines[2]


def test_the_permutation_test_says_what_it_cannot_do():
    redrawn, fixed = (notes(make_comparison(seeds=3, redraw=redraw))[0] for redraw in ("split", "none"))
    for line in (redrawn, fixed):
        assert "The smallest p that 3 seeds can give is 0.25, 0.5 corrected: none can be under 0.05" in line
        assert "with fewer than 7 seeds" in line
    assert redrawn.endswith("if it disagrees, trust the intervals.")
    assert "trust" not in fixed


def test_intervals_say_what_they_hold():
    assert "variance \u00d7 (1/4 + 0.50)" in notes(make_comparison())[-1]
    assert "training noise only" in notes(make_comparison(redraw="none"))[-1]


def test_undefined_edms_are_counted():
    assert notes(make_comparison(fused=(0.195, 0.701, 0.78)))[-1].startswith("EDM is undefined in 1 of 12 runs")


def test_one_seed_or_one_method_claims_nothing():
    (line,) = reading(comparison({"joint": [0.5], "other": [0.9]}))
    assert line.startswith("One seed: no interval")
    (line,) = reading(comparison({"joint": [0.5, 0.6]}))
    assert line.startswith("± and [ ]: t, 95%")
