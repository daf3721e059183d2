import dataclasses

import pytest

from comparison.made_up import comparison as made_up
from equimodal.contribution.bootstrap import Interval
from equimodal.contribution.result import Intervals
from equimodal.reports.verdict import comparison_verdict, run_verdict

from .made_up import make_comparison, make_run


def with_edm_interval(run, low, high, floor):
    measured = run.test.contribution
    ends = Intervals({name: Interval(0, 0, 0) for name in measured.modalities}, None, Interval(low, low, high))
    measured = dataclasses.replace(measured, intervals=ends, noise_floor=floor)
    return dataclasses.replace(run, test=dataclasses.replace(run.test, contribution=measured))


def test_under_used():
    verdict = run_verdict(with_edm_interval(make_run(), 0.4, 0.6, 0.05))
    assert verdict.headline == (
        "text is under-used: alone it reaches 0.40 accuracy in this model, 0.60 trained alone (utilisation 0.50)."
    )
    assert verdict.details[0].startswith("EDM 0.50 [0.40, 0.60], noise floor 0.05: of the contribution, text has 25%")
    assert "0.800 accuracy on 1000 test samples, 0.100 above the best of them alone (image)" in verdict.details[1]


@pytest.mark.parametrize(("samples", "said"), [(20, "within the noise of 20"), (1000, "text is under-used")])
def test_under_use_within_noise_is_not_claimed(samples, said):
    verdict = run_verdict(make_run(alone=(0.7, 0.5), samples=samples))
    assert said in verdict.headline


@pytest.mark.parametrize("value", ["macro_f1", "log_likelihood_gain", "true_class_probability"])
@pytest.mark.parametrize(("alone", "smallest"), [((0.7, 0.4), "0.50 (text)"), ((0.7, 0.59), "0.96 (image)")])
def test_nothing_is_claimed_of_values_whose_noise_is_not_known(value, alone, smallest):
    run = make_run(alone=alone, samples=20)
    measured = dataclasses.replace(run.test.contribution, value=value)
    headline = run_verdict(dataclasses.replace(run, test=dataclasses.replace(run.test, contribution=measured))).headline
    assert headline.startswith("Whether a modality is under-used is open: ")
    assert f"the smallest utilisation is {smallest}, and its noise is not known for" in headline


def test_well_used():
    headline = run_verdict(make_run(alone=(0.7, 0.59))).headline
    assert "the smallest utilisation is 0.96 (image)" in headline
    assert "under-used" not in headline


def test_within_noise_of_equilibrium():
    detail = run_verdict(with_edm_interval(make_run(), 0.02, 0.2, 0.05)).details[0]
    assert "cannot be distinguished from equilibrium" in detail


def test_undefined():
    verdict = run_verdict(make_run(fused=0.1))
    assert "no better than the label prior" in verdict.details[0]  # after the headline that one modality is better
    assert verdict.details[1].startswith("EDM is undefined: all modalities together score 0.1")


def test_no_reference():
    assert (
        "text contributes least. Whether it could do more is not known"
        in run_verdict(make_run(reference=None)).headline
    )


def test_reference_no_better_than_the_prior():
    assert "Utilisation is undefined" in run_verdict(make_run(reference=(0.2, 0.1))).headline


def test_ensemble_is_not_judged_by_itself():
    headline = run_verdict(make_run(method="unimodal_ensemble")).headline
    assert headline.startswith("This is the unimodal ensemble")


def test_fused_below_the_best_alone_is_said():
    assert "0.050 below the best of them alone (image)" in run_verdict(make_run(fused=0.65)).details[-1]


def test_many_under_used_are_counted():
    names = [f"m{i}" for i in range(6)]
    headline = run_verdict(make_run(names, [0.75, *[0.3] * 5], reference=[0.76, *[0.7] * 5])).headline
    assert headline.count("is under-used") == 3
    assert "2 more are under-used" in headline


def test_comparison_says_what_differs_and_what_does_not():
    verdict = comparison_verdict(make_comparison(seeds=6))
    assert verdict.headline == (
        "equilibrium is more accurate than joint: 95% sure that the difference is between +0.075 and +0.085 "
        "(measured +0.080)."
    )
    assert "cannot be distinguished from noise for alternating." in verdict.details[0]
    text = " ".join(verdict.details)
    assert (
        "does not confirm equilibrium (with 6 seeds it cannot; at least 7 are needed): chance is not ruled out." in text
    )
    assert "Contributions are most even under equilibrium: EDM" in text
    assert "share one split" not in text
    assert "All seeds share one split" in " ".join(comparison_verdict(make_comparison(redraw="none")).details)


