"""Learning rates against PyTorch's own schedules, and steps against plain PyTorch steps."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from equimodal.batch import Batch
from equimodal.config.run import TrainingConfig
from equimodal.methods.base import Method, MethodConfig, Update, cross_entropy
from equimodal.models.classifier import Classifier
from equimodal.training.device import make_fabric
from equimodal.training.optimise import Updater, learning_rate, make_optimiser
from synthetic import linear_batch, linear_model


class WithHeads(Method):
    """A method with a parameter for modality "a", and one shared."""

    def __init__(self, model):
        super().__init__(model, MethodConfig())
        self.heads = nn.ModuleDict({"a": nn.Linear(6, 3), "shared": nn.Linear(6, 3)})

    def own_parameters(self, modality):
        return list(self.heads["a"].parameters()) if modality == "a" else []


def make_updater(model, method=None, clip_norm=None, **training):
    config = TrainingConfig(**training)
    method = method or Method(model, MethodConfig())
    optimiser = make_optimiser([*model.parameters(), *method.parameters()], config)
    return Updater(make_fabric(config), method, optimiser, clip_norm)


def weights(*modules):
    return {f"{i}.{name}": p.detach().clone() for i, m in enumerate(modules) for name, p in m.named_parameters()}


def moved(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def loss_of_everything(model, method, batch):
    total = sum((parameter**2).sum() for parameter in [*model.parameters(), *method.parameters()])
    return (cross_entropy(model(batch), batch.labels)[0] + total, torch.tensor(len(batch)))


# Learning rates


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_the_cosine_and_linear_schedules_are_those_of_torch(steps):
    for name, make in {
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps),
        "linear": lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, steps),
        "constant": lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0),
    }.items():
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        scheduler = make(optimiser)
        config = TrainingConfig(learning_rate=0.3, schedule=name)  # pyright: ignore[reportArgumentType]
        for step in range(steps):
            assert learning_rate(config, step / steps) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
            optimiser.step()
            scheduler.step()


@given(
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
    warmup=st.floats(0, 0.99),
    progress=st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=6),
)
def test_rates_rise_to_the_peak_and_then_never_rise(schedule, warmup, progress):
    config = TrainingConfig(learning_rate=0.2, schedule=schedule, warmup=warmup)
    assert learning_rate(config, warmup) == pytest.approx(0.2)
    rates = [(at, learning_rate(config, at)) for at in sorted(progress)]
    assert all(0 <= rate <= 0.2 + 1e-12 for _, rate in rates)
    rising = [rate for at, rate in rates if at < warmup]
    falling = [rate for at, rate in rates if at >= warmup]
    assert rising == sorted(rising)
    assert all(one >= other - 1e-12 for one, other in pairwise(falling))


@pytest.mark.parametrize("steps", [1, 4, 10, 25])
@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.5, 0.9])
def test_the_steps_of_the_warm_up_are_those_of_torch_and_the_first_is_not_0(steps, warmup):
    config = TrainingConfig(learning_rate=0.3, schedule="constant", warmup=warmup)
    rising = max(round(steps * warmup), 1)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min((step + 1) / (steps * warmup), 1.0))
    for step in range(steps):
        rate = learning_rate(config, step / steps, 1 / steps)
        assert rate == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12) and rate > 0
        assert rate == pytest.approx(0.3) or step + 1 <= rising
        optimiser.step()
        scheduler.step()


# Steps


@pytest.mark.parametrize("training", [{"optimiser": "adamw"}, {"optimiser": "sgd"}])
def test_what_is_outside_an_update_does_not_move_by_a_bit(training):
    model = linear_model(("a", "b", "c"), fusion="late", fusion_options={"heads": "own"})
    method = WithHeads(model)
    updater = make_updater(model, method, learning_rate=0.1, weight_decay=0.3, **training)
    names = list(weights(model, method))
    own = {m: {n for n in names if f"encoders.{m}." in n or f"heads.{m}." in n} for m in "abc"}
    shared = set(names) - own["a"] - own["b"] - own["c"]
    assert shared == {"1.heads.shared.weight", "1.heads.shared.bias"}

    def step(*modalities):
        before = weights(model, method)
        batch = linear_batch(("a", "b", "c"))
        outcome = updater.apply(Update({"all": loss_of_everything(model, method, batch)}, modalities))
        assert outcome.stepped
        return moved(before, weights(model, method))

    assert step("a", "b", "c") == set(names)  # fills momentum and second moments of all
    for _ in range(2):
        assert step("b") == own["b"] | shared
        assert step("a", "c") == own["a"] | own["c"] | shared
    assert step() == shared


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_updates_are_plain_torch_steps_on_the_parameters_that_move(optimiser, clip_norm):
    model = linear_model(fusion="late")
    plain = copy.deepcopy(model)
    updater = make_updater(model, clip_norm=clip_norm, optimiser=optimiser, learning_rate=0.1, weight_decay=0.2)

    def plain_optimiser(parameters):
        if optimiser == "sgd":
            return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.2)
        return torch.optim.AdamW(parameters, lr=0.1, betas=(0.9, 0.999), weight_decay=0.2)

    parts = {m: plain_optimiser([*plain.encoders[m].parameters(), *plain.fusion.head(m).parameters()]) for m in "ab"}  # pyright: ignore
    for name in ("a", "b", "a", "a"):
        batch = linear_batch(probability=1.0)
        logits = [m.fusion.head(name)(m.encode_one(batch, name)) for m in (model, plain)]  # pyright: ignore
        updater.apply(Update({name: cross_entropy(logits[0], batch.labels)}, (name,)))
        parts[name].zero_grad()
        nn.functional.cross_entropy(logits[1], batch.labels).backward()
        if clip_norm is not None:
            gradients = [p.grad for group in parts[name].param_groups for p in group["params"]]
            norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
            for gradient in gradients:
                gradient.mul_(min(1.0, clip_norm / norm))
        parts[name].step()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_combined_gradients_step_as_backward_does_whatever_their_memory_layout(optimiser):
    """Fused AdamW reads a gradient as if it lay like its parameter; a convolution's often lies with channels last."""

    def pictures(flip):
        encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.GELU(), nn.Conv2d(8, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        torch.manual_seed(0)
        for parameter in encoder.parameters():
            parameter.data.normal_(std=0.2)
        model = Classifier({"a": encoder, "b": nn.Linear(4, 6)}, ["x", "y", "z"], width=6, fusion="late")
        model.fusion.load_state_dict({key: torch.ones_like(v) for key, v in model.fusion.state_dict().items()})
        model.encoders["b"].load_state_dict({"weight": torch.ones(6, 4), "bias": torch.zeros(6)})
        updater = make_updater(model, optimiser=optimiser, learning_rate=0.1)
        layouts = set()

        def combine(gradients):
            layouts.update(not g.is_contiguous() for g in gradients["fused"].values())
            return gradients["fused"]

        for _ in range(3):
            batch = linear_batch(probability=1.1)
            x = torch.randn(10, 9, 9, 3).permute(0, 3, 1, 2)  # as a picture that is stored with its channels last
            batch = Batch({**batch.inputs, "a": x}, batch.present, batch.labels, batch.ids)
            loss = cross_entropy(model(batch), batch.labels)
            updater.apply(Update({"fused": loss}, ("a", "b"), combine if flip else None))
        return model, layouts

    (plain, _), (combined, layouts) = pictures(False), pictures(True)
    assert True in layouts  # else nothing was shown
    for one, other in zip(plain.parameters(), combined.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_gradients_outside_the_update_do_not_count_for_clipping():
    def stepped(others):
        torch.manual_seed(0)
        model = linear_model(fusion="late")
        updater = make_updater(model, clip_norm=0.1, optimiser="sgd", learning_rate=1.0)
        start = weights(model.encoders["a"])
        encoder = model.encoders["a"].weight.sum() + others * 1e3 * model.encoders["b"].weight.sum()  # pyright: ignore
        updater.apply(Update({"x": (encoder, torch.tensor(1))}, ("a",)))
        return {name: p - start[name] for name, p in weights(model.encoders["a"]).items()}

    with_others, without = stepped(1.0), stepped(0.0)
    assert all(torch.equal(with_others[name], without[name]) for name in without)


def test_losses_are_means_and_are_added():
    model = linear_model(fusion="late")
    weight = model.encoders["a"].weight
    before = weight.detach().clone()  # pyright: ignore
    updater = make_updater(model, optimiser="sgd", learning_rate=1.0, weight_decay=0.0)
    losses = {
        "one": (6 * weight[0, 0], torch.tensor(3)),  # pyright: ignore
        "two": (5 * weight[0, 0], torch.tensor(1)),  # pyright: ignore
        "none": (1e9 * weight[0, 0], torch.tensor(0)),  # pyright: ignore
    }
    outcome = updater.apply(Update(losses, ("a",)))
    assert outcome.losses == pytest.approx({"one": 2 * float(before[0, 0]), "two": 5 * float(before[0, 0])})
    # the first Nesterov step is (1 + momentum) times the gradient
    assert float((before - weight.detach())[0, 0]) == pytest.approx(1.9 * 7, rel=1e-5)  # pyright: ignore


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_no_sample_means_no_step(optimiser):
    model = linear_model(fusion="late")
    updater = make_updater(model, optimiser=optimiser, weight_decay=0.5)
    batch = linear_batch()
    updater.apply(Update({"fused": cross_entropy(model(batch), batch.labels)}, ("a", "b")))
    before, state = weights(model), copy.deepcopy(updater.optimiser.state_dict())
    nobody = torch.zeros(len(batch), dtype=torch.bool)
    outcome = updater.apply(Update({"fused": cross_entropy(model(batch), batch.labels, nobody)}, ("a", "b")))
    assert not outcome.stepped and outcome.losses == {}
    assert moved(before, weights(model)) == set()
    after = updater.optimiser.state_dict()["state"]
    assert all(
        torch.equal(torch.as_tensor(value), torch.as_tensor(after[i][key]))
        for i, entries in state["state"].items()
        for key, value in entries.items()
    )


def test_an_encoder_that_serves_two_modalities_moves_with_either():
    both, single = nn.Linear(4, 6), nn.Linear(4, 6)
    model = Classifier({"left": both, "right": both, "text": single}, ["no", "yes"], width=6, fusion="late")
    updater = make_updater(model)
    for names, serves in ((("left",), True), (("right",), True), (("text",), False)):
        before = weights(both)
        batch = linear_batch(("left", "right", "text"), probability=1.0)
        labels = batch.labels.clamp(max=1)
        updater.apply(Update({"fused": cross_entropy(model(batch), labels)}, names))
        assert (moved(before, weights(both)) != set()) is serves
