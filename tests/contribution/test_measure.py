import time

import numpy as np
import pytest
import scipy.stats
import torch

from equimodal.contribution import all_coalitions, contribution, plan, shapley
from equimodal.errors import ConfigError, DataError

NAMES = ["audio", "image"]


def outputs_of(correct):
    """Two-class outputs that are right (for targets of 1) where `correct` (K, N) says so."""
    right = torch.as_tensor(correct).float()
    return torch.stack([1 - right, right], dim=-1)


def unequal(samples, seed, rates=(0.1, 0.8, 0.4, 0.9)):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(4, samples, generator=generator) < torch.tensor(rates).unsqueeze(-1)


def measure(correct, **options):
    correct = torch.as_tensor(correct)
    return contribution(outputs_of(correct), plan(2), torch.ones(correct.shape[1], dtype=torch.long), NAMES, **options)


def test_a_closed_form():
    correct = torch.zeros(4, 20, dtype=torch.bool)
    for row, count in enumerate((2, 14, 6, 16)):
        correct[row, :count] = True
    c = measure(correct, split="validation")
    assert c.phi == pytest.approx({"audio": 0.55, "image": 0.15})  # (0.6 + 0.5) / 2, (0.2 + 0.1) / 2
    assert c.shares == pytest.approx({"audio": 0.55 / 0.7, "image": 0.15 / 0.7})
    assert c.edm == pytest.approx(0.4 / 0.7)
    assert (c.minor, c.dominant) == (("image",), ("audio",))
    assert c.coalition_values == pytest.approx({"": 0.1, "audio": 0.7, "image": 0.3, "audio+image": 0.8})
    assert (c.value_empty, c.value_all) == pytest.approx((0.1, 0.8))
    assert c.interactions == pytest.approx({"audio+image": -0.1})
    assert (c.exact, c.coalitions, c.samples, c.split, c.bootstrap) == (True, 4, 20, "validation", 200)
    assert c.reason is None and c.notes == () and c.undefined_replicates == 0


def test_a_target_moves_the_deviation():
    correct = unequal(200, 0)
    plain, aimed = measure(correct), measure(correct, target={"image": 0.2, "audio": 0.8})
    assert plain.shares == aimed.shares
    assert aimed.deviation is not None and plain.shares is not None
    assert aimed.deviation["audio"] == pytest.approx(plain.shares["audio"] - 0.8)


@pytest.mark.parametrize("n", range(3, 9))
def test_equal_modalities_are_neither_minor_nor_dominant(n):
    by_size = torch.rand(n + 1, generator=torch.Generator().manual_seed(n), dtype=torch.float64).sort().values
    c = contribution(by_size[all_coalitions(n).sum(-1)], plan(n), None, list("abcdefgh")[:n])
    assert c.edm == pytest.approx(0, abs=1e-12) and c.minor == c.dominant == ()


@pytest.mark.parametrize("counts", [(10, 14, 12, 10), (10, 3, 12, 8), (10, 10, 10, 10)])
def test_no_better_than_the_prior_has_no_shares_and_a_reason(counts):
    correct = torch.zeros(4, 20, dtype=torch.bool)
    for row, count in enumerate(counts):
        correct[row, :count] = True
    c = measure(correct)
    assert c.shares is c.edm is c.deviation is c.noise_floor is c.share_covariance is None
    assert c.minor == c.dominant == ()
    assert c.reason is not None and "no better than the prior's 0.5" in c.reason
    assert c.phi["audio"] + c.phi["image"] == pytest.approx((counts[3] - counts[0]) / 20)
    assert c.intervals is not None and c.intervals.shares is c.intervals.edm is None
    assert set(c.intervals.phi) == set(NAMES)


def test_negative_contributions_are_noted():
    c = contribution(torch.tensor([0.1, 0.9, 0.05, 0.5]), plan(2), None, NAMES)
    assert c.phi["image"] < 0 and c.edm is not None and c.edm > 2 * (1 - 0.5)
    assert "negative contribution of image: EDM is unbounded" in c.notes


def test_undefined_replicates_are_counted_and_kept_out():
    c = measure(unequal(60, 1, rates=(0.5, 0.6, 0.5, 0.55)), bootstrap=500)
    assert c.shares is not None and 0 < c.undefined_replicates < 500
    assert any(f"{c.undefined_replicates} of 500 bootstrap replicates" in note for note in c.notes)
    assert c.intervals is not None and c.intervals.edm is not None and np.isfinite(c.intervals.edm).all()


def test_intervals_agree_with_scipy():
    correct = unequal(300, 2)

    def statistic(*columns, axis=-1):
        return shapley(torch.tensor(np.stack([column.mean(axis) for column in columns], axis=-1))).numpy()[..., 0]

    expected = scipy.stats.bootstrap(
        tuple(correct.double().numpy()), statistic, paired=True, vectorized=True, n_resamples=4000,
        method="percentile", rng=0,
    )  # fmt: skip
    c = measure(correct, bootstrap=4000)
    assert c.intervals is not None
    interval = c.intervals.phi["audio"]
    assert (interval.low, interval.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.005)


