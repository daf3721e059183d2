"""Initial weights depend on the seed and on a modality's name, not on the order in which the modalities come."""

import itertools
import math

import pytest
import torch
from scipy.stats import kstest
from torch import nn

from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.methods.base import METHODS
from equimodal.models.classifier import Classifier
from equimodal.models.fusions.base import FUSIONS, build_fusion
from equimodal.models.initial import draw_blocks, for_each
from equimodal.seeds import seeded
from equimodal.testing.data import make_splits
from equimodal.training.fit import prepare_with_seed

NAMES = ("vector", "sequence", "image")


def turned(splits: Splits, names) -> Splits:
    """Return the same rows with their modalities in another order."""

    def part(data: Dataset) -> Dataset:
        return Dataset(
            {name: data.arrays[name] for name in names},
            data.labels,
            lengths={name: steps for name, steps in data.lengths.items() if name in names},
            present={name: data.present[name] for name in names},
            classes=data.classes,
        )

    return Splits(*(part(data) for data in splits.parts().values()), splits.provenance)


def permuted(fusion, names):
    """Return a fusion's weights by name, in the order of NAMES: the blocks of concatenations and gates are sorted."""
    state = dict(fusion.state_dict())
    at = [names.index(name) for name in NAMES]
    blocked = {"head.weight": (1,), "hidden.weight": (1,), "gate.weight": (0, 1), "gate.bias": (0,)}
    for key, axes in blocked.items():
        if key in state and (key != "head.weight" or state[key].shape[1] == fusion.width * len(names)):
            for axis in axes:
                blocks = len(names)
                split = state[key].unflatten(axis, (blocks, state[key].shape[axis] // blocks))
                state[key] = split.index_select(axis, torch.tensor(at)).flatten(axis, axis + 1)
    for i, name in enumerate(NAMES):
        for part in ("weight", "bias"):
            if f"values.{i}.{part}" in state:
                state[f"{name}.{part}"] = fusion.values[names.index(name)].state_dict()[part]
    return {key: value for key, value in state.items() if not key.startswith("values") and key != "order_index"}


@pytest.fixture(scope="module")
def splits():
    return make_splits(60, NAMES, absent=0.0)


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_the_order_of_the_modalities_changes_no_initial_weight(splits, fusion):
    models = {
        names: Classifier.for_data(turned(splits, names), {"vector": nn.Linear(5, 7)}, width=8, fusion=fusion, seed=3)
        for names in itertools.permutations(NAMES)
    }
    one = models[NAMES]
    for names, other in models.items():
        assert other.modalities == names
        for name in ("sequence", "image"):
            before, after = one.encoders[name].state_dict(), other.encoders[name].state_dict()
            assert all(torch.equal(before[key], after[key]) for key in before)
        assert torch.equal(one.projections["vector"].weight, other.projections["vector"].weight)  # pyright: ignore
        before, after = permuted(one.fusion, NAMES), permuted(other.fusion, names)
        assert before.keys() == after.keys()
        assert [key for key in before if not torch.equal(before[key], after[key])] == []


@pytest.mark.parametrize("method", ["joint", "uniform", "equilibrium", "unimodal_ensemble"])
def test_nor_those_that_a_method_brings(splits, method):
    found = []
    for names in (NAMES, NAMES[::-1]):
        model = Classifier.for_data(turned(splits, names), width=8)
        cls = METHODS.get(method)
        prepare_with_seed(model, cls, cls.Config(), 5)
        with seeded(5, "method"):
            made = cls(model, cls.Config(), 5)
        found.append((permuted(model.fusion, names), dict(made.named_parameters())))
    for one, other in zip(*found, strict=True):
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_one_modality_more_changes_no_weight_of_the_others(splits):
    three = Classifier.for_data(splits, width=8, fusion="late")
    two = Classifier.for_data(turned(splits, ("vector", "image")), width=8, fusion="late")
    for name, tensor in two.state_dict().items():
        if name != "log_prior":
            assert torch.equal(tensor, three.state_dict()[name]), name


def test_seeds_and_names_give_different_weights():
    with seeded(0):
        one = for_each(["a", "b"], lambda _: nn.Linear(3, 3))
    with seeded(1):
        other = for_each(["a", "b"], lambda _: nn.Linear(3, 3))
    weights = [module.weight for modules in (one, other) for module in modules.values()]
    assert all(not torch.equal(first, second) for first, second in itertools.combinations(weights, 2))


def test_blocks_are_drawn_as_torch_draws_a_linear_layer():
    names = [f"m{i}" for i in range(20)]
    layer = draw_blocks(nn.Linear(20 * 50, 20), names, names)
    bound = 1 / math.sqrt(layer.in_features)
    assert kstest(layer.weight.detach().flatten().numpy(), "uniform", (-bound, 2 * bound)).pvalue > 1e-3
    assert layer.bias.abs().max() <= bound and len(layer.bias.unique()) == 20
    blocks = layer.weight.detach().unflatten(1, (20, 50)).flatten(0, 1)
    assert len(blocks.unique(dim=0)) == 400


def test_a_fusion_made_alone_draws_from_the_callers_generator():
    torch.manual_seed(4)
    one = build_fusion("concat", NAMES, 4, 3, {})
    second = build_fusion("concat", NAMES, 4, 3, {})
    torch.manual_seed(4)
    again = build_fusion("concat", NAMES, 4, 3, {})
    assert torch.equal(one.head.weight, again.head.weight)  # pyright: ignore
    assert not torch.equal(one.head.weight, second.head.weight)  # pyright: ignore
