"""Uni-Modal Teacher: teachers trained alone and cached once, then joint training near them."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import Interrupted
from equimodal.methods.base import Phase
from equimodal.methods.umt import UMT
from synthetic import linear_batch, linear_model, make_dataset, make_model, make_splits
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")
TINY = make_splits(80)
PAIR = make_splits(80, modalities=("vector", "sequence"))


def summed(model, batch):
    """Sum fusion by hand."""
    n = torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)
    z = sum(encode(model, batch, m) for m in NAMES)
    return model.fusion.head(z * (len(NAMES) / n).unsqueeze(1))


def student(**options):
    method = make_method("umt", linear_model(NAMES, fusion="sum"), **options)
    method.register_buffer("teachers", torch.randn(3, 12, method.model.width))
    return method


def test_the_student_takes_plain_steps_on_the_fused_loss_and_the_distances():
    method = student(weight=3.0)
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    run_updates(method, data)
    for batch in data:
        loss = mean_loss(summed(model, batch), batch, anything(batch))
        for i, m in enumerate(NAMES):
            rows = batch.present[m]
            loss = loss + 3.0 * torch.nn.functional.mse_loss(encode(model, batch, m)[rows], method.teachers[i][rows])
        plain.step(loss)
    assert_same(method.model, model)


def test_rows_meet_their_own_teachers_encodings():
    """A batch in any order, and only part of the rows: ids say which."""
    method = student()
    batch = linear_batch(NAMES, samples=4, probability=1.1)
    rows = torch.tensor([7, 2, 11, 0])
    batch = type(batch)(batch.inputs, batch.present, batch.labels, rows)
    (update,) = method.updates(batch)
    total, count = update.losses["b to teacher"]
    expected = 10 * ((encode(method.model, batch, "b") - method.teachers[1][rows]) ** 2).mean(1).sum()
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-5) and int(count) == 4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), width=st.integers(1, 40), shift=st.floats(-3, 3))
def test_an_encoder_off_by_a_constant_is_so_far_whatever_the_width(seed, width, shift):
    torch.manual_seed(seed)
    method = make_method("umt", linear_model(NAMES, width=width), weight=1.0)
    batch = linear_batch(NAMES)
    truth = torch.stack([encode(method.model, batch, m) for m in NAMES]).detach()
    method.register_buffer("teachers", truth + shift)
    (update,) = method.updates(batch)
    for m in NAMES:
        total, count = update.losses[f"{m} to teacher"]
        assert float(total.detach()) == pytest.approx(shift**2 * int(batch.present[m].sum()), rel=1e-3, abs=1e-5)
        assert int(count) == int(batch.present[m].sum())


def test_a_modality_that_a_batch_lacks_has_no_distance_and_does_not_move():
    method = student()
    before = copy.deepcopy(method.model.encoders)
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, samples=12).restrict(("a", "b"))])
    assert set(outcome.losses) == {"fused", "a to teacher", "b to teacher"}
    assert_same(method.model.encoders["c"], before["c"], atol=0)


def test_a_teacher_is_trained_alone():
    method = make_method("umt", linear_model(NAMES, fusion="sum"))
    assert method.next_phase(1, 7) == Phase("teacher of b", 7, select=("b",), trial=True)
    assert method.passes() == [("b",)]
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    done = run_updates(method, data)
    for batch in data:
        plain.step(mean_loss(model.fusion.head(3.0 * encode(model, batch, "b")), batch, batch.present["b"]))
    assert [update.modalities for update, _ in done] == [("b",)] * 3
    assert_same(method.model, model)


def test_the_phases():
    method = make_method("umt")
    names = [method.next_phase(i, 5) for i in range(5)]
    assert [phase and phase.name for phase in names] == ["teacher of a", "teacher of b", "teacher of c", "train", None]
    assert names[3] == Phase("train", 5)


def test_a_teachers_encodings_are_those_of_every_present_row():
    data = make_dataset(70, modalities=("vector", "sequence"))
    method = make_method("umt", make_model(data.split(seed=0)))
    method.begin(data)
    method.next_phase(1, 1)
    method.model.eval()
    with torch.no_grad():
        method.on_phase_end(Phase("teacher of sequence", 1), data)
        expected = method.model.encode_one(data.batch(slice(None)), "sequence")
    assert torch.allclose(method.teachers[1], expected, atol=1e-6)
    assert (method.teachers[0] == 0).all()


def test_teachers_are_computed_once_and_the_student_starts_where_they_did(monkeypatch):
    epochs, rows, starts = 2, dict.fromkeys(TINY.modalities, 0), []
    model = make_model(TINY, width=6)
    initial = copy.deepcopy(model.encoders)

    def count(name):
        def hook(module, args, output):
            rows[name] += len(output)

        return hook

    for name in TINY.modalities:
        model.encoders[name].register_forward_hook(count(name))
    plain = UMT.updates

    def spy(self, batch):
        starts.append((self.teacher, copy.deepcopy(self.model.encoders)))
        yield from plain(self, batch)

    monkeypatch.setattr(UMT, "updates", spy)
    fit_tiny(TINY, "umt", epochs=epochs, model=model)
    first = next(encoders for teacher, encoders in starts if teacher is None)
    assert_same(first, initial, atol=0)
    for name in TINY.modalities:
        train, validation, test = (int(part.present[name].sum()) for part in TINY.parts().values())
        probes = (len(TINY.modalities) + 1) * epochs * validation + validation + test
        assert rows[name] == 2 * epochs * train + train + probes  # as teacher, as student, and the cache


@pytest.mark.parametrize("stop", [3, 6, 9, 11])
def test_going_on_from_anywhere_gives_the_same_bits(tmp_path, stop):
    fit_tiny(PAIR, "umt", tmp_path / "whole")
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(PAIR, "umt", tmp_path / "stopped")
    fit_tiny(PAIR, "umt", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
