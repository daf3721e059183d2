"""MMCosine, held against cosines in plain PyTorch."""

from __future__ import annotations

import pytest
import torch

from equimodal.errors import ConfigError, Interrupted
from equimodal.methods.mm_cosine import MMCosineConfig
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def cosines(model, batch, scale):
    """The logits by torch's own cosine similarity."""
    n = torch.stack([batch.present[m] for m in NAMES]).sum(0).clamp(min=1)
    total = torch.zeros(len(batch), 3)
    for m in NAMES:
        if batch.present[m].any():  # no gradient, rather than one of zero, where it is wholly absent
            z, weight = encode(model, batch, m), model.fusion.directions[m].weight
            cosine = torch.cosine_similarity(z[:, None], weight[None], dim=2)
            total = total + cosine * batch.present[m].unsqueeze(1)
    return scale * len(NAMES) * total / n.unsqueeze(1)


@pytest.mark.parametrize("scale", [10.0, 3.0])
def test_one_plain_step_on_the_scaled_cosines(scale):
    method = make_method("mm_cosine", linear_model(NAMES), scale=scale)
    assert method.model.fusion_name == "cosine"
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    data.append(data[-1].restrict(("a", "c")))
    done = run_updates(method, data)
    for batch, (update, outcome) in zip(data, done, strict=True):
        loss = mean_loss(cosines(model, batch, scale), batch, anything(batch))
        assert outcome.losses["fused"] == pytest.approx(float(loss.detach()), abs=1e-5)
        assert update.modalities == NAMES
        plain.step(loss)
    assert_same(method.model, model, atol=1e-5)


def test_the_loudest_modality_learns_no_more_than_the_others():
    """What a norm buys in a sum of encodings, it does not buy here: the first gradient at the weights is the same."""
    method = make_method("mm_cosine", linear_model(("a", "b")))
    with torch.no_grad():
        for part in (method.model.encoders, method.model.fusion.directions):
            part["b"].load_state_dict(part["a"].state_dict())
        method.model.encoders["b"].weight.mul_(1000)
        method.model.encoders["b"].bias.mul_(1000)
    batch = linear_batch(("a", "b"), probability=1.1)
    batch.inputs["b"] = batch.inputs["a"]
    run_updates(method, [batch])
    directions = method.model.fusion.directions
    assert torch.allclose(directions["a"].weight, directions["b"].weight, atol=1e-5)


def test_every_modality_absent_moves_nothing():
    method = make_method("mm_cosine", linear_model(NAMES))
    model, _ = twin(method)
    ((_, outcome),) = run_updates(method, [linear_batch(NAMES, probability=-1)])
    assert not outcome.stepped
    assert_same(method.model, model, atol=0)


def test_the_scale_reaches_the_fusion_and_has_bounds():
    assert make_method("mm_cosine", scale=4.5).model.fusion.scale == 4.5
    assert make_method("mm_cosine", linear_model(NAMES, fusion_options={"scale": 2.0})).model.fusion.scale == 2.0
    for wrong in (0, -1, float("inf")):
        with pytest.raises(ValueError, match="scale"):
            MMCosineConfig.model_validate({"scale": wrong})
    with pytest.raises(ConfigError, match="MMCosine trains the fusions cosine, but the model has 'concat'"):
        make_method("mm_cosine", linear_model(NAMES, fusion="concat"))


def test_going_on_after_a_stop_gives_the_same_bits(tiny, tmp_path):
    fit_tiny(tiny, "mm_cosine:scale=5", tmp_path / "whole")
    with at_batch(3, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "mm_cosine:scale=5", tmp_path / "stopped")
    fit_tiny(tiny, "mm_cosine:scale=5", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
