from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS, Method, Phase, Update, cross_entropy
from synthetic import linear_batch, linear_model

from .plain import make_method, run_updates


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


@pytest.mark.parametrize(
    ("name", "options", "found"),
    [
        ("joint", {"absent": "zeros"}, {"absent": "zeros"}),
        ("equilibrium", {"heads": "own", "dropout": 0.1}, {"heads": "own", "dropout": 0.1, "tau": 0.5}),
        ("alternating", {"heads": "own"}, {"heads": "own", "average": "logits"}),
    ],
)
def test_options_without_a_fusions_name_go_to_the_methods_own(name, options, found):
    model = linear_model(("a", "b", "c"), fusion_options=options)
    method = make_method(name, model)
    assert model.fusion_name == METHODS.get(name).fusions[0]
    assert found.items() <= model.fusion.options.items()
    assert all(outcome.stepped for _, outcome in run_updates(method, [linear_batch(("a", "b", "c"))]))


def test_an_option_that_the_methods_fusion_lacks_is_refused():
    with pytest.raises(ConfigError) as caught:
        make_method("equilibrium", linear_model(("a", "b"), fusion_options={"droput": 0.1}))
    message = "model.fusion_options: fusion 'memory' has no option 'droput'. Did you mean 'dropout'?"
    assert str(caught.value).startswith(message)


def test_options_meant_for_one_fusion_do_not_reach_the_next():
    """The reference is trained on a copy without fusion: the ensemble's late fusion has no dropout."""
    model = linear_model(("a", "b"), fusion_options={"dropout": 0.1})
    untrained = copy.deepcopy(model)
    untrained.clear_fusion()
    assert make_method("unimodal_ensemble", untrained).model.fusion_name == "late"
    assert make_method("equilibrium", model).model.fusion.options["dropout"] == 0.1


def test_a_fusion_without_memory_is_trained_without_one():
    model = linear_model(("a", "b"), fusion_options={"memory": False})
    for name in ("equilibrium", "paper"):
        without = copy.deepcopy(model)
        method = make_method(name, without)
        done = run_updates(method, [linear_batch(("a", "b"))])
        assert {part for update, _ in done for part in update.losses} == {"a", "b"}
        method.on_epoch_trained()


def test_a_method_of_ones_own_is_one_class():
    class LateOnly(Method):
        """Only the fused loss."""

        fusions = ("late",)

        def updates(self, batch):
            yield Update({"fused": cross_entropy(self.model(batch), batch.labels)}, batch.modalities)

    METHODS.register("late_only_for_this_test")(LateOnly)
    method = make_method("late_only_for_this_test")
    ((update, outcome),) = run_updates(method, [linear_batch(("a", "b", "c"))])
    assert update.modalities == ("a", "b", "c") and outcome.stepped
    assert method.next_phase(0, 7) == Phase("train", 7) and method.next_phase(1, 7) is None
    assert method.passes() == [("a", "b", "c")] and method.order is None


def test_a_named_fusion_that_contradicts_the_methods_options_is_an_error():
    model = linear_model(fusion="memory")
    with pytest.raises(ConfigError, match=r"ask for 'memory' with memory=False, but .* made with True"):
        make_method("equilibrium", model, memory={"enabled": False})
    make_method("equilibrium", model, memory={"enabled": True})  # asked for, and so
    make_method(
        "equilibrium", linear_model(fusion="memory", fusion_options={"memory": False}), memory={"enabled": False}
    )
    make_method("equilibrium", linear_model(fusion="memory", fusion_options={"dropout": 0.1}))  # the method has no wish


def test_the_rows_that_have_anything():
    batch = linear_batch(samples=40, probability=0.4)
    held = [any(bool(batch.present[name][i]) for name in batch.modalities) for i in range(40)]
    assert batch.anything.tolist() == held and not all(held)
