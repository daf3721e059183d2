"""No step of a built-in method waits for the device: the host asks it for nothing, and sends without waiting.

Steps are taken on the `meta` device, whose tensors have no values: whatever asks for one fails.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from equimodal.config.method import parse_method
from equimodal.config.run import TrainingConfig
from equimodal.config.section import Section
from equimodal.data.splits import Splits
from equimodal.methods import opm
from equimodal.methods.base import METHODS, Method, Update, cross_entropy, prepare_fusion
from equimodal.models.encoded import encode_all
from equimodal.models.fusions.base import FUSIONS
from equimodal.testing.data import NormedEncoder
from equimodal.training.device import make_fabric
from equimodal.training.groups import parameter_groups
from equimodal.training.losses import UnreadLosses
from equimodal.training.optimise import Updater, make_optimiser
from synthetic import make_model, make_splits

META = torch.device("meta")
CASES = [
    *((name, METHODS.get(name).fusions[0]) for name in METHODS.names()),
    *(("joint", fusion) for fusion in METHODS.get("joint").fusions[1:]),
    *((name, "memory") for name in ("lfm", "opm")),
    ("equilibrium:alternation=epoch", "memory"),
    ("equilibrium:balance=false", "memory"),
    ("paper:mapping.alignment=0.5", "refined"),
]


def choices(config: type[Section], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each option of a method that chooses among words, or is yes or no, with every choice but the default."""
    for name, field in config.model_fields.items():
        kind, default = field.annotation, field.get_default(call_default_factory=True)
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from choices(kind, f"{prefix}{name}.")
            continue
        for member in get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,):
            known = (True, False) if member is bool else get_args(member) if get_origin(member) is Literal else ()
            yield from ((prefix + name, choice) for choice in known if choice != default)


CHOICES = [
    f"{name}:{option}={str(choice).lower() if isinstance(choice, bool) else choice}"
    for name in METHODS.names()
    for option, choice in choices(METHODS.get(name).Config)
]
STEPS: dict[str, dict[str, Any]] = {
    "no clipping": {"clip_norm": None},
    "bfloat16": {"precision": "bf16-mixed"},
    "sgd": {"optimiser": "sgd"},
    "rates": {"learning_rates": {"vector": 1e-4}, "decay_norms_and_biases": False},
}
"""What a configuration says of a step."""


