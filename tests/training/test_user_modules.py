"""Encoders that are the user's own modules: what cannot be trained is an error before training, the rest works."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS
from equimodal.models.classifier import Classifier
from equimodal.models.predict import class_probabilities
from equimodal.models.user_modules import probe
from equimodal.training.fit import fit
from equimodal.training.run import load
from synthetic import make_splits
from training.frozen import FEATURES, Normed, changed, clones, normed_model
from training.runs import assert_same_weights, fit_tiny

EVERY_METHOD = METHODS.names()


def rows_for_one_left_over() -> object:
    """33 training rows of two vectors, of which the second is rare."""
    rng = np.random.default_rng(0)
    y = np.arange(55) % 2
    rare = rng.normal(size=(55, 3)) + y[:, None]
    rare[rng.random(55) < 0.9] = np.nan
    splits = Dataset({"a": rng.normal(size=(55, 4)) + y[:, None], "b": rare}, y).split(seed=0)
    assert len(splits.train) == 33
    return splits


# A single row


@pytest.mark.parametrize("method", ["joint", "alternating", "unimodal_ensemble", "equilibrium", "paper"])
def test_a_batch_of_one_row_trains_encoders_with_batch_norms(method):
    splits = rows_for_one_left_over()
    torch.manual_seed(0)
    model = Classifier.for_data(splits, {"a": Normed(4), "b": Normed(3)}, width=6)
    before = clones(model.encoders["a"])
    run = fit(model, splits, method, epochs=2, batch_size=32, reference=False, measure={"bootstrap": 0}, quiet=True)
    assert {"layers.0.weight", "layers.1.running_mean"} <= changed(before, model.encoders["a"])
    assert all(torch.isfinite(tensor).all() for tensor in run.model.state_dict().values())


def test_a_single_row_is_normalised_by_the_running_statistics(tiny):
    model = normed_model(tiny, {"vector": Normed}, fusion="late")
    encoder = model.encoders["vector"]
    encoder.layers[3].p = 0.0
    batch = model.prepare(tiny.train).batch(np.flatnonzero(tiny.train.present["vector"])[:1])
    before = clones(encoder)
    model.train()
    found = model.encode_one(batch, "vector")
    assert encoder.layers[1].training and changed(before, encoder) == set()
    model.eval()
    assert torch.equal(found, model.encode_one(batch, "vector"))
    found.sum().backward()
    assert encoder.layers[0].weight.grad is not None


def test_every_row_counts_once(tiny):
    """50 rows in batches of 7: the last batch has one row."""
    seen = []

    class Notes(Normed):
        def forward(self, x, lengths=None):
            if self.training:
                seen.append(len(x))
            return super().forward(x, lengths)

    splits = make_splits(82, modalities=("vector", "sequence"), absent=0.0)
    assert len(splits.train) == 50
    fit_tiny(splits, "joint", model=normed_model(splits, {"vector": Notes}), batch_size=7, epochs=1)
    assert seen[-8:] == [7] * 7 + [1]


def test_batches_of_one_row_are_refused_for_batch_norms(tiny):
    with pytest.raises(ConfigError, match=r"training\.batch_size: expected at least 2, because .*'vector' \(Normed\)"):
        fit_tiny(tiny, "joint", model=normed_model(tiny, {"vector": Normed}), batch_size=1)
    frozen = normed_model(tiny, {"vector": Normed})
    frozen.encoders["vector"].requires_grad_(False)
    fit_tiny(tiny, "joint", model=frozen, batch_size=1, epochs=1)


# What is refused


class WithoutLengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(3, 6)

    def forward(self, x):
        return self.out(x.mean(1))


class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 6, sparse=True)

    def forward(self, x):
        return self.table(x.long().abs().clamp(max=9)).mean(1)


class Returns(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what, self.out = what, nn.Linear(5, 6)

    def forward(self, x):
        return self.what(self.out(x))


class OfTheBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6, track_running_stats=False))

    def forward(self, x):
        return self.layers(x) if len(x) > 1 else self.layers[0](x)


class AlwaysDrops(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(5, 6)

    def forward(self, x):
        return nn.functional.dropout(self.out(x), 0.5)


class Elsewhere(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(5, 6)

    def forward(self, x):
        return self.out(x) + torch.zeros(6, device="meta")


REFUSED = {
    "no lengths": ("sequence", WithoutLengths, r"forward\(x, lengths\): x is padded"),
    "double precision": ("vector", lambda: nn.Linear(5, 6).double(), r"are float64: call \.float\(\) on it"),
    "half precision": ("vector", lambda: nn.Linear(5, 6).bfloat16(), r"are bfloat16: call \.float\(\) on it"),
    "sparse": ("vector", Sparse, "sparse gradients.*sparse=False"),
    "a tuple": ("vector", lambda: Returns(lambda x: (x, x)), r"should return a tensor \(batch, width\).*got tuple"),
    "three axes": ("vector", lambda: Returns(lambda x: x[:, None]), r"got shape \(2, 1, 6\)"),
    "numbers of classes": ("vector", lambda: Returns(lambda x: x.long()), r"got shape \(2, 6\) of torch\.int64"),
    "one row lost": ("vector", lambda: Returns(lambda x: x.squeeze()), r"here \(1, (width|6)\), got shape \(6,\)"),
    "meta device": ("vector", lambda: nn.Linear(5, 6, device="meta"), "meta device, without weights"),
    "two devices": ("vector", Elsewhere, "cannot encode two training rows"),
    "another shape": ("vector", lambda: nn.Linear(4, 6), r"two training rows \(float32 \(2, 5\)\): RuntimeError"),
    "statistics of the batch": ("vector", OfTheBatch, "track_running_stats=True"),
    "dropout in evaluation": ("vector", AlwaysDrops, "or on chance"),
}


@pytest.mark.parametrize("how", ["for_data", "by hand"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_an_error_before_training(tiny, tmp_path, case, how):
    modality, make, message = REFUSED[case]
    if (case, how) == ("meta device", "for_data"):
        pytest.skip("weights may be loaded after that")
    with pytest.raises(ConfigError, match=rf"model\.encoders\.{modality}: .*{message}"):
        if how == "for_data":
            Classifier.for_data(tiny, {modality: make()}, width=6)
        else:
            encoders = {name: make() if name == modality else Normed(FEATURES[name]) for name in tiny.modalities}
            model = Classifier(encoders, tiny.classes, width=6)
            fit_tiny(tiny, "joint", tmp_path / "run", model=model)
    assert not (tmp_path / "run").exists()


def test_all_encoders_that_are_wrong_are_reported_together(tiny):
    model = Classifier({"vector": Sparse(), "sequence": WithoutLengths()}, tiny.classes, width=6)
    with pytest.raises(ConfigError) as caught:
        fit_tiny(tiny, "joint", model=model)
    assert re.search("sparse gradients", str(caught.value)) and re.search("padded", str(caught.value))


def test_the_look_at_an_encoder_leaves_everything_as_it_was(tiny):
    encoder = Normed(5)
    encoder.layers[1].eval()
    modes = [module.training for module in encoder.modules()]
    before, state = clones(encoder), torch.get_rng_state()
    model = Classifier.for_data(tiny, {"vector": encoder}, width=6)
    fit_tiny(tiny, "joint", model=model, epochs=1, learning_rate=1e-30, weight_decay=0.0)
    assert torch.equal(state, torch.get_rng_state())
    encoder = Normed(5)
    encoder.load_state_dict(before)
    encoder.layers[1].eval()
    with torch.random.fork_rng():
        assert probe(encoder, tiny.train, "vector") == 6
    assert [module.training for module in encoder.modules()] == modes and changed(before, encoder) == set()
    assert all(parameter.grad is None for parameter in encoder.parameters())


# What works


class Doubles(nn.Module):
    """In double precision inside and out."""

    def __init__(self, width=6):
        super().__init__()
        self.out = nn.Linear(5, width).double()

    def forward(self, x):
        return self.out(x.double())


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.LazyLinear(6))

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("method", ["joint", "mm_pareto", "info_reg", "unimodal_ensemble", "paper"])
@pytest.mark.parametrize(
    "make",
    [Doubles, lambda: Doubles(9), Lazy, nn.Identity, lambda: nn.Linear(5, 6).requires_grad_(False)],
    ids=["double", "double of another width", "lazy", "without parameters", "frozen"],
)
def test_modules_of_other_kinds_train_and_come_back(tiny, tmp_path, method, make):
    run = fit_tiny(tiny, method, tmp_path, model=Classifier.for_data(tiny, {"vector": make()}, width=6), epochs=3)
    given = make()
    if not isinstance(given, Lazy):
        given.load_state_dict(run.model.encoders["vector"].state_dict())
    again = load(tmp_path, encoders={"vector": given})
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert torch.equal(class_probabilities(run.model, tiny.test), class_probabilities(again.model, tiny.test))


def test_lazy_parameters_follow_from_the_seed(tiny):
    torch.manual_seed(1)
    one = Classifier.for_data(tiny, {"vector": Lazy()}, width=6, seed=4)
    torch.manual_seed(2)
    other = Classifier.for_data(tiny, {"vector": Lazy()}, width=6, seed=4)
    assert_same_weights(one.state_dict(), other.state_dict())


@pytest.mark.parametrize("method", EVERY_METHOD)
@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
def test_encoders_that_share_a_part_train_and_come_back(tmp_path, method, frozen):
    class Part(nn.Module):
        def __init__(self, trunk):
            super().__init__()
            self.own, self.trunk = nn.Linear(4, 5), trunk

        def forward(self, x):
            return self.trunk(self.own(x))

    def encoders():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            trunk = nn.Linear(5, 6).requires_grad_(not frozen)
            return {"a": Part(trunk), "b": Part(trunk)}

    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    splits = Dataset({name: rng.normal(size=(80, 4)) + y[:, None] for name in "ab"}, y).split(seed=0)
    given = encoders()
    before = clones(given["a"].trunk)
    model = Classifier.for_data(splits, given, width=6)
    run = fit(model, splits, method, epochs=2, out=tmp_path, reference=False, quiet=True, measure={"bootstrap": 0})
    assert changed(before, given["a"].trunk) == (set() if frozen else {"weight", "bias"})
    again = load(tmp_path, encoders=encoders())
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert again.model.encoders["a"].trunk.weight is again.model.encoders["b"].trunk.weight
