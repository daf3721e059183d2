from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from torch import nn

from equimodal.errors import Interrupted
from equimodal.methods.info_reg import leads
from equimodal.models.classifier import Classifier
from synthetic import CLASSES, linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")
BETA, THRESHOLD = 0.6, 0.05


def model_of() -> Any:
    return linear_model(NAMES, fusion="concat", fusion_options={"absent": "zeros"})  # without a running mean


class ByHand:
    """The method over whole epochs, in loops of our own; it counts what was regulated."""

    def __init__(self, model):
        self.model, self.plain = model, Plain(model)
        self.traces = {m: [] for m in NAMES}
        self.regulated = []

    def fused(self, batch):
        head = self.model.fusion.head
        return head(torch.cat([encode(self.model, batch, m) for m in NAMES], dim=1))

    def scores(self, batch):
        head, found = self.model.fusion.head, {}
        for i, m in enumerate(NAMES):
            rows = batch.present[m].numpy()
            if rows.any():
                block = head.weight.detach()[:, 6 * i : 6 * (i + 1)]
                logits = encode(self.model, batch, m).detach() @ block.T + head.bias.detach() / 3
                logs = log_softmax(logits.double().numpy(), axis=1)[np.arange(len(rows)), batch.labels.numpy()]
                found[m] = logs[rows].mean()
        return found

    def penalty(self, m, scores, anchor):
        behind = [scores[m] - s for other, s in scores.items() if other != m and s < scores[m]]
        before, last = self.traces[m][-2:]
        if not behind or not (last - before) / last > THRESHOLD:
            return None
        alpha = math.exp(BETA * math.tanh(np.mean(behind)))
        pairs = zip(self.model.encoders[m].parameters(), anchor[m], strict=True)
        return alpha / 2 * sum((p - w).pow(2).sum() for p, w in pairs)

    def epoch(self, number, batches):
        anchor = {m: [p.detach().clone() for p in self.model.encoders[m].parameters()] for m in NAMES}
        squares = {m: [] for m in NAMES}
        for batch in batches:
            for m in NAMES:  # what is absent from the whole batch rests
                for p in self.model.encoders[m].parameters():
                    p.requires_grad_(bool(batch.present[m].any()))
            loss = mean_loss(self.fused(batch), batch, anything(batch))
            for m in NAMES:
                if batch.present[m].any():
                    found = torch.autograd.grad(loss, list(self.model.encoders[m].parameters()), retain_graph=True)
                    squares[m].append(sum(float((g.double() ** 2).sum()) for g in found))
            scores = self.scores(batch)
            if number >= 2:
                for m in scores:
                    penalty = self.penalty(m, scores, anchor)
                    self.regulated.append(penalty is not None)
                    loss = loss if penalty is None else loss + penalty
            self.plain.step(loss)
        for m in NAMES:
            self.traces[m].append(np.mean(squares[m]))


def test_whole_epochs_are_those_of_the_definition():
    method = make_method("info_reg", model_of(), beta=BETA, threshold=THRESHOLD)
    by_hand = ByHand(twin(method)[0])
    updater = make_updater(method)
    for number in range(6):
        data = [linear_batch(NAMES, samples=12) for _ in range(3)]
        data = [*data, data[-1].restrict(("a", "c"))]  # "b" wholly absent: no gradient, no score, no regulation
        method.epoch, method.epochs = number, 6
        method.on_epoch_start(None)
        run_updates(method, data, updater)
        method.on_epoch_trained()
        by_hand.epoch(number, data)
        for row, back in ((1, -1), (0, -2)):
            if number + row >= 1:
                expected = [by_hand.traces[m][back] for m in NAMES]
                assert method.traces[row].tolist() == pytest.approx(expected, rel=1e-4)
    assert any(by_hand.regulated) and not all(by_hand.regulated)
    assert_same(method.model, by_hand.model, atol=1e-5)


