"""The updates of the paper's method, held against plain PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from equimodal.methods.equilibrium import random_coalition
from equimodal.models.classifier import Classifier
from equimodal.models.mapping import alignment_loss, alignment_weights
from synthetic import CLASSES, linear_batch, linear_model

from .plain import Plain, anything, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")
PAPER: dict[str, Any] = {"memory": {"in_steps": True, "dropout": 0.0}, "fusion_step": {"enabled": False}}
SEPARATE: dict[str, Any] = {
    "memory": {"dropout": 0.0},
    "fusion_step": {"form": "separate", "trains": "all", "random_coalitions": 0.0},
}
FOLDED: dict[str, Any] = {"memory": {"dropout": 0.0}, "fusion_step": {"trains": "all", "random_coalitions": 0.0}}


def alive(method, order=("b", "c", "a")):
    """Give the memory something to say: weights that are not zero, a state, an order."""
    fusion = method.model.fusion
    with torch.no_grad():
        fusion.memory.refinement.weight.normal_(std=0.5)
        fusion.memory.inherit(torch.randn(method.model.width), torch.randn(method.model.width))
    method.schedule._set(order)
    method.visiting = method.passes()[0]
    return method


def plain_visit(model, batch, name, state, previous, seen, z):
    """One link of the chain by hand; returns the logits, the state, and the mapped rows."""
    fusion, here = model.fusion, batch.present[name][:, None]
    mapped = fusion.mapping.maps[name](z)
    aligned = mapped
    if previous is not None and fusion.mapping.sample_level:
        valid = batch.present[name] & seen
        aligned = alignment_weights(previous.detach(), mapped, fusion.mapping.tau, valid) @ mapped
    h, c = fusion.memory.cell(aligned, state)
    state = (torch.where(here, h, state[0]), torch.where(here, c, state[1]))
    logits = fusion.heads["shared"](z + fusion.memory.refinement(state[0]))
    remembered = mapped.detach() if previous is None else torch.where(here, mapped.detach(), previous)
    seen = batch.present[name] if seen is None else batch.present[name] | seen
    return logits, state, remembered, seen, mapped


def start(model, batch):
    fusion = model.fusion
    return tuple(t.repeat(len(batch), 1) for t in (fusion.memory.inherited_h, fusion.memory.inherited_c))


def plain_fused(model, batch, encodings):
    """The mean logits of the whole chain by hand."""
    state, previous, seen = start(model, batch), None, None
    total = torch.zeros(len(batch), 3)
    for m in ("b", "c", "a"):
        logits, state, previous, seen, _ = plain_visit(model, batch, m, state, previous, seen, encodings[m])
        total = total + logits * batch.present[m][:, None]
    return total / torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)[:, None]


@pytest.mark.parametrize("alignment", [0.0, 0.3])
@pytest.mark.parametrize("sample", [False, True])
def test_the_papers_steps_are_plain_steps(sample, alignment):
    mapping = {"sample": sample, "tau": 0.1, "alignment": alignment}
    method = alive(make_method("equilibrium", **PAPER, mapping=mapping, unimodal_weight=0.7))
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    done = run_updates(method, data)
    for batch in data:
        state, previous = start(model, batch), None
        seen: Any = None
        for m in ("b", "c", "a"):
            z = encode(model, batch, m)
            logits, state, remembered, seen_now, mapped = plain_visit(model, batch, m, state, previous, seen, z)
            loss = 0.7 * mean_loss(model.fusion.heads["shared"](z), batch, batch.present[m])
            loss = loss + mean_loss(logits, batch, batch.present[m])
            if alignment and previous is not None:
                total, count = alignment_loss(previous, mapped, batch.labels, batch.present[m] & seen)
                loss = loss + alignment * total / count
            plain.step(loss)
            state, previous, seen = tuple(t.detach() for t in state), remembered, seen_now
    assert_same(method.model, model, atol=2e-6)
    assert [update.modalities for update, _ in done] == [("b",), ("c",), ("a",)] * 3
    assert ("b+alignment" in done[0][0].losses, "c+alignment" in done[1][0].losses) == (False, alignment > 0)


@pytest.mark.parametrize("sample", [False, True])
def test_a_separate_fusion_step_comes_after_plain_alternating(sample):
    method = alive(make_method("equilibrium", **SEPARATE, mapping={"sample": sample, "tau": 0.1}))
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    done = run_updates(method, data)
    for batch in data:
        for m in ("b", "c", "a"):
            plain.step(mean_loss(model.fusion.heads["shared"](encode(model, batch, m)), batch, batch.present[m]))
        logits = plain_fused(model, batch, {m: encode(model, batch, m) for m in NAMES})
        plain.step(mean_loss(logits, batch, anything(batch)))
    assert_same(method.model, model, atol=2e-6)
    assert [update.modalities for update, _ in done[:4]] == [("b",), ("c",), ("a",), NAMES]
    assert list(done[3][0].losses) == ["fused"]


def carried_out_in_one_pass(method):
    """Train on three batches, in which each encoder must run three times; return them with what was done."""
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    calls = dict.fromkeys(NAMES, 0)
    for m in NAMES:
        method.model.encoders[m].register_forward_hook(lambda *_, m=m: calls.update({m: calls[m] + 1}))
    done = run_updates(method, data)
    assert set(calls.values()) == {3}
    return data, done


@pytest.mark.parametrize("sample", [False, True])
def test_folded_each_step_adds_the_fused_gradient_of_its_own_modality(sample):
    """Each encoder runs once a batch, before the first step; the others' encodings count as constants."""
    method = alive(make_method("equilibrium", **FOLDED, mapping={"sample": sample, "tau": 0.1}))
    model, _ = twin(method)
    plain = Plain(model)
    data, done = carried_out_in_one_pass(method)
    for batch in data:
        before = {m: encode(model, batch, m).detach() for m in NAMES}
        for m in ("b", "c", "a"):
            z = encode(model, batch, m)
            fused = plain_fused(model, batch, {**before, m: z})
            others = [p for k in NAMES if k != m for p in model.own_parameters(k)]
            loss = mean_loss(model.fusion.heads["shared"](z), batch, batch.present[m])
            loss = loss + mean_loss(fused, batch, batch.present[m])
            for p in others:
                p.requires_grad_(False)
            plain.step(loss)
            for p in others:
                p.requires_grad_(True)
    assert_same(method.model, model, atol=2e-6)
    assert [update.modalities for update, _ in done] == [("b",), ("c",), ("a",)] * 3
    assert [list(update.losses) for update, _ in done[:3]] == [["b", "fused"], ["c", "fused"], ["a", "fused"]]


