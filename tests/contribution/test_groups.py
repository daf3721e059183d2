"""Intervals, noise floor and standard errors where rows of one group resemble each other."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.contribution import contribution, plan, shapley
from equimodal.errors import DataError
from equimodal.methods.schedule import WeakToStrong

NAMES = ["audio", "image"]
SPEAKERS, ROWS = 8, 25


def outputs_of(correct):
    """Outputs of two classes that are right (for targets of 1) where `correct` (K, N) says so."""
    right = torch.as_tensor(correct).float()
    return torch.stack([1 - right, right], dim=-1)


def measure(correct, **options):
    correct = torch.as_tensor(correct)
    return contribution(outputs_of(correct), plan(2), torch.ones(correct.shape[1], dtype=torch.long), NAMES, **options)


def speakers(groups, rows, seed, rates=(0.1, 0.8, 0.4, 0.9), likeness=2.0):
    """Return what is right, bool (4, groups * rows), where each speaker has rates of its own, and the speakers."""
    rng = np.random.default_rng(seed)
    own = np.stack([rng.beta(likeness * rate, likeness * (1 - rate), groups) for rate in rates])
    correct = rng.random((4, groups, rows)) < own[:, :, None]
    return correct.reshape(4, -1), np.repeat([f"speaker {i:02}" for i in range(groups)], rows)


def numpy_cluster_bootstrap(correct, groups, replicates, seed):
    """Return phi (R, 2) by a second implementation: rows of the groups drawn, joined and averaged."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    found = []
    for _ in range(replicates):
        rows = np.concatenate([np.flatnonzero(groups == name) for name in rng.choice(names, len(names))])
        empty, a, b, both = correct[:, rows].mean(-1)
        found.append([(a - empty + both - b) / 2, (b - empty + both - a) / 2])
    return np.array(found)


def test_intervals_errors_and_noise_floor_agree_with_a_cluster_bootstrap_in_numpy():
    correct, groups = speakers(SPEAKERS, ROWS, 0)
    c = measure(correct, groups=groups, bootstrap=4000)
    phi = numpy_cluster_bootstrap(correct, groups, 4000, 1)
    shares = phi / phi.sum(-1, keepdims=True)
    assert c.intervals and c.intervals.shares and c.intervals.edm and c.share_errors and c.shares
    for i, name in enumerate(NAMES):
        expected = np.quantile(phi[:, i], [0.025, 0.975])
        assert (c.intervals.phi[name].low, c.intervals.phi[name].high) == pytest.approx(expected, abs=0.02)
        expected = np.quantile(shares[:, i], [0.025, 0.975])
        assert (c.intervals.shares[name].low, c.intervals.shares[name].high) == pytest.approx(expected, abs=0.02)
        assert c.share_errors[name] == pytest.approx(shares[:, i].std(), rel=0.08)
    edm = np.abs(shares - 0.5).sum(-1)
    assert (c.intervals.edm.low, c.intervals.edm.high) == pytest.approx(np.quantile(edm, [0.025, 0.975]), abs=0.04)
    floor = np.abs(shares - np.array([c.shares[name] for name in NAMES])).sum(-1).mean()
    assert c.noise_floor == pytest.approx(floor, rel=0.08)
    assert (c.groups, c.resampled) == (8, "groups: 8") and "(resampled: groups: 8)" in str(c)


def test_rows_are_resampled_where_there_are_no_groups():
    correct, groups = speakers(SPEAKERS, ROWS, 0)
    rows, whole = measure(correct), measure(correct, groups=groups)
    assert (rows.groups, rows.resampled) == (None, "rows") and "(resampled: rows)" in str(rows)
    assert rows.intervals and rows.intervals.edm and whole.intervals and whole.intervals.edm
    narrow, wide = (one.high - one.low for one in (rows.intervals.edm, whole.intervals.edm))
    assert wide > 1.5 * narrow and whole.phi == rows.phi
    assert rows.noise_floor and whole.noise_floor and whole.noise_floor > 1.5 * rows.noise_floor