def prepared(epoch=2, growth=(2.0, 2.0, 2.0), **options):
    """A method in the midst of an epoch, whose encoders have moved from where they were at its start."""
    method = make_method("info_reg", model_of(), **options)
    method.epoch, method.epochs = epoch, 10
    method.on_epoch_start(None)
    method.traces.copy_(torch.tensor([[1.0, 1.0, 1.0], growth]))
    with torch.no_grad():
        for p in method.model.encoders.parameters():
            p += 0.1
    return method


def terms(method, batch):
    """Return the terms that count, by modality: those in their window, be they ahead or not."""
    (update,) = method.updates(batch)
    found = {m: update.losses.get(f"{m} regulation", (torch.tensor(math.nan), torch.tensor(0))) for m in NAMES}
    return {m: float(total.detach()) for m, (total, count) in found.items() if int(count)}


def regulation(method, batch):
    """Return the terms of those that are held: 0 is the term of one that is not ahead."""
    return {m: total for m, total in terms(method, batch).items() if total != 0}


def test_the_regulation_by_hand():
    """One alone is ahead: all others are behind by the same."""
    method = prepared(beta=0.9)
    with torch.no_grad():
        for name in ("b", "c"):  # each class a third
            method.model.encoders[name].weight.zero_()
            method.model.encoders[name].bias.zero_()
        method.model.fusion.head.bias.zero_()
        block = method.model.fusion.head.weight[:, :6]
        block.zero_()
        block[:, 0] = torch.tensor([1.0, 0.0, 0.0])
        method.model.encoders["a"].weight.zero_()
        method.model.encoders["a"].bias.copy_(torch.tensor([2.0, 0, 0, 0, 0, 0]))  # logits (2, 0, 0)
    method.anchor.copy_(method._weights() - 0.1)
    batch = linear_batch(NAMES, probability=1.1)
    batch.labels.zero_()
    lead = 2 - math.log(math.exp(2) + 2) + math.log(3)
    expected = math.exp(0.9 * math.tanh(lead)) / 2 * 30 * 0.1**2  # 30 weights, each .1 away
    assert regulation(method, batch) == {"a": pytest.approx(expected, rel=1e-4)}
    batch.labels.fill_(1)  # now "a" is wrong: the two others are ahead of it, and not of one another
    lead = -math.log(3) + math.log(math.exp(2) + 2)
    expected = math.exp(0.9 * math.tanh(lead)) / 2 * 30 * 0.1**2
    assert regulation(method, batch) == {m: pytest.approx(expected, rel=1e-4) for m in ("b", "c")}


def test_only_from_the_third_epoch_on_and_inside_the_window():
    batch = linear_batch(NAMES, probability=1.1)
    torch.manual_seed(3)
    ahead = set(regulation(prepared(), batch))
    assert len(ahead) == 2  # all but the last
    for changes, expected in [
        ({"epoch": 0}, set()),
        ({"epoch": 1}, set()),
        ({"epoch": 3}, ahead),
        ({"growth": (1.0, 1.0, 1.0)}, set()),  # no growth
        ({"growth": (0.5, 0.5, 0.5)}, set()),
        ({"growth": (0.0, 0.0, 0.0)}, set()),  # never present
        ({"growth": (1.041, 1.041, 1.041)}, set()),  # .0394 of the latter is under the threshold
        ({"growth": (1.05, 1.05, 1.05)}, ahead),
        ({"growth": (1.05, 1.0, 1.0)}, ahead & {"a"}),
    ]:
        torch.manual_seed(3)
        assert set(regulation(prepared(**changes), batch)) == expected, changes


def test_an_epoch_begins_without_a_pull():
    method = prepared()
    method.on_epoch_start(None)
    assert terms(method, linear_batch(NAMES, probability=1.1)) == dict.fromkeys(NAMES, 0.0)