@pytest.mark.parametrize("trains", ["memory", "head"])
@pytest.mark.parametrize("sample", [False, True])
def test_the_fused_loss_that_reaches_no_encoder_has_a_step_of_its_own(sample, trains):
    """On the encodings from before the batch's steps: each encoder runs once."""
    step = {"trains": trains, "random_coalitions": 0.0}
    mapping = {"sample": sample, "tau": 0.1}
    method = alive(make_method("equilibrium", memory={"dropout": 0.0}, fusion_step=step, mapping=mapping))
    model, _ = twin(method)
    plain = Plain(model)
    data, done = carried_out_in_one_pass(method)
    for batch in data:
        before = {m: encode(model, batch, m).detach() for m in NAMES}
        for m in ("b", "c", "a"):
            plain.step(mean_loss(model.fusion.heads["shared"](encode(model, batch, m)), batch, batch.present[m]))
        fixed = list(model.fusion.heads.parameters()) if trains == "memory" else []
        for p in fixed:
            p.requires_grad_(False)
        plain.step(mean_loss(plain_fused(model, batch, before), batch, anything(batch)))
        for p in fixed:
            p.requires_grad_(True)
    assert_same(method.model, model, atol=2e-6)
    assert [list(update.losses) for update, _ in done[:4]] == [["b"], ["c"], ["a"], ["fused"]]
    assert [outcome.moved for _, outcome in done[:4]] == [("b",), ("c",), ("a",), ()]  # no encoder's step


def test_an_encoder_that_two_modalities_share_is_stepped_for_each():
    one = nn.Linear(4, 6)
    model = Classifier({"b": one, "a": one, "c": nn.Linear(4, 6)}, CLASSES, width=6)
    method = make_method("equilibrium", model, **FOLDED)
    batch = linear_batch(NAMES, features=4, probability=1.1)
    done = run_updates(method, [batch, batch])
    assert all(outcome.stepped for _, outcome in done) and len(done) == 6


