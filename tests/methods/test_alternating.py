from __future__ import annotations

import pytest
import torch

from equimodal.errors import ConfigError
from synthetic import linear_batch, linear_model

from .plain import Plain, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


def test_each_modality_takes_a_plain_step_through_one_head():
    method = make_method("alternating")
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    data.append(data[-1].restrict(("a", "c")))  # "b" wholly absent: its step falls away
    done = run_updates(method, data)
    for batch in data:
        for m in NAMES:
            if batch.present[m].any():
                logits = model.fusion.heads["shared"](encode(model, batch, m))
                plain.step(mean_loss(logits, batch, batch.present[m]))
    assert_same(method.model, model)
    assert [update.modalities for update, _ in done] == [(m,) for m in NAMES] * 5
    assert [outcome.stepped for _, outcome in done[-3:]] == [True, False, True]


def test_each_update_sees_the_one_before():
    """Were the three losses computed first and applied after, the shared head would end elsewhere."""
    method = make_method("alternating")
    model, _ = twin(method)
    batch = linear_batch(NAMES, probability=1.1)
    plain = Plain(model)
    for m in NAMES:
        plain.step(mean_loss(model.fusion.heads["shared"](encode(model, batch, m)), batch, batch.present[m]))
    run_updates(method, [batch])
    assert_same(method.model, model)


def test_inference_is_the_mean_of_the_logits_present():
    method = make_method("alternating")
    model = method.model.eval()
    batch = linear_batch(NAMES, probability=1.1).restrict(("a", "c"))
    head = model.fusion.heads["shared"]
    expected = (head(encode(model, batch, "a")) + head(encode(model, batch, "c"))) / 2
    assert torch.allclose(model(batch), expected, atol=1e-6)
    assert method.order == NAMES


def test_a_fusion_that_it_cannot_train_is_refused():
    with pytest.raises(ConfigError, match="Alternating trains the fusions late, but the model has 'concat'"):
        make_method("alternating", linear_model(NAMES, fusion="concat"))