def test_intervals_over_groups_cover_the_truth_and_those_over_rows_do_not():
    truth = shapley(torch.tensor([0.1, 0.8, 0.4, 0.9]))
    share = (truth / truth.sum())[0].item()
    hits = {"groups": 0, "rows": 0}
    for seed in range(300):
        correct, groups = speakers(40, 10, seed)
        for kind, labels in (("groups", groups), ("rows", None)):
            c = measure(correct, groups=labels, seed=seed, confidence=0.9)
            assert c.intervals and c.intervals.shares
            one = c.intervals.shares["audio"]
            hits[kind] += one.low <= share <= one.high
    assert 0.84 < hits["groups"] / 300 < 0.95  # three standard errors of 300 trials about 0.9
    assert hits["rows"] / 300 < 0.75


def test_the_noise_floor_is_the_edm_of_balanced_modalities_over_groups():
    edms, floors = [], []
    for seed in range(150):
        correct, groups = speakers(40, 10, 1000 + seed, rates=(0.1, 0.6, 0.6, 0.9))
        c = measure(correct, groups=groups, seed=seed)
        edms.append(c.edm)
        floors.append(c.noise_floor)
    assert np.mean(floors) == pytest.approx(np.mean(edms), rel=0.15)


@pytest.mark.parametrize("value", ["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"])
def test_groups_of_one_row_each_are_rows(value):
    correct, _ = speakers(10, 6, 2)
    outputs, targets = outputs_of(correct), torch.arange(60) % 2
    rows = contribution(outputs, plan(2), targets, NAMES, value=value)
    alone = contribution(outputs, plan(2), targets, NAMES, value=value, groups=[7 * i % 60 for i in range(60)])
    assert (alone.intervals, alone.noise_floor, alone.share_covariance) == (
        rows.intervals, rows.noise_floor, rows.share_covariance,
    )  # fmt: skip
    assert (alone.resampled, alone.groups) == ("rows", 60)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(24)), st.sampled_from([int, str, float, lambda i: f"{i:03}".encode()]))
def test_neither_the_order_of_rows_nor_the_type_of_labels_matters(order, label):
    correct, _ = speakers(6, 4, 3)
    groups = np.repeat(np.arange(6), 4)
    plain = measure(correct, groups=groups)
    order = list(order)
    moved = measure(correct[:, order], groups=[label(groups[row]) for row in order])
    assert moved.intervals == plain.intervals and moved.noise_floor == plain.noise_floor


def test_sampled_coalitions_resample_groups_too():
    scheme = plan(12, budget=100, seed=0)
    rng = np.random.default_rng(0)
    own = rng.normal(size=(12, 9)).repeat(10, axis=1)  # nine speakers with ten like rows each
    score = torch.from_numpy(scheme.coalitions.double().numpy() @ own)
    outputs, names = torch.stack([-score, score], -1), [f"m{i:02}" for i in range(12)]
    targets = torch.ones(90, dtype=torch.long)
    value = "true_class_probability"
    rows = contribution(outputs, scheme, targets, names, value=value)
    whole = contribution(outputs, scheme, targets, names, value=value, groups=np.arange(9).repeat(10))
    assert rows.intervals and whole.intervals
    widths = [np.mean([one.high - one.low for one in c.intervals.phi.values()]) for c in (rows, whole)]
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_groups_have_no_interval_and_say_why(count):
    correct, groups = speakers(count, 30, 4)
    c, rows = measure(correct, groups=groups), measure(correct)
    assert c.intervals is c.noise_floor is None
    assert c.groups == count and c.resampled == "rows"
    assert any(f"{count} group{'s' * (count > 1)} only: intervals and noise floor are undefined" in n for n in c.notes)
    assert c.phi == rows.phi and c.edm == rows.edm
    assert c.share_errors == rows.share_errors  # a lower bound, which keeps the schedule from flipping at every epoch
    assert "only: intervals" in str(c) and "resampled" not in str(c)


