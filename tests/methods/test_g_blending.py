"""Gradient-Blending: trials, the weights that they give, and training on the weighted losses."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.special import log_softmax

from equimodal.data.splits import Splits
from equimodal.errors import DataError, Interrupted
from equimodal.methods.base import Phase
from equimodal.methods.g_blending import FLOOR, blend
from equimodal.training import loop
from synthetic import linear_batch, linear_model, make_dataset, make_model, make_splits
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")
TINY = make_splits(80)
PAIR = make_splits(80, modalities=("vector", "sequence"))
SHORT = "g_blending:super_epoch=2"


def summed(model, batch):
    """Sum fusion by hand."""
    n = torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)
    z = sum(encode(model, batch, m) for m in NAMES)
    return model.fusion.head(z * (len(NAMES) / n).unsqueeze(1))


def test_the_weighted_training_takes_plain_steps_on_the_weighted_mean_losses():
    method = make_method("g_blending", linear_model(NAMES, fusion="sum"))
    weights = [0.2, 0.0, 0.5, 0.3]
    method.weights.copy_(torch.tensor(weights))
    model, parts = twin(method)
    heads = parts[0]
    plain = Plain(model, heads)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    done = run_updates(method, data)
    for batch in data:
        loss = 0.3 * mean_loss(summed(model, batch), batch, anything(batch))
        for m, w in zip(NAMES, weights, strict=False):
            loss = loss + w * mean_loss(heads[m](encode(model, batch, m)), batch, batch.present[m])
        plain.step(loss)
    assert [update.modalities for update, _ in done] == [NAMES] * 4
    assert_same(method.model, model)
    assert_same(method.heads, heads)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_trial_takes_plain_steps_on_its_own_task(stage):
    method = make_method("g_blending", linear_model(NAMES, fusion="sum"))
    method.next_phase(stage, 20)
    model, parts = twin(method)
    heads = parts[0]
    plain = Plain(model, heads)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    done = run_updates(method, data)
    for batch in data:
        if stage == 3:
            plain.step(mean_loss(summed(model, batch), batch, anything(batch)))
        else:
            m = NAMES[stage]
            plain.step(mean_loss(heads[m](encode(model, batch, m)), batch, batch.present[m]))
    assert {update.modalities for update, _ in done} == {NAMES if stage == 3 else (NAMES[stage],)}
    assert_same(method.model, model)
    assert_same(method.heads, heads)


def test_weights_by_hand():
    before = torch.tensor([[1.0, 1.1], [1.2, 1.2], [0.9, 1.0]])
    after = torch.tensor([[0.5, 0.8], [0.2, 0.8], [0.3, 1.2]])
    # G = .3, .4, -.2; O = .3 - .1 = .2, .6 - 0 = .6; G / O^2 = 7.5, 1.111.., guarded to 0
    expected = [7.5 / (7.5 + 0.4 / 0.36), (0.4 / 0.36) / (7.5 + 0.4 / 0.36), 0.0]
    assert blend(before, after, torch.ones(3) / 3).tolist() == pytest.approx(expected, rel=1e-5)


def test_where_no_task_gained_the_last_weights_stay():
    last = torch.tensor([0.7, 0.3])
    before = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert blend(before, before + 0.1, last) is last


def test_a_gap_that_did_not_grow_divides_by_no_zero():
    before, after = torch.ones(2, 2), torch.tensor([[0.9, 0.9], [0.8, 0.9]])
    w = blend(before, after, torch.ones(2) / 2)
    assert w.tolist() == pytest.approx([0.1 / FLOOR**2 / (0.1 / FLOOR**2 + 10), 10 / (0.1 / FLOOR**2 + 10)], rel=1e-4)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 9999), tasks=st.integers(2, 6), scale=st.floats(0.5, 5))
def test_weights_are_shares_and_their_unit_does_not_matter(seed, tasks, scale):
    torch.manual_seed(seed)
    before, after = torch.rand(2, tasks, 2, dtype=torch.float64) * 100  # far above the floor
    last = torch.full((tasks,), 1 / tasks, dtype=torch.float64)
    w = blend(before, after, last)
    assert float(w.sum()) == pytest.approx(1) and (w >= 0).all()
    lost = after[:, 1] >= before[:, 1]
    assert lost.all() or (w[lost] == 0).all()
    growth = ((after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])).abs()
    if growth.min() > 1:
        assert torch.allclose(blend(scale * before, scale * after, last), w)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_the_losses_are_means_over_the_rows_that_have_the_modality(stage):
    data = make_dataset(60, modalities=("vector", "sequence"), nothing=0.1)
    method = make_method("g_blending", make_model(data.split(seed=0), fusion="sum"))
    method.begin(data)
    method.next_phase(stage, 20)
    method.model.eval()
    with torch.no_grad():
        method.on_epoch_start(data)
        batch = data.batch(slice(None))
        name = ("vector", "sequence", None)[stage]
        if name is None:
            logits, present = method.model(batch), anything(batch)
        else:
            logits, present = method.heads[name](method.model.encode_one(batch, name)), batch.present[name]
    each = -log_softmax(logits.double().numpy(), axis=1)[np.arange(60), data.labels]
    out, present = method.held_out.numpy(), present.numpy()
    expected = [each[present & ~out].mean(), each[present & out].mean()]
    assert method.losses[0, stage].tolist() == pytest.approx(expected, rel=1e-5)
    others = [k for k in range(3) if k != stage]
    assert (method.losses[:, others] == 0).all() and (method.losses[1] == 0).all()


def test_only_before_the_first_epoch_of_a_trial():
    method = make_method("g_blending", make_model(TINY))
    method.begin(TINY.train)
    method.next_phase(0, 20)
    method.epoch = 1
    method.on_epoch_start(TINY.train)
    method.epoch = 0
    method.next_phase(4, 20)  # the weighted training
    method.on_epoch_start(TINY.train)
    assert (method.losses == 0).all()


def test_held_out_rows_never_train():
    data = make_dataset(100, absent=0.0)
    method = make_method("g_blending", make_model(TINY), held_out=0.3)
    method.begin(data)
    out = method.held_out.numpy()
    assert out.sum() == 30
    counts = np.bincount(data.labels[out], minlength=3)
    assert counts.max() - counts.min() <= 2  # three classes of about 33
    for finished in range(10):
        method.next_phase(finished, 100)
        assert np.array_equal(method.training_data(data).ids, data.ids[~out])
    everything = make_method("g_blending", make_model(TINY), rows="all")
    everything.begin(data)
    sizes = []
    for finished in range(5):
        everything.next_phase(finished, 100)
        sizes.append(len(everything.training_data(data)))
    assert sizes == [80, 80, 80, 80, 100]


def test_held_out_rows_share_no_group_and_no_class_is_lost():
    data = make_dataset(90)
    groups = np.arange(90) // 6
    data = data.split(seed=0, groups=groups).train
    method = make_method("g_blending", make_model(TINY))
    method.begin(data)
    out = method.held_out.numpy()
    assert out.any() and not np.intersect1d(data.groups[out], data.groups[~out]).size
    assert len(np.unique(data.labels[~out])) == 3


def test_too_few_groups_to_hold_any_out():
    data = make_dataset(30, absent=0.0)
    data.groups = np.arange(30) % 2
    method = make_method("g_blending", make_model(TINY))
    with pytest.raises(DataError, match=r"g_blending, which holds out a part of the training rows: .* 3 groups, got 2"):
        method.begin(data)


def test_the_phases():
    method = make_method("g_blending", super_epoch=2)
    phases = [method.next_phase(i, 5) for i in range(16)]
    trials = [f"trial of {m}" for m in (*NAMES, "the fusion")]
    assert [phase and phase.name for phase in phases] == [*trials, "train"] * 3 + [None]
    assert [phase.epochs for phase in phases[:15]] == [2] * 10 + [1] * 5
    assert all(phase.trial and phase.ends == "last" for phase in phases[:15] if phase.name != "train")
    main = [phase for phase in phases[:15] if phase.name == "train"]
    assert [phase.ends for phase in main] == ["last", "last", "best"]
    assert main[1] == Phase("train", 2, ends="last", span=(0.4, 0.8)) and main[2].span == (0.8, 1.0)
    assert phases[5].span == main[1].span


def test_the_weighted_training_goes_through_the_schedule_once(monkeypatch):
    rates = []
    plain = loop.Trainer.train_batch

    def spy(self, batch, updater, rate):
        if self.method.stage == 4:
            rates.append(rate)
        plain(self, batch, updater, rate)

    monkeypatch.setattr(loop.Trainer, "train_batch", spy)
    fit_tiny(TINY, SHORT, epochs=4, learning_rate=0.1)
    steps = len(rates)
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * i / steps)) for i in range(steps)])


def test_weights_come_from_training_rows_alone(tmp_path):
    other = make_splits(80, seed=1)
    swapped = Splits(TINY.train, other.test, other.validation)
    fit_tiny(TINY, SHORT, tmp_path / "one", epochs=4)
    fit_tiny(swapped, SHORT, tmp_path / "two", epochs=4)
    one, two = (load_file(tmp_path / name / "checkpoint" / "state.safetensors") for name in ("one", "two"))
    assert torch.equal(one["method/weights"], two["method/weights"])
    assert torch.equal(one["method/losses"], two["method/losses"])
    assert not torch.allclose(one["method/weights"], torch.full((4,), 0.25))
    assert one["method/weights"].sum() == pytest.approx(1)


def test_trials_start_from_the_same_weights_as_the_training_after_them(monkeypatch):
    starts = {}
    plain = loop.Trainer._train_epoch

    def spy(self, phase, updater):
        starts.setdefault((self.cursor.phase, phase.name), copy.deepcopy(self.model))
        plain(self, phase, updater)

    monkeypatch.setattr(loop.Trainer, "_train_epoch", spy)
    fit_tiny(TINY, SHORT, epochs=4)
    models = list(starts.values())
    assert len(models) == 10
    for model in models[1:5]:
        assert_same(model, models[0], atol=0)
    for model in models[6:]:
        assert_same(model, models[5], atol=0)
    assert any(not torch.equal(p, q) for p, q in zip(models[5].parameters(), models[0].parameters(), strict=True))


def test_a_modality_that_a_batch_lacks_does_not_move():
    method = make_method("g_blending", linear_model(NAMES))
    before = copy.deepcopy([method.model.encoders["c"], method.heads["c"]])
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, samples=12).restrict(("a", "b"))])
    assert set(outcome.losses) == {"fused", "a alone", "b alone"}
    assert_same(method.model.encoders["c"], before[0], atol=0)
    assert_same(method.heads["c"], before[1], atol=0)


@pytest.mark.parametrize("stop", [1, 7, 11, 15, 18])
def test_going_on_from_anywhere_gives_the_same_bits(tmp_path, stop):
    fit_tiny(PAIR, SHORT, tmp_path / "whole", epochs=3)
    with at_batch(stop, press_ctrl_c):
        try:
            fit_tiny(PAIR, SHORT, tmp_path / "stopped", epochs=3)
        except Interrupted:
            fit_tiny(PAIR, SHORT, tmp_path / "stopped", epochs=3, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