def test_intervals_cover_the_truth_as_often_as_they_say():
    truth = shapley(torch.tensor([0.1, 0.8, 0.4, 0.9]))
    share = (truth / truth.sum())[0].item()
    phi_hits = share_hits = 0
    for seed in range(300):
        c = measure(unequal(150, 100 + seed), seed=seed, confidence=0.9)
        assert c.intervals is not None and c.intervals.shares is not None
        phi, psi = c.intervals.phi["audio"], c.intervals.shares["audio"]
        phi_hits += phi.low <= truth[0] <= phi.high
        share_hits += psi.low <= share <= psi.high
    assert 0.84 < phi_hits / 300 < 0.95  # three standard errors of 300 trials about 0.9
    assert 0.84 < share_hits / 300 < 0.95


def test_share_errors_agree_with_the_spread_over_samples():
    differences, errors = [], []
    for seed in range(200):
        c = measure(unequal(150, 1000 + seed), seed=seed)
        assert c.shares is not None and c.share_errors is not None
        differences.append(c.shares["audio"] - c.shares["image"])
        errors.append(c.share_difference_error("audio", "image"))
        assert errors[-1] == pytest.approx(2 * c.share_errors["audio"])  # the two sum to 1
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.15)


def test_the_noise_floor_is_the_edm_of_balanced_modalities():
    edms, floors = [], []
    for seed in range(200):
        c = measure(unequal(150, 2000 + seed, rates=(0.1, 0.6, 0.6, 0.9)), seed=seed)
        edms.append(c.edm)
        floors.append(c.noise_floor)
    assert np.mean(floors) == pytest.approx(np.mean(edms), rel=0.15)


def test_groups_widen_intervals_of_repeated_samples():
    correct = unequal(60, 5).repeat_interleave(4, dim=1)
    groups = [f"subject {i:02}" for i in range(60) for _ in range(4)]
    apart, together = measure(correct), measure(correct, groups=groups)
    few = measure(unequal(60, 5))
    assert together.groups == 60 and apart.groups is None
    assert apart.share_errors and together.share_errors and few.share_errors
    assert together.share_errors == pytest.approx(few.share_errors)
    assert together.share_errors["audio"] > 1.6 * apart.share_errors["audio"]


def test_a_table_may_come_in_any_order(classified):
    outputs, targets = classified
    order = torch.tensor([2, 0, 3, 1])
    shuffled = contribution(outputs[order], all_coalitions(2)[order], targets, NAMES)
    assert shuffled == contribution(outputs, plan(2), targets, NAMES)


@pytest.mark.parametrize("value", ["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"])
def test_every_value_has_intervals_about_its_estimate(classified, value):
    outputs, targets = classified
    c = contribution(outputs, plan(2), targets, NAMES, value=value)
    assert c.value == value and c.intervals is not None
    for name in NAMES:
        assert c.intervals.phi[name].low < c.phi[name] < c.intervals.phi[name].high
    assert sum(c.phi.values()) == pytest.approx(c.value_all - c.value_empty)


def test_a_custom_value_function(classified):
    def margin(outputs, targets, weights):
        scores = outputs.double().gather(-1, targets.expand(len(outputs), -1).unsqueeze(-1)).squeeze(-1)
        return weights @ scores.T / weights.sum(-1, keepdim=True)

    outputs, targets = classified
    c = contribution(outputs, plan(2), targets, NAMES, value=margin)
    assert c.value == "margin" and c.interactions == pytest.approx({"audio+image": 0}, abs=1e-6)  # it is additive


def test_the_seed_decides_the_intervals(classified):
    outputs, targets = classified
    one, again, other = (contribution(outputs, plan(2), targets, NAMES, seed=seed) for seed in (1, 1, 2))
    assert one == again and one.phi == other.phi and one.intervals != other.intervals


def additive_votes(n=12, samples=80):
    """A game of n modalities: each adds evidence of its own strength for the true class 1."""
    generator = torch.Generator().manual_seed(0)
    evidence = torch.randn(n, samples, generator=generator) + torch.linspace(0, 0.8, n).unsqueeze(-1)

    def game(coalitions):
        score = coalitions.float() @ evidence
        return torch.stack([-score, score], dim=-1)

    return game, torch.ones(samples, dtype=torch.long)


def test_an_estimate_says_so_and_sharpens_with_its_budget():
    game, targets = additive_votes()
    names = [f"m{i:02}" for i in range(12)]
    small, large = plan(12, budget=120, seed=4), plan(12, budget=3000, seed=4)
    c = contribution(game(small.coalitions), small, targets, names, value="true_class_probability")
    assert (c.exact, c.budget, c.sampling_seed) == (False, 120, 4) and c.coalitions <= 120
    assert c.interactions is c.coalition_values is None
    assert sum(c.phi.values()) == pytest.approx(c.value_all - c.value_empty)
    assert c.sampling_errors is not None
    d = contribution(game(large.coalitions), large, targets, names, value="true_class_probability")
    assert d.sampling_errors is not None
    for name in names:
        assert abs(c.phi[name] - d.phi[name]) < 5 * (c.sampling_errors[name] + d.sampling_errors[name])
        assert d.sampling_errors[name] < c.sampling_errors[name]