def test_without_memory_it_is_plain_alternating():
    method = make_method("equilibrium", memory={"enabled": False}, fusion_step={"enabled": False})
    method.passes()
    alternating = make_method("alternating", linear_model(NAMES))
    alternating.model.encoders.load_state_dict(method.model.encoders.state_dict())
    alternating.model.fusion.heads.load_state_dict(method.model.fusion.heads.state_dict())
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    run_updates(method, data)
    run_updates(alternating, data)
    assert_same(method.model.encoders, alternating.model.encoders, atol=0)
    assert_same(method.model.fusion.heads, alternating.model.fusion.heads, atol=0)
    batch = linear_batch(NAMES)
    assert torch.allclose(method.model.eval()(batch), alternating.model.eval()(batch), atol=1e-6)


def test_without_memory_the_default_is_plain_alternating_too():
    """The fused loss trains the memory alone: without one there is no fused loss."""
    one = make_method("equilibrium", memory={"enabled": False})
    two = make_method("equilibrium", linear_model(NAMES), memory={"enabled": False}, fusion_step={"enabled": False})
    two.model.load_state_dict(one.model.state_dict())
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    assert [list(update.losses) for update, _ in run_updates(one, data)] == [[m] for m in NAMES] * 3
    run_updates(two, data)
    assert_same(one.model, two.model, atol=0)


@pytest.mark.parametrize("form", ["folded", "separate"])
def test_by_default_encoders_and_head_learn_from_the_unimodal_losses_alone(form):
    method = alive(make_method("equilibrium", fusion_step={"form": form}))
    alternating = make_method("equilibrium", linear_model(NAMES), memory={"enabled": False})
    alternating.model.encoders.load_state_dict(method.model.encoders.state_dict())
    alternating.model.fusion.heads.load_state_dict(method.model.fusion.heads.state_dict())
    alternating.schedule._set(("b", "c", "a"))
    alternating.passes()
    before = {name: p.clone() for name, p in method.model.fusion.named_parameters()}
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    for one in (method, alternating):
        run_updates(one, data)  # with clipping, which a gradient of the memory in the same step would change
    assert_same(method.model.encoders, alternating.model.encoders, atol=0)
    assert_same(method.model.fusion.heads, alternating.model.fusion.heads, atol=0)
    for name, parameter in method.model.fusion.named_parameters():
        assert not torch.equal(parameter, before[name])


BOTH: dict[str, Any] = {"memory": {"in_steps": True}, "fusion_step": {"form": "separate", "trains": "all"}}
CONFIGS = {
    "default": {},
    "folded": {"fusion_step": {"trains": "all"}},
    "separate": {"fusion_step": {"form": "separate"}},
    "paper": {"memory": {"in_steps": True}, "fusion_step": {"enabled": False}},
    "both": {**BOTH, "mapping": {"sample": True, "alignment": 0.1, "tau": 0.05}},
    "by epoch": {"alternation": "epoch", **BOTH},
    "folded by epoch": {"alternation": "epoch", "fusion_step": {"trains": "all"}},
}


def signature(method, batch, seed):
    """What is updated, in which order, under which names, for one batch; seeded for each pass, as the loop does."""
    found = []
    for visit, visiting in enumerate(method.passes()):
        torch.manual_seed(seed + visit)
        method.visiting = visiting
        found += [(u.modalities, tuple(u.losses), o.stepped) for u, o in run_updates(method, [batch])]
    return found


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 9999),
    samples=st.integers(1, 12),
    probability=st.sampled_from([-1.0, 0.2, 0.6, 1.1]),
    without=st.sampled_from([*NAMES, ""]),
)
def test_updates_never_depend_on_what_a_batch_holds(options, seed, samples, probability, without):
    torch.manual_seed(seed + 1)
    model = linear_model(NAMES)
    model.encoders = nn.ModuleDict({m: nn.Sequential(layer, nn.Dropout(0.5)) for m, layer in model.encoders.items()})
    method = make_method("equilibrium", model, **options)
    full = linear_batch(NAMES, samples=12, probability=1.1)
    some = linear_batch(NAMES, samples=samples, probability=probability).restrict(set(NAMES) - {without})
    expected, found = signature(method, full, seed), signature(method, some, seed)
    assert [entry[:2] for entry in found] == [entry[:2] for entry in expected]
    assert all(stepped for *_, stepped in expected)
    for modalities, _, stepped in found:  # nothing to learn from: no step
        assert stepped == any(some.present[m].any() for m in modalities)


