"""What a comparison's table says in words about differences that can and cannot be judged."""

from __future__ import annotations

import pytest

from equimodal.evaluate.tables import as_markdown, as_text, reading
from report.made_up import make_comparison


@pytest.mark.parametrize(("seeds", "alternating"), [(2, 0.701), (5, 0.701), (5, 0.9)])
def test_the_same_difference_in_all_seeds_is_no_real_difference(seeds, alternating):
    made = make_comparison(seeds=seeds, fused=(0.70, alternating, 0.78), wobble=0)
    first, *rest = reading(made)
    unknown = "Not to be judged by an interval, for all seeds gave the same difference to joint: equilibrium (+0.080)."
    assert unknown in rest
    assert "equilibrium" not in first
    assert first.startswith("Different from joint" if alternating == 0.9 else "No difference in accuracy to joint can")
    assert "+0.080 [" not in as_text(made) + as_markdown(made)


def test_what_a_spread_can_tell_is_told():
    first, second, *_ = reading(make_comparison())
    assert first.endswith("interval of the paired difference: equilibrium (+0.080).")
    assert second.startswith("By exact paired permutation")


def test_no_difference_in_any_seed_is_none():
    made = make_comparison(methods=("joint", "same", "equal"), fused=(0.7, 0.7, 0.7), wobble=0)
    made.results["same"] = made.results["equal"] = made.results["joint"]
    first, second, *_ = reading(made)
    assert first.startswith("No difference in accuracy to joint can be told from noise")
    assert second.startswith("By exact paired permutation, Holm-corrected for 2 comparisons at 0.05: none.")


def test_many_seeds_that_agree_are_left_to_the_permutation_test():
    lines = reading(make_comparison(seeds=10, wobble=0))
    assert "equilibrium (+0.080)" in lines[1]
    assert lines[2].startswith("By exact paired permutation") and "equilibrium (p 0.00391)" in lines[2]
