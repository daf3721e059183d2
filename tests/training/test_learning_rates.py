"""Learning rates by modality and what does not decay, against plain PyTorch with groups written by hand."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from equimodal.config.run import TrainingConfig, build_config
from equimodal.errors import ConfigError
from equimodal.methods.base import Method, MethodConfig, Update, cross_entropy
from equimodal.models.classifier import Classifier
from equimodal.training.groups import parameter_groups
from equimodal.training.loop import Trainer
from equimodal.training.names import resolve
from equimodal.training.progress import Quiet
from synthetic import make_model
from training.runs import METHOD_OF_EACH_KIND, assert_same_run, assert_same_weights, at_batch, fit_tiny

MATRICES = {"decay_norms_and_biases": False}


class Fused(Method):
    """The fused loss, and a head of one modality's own that learns from nothing but weight decay."""

    def __init__(self, model):
        super().__init__(model, MethodConfig())
        self.head = nn.Linear(2, 2)

    def own_parameters(self, modality):
        return list(self.head.parameters()) if modality == "sequence" else []

    def updates(self, batch):
        idle = 0.0 * sum(parameter.sum() for parameter in self.head.parameters())
        total, count = cross_entropy(self.model(batch), batch.labels)
        yield Update({"fused": (total + idle, count)}, batch.modalities)


def trainer_of(tiny, model, **training) -> Any:
    content = {"training": {"epochs": 1, "batch_size": 12, "clip_norm": None, **training}, "measure": {"bootstrap": 0}}
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    data: Any = SimpleNamespace(train=model.prepare(tiny.train), validation=model.prepare(tiny.validation))
    return Trainer(Fused(model), data, build_config(content), None, Quiet())


def groups_by_hand(model, head, rates, everywhere, decay):
    """Groups of plain PyTorch: by the names of parameters, not by who owns them."""
    groups = []
    for prefix, module in {"": model, "sequence head ": head}.items():
        for name, parameter in module.named_parameters():
            owner = next((m for m in ("vector", "sequence") if m in prefix + name), None)
            plain = not everywhere and parameter.ndim < 2
            groups.append({"params": [parameter], "lr": rates[owner], "weight_decay": 0.0 if plain else decay})
    return groups


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("everywhere", [True, False])
def test_training_is_that_of_plain_torch_with_groups(tiny, optimiser, everywhere):
    """Schedule and warm-up act on each group alike."""
    model = make_model(tiny, width=6, fusion="concat")
    training = {"optimiser": optimiser, "learning_rate": 0.05, "weight_decay": 0.3, "warmup": 0.5}
    trainer = trainer_of(tiny, model, learning_rates={"vector": 0.002}, decay_norms_and_biases=everywhere, **training)
    plain, head = copy.deepcopy(model), copy.deepcopy(trainer.method.head)
    rates = {"vector": 0.002, "sequence": 0.05, None: 0.05}
    groups = groups_by_hand(plain, head, rates, everywhere, 0.3)
    if optimiser == "sgd":
        stepper = torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=True)
    else:
        stepper = torch.optim.AdamW(groups, lr=1.0)
    factors = [0.5, 1.0, 1.0, 0.5]  # two steps of warm-up, then half a cosine
    schedule = torch.optim.lr_scheduler.LambdaLR(stepper, lambda k: [*factors, 0.0][k])
    seen = []
    watched = trainer.train_batch

    def noted(batch, updater, rate):
        seen.append(batch)
        watched(batch, updater, rate)

    trainer.train_batch = noted
    trainer.run()
    assert len(seen) == len(factors)
    plain.train()
    for batch in seen:
        stepper.zero_grad()
        idle = 0.0 * sum(parameter.sum() for parameter in head.parameters())
        (nn.functional.cross_entropy(plain(batch), batch.labels) + idle).backward()
        stepper.step()
        schedule.step()
    pairs = [*zip(model.parameters(), plain.parameters(), strict=True)]
    pairs += [*zip(trainer.method.head.parameters(), head.parameters(), strict=True)]
    for one, other in pairs:
        assert torch.allclose(one, other, atol=2e-6)


def test_a_modality_with_a_tiny_rate_hardly_moves_and_the_others_do(tiny):
    model = make_model(tiny, width=6)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit_tiny(tiny, "joint", model=model, learning_rate=0.05, learning_rates={"vector": 1e-12})
    after = {name: p.detach() for name, p in model.named_parameters() if name in before}
    far = {name: float((tensor - before[name]).abs().max()) for name, tensor in after.items()}
    slow = {name for name in far if ".vector." in name}
    assert slow and all(far[name] < 1e-9 for name in slow)
    assert all(far[name] > 1e-3 for name in far if ".sequence." in name)