def test_a_modality_that_is_wholly_absent_counts_nothing_and_does_not_move():
    method = alive(make_method("equilibrium", **PAPER))
    model, _ = twin(method)
    done = run_updates(method, [linear_batch(NAMES, probability=1.1).restrict(("a", "b"))])
    update, outcome = done[1]
    assert update.modalities == ("c",) and [int(count) for _, count in update.losses.values()] == [0, 0]
    assert not outcome.stepped and [o.stepped for _, o in done] == [True, False, True]
    assert_same(method.model.encoders["c"], model.encoders["c"], atol=0)
    assert_same(method.model.fusion.mapping.maps["c"], model.fusion.mapping.maps["c"], atol=0)


@pytest.mark.parametrize("options", [CONFIGS["paper"], CONFIGS["both"]], ids=["paper", "both"])
def test_no_gradient_of_a_step_reaches_another_modality(options):
    method = alive(make_method("equilibrium", **options))
    encoders = method.model.encoders
    reached = []
    for update in method.updates(linear_batch(NAMES, probability=1.1)):
        loss = torch.stack([total for total, _ in update.losses.values()]).sum()
        grads = torch.autograd.grad(loss, [encoders[m].weight for m in NAMES], allow_unused=True)
        reached.append({m for m, grad in zip(NAMES, grads, strict=True) if grad is not None and grad.abs().sum() > 0})
    assert reached[:3] == [{"b"}, {"c"}, {"a"}]
    assert reached[3:] in ([], *[[set(chosen)] for k in (1, 2, 3) for chosen in itertools.combinations(NAMES, k)])


def test_the_fusion_step_meets_every_coalition_as_often_as_asked():
    method = make_method("equilibrium", fusion_step={"form": "separate", "random_coalitions": 0.5})
    batch = linear_batch(NAMES, samples=2, probability=1.1)
    method.visiting = method.passes()[0]
    seen = [list(method.updates(batch))[-1].modalities for _ in range(1500)]
    share = {coalition: seen.count(coalition) / len(seen) for coalition in set(seen)}
    assert len(share) == 7
    for coalition, found in share.items():
        expected = 0.5 / 7 + (0.5 if coalition == NAMES else 0)
        assert found == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / len(seen)))
    drawn = [random_coalition(("x", "y")) for _ in range(200)]
    assert set(drawn) == {("x",), ("y",), ("x", "y")}


@pytest.mark.parametrize("form", ["folded", "separate"])
def test_outside_a_random_coalition_nothing_moves(form):
    step = {"form": form, "trains": "all", "random_coalitions": 1.0}
    method = make_method("equilibrium", unimodal_weight=0.0, fusion_step=step)
    method.visiting = method.passes()[0]
    updater = make_updater(method)
    for _ in range(12):
        model, _ = twin(method)
        done = run_updates(method, [linear_batch(NAMES, probability=1.1)], updater)
        coalition = {m for update, _ in done if update.losses for m in update.modalities}
        for m in NAMES:
            moved = any(
                not torch.equal(p, q)
                for p, q in zip(method.model.encoders[m].parameters(), model.encoders[m].parameters(), strict=True)
            )
            assert moved == (m in coalition)


class Recorded:
    """The final states that a fusion really handed out, in training."""

    def __init__(self, fusion, last):
        self.states = []
        run, step = fusion.run, fusion.step

        def recording_run(encodings, present):
            logits, state = run(encodings, present)
            self.states.append(state)
            return logits, state

        def recording_step(name, encoding, present, chain):
            logits, after = step(name, encoding, present, chain)
            if name == last:
                self.states.append(after.state)
            return logits, after

        if last is None:
            fusion.run = recording_run
        else:
            fusion.step = recording_step