@pytest.mark.parametrize("samples", [1, 2])
def test_one_or_two_rows_have_no_interval(samples):
    c = measure(np.array([[0] * samples, [1] * samples, [0] * samples, [1] * samples], dtype=bool))
    assert c.intervals is c.noise_floor is c.share_covariance is c.resampled is None and c.bootstrap == 0
    assert c.shares == {"audio": 1.0, "image": 0.0}
    assert any(f"{samples} sample{'s' * (samples > 1)} only" in note for note in c.notes)
    assert measure(np.ones((4, 1), bool), groups=["ann"]).edm is None


def test_few_groups_are_noted_and_many_are_not():
    correct, groups = speakers(SPEAKERS, ROWS, 0)
    assert any(
        "8 groups only: bootstrap intervals from fewer than 20 groups" in n
        for n in measure(correct, groups=groups).notes
    )
    many, each = speakers(20, 10, 0)
    assert not any("groups" in note for note in measure(many, groups=each).notes)
    assert not any("only" in note for note in measure(correct, groups=groups, bootstrap=0).notes)


def test_hysteresis_counts_standard_errors_of_groups():
    """Speakers differ in which modality is right: beyond the noise of rows the shares differ, of speakers not."""
    audio = np.array([1, 1, 1, 1, 1, 0, 0, 0], bool).repeat(ROWS)
    correct = np.stack([np.zeros_like(audio), audio, ~audio, np.ones_like(audio)])
    groups = np.arange(8).repeat(ROWS)
    rows, whole = measure(correct), measure(correct, groups=groups)
    assert rows.shares is not None and rows.shares["audio"] == pytest.approx(5 / 8)
    # closed form: the difference is twice a proportion of 5 in 8, whose standard error is sqrt(p (1 - p) / units)
    assert rows.share_difference_error(*NAMES) == pytest.approx(2 * np.sqrt(15 / 64 / 200), rel=0.15)
    assert whole.share_difference_error(*NAMES) == pytest.approx(2 * np.sqrt(15 / 64 / 8), rel=0.15)
    flips, stays = WeakToStrong(NAMES), WeakToStrong(NAMES)
    flips.update(rows)
    stays.update(whole)
    assert (flips.order, stays.order) == (("image", "audio"), ("audio", "image"))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], "each of the 3 samples, got 2"),
        (np.zeros((3, 2)), r"each of the 3 samples, got the shape \(3, 2\)"),
        ("ann", r"each of the 3 samples, got the shape \(\)"),
        (["ann", None, "bob"], r"1 rows have no group \(None or NaN\), the first is row 1"),
        ([1.0, 2.0, float("nan")], r"no group \(None or NaN\), the first is row 2"),
        (np.array(["ann", 1, "bob"], dtype=object), "labels of one type, got int, str"),
    ],
)
def test_groups_that_cannot_be_used_are_named(groups, message):
    with pytest.raises(DataError, match=message):
        measure(np.zeros((4, 3), bool), groups=groups)


def test_errors_of_coalition_values_have_a_closed_form():
    """Speakers whose rows are all alike: the standard error of a proportion of 5 in 8 speakers."""
    audio = np.array([1, 1, 1, 1, 1, 0, 0, 0], bool).repeat(ROWS)
    correct = np.stack([np.zeros_like(audio), audio, ~audio, np.ones_like(audio)])
    whole, rows = measure(correct, groups=np.arange(8).repeat(ROWS), bootstrap=4000), measure(correct, bootstrap=4000)
    assert whole.coalition_errors is not None and rows.coalition_errors is not None
    assert whole.coalition_errors["audio"] == pytest.approx(np.sqrt(15 / 64 / 8), rel=0.05)
    assert rows.coalition_errors["audio"] == pytest.approx(np.sqrt(15 / 64 / 200), rel=0.05)
    assert whole.coalition_errors[""] == whole.coalition_errors["audio+image"] == 0