def test_intervals_of_an_estimate_hold_the_chance_of_sampling_orders():
    """Samples all alike leave only that chance: pairs resampled P of P, so (P - 1) / P of their variance."""

    def mean(outputs, targets, weights):
        return weights @ outputs[..., 0].double().T / weights.sum(-1, keepdim=True)

    scheme = plan(12, budget=222, seed=0)  # ten pairs
    members = scheme.coalitions.double()
    game = members.sum(-1) + 5 * members[:, :3].prod(-1) + 9 * members[:, 2:6].prod(-1)
    names = list("abcdefghijkl")
    c = contribution(game[:, None, None].expand(-1, 7, 1), scheme, torch.zeros(7), names, value=mean, bootstrap=4000)
    assert c.share_errors is not None and c.sampling_errors is not None
    assert max(c.sampling_errors.values()) > 0.1
    for name in names:
        expected = c.sampling_errors[name] / (c.value_all - c.value_empty) * 0.9**0.5
        assert c.share_errors[name] == pytest.approx(expected, rel=0.05, abs=1e-9)


def test_a_game_of_values_has_no_interval():
    c = contribution(torch.tensor([0.1, 0.5, 0.4, 0.9]), plan(2), None, NAMES, value="ROUGE")
    assert c.intervals is c.share_errors is c.noise_floor is c.samples is None
    assert c.bootstrap == 0 and c.value == "ROUGE" and c.share_difference_error("audio", "image") is None
    assert any("no interval" in note for note in c.notes)


def test_no_bootstrap_no_interval(classified):
    outputs, targets = classified
    c = contribution(outputs, plan(2), targets, NAMES, bootstrap=0)
    assert c.intervals is c.share_covariance is c.noise_floor is None and c.edm is not None


def test_two_hundred_replicates_are_cheap():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(64, 500, 10, generator=generator)
    targets = torch.randint(10, (500,), generator=generator)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        contribution(outputs, plan(6), targets, list("abcdef"))
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


def call(**changes):
    fields = {
        "outputs": torch.zeros(4, 3, 2),
        "coalitions": plan(2),
        "targets": torch.tensor([0, 1, 1]),
        "modalities": NAMES,
    }
    return contribution(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"modalities": ["audio"]}, DataError, "at least 2 names, got .'audio'"),
        ({"modalities": ["a", "a"]}, DataError, "distinct modality names"),
        ({"modalities": ["a", "b+c"]}, DataError, r"without '\+'"),
        ({"modalities": ["a", "b", "c"]}, DataError, r"a column for each of a, b, c, got \(4, 2\)"),
        ({"outputs": torch.zeros(3, 3, 2)}, DataError, r"expected \(4, samples, classes\).*got \(3, 3, 2\)"),
        ({"outputs": torch.zeros(4, 3)}, DataError, r"outputs: expected .*got \(4, 3\)"),
        (
            {"outputs": torch.zeros(3), "coalitions": all_coalitions(2)[:3]},
            DataError,
            r"each of the 2\*\*2 coalitions once .* got 3 rows.*plan\(n, budget",
        ),
        (
            {"coalitions": all_coalitions(2)[[0, 1, 1, 3]]},
            DataError,
            r"each of the 2\*\*2 coalitions once",
        ),
        ({"targets": None}, DataError, "need targets, got None"),
        ({"targets": torch.tensor([0, 1])}, DataError, r"each of the 3 samples .* got \(2,\)"),
        ({"targets": torch.tensor([0, 1, 2])}, DataError, "target 2 of row 2 is not a class"),
        ({"value": "acc"}, ConfigError, "Unknown value function 'acc'"),
        ({"value": lambda *_: torch.zeros(4)}, DataError, r"expected values \(R, K\) = \(201, 4\)"),
        ({"target": [0.5, 0.6]}, ConfigError, "must sum to 1"),
        ({"bootstrap": -1}, ConfigError, "bootstrap >= 0"),
        ({"confidence": 95}, ConfigError, "confidence between 0 and 1, got 200 and 95"),
        ({"outputs": torch.tensor([0.0, torch.nan, 1.0, 1.0])}, DataError, "nan with audio present"),
    ],
)
def test_mistakes_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        call(**changes)


def test_nan_and_infinity_are_named_by_place():
    outputs = torch.zeros(4, 3, 2)
    outputs[2, 1, 0] = torch.nan
    with pytest.raises(DataError, match="NaN with image present, sample 1, column 0"):
        call(outputs=outputs)
    outputs[2, 1, 0] = 0
    outputs[3, 2, 1] = -torch.inf
    assert call(outputs=outputs).coalition_values is not None  # no matter to accuracy
    with pytest.raises(DataError, match=r"-inf with audio\+image present"):
        call(outputs=outputs, value="log_likelihood_gain")