@pytest.mark.parametrize(("options", "last"), [(CONFIGS["paper"], "a"), (SEPARATE, None), (FOLDED, None)])
def test_the_next_epoch_starts_from_the_mean_final_state(options, last):
    method = alive(make_method("equilibrium", **options))
    memory = method.model.fusion.memory
    updater = make_updater(method)
    for _ in range(2):  # the second epoch counts afresh
        recorded = Recorded(method.model.fusion, last)
        data = [linear_batch(NAMES, samples=samples, probability=0.5) for samples in (12, 12, 5)]
        before = memory.inherited_h.clone()
        run_updates(method, data, updater)
        assert torch.equal(memory.inherited_h, before)  # within an epoch it stands still
        method.on_epoch_trained()
        del method.model.fusion.__dict__["step" if last else "run"]
        rows: list[list[np.ndarray]] = [[], []]
        if options is FOLDED:  # a run of the chain for each step, on the rows that have its modality
            counted = [batch.present[m] for batch in data for m in ("b", "c", "a")]
        else:
            counted = [anything(batch) for batch in data]
        for there, state in zip(counted, recorded.states, strict=True):
            for i in range(2):
                rows[i] += list(state[i].detach().double().numpy()[there.numpy()])
        assert np.allclose(memory.inherited_h.numpy(), np.mean(rows[0], axis=0), atol=1e-6)
        assert np.allclose(memory.inherited_c.numpy(), np.mean(rows[1], axis=0), atol=1e-6)
        assert not torch.allclose(memory.inherited_h, before)


@pytest.mark.parametrize("options", [CONFIGS["paper"], CONFIGS["default"]], ids=["paper", "default"])
def test_nothing_is_inherited_where_that_is_turned_off(options):
    memory = {**options.get("memory", {}), "inherit": "none"}
    method = make_method("equilibrium", **{**options, "memory": memory})
    method.visiting = method.passes()[0]
    run_updates(method, [linear_batch(NAMES)])
    method.on_epoch_trained()
    assert not method.model.fusion.memory.inherited_h.any()
    assert not method.model.fusion.memory.inherited_c.any()


def test_an_epoch_without_any_state_inherits_the_old_one():
    method = alive(make_method("equilibrium", **PAPER))
    before = method.model.fusion.memory.inherited_h.clone()
    run_updates(method, [linear_batch(NAMES, probability=-1)])
    method.on_epoch_trained()
    assert torch.equal(method.model.fusion.memory.inherited_h, before)


def test_alternation_by_epoch_visits_one_modality_a_pass():
    options = {"alternation": "epoch", "memory": {"in_steps": True, "dropout": 0.0}}
    separate = {"form": "separate", "trains": "all", "random_coalitions": 0.0}
    method = alive(make_method("equilibrium", **options, fusion_step=separate))
    assert method.passes() == [("b",), ("c",), ("a",), ()]
    assert make_method("equilibrium", alternation="epoch", **PAPER).passes() == [("a",), ("b",), ("c",)]
    updater = make_updater(method)
    batch = linear_batch(NAMES, probability=1.1)
    for visiting in method.passes():
        model, _ = twin(method)
        method.visiting = visiting
        ((update, _),) = run_updates(method, [batch], updater)
        assert update.modalities == (visiting or NAMES)
        for m in NAMES:
            changed = not torch.equal(method.model.encoders[m].weight, model.encoders[m].weight)
            assert changed == (m in update.modalities)


def test_by_epoch_the_stronger_modality_reads_the_weaker_ones_memory():
    """One pass for "c" equals a plain step on the chain b, c, with b read but untrained."""
    method = alive(make_method("equilibrium", alternation="epoch", **PAPER))
    model, _ = twin(method)
    batch = linear_batch(NAMES, samples=12)
    method.visiting = ("c",)
    run_updates(method, [batch])
    with torch.no_grad():
        z = encode(model, batch, "b")
        _, state, previous, seen, _ = plain_visit(model, batch, "b", start(model, batch), None, None, z)
    z = encode(model, batch, "c")
    logits, *_ = plain_visit(model, batch, "c", state, previous, seen, z)
    loss = mean_loss(model.fusion.heads["shared"](z), batch, batch.present["c"])
    Plain(model).step(loss + mean_loss(logits, batch, batch.present["c"]))
    assert_same(method.model, model, atol=2e-6)