class Waits(TorchDispatchMode):
    """Note every copy between the CPU and another device that the host waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            writes = func is torch.ops.aten.copy_.default
            source, waits = args[int(writes)], not (kwargs.get("non_blocking") or (writes and args[2:] == (True,)))
            if waits and {source.device.type, out.device.type} == {"cpu", "meta"}:
                self.found.append(f"{func} {tuple(out.shape)}")
        return out


class ReadLater:
    """Stands for `Arriving`, which reads a batch later what a device without values does not have."""

    def __init__(self, tensor: Tensor) -> None:
        self.shape = tensor.shape

    def read(self) -> Tensor:
        return torch.full(self.shape, 0.5)


@pytest.fixture(scope="module")
def data() -> Splits:
    return make_splits(80, ("vector", "vector_too"))


def steps_on_meta(method: Method, data: Splits, **options: Any) -> list[str]:
    """Take the steps of every phase and pass on two batches, one without the first modality; return the waits."""
    train = method.model.prepare(data.train)
    method.begin(train)
    method.model.to(META)
    method.to(META)
    training = TrainingConfig(**options)
    groups = parameter_groups(method, training)
    # No fused one is for meta.
    optimiser = (
        torch.optim.AdamW(groups, fused=False) if training.optimiser == "adamw" else make_optimiser(groups, training)
    )
    updater = Updater(make_fabric(training), method, optimiser, training.clip_norm)
    whole = train.batch(range(24))
    unread, finished = UnreadLosses(), 0
    with Waits() as waits:
        while (phase := method.next_phase(finished, 4)) is not None and finished < 4:
            finished += 1
            method.epoch, method.epochs = 2, phase.epochs
            method.model.train()
            method.train()
            for visiting in method.passes():
                method.visiting = visiting
                for names in (data.modalities, data.modalities[1:]):
                    for outcome in updater.train_batch(whole.restrict(names).to(META)):
                        unread.add(1, outcome.losses)
    return waits.found


def method_of(
    data: Splits, name: str, fusion: str | None = None, cls: type[Method] | None = None, model: Any = None
) -> Method:
    model = model or make_model(data, fusion=fusion, encoders={"vector": {"dropout": 0.1}})
    spec = parse_method(name)
    cls = cls or METHODS.get(spec.name)
    config = cls.Config.model_validate(spec.options)
    prepare_fusion(model, cls, config)
    return cls(model, config)


@pytest.mark.parametrize(("name", "fusion"), CASES)
def test_no_step_waits_for_the_device(data: Splits, name: str, fusion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opm, "Arriving", ReadLater)
    own = METHODS.get(parse_method(name).name).fusions[0]
    method = method_of(data, name, None if fusion == own else fusion)
    assert steps_on_meta(method, data) == []
    assert all(p.device == META for p in method.model.parameters())


@pytest.mark.parametrize("name", CHOICES)
def test_no_choice_of_a_method_waits_for_the_device(data: Splits, name: str) -> None:
    assert steps_on_meta(method_of(data, name), data) == []


@pytest.mark.parametrize("options", STEPS)
@pytest.mark.parametrize("name", ["joint", "equilibrium", "mm_pareto", "mla"])
def test_no_way_to_take_a_step_waits_for_the_device(data: Splits, name: str, options: str) -> None:
    assert steps_on_meta(method_of(data, name), data, **STEPS[options]) == []


@pytest.mark.parametrize("absent", ["knn", "iterative", "mapped"])
def test_no_imputation_waits_for_the_device(data: Splits, absent: str) -> None:
    method = method_of(data, "joint", model=make_model(data, fusion="concat", fusion_options={"absent": absent}))
    train = method.model.prepare(data.train)
    method.calibrate([], list(encode_all(method.model, train)))
    assert method.model.fusion.fits_on_training and method.model.fusion.substitute.fitted  # pyright: ignore
    assert steps_on_meta(method, data) == []


def test_no_encoder_waits_for_the_device() -> None:
    data = make_splits(80, ("vector", "sequence", "sequence_too", "image", "text"))
    model = make_model(
        data, encoders={"vector": NormedEncoder(5), "sequence_too": {"name": "conv1d", "hidden": 8, "layers": 1}}
    )
    assert steps_on_meta(method_of(data, "joint", model=model), data) == []


class Asking(Method):
    """Asks the device for something in each step."""

    fusions = ("late",)
    ask: Any = None

    def updates(self, batch):
        loss = cross_entropy(self.model(batch), batch.labels, batch.anything)
        self.ask(loss[0], batch)
        yield Update({"fused": loss}, batch.modalities)


@pytest.mark.parametrize(
    "ask",
    [
        lambda total, batch: total.item(),
        lambda total, batch: float(total.detach()) > 0,
        lambda total, batch: bool(total > 0),
        lambda total, batch: total.cpu(),
        lambda total, batch: (batch.present["vector"] & (total > 0)).any().item(),
        lambda total, batch: batch.inputs["vector"][batch.inputs["vector"] > 0],
        lambda total, batch: batch.inputs["vector"].nonzero(),
        lambda total, batch: torch.masked_select(batch.inputs["vector"], batch.present["vector"].unsqueeze(1)),
        lambda total, batch: batch.ids.unique(),
        lambda total, batch: torch.equal(total, total + 1),
    ],
    ids=["item", "float", "bool", "cpu", "mixed mask", "bool index", "nonzero", "masked_select", "unique", "equal"],
)
def test_a_question_to_the_device_is_noticed(data: Splits, ask: Any) -> None:
    cls = type("Planted", (Asking,), {"ask": staticmethod(ask)})
    with pytest.raises((RuntimeError, NotImplementedError)):
        steps_on_meta(method_of(data, "joint", "late", cls), data)


def test_a_copy_that_waits_is_noticed(data: Splits) -> None:
    cls = type("Planted", (Asking,), {"ask": staticmethod(lambda total, batch: torch.rand(24).to(total.device))})
    assert set(steps_on_meta(method_of(data, "joint", "late", cls), data)) == {"aten._to_copy.default (24,)"}


def test_what_the_host_knows_may_be_asked(data: Splits) -> None:
    def ask(total, batch):
        both = batch.present["vector"] & batch.present["vector_too"]
        assert 0 <= int(both.sum()) <= len(batch) and both.any().item() in (True, False)
        assert len(batch.ids[both]) == int(both.sum())

    cls = type("Planted", (Asking,), {"ask": staticmethod(ask)})
    assert steps_on_meta(method_of(data, "joint", "late", cls), data) == []


def test_every_fusion_is_tried() -> None:
    assert {fusion for _, fusion in CASES} == set(FUSIONS.names())