def test_what_does_not_decay_does_not_shrink_where_it_has_no_gradient_but_matrices_do(tiny):
    """Gradients of 0 leave weight decay alone."""
    shrunk = {}
    for everywhere in (True, False):
        trainer = trainer_of(
            tiny, make_model(tiny, width=6, fusion="late"), weight_decay=0.5, decay_norms_and_biases=everywhere
        )
        named = dict(trainer.method.head.named_parameters())
        before = {name: p.detach().norm() for name, p in named.items()}
        trainer.run()
        shrunk[everywhere] = {name: float(p.detach().norm() / before[name]) for name, p in named.items()}
    # Four steps of the cosine schedule, of which the shares of the peak rate sum to 2.5.
    assert shrunk[True] == pytest.approx({"weight": 1 - 0.5 * 0.001 * 2.5, "bias": 1 - 0.5 * 0.001 * 2.5}, abs=1e-6)
    assert shrunk[False] == {"weight": pytest.approx(shrunk[True]["weight"], abs=1e-6), "bias": 1.0}


@pytest.mark.parametrize("method", METHOD_OF_EACH_KIND)
def test_the_rate_of_all_said_for_each_changes_no_bit(tiny, method):
    said = fit_tiny(tiny, method, learning_rate=0.003, learning_rates={"vector": 0.003, "sequence": 0.003})
    plain = fit_tiny(tiny, method, learning_rate=0.003)
    assert_same_weights(said.model.trained_state(), plain.model.trained_state())


@pytest.mark.parametrize("method", METHOD_OF_EACH_KIND)
def test_a_run_with_groups_goes_on_to_the_same_bits(tiny, tmp_path, method):
    def break_off():
        raise RuntimeError("power cut")

    options = {"learning_rate": 0.01, "learning_rates": {"vector": 0.0003}, **MATRICES}
    fit_tiny(tiny, method, tmp_path / "whole", **options)
    with at_batch(3, break_off), pytest.raises(RuntimeError, match="power cut"):
        fit_tiny(tiny, method, tmp_path / "broken", **options)
    fit_tiny(tiny, method, tmp_path / "broken", resume=True, **options)
    assert_same_run(tmp_path / "whole", tmp_path / "broken")


def test_defaults_leave_one_group_and_the_hash_of_earlier_runs():
    """A hash that differs would refuse the checkpoints of runs that were begun before these options."""
    model = Classifier({"a": nn.Linear(2, 6), "b": nn.Linear(2, 6)}, ["x", "y"], width=6, fusion="concat")
    (group,) = parameter_groups(Method(model, MethodConfig()), TrainingConfig())
    assert group.keys() == {"params", "scale"} and group["scale"] == 1.0
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]
    assert resolve(build_config({"method": "joint"})).hash() == "b21a25cd95fa"
    changed = [build_config({"training": t}) for t in ({}, {"learning_rates": {"a": 0.1}}, MATRICES)]
    assert len({config.hash() for config in changed}) == 3


def test_an_unknown_modality_is_told_with_all_other_mistakes(tiny):
    with pytest.raises(ConfigError) as told:
        fit_tiny(tiny, "joint", learning_rates={"vectr": 0.1, "smell": 0.1}, accelerator="abacus")
    first, second, third = told.value.problems
    assert first.startswith("training.learning_rates: no modality is called 'vectr'. Did you mean 'vector'?")
    assert second.startswith("training.learning_rates: no modality is called 'smell'.")
    assert third.startswith("training.accelerator")


@pytest.mark.parametrize("rate", [0, -0.1, True, "fast"])
def test_impossible_rates(rate):
    with pytest.raises(ConfigError, match=r"training\.learning_rates\.text: "):
        build_config({"training": {"learning_rates": {"text": rate}}})


def test_two_rates_for_one_shared_encoder_are_refused():
    shared = nn.Linear(2, 6)
    model = Classifier({"a": shared, "b": shared, "c": nn.Linear(2, 6)}, ["x", "y"], width=6, fusion="concat")
    method = Method(model, MethodConfig())
    with pytest.raises(ConfigError, match=r"'a' and 'b' share .*: 0\.1 for 'a' and 0\.001 for 'b'\. Give"):
        parameter_groups(method, TrainingConfig(learning_rates={"a": 0.1}))
    groups = parameter_groups(method, TrainingConfig(learning_rates={"a": 0.1, "b": 0.1}))
    assert {len(group["params"]): round(group["scale"]) for group in groups} == {2: 100, 4: 1}
