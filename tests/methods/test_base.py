from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from equimodal.methods.base import METHODS, Method, MethodConfig, Phase, Update, cross_entropy
from synthetic import linear_batch

from .plain import carry_out, make_method

KNOWN = ("alternating", "equilibrium", "joint", "modality_dropout", "unimodal_ensemble", "uniform")


def test_the_methods_are_all_here():
    assert set(KNOWN) <= set(METHODS.names())


def test_cross_entropy_is_a_sum_and_a_count():
    rng = np.random.default_rng(0)
    logits, labels, mask = rng.normal(size=(9, 4)), rng.integers(0, 4, 9), rng.random(9) < 0.6
    each = -log_softmax(logits, axis=1)[np.arange(9), labels]
    total, count = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), torch.from_numpy(mask))
    assert float(total) == pytest.approx(each[mask].sum(), abs=1e-5) and int(count) == mask.sum()
    total, count = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert float(total) == pytest.approx(each.sum(), abs=1e-5) and int(count) == 9


def test_an_infinite_loss_outside_the_mask_counts_for_nothing():
    logits = torch.tensor([[0.0, 0.0], [torch.inf, 0.0]], requires_grad=True)
    total, _ = cross_entropy(logits, torch.tensor([0, 1]), torch.tensor([True, False]))
    assert torch.isfinite(total)


@pytest.mark.parametrize("name", KNOWN)
def test_every_method_says_what_it_is(name):
    cls = METHODS.get(name)
    assert cls.__doc__ and len(cls.__doc__.splitlines()[0]) < 120
    assert cls.fusions and issubclass(cls.Config, MethodConfig)
    with pytest.raises(ValueError, match="Extra inputs"):
        cls.Config.model_validate({"no_such_option": 1})


@pytest.mark.parametrize("name", KNOWN)
def test_a_batch_of_nothing_is_no_error(name):
    method = make_method(name)
    method.next_phase(0, 1)
    method.visiting = method.passes()[0]
    before = [p.clone() for p in method.model.parameters()]
    done = carry_out(method, [linear_batch(("a", "b", "c"), probability=-1)])
    assert done and not any(outcome.stepped for _, outcome in done)
    assert all(torch.equal(p, q) for p, q in zip(method.model.parameters(), before, strict=True))


def test_a_method_of_ones_own_is_one_class():
    class LateOnly(Method):
        """Only the fused loss."""

        fusions = ("late",)

        def updates(self, batch):
            yield Update({"fused": cross_entropy(self.model(batch), batch.labels)}, batch.modalities)

    METHODS.register("late_only_for_this_test")(LateOnly)
    method = make_method("late_only_for_this_test")
    ((update, outcome),) = carry_out(method, [linear_batch(("a", "b", "c"))])
    assert update.modalities == ("a", "b", "c") and outcome.stepped
    assert method.next_phase(0, 7) == Phase("train", 7) and method.next_phase(1, 7) is None
    assert method.passes() == [("a", "b", "c")] and method.order is None