def test_a_difference_that_the_stricter_test_confirms_has_no_doubts():
    verdict = comparison_verdict(make_comparison(seeds=10))
    assert verdict.headline.startswith("equilibrium is more accurate than joint: 95% sure")
    assert not any("stricter" in detail for detail in verdict.details)


def test_several_methods_that_differ_share_a_headline():
    made = made_up(
        {
            "joint": [0.5, 0.52, 0.54, 0.5, 0.53],
            "a": [0.7, 0.73, 0.74, 0.71, 0.72],
            "b": [0.8, 0.81, 0.83, 0.82, 0.82],
            "c": [0.2, 0.23, 0.24, 0.22, 0.21],
        }
    )
    verdict = comparison_verdict(made)
    assert verdict.headline == "a and b are more accurate than joint. c is less accurate than joint."
    assert [detail.split(":")[0] for detail in verdict.details[:3]] == [
        "a is more accurate than joint",
        "b is more accurate than joint",
        "c is less accurate than joint",
    ]


def test_nothing_is_claimed_of_noise():
    made = made_up({"joint": [0.5, 0.52, 0.54, 0.5, 0.55], "a": [0.51, 0.5, 0.56, 0.5, 0.53]})
    assert comparison_verdict(made).headline == "No method differs from joint in accuracy by more than noise."


@pytest.mark.parametrize("seeds", [5, 8])
def test_comparison_does_not_judge_by_intervals_of_no_width(seeds):
    verdict = comparison_verdict(make_comparison(seeds=seeds, fused=(0.70, 0.701, 0.6), weak=(0.5, 0.5, 0.3), wobble=0))
    assert verdict.headline == "Whether any method is more accurate than joint is open."
    assert (
        "Not judged, because all seeds gave the same difference to joint: equilibrium (\u22120.100)." in verdict.details
    )
    assert not any("text alone" in detail or "confirm" in detail for detail in verdict.details)


def test_comparison_is_plain_about_losses():
    verdict = comparison_verdict(make_comparison(seeds=6, fused=(0.70, 0.70, 0.6), weak=(0.5, 0.5, 0.3)))
    assert verdict.headline.startswith("equilibrium is less accurate than joint: 95% sure")
    (losses,) = [detail for detail in verdict.details if detail.startswith("Worse than joint")]
    assert "equilibrium: text alone \u22120.200" in losses
    assert "equilibrium: EDM +" in losses


@pytest.mark.parametrize("seeds", [2, 4])
def test_few_seeds_give_no_verdict(seeds):
    verdict = comparison_verdict(make_comparison(seeds=seeds))
    assert verdict.headline == f"{seeds} seeds are too few for a verdict: give at least 5."
    assert not any("accurate than" in detail or "beyond noise" in detail for detail in verdict.details)


def test_comparison_of_one_seed_or_one_method_claims_nothing():
    assert "no difference can be distinguished" in comparison_verdict(make_comparison(seeds=1)).headline
    assert "nothing to compare" in comparison_verdict(make_comparison(["joint"])).headline


def test_comparison_with_edm_nowhere_defined():
    verdict = comparison_verdict(make_comparison(fused=(0.05, 0.05, 0.05)))
    assert "EDM is undefined for every method." in verdict.details


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"image": 0.01, "text": 0.01}, "text is under-used"),
        ({"image": 0.01, "text": 0.1}, "within the noise of 1000 test samples in 8 groups"),
        (None, "is open: the smallest utilisation is 0.75 (text), and its noise over groups is not known"),
    ],
)
def test_under_use_is_judged_by_the_noise_of_groups(errors, said):
    run = make_run(alone=(0.7, 0.5))
    measured = dataclasses.replace(run.test.contribution, groups=8, coalition_errors=errors)
    run = dataclasses.replace(run, test=dataclasses.replace(run.test, contribution=measured))
    assert said in run_verdict(run).headline


def test_the_modality_that_the_baseline_leaves_behind_is_named():
    details = comparison_verdict(make_comparison(seeds=10)).details
    assert (
        "joint leaves text behind: utilisation 0.22, where 1 is what it can do alone; under equilibrium 0.76 "
        "(+0.543 [+0.535, +0.552])."
    ) in details
    assert not any("behind" in each for each in comparison_verdict(make_comparison(seeds=1)).details)
    few = comparison_verdict(make_comparison(seeds=3)).details
    assert any("under equilibrium 0.76 (too few seeds to tell)." in each for each in few)


@pytest.mark.parametrize("weak", [(0.65, 0.65, 0.66), (0.3, 0.25, 0.25)])
def test_left_behind_is_not_said_of_a_modality_that_is_used_nor_a_method_praised_that_is_no_better(weak):
    said = [each for each in comparison_verdict(make_comparison(seeds=10, weak=weak)).details if "behind" in each]
    assert not said if weak[0] > 0.5 else said[0].endswith("No other method uses it better.")
