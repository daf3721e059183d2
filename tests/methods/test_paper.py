"""The updates of the paper's method, held against plain PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from equimodal.config.run import parse_method
from equimodal.errors import ConfigError
from equimodal.models.mapping import alignment_loss
from equimodal.training import names
from synthetic import linear_batch, linear_model

from .plain import (
    NAMES,
    ORDER,
    Plain,
    alive,
    assert_same,
    encode,
    for_any_batch,
    inherited,
    make_method,
    make_updater,
    mean_loss,
    method_and_batch,
    read,
    run_updates,
    twin,
)

PLAIN: dict[str, Any] = {"memory": {"dropout": 0.0}}


def refined(model, z, state):
    return model.fusion.heads["shared"](z + state[0] @ model.fusion.refinement.output.weight.T)


@pytest.mark.parametrize("alignment", [0.0, 0.3])
@pytest.mark.parametrize("sample", [False, True])
def test_the_papers_steps_are_plain_steps(sample, alignment):
    mapping = {"sample": sample, "tau": 0.1, "alignment": alignment}
    method = alive(make_method("paper", **PLAIN, mapping=mapping))
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    calls = dict.fromkeys(NAMES, 0)
    for m in NAMES:
        method.model.encoders[m].register_forward_hook(lambda *_, m=m: calls.update({m: calls[m] + 1}))
    done = run_updates(method, data)
    for batch in data:
        state, previous = inherited(model, batch), None
        seen: Any = None
        for m in ORDER:
            here, z = batch.present[m], encode(model, batch, m)
            after, remembered, there, mapped, _ = read(model, m, z, here, state, previous, seen)
            loss = mean_loss(model.fusion.heads["shared"](z), batch, here)
            loss = loss + mean_loss(refined(model, z, after), batch, here)
            if alignment and previous is not None:
                total, count = alignment_loss(previous, mapped, batch.labels, here & seen)
                loss = loss + alignment * total / count
            plain.step(loss)
            state, previous, seen = (after[0].detach(), after[1].detach()), remembered, there
    assert_same(method.model, model, atol=1e-5)
    assert set(calls.values()) == {3}
    assert [update.modalities for update, _ in done] == [("b",), ("c",), ("a",)] * 3
    assert list(done[0][0].losses) == ["b", "b+memory"]
    assert ("b+alignment" in done[0][0].losses, "c+alignment" in done[1][0].losses) == (False, alignment > 0)


def test_inference_is_the_mean_of_the_steps_logits():
    method = alive(make_method("paper", **PLAIN))
    model = method.model.eval()
    batch = linear_batch(NAMES, samples=12)
    state, total = inherited(model, batch), torch.zeros(12, 3)
    for m in ORDER:
        here, z = batch.present[m], encode(model, batch, m)
        state, *_ = read(model, m, z, here, state, None, None)  # in evaluation nothing is aligned
        total = total + refined(model, z, state) * here[:, None]
    count = torch.stack(list(batch.present.values())).sum(0)
    some = count > 0
    assert torch.allclose(model(batch)[some], total[some] / count[some, None], atol=1e-6)


def test_without_memory_it_is_plain_alternating():
    method = make_method("paper", memory={"enabled": False})
    method.passes()
    alternating = make_method("alternating", linear_model(NAMES))
    alternating.model.load_state_dict(method.model.state_dict(), strict=False)
    data = [linear_batch(NAMES, samples=12) for _ in range(3)]
    assert [list(update.losses) for update, _ in run_updates(method, data)] == [[m] for m in NAMES] * 3
    run_updates(alternating, data)
    assert_same(method.model.encoders, alternating.model.encoders, atol=0)
    assert_same(method.model.fusion.heads, alternating.model.fusion.heads, atol=0)
    batch = linear_batch(NAMES)
    assert torch.allclose(method.model.eval()(batch), alternating.model.eval()(batch), atol=1e-6)


CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "aligned": {"mapping": {"sample": True, "alignment": 0.1, "tau": 0.05}},
    "by epoch": {"alternation": "epoch"},
}


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
@for_any_batch
def test_updates_never_depend_on_what_a_batch_holds(options, seed, samples, probability, without):
    method, some = method_and_batch("paper", options, seed, samples, probability, without)
    for visiting in method.passes():
        method.visiting = visiting
        done = run_updates(method, [some])
        assert [update.modalities for update, _ in done] == [(m,) for m in visiting]
        for update, outcome in done:
            (m,) = update.modalities
            assert outcome.stepped == bool(some.present[m].any())
            assert list(update.losses)[:2] == [m, f"{m}+memory"]
            aligned = options.get("mapping", {}).get("alignment", 0) > 0 and m != NAMES[0]
            assert (f"{m}+alignment" in update.losses) == aligned


def test_a_modality_that_is_wholly_absent_counts_nothing_and_does_not_move():
    method = alive(make_method("paper", **PLAIN))
    model, _ = twin(method)
    done = run_updates(method, [linear_batch(NAMES, probability=1.1).restrict(("a", "b"))])
    update, outcome = done[1]
    assert update.modalities == ("c",) and [int(count) for _, count in update.losses.values()] == [0, 0]
    assert not outcome.stepped and [o.stepped for _, o in done] == [True, False, True]
    assert_same(method.model.encoders["c"], model.encoders["c"], atol=0)
    assert_same(method.model.fusion.mapping.maps["c"], model.fusion.mapping.maps["c"], atol=0)


def test_no_gradient_of_a_step_reaches_another_modality():
    method = alive(make_method("paper", mapping={"sample": True, "alignment": 0.1, "tau": 0.05}))
    encoders = method.model.encoders
    reached = []
    for update in method.updates(linear_batch(NAMES, probability=1.1)):
        loss = torch.stack([total for total, _ in update.losses.values()]).sum()
        grads = torch.autograd.grad(loss, [encoders[m].weight for m in NAMES], allow_unused=True)
        reached.append({m for m, grad in zip(NAMES, grads, strict=True) if grad is not None and grad.abs().sum() > 0})
    assert reached == [{"b"}, {"c"}, {"a"}]


def test_alternation_by_epoch_visits_one_modality_a_pass():
    method = alive(make_method("paper", alternation="epoch", **PLAIN))
    assert method.passes() == [("b",), ("c",), ("a",)]
    updater = make_updater(method)
    batch = linear_batch(NAMES, probability=1.1)
    for visiting in method.passes():
        model, _ = twin(method)
        method.visiting = visiting
        ((update, _),) = run_updates(method, [batch], updater)
        assert update.modalities == visiting
        for m in NAMES:
            changed = not torch.equal(method.model.encoders[m].weight, model.encoders[m].weight)
            assert changed == (m in visiting)


def test_by_epoch_the_stronger_modality_reads_the_weaker_ones_memory():
    """One pass for "c" equals a plain step on the chain b, c, with b read but untrained."""
    method = alive(make_method("paper", alternation="epoch", **PLAIN))
    model, _ = twin(method)
    batch = linear_batch(NAMES, samples=12)
    method.visiting = ("c",)
    run_updates(method, [batch])
    with torch.no_grad():
        z = encode(model, batch, "b")
        state, previous, seen, *_ = read(model, "b", z, batch.present["b"], inherited(model, batch), None, None)
    here, z = batch.present["c"], encode(model, batch, "c")
    after, *_ = read(model, "c", z, here, state, previous, seen)
    loss = mean_loss(model.fusion.heads["shared"](z), batch, here)
    Plain(model).step(loss + mean_loss(refined(model, z, after), batch, here))
    assert_same(method.model, model, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "fitted"}, "pool"),
        ({"memory": {"encoders": False}}, "encoders"),
        ({"fusion_step": {"enabled": False}}, "fusion_step"),
        ({"mapping": {"alignment": -1}}, "alignment"),
    ],
)
def test_options_of_the_other_method_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        parse_method({"name": "paper", **options}, names=names.NAMES)