def test_the_term_of_one_that_is_not_ahead_changes_no_gradient():
    """It counts, because the host does not know the lead; its gradient is 0, and reaches nothing that the fused loss
    does not reach."""
    method = prepared(growth=(1.0, 2.0, 1.0))
    batch = linear_batch(NAMES, probability=1.1)
    batch.labels.zero_()
    with torch.no_grad():  # "b" says the wrong class, and is behind
        method.model.fusion.head.weight[:, 6:12] = torch.tensor([-9.0, 9.0, 9.0])[:, None]
        method.model.encoders["b"].weight.zero_()
        method.model.encoders["b"].bias.fill_(1.0)
    method.anchor.copy_(method._weights() - 0.1)
    assert terms(method, batch) == {"b": 0.0}
    joint, updater = copy.deepcopy(method.model), make_updater(method)
    plain = Plain(joint)
    run_updates(method, [batch], updater)
    plain.step(mean_loss(joint(batch), batch, anything(batch)))
    assert_same(method.model, joint, atol=1e-6)


@settings(max_examples=200, deadline=None)
@given(scores=st.lists(st.integers(-40, 0), min_size=2, max_size=6), shift=st.integers(-9, 9))
def test_leads_are_means_over_those_behind(scores, shift):
    s = torch.tensor(scores, dtype=torch.float64)
    everyone = torch.ones(len(s), dtype=torch.bool)
    found = leads(s, everyone)
    for m, own in enumerate(scores):
        behind = [own - other for other in scores if other < own]
        assert float(found[m]) == pytest.approx(np.mean(behind) if behind else 0.0)
    assert torch.equal(found, leads(s + shift, everyone))
    more = leads(torch.cat([s, torch.tensor([math.nan])]), torch.tensor([*[True] * len(s), False]))
    assert torch.equal(more[:-1], found) and more[-1] == 0


def test_what_is_absent_from_a_batch_does_not_move_or_count():
    method = prepared()
    updater = make_updater(method)
    run_updates(method, [linear_batch(NAMES) for _ in range(2)], updater)
    before, counts = copy.deepcopy(method.model), method._batches.clone()
    batch = linear_batch(NAMES).restrict(("a", "c"))
    ((_, outcome),) = run_updates(method, [batch], updater)
    assert outcome.stepped and all(p.isfinite().all() for p in method.model.parameters())
    assert (method._batches - counts).tolist() == [1, 0, 1]
    assert_same(method.model.encoders["b"], before.encoders["b"], atol=0)
    assert set(terms(method, batch)) == {"a", "c"} > set(regulation(method, batch))
    assert not regulation(method, linear_batch(NAMES).restrict(("a",)))  # alone, it is ahead of nobody
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, probability=-1)], updater)
    assert not outcome.stepped


def test_a_shared_encoder_is_held_by_each_owner_that_is_ahead():
    one = nn.Linear(4, 6)
    model = Classifier({"a": one, "b": one}, CLASSES, width=6, fusion="late")
    method = make_method("info_reg", model)
    method.epoch, method.epochs = 2, 9
    method.on_epoch_start(None)
    method.traces.copy_(torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
    with torch.no_grad():
        one.weight += 0.1
    (update,) = method.updates(linear_batch(("a", "b"), probability=1.1))
    none, total = sorted(float(update.losses[f"{m} regulation"][0].detach()) for m in ("a", "b"))
    assert none == 0 and 0.5 * 24 * 0.01 < total < math.exp(0.9) * 0.5 * 24 * 0.01


@pytest.mark.parametrize("stop", [1, 5, 6, 7])
def test_going_on_gives_the_same_bits(tiny, tmp_path, stop):
    whole = fit_tiny(tiny, "info_reg:threshold=0.0001", tmp_path / "whole", epochs=4, seed=2)
    assert any("regulation" in term for term in whole.history[2]["train"])
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "info_reg:threshold=0.0001", tmp_path / "stopped", epochs=4, seed=2)
    fit_tiny(tiny, "info_reg:threshold=0.0001", tmp_path / "stopped", epochs=4, seed=2, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
