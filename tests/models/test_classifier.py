from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.cnn import CNN
from equimodal.models.encoders.mlp import MLP
from equimodal.training.run import load_model
from equimodal.training.weights import save_model
from synthetic import linear_batch, linear_model, make_model


class Recurrent(nn.Module):
    """A user's own encoder, with lengths and a width of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.layer = nn.Linear(3, 11)

    def forward(self, x, lengths):
        self.steps += lengths.tolist()
        mask = torch.arange(x.shape[1]) < lengths[:, None]
        return (self.layer(x) * mask[..., None]).sum(1)


class Flat(nn.Module):
    """Another, for images."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(8 * 8 * 3, width)

    def forward(self, x):
        return self.layer(x.float().flatten(1) / 255)


class Tuple(nn.Module):
    """A recurrent network's usual mistake: its output and its state."""

    def forward(self, x, lengths):
        return x[:, 0], x[:, -1]


def test_an_encoder_that_is_elsewhere_already_is_tried_where_it_is(splits):
    elsewhere = Flat(9).to("meta")  # as on a GPU: it takes no input from the CPU
    model = Classifier.for_data(splits, {"image": elsewhere}, width=8)
    assert model.projections["image"].weight.shape == (8, 9)


def test_encoders_of_ones_own_of_differing_widths(splits):
    own = Recurrent()
    model = Classifier.for_data(
        splits, {"sequence": own, "image": Flat(8), "vector": {"hidden": 4}}, width=8, fusion="concat"
    )
    assert set(model.projections) == {"sequence"}  # 11 to 8; the image's is 8 already
    own.steps.clear()
    batch = model.prepare(splits.train).batch(np.arange(10))
    assert model(batch).shape == (10, 3)
    assert own.steps == batch.lengths["sequence"][batch.present["sequence"]].tolist()
    assert {id(p) for p in model.projections["sequence"].parameters()} <= {
        id(p) for p in model.own_parameters("sequence")
    }


def test_an_encoder_never_sees_an_absent_row():
    model = linear_model(fusion="late")
    batch = linear_batch(samples=12)
    inputs: Any = batch.inputs
    spoilt = {name: x.where(batch.present[name][:, None], torch.nan) for name, x in inputs.items()}
    logits = model(type(batch)(spoilt, batch.present, batch.labels, batch.ids))
    assert torch.isfinite(logits).all()
    assert torch.allclose(logits, model(batch))


def test_with_nothing_present_the_training_prior_answers(splits):
    model = make_model(splits, fusion="sum")
    batch = model.prepare(splits.train).batch(np.arange(4)).restrict(())
    labels = splits.train.labels
    assert labels is not None
    frequencies = np.bincount(labels, minlength=3) / len(labels)
    assert np.allclose(model(batch).softmax(-1).detach().numpy(), np.tile(frequencies, (4, 1)), atol=1e-6)
    table = model.coalitions(model.encode(batch), batch.present, torch.ones(2, 3, dtype=torch.bool))
    assert np.allclose(table.softmax(-1).detach().numpy(), np.broadcast_to(frequencies, (2, 4, 3)), atol=1e-6)


def test_a_modality_that_the_batch_lacks_is_absent():
    model = linear_model(fusion="concat").eval()
    batch = linear_batch(samples=6)
    less = type(batch)({"a": batch.inputs["a"]}, {"a": batch.present["a"]}, batch.labels, batch.ids)
    assert torch.equal(model(less), model(batch.restrict({"a"})))


def test_parameters_have_one_home():
    model = linear_model(fusion="late", fusion_options={"heads": "own"})
    own = {name: {id(p) for p in model.own_parameters(name)} for name in model.modalities}
    shared = {id(p) for p in model.shared_parameters()}
    assert not own["a"] & own["b"] and not shared
    assert own["a"] | own["b"] == {id(p) for p in model.parameters()}
    model.set_fusion("memory")
    assert {id(p) for p in model.fusion.memory.parameters()} <= {id(p) for p in model.shared_parameters()}
    assert {id(p) for p in model.fusion.mapping.maps["a"].parameters()} <= {id(p) for p in model.own_parameters("a")}


@pytest.mark.parametrize("fusion", ["concat", "sum", "gated", "late", "memory", None])
def test_what_is_saved_is_what_is_loaded(splits, tmp_path, fusion):
    own = {"sequence": Recurrent()}
    model = Classifier.for_data(splits, own, width=8, fusion=fusion).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    assert json.loads(json.dumps(model.specification())) == model.specification()

    class Holder:
        def __init__(self, held):
            self.model = held

    save_model(tmp_path / "model.safetensors", Holder(model))  # pyright: ignore[reportArgumentType]
    again = load_model(tmp_path / "model.safetensors", {"sequence": Recurrent()})
    assert again.specification() == model.specification() and not again.training
    assert all(torch.equal(x, again.state_dict()[key]) for key, x in model.state_dict().items())
    if fusion:
        batch = model.prepare(splits.test).batch(np.arange(8))
        assert torch.equal(model(batch), again(batch))
    with pytest.raises(ConfigError, match=r"encoders of your own for sequence: pass them"):
        load_model(tmp_path / "model.safetensors")


def test_for_data_repeats_itself_and_leaves_the_seed_alone(splits):
    state = torch.get_rng_state()
    one, other, third = make_model(splits, seed=3), make_model(splits, seed=3), make_model(splits, seed=4)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(x, y) for x, y in zip(one.parameters(), other.parameters(), strict=True))
    assert any(not torch.equal(x, y) for x, y in zip(one.parameters(), third.parameters(), strict=True))


def test_statistics_come_from_the_training_rows_that_are_present(splits):
    model = make_model(splits)
    train = splits.train
    rows = np.asarray(train.arrays["vector"])[train.present["vector"]]
    assert np.allclose(model.encoders["vector"].standardise.mean.numpy(), rows.mean(0), atol=1e-5)


def test_a_subclass_of_encoder_must_be_registered_to_be_saved(splits, tmp_path):
    class Nameless(MLP):
        pass

    model = Classifier.for_data(splits, {"vector": Nameless(features=5, width=8)}, width=8)
    with pytest.raises(ConfigError, match=r"Nameless is not registered.*@ENCODERS.register"):
        model.specification()


@pytest.mark.parametrize(
    ("encoders", "error", "message"),
    [
        ({"vektor": "mlp"}, ConfigError, "no modality is called 'vektor'. Did you mean 'vector'?"),
        ({"vector": "mpl"}, ConfigError, "Unknown encoder 'mpl'. Did you mean 'mlp'?"),
        ({"vector": "gru"}, ConfigError, "encoder 'gru' serves sequence, but 'vector' is of kind vector"),
        ({"vector": 3}, ConfigError, "expected a torch module, a name or a mapping with 'name', got int"),
        ({"vector": {"name": 7}}, ConfigError, "model.encoders.vector.name: expected an encoder's name, got 7"),
        ({"vector": {"hiden": 7}}, ConfigError, "no option 'hiden'. Did you mean 'hidden'?"),
        (
            {"vector": nn.Flatten(0)},
            ConfigError,
            "model.encoders.vector: Flatten should return a tensor (batch, width), here (2, width), got shape (10,).",
        ),
        (
            {"sequence": Tuple()},
            ConfigError,
            "Tuple should return a tensor (batch, width), here (2, width), got tuple.",
        ),
        (nn.Linear(2, 2), ConfigError, "encoders: expected a mapping from modalities to encoders, got Linear"),
    ],
)
def test_mistakes_are_named(splits, encoders, error, message):
    with pytest.raises(error) as caught:
        Classifier.for_data(splits, encoders)
    assert message in str(caught.value)


def test_an_encoder_of_another_width_is_named():
    """Made by hand: nothing has run the encoders before."""
    encoders = {"a": nn.Linear(4, 6), "b": nn.Linear(4, 7)}
    batch = linear_batch(samples=10)
    here = int(batch.present["b"].sum())
    assert 0 < here < 10
    expected = (
        f"model.encoders.b: Linear should return a tensor (batch, width), here ({here}, 6), got shape ({here}, 7)."
    )
    with pytest.raises(ConfigError) as caught:
        Classifier(encoders, ["x", "y", "z"], width=6, fusion="late")(batch)
    assert str(caught.value).startswith(expected) and "widths={'b': 7}" in str(caught.value)
    assert Classifier(encoders, ["x", "y", "z"], width=6, widths={"b": 7}, fusion="late")(batch).shape == (10, 3)
    wrong = Classifier(encoders, ["x", "y", "z"], width=6, widths={"b": 9}, fusion="late")
    with pytest.raises(ConfigError, match=rf"here \({here}, 9\), got shape \({here}, 7\)"):
        wrong(batch)


def test_encoders_that_are_no_modules_are_named(splits, tmp_path):
    with pytest.raises(ConfigError) as caught:
        Classifier({"a": 3, "b": nn.Linear, "c": nn.Linear(2, 2)}, ["x", "y"])  # pyright: ignore[reportArgumentType]
    assert "encoders: 'a' should be an instance of torch.nn.Module, got int." in str(caught.value)
    assert "encoders: 'b' should be an instance of torch.nn.Module, got the class Linear." in str(caught.value)
    saved = Classifier.for_data(splits, {"sequence": Recurrent()}, width=8).specification()
    for given, message in (
        ({"sequence": 3}, "encoders: 'sequence' should be an instance of torch.nn.Module, got int."),
        ({"sequence": Recurrent(), "vector": "mlp"}, "encoders: 'vector' should be an instance"),
        ({"sequence": Recurrent(), "vektor": Flat(8)}, "no modality 'vektor'. Did you mean 'vector'?"),
        (Recurrent(), "encoders: expected a mapping from modalities to encoders, got Recurrent"),
    ):
        with pytest.raises(ConfigError) as caught:
            Classifier.from_specification(saved, given)  # pyright: ignore[reportArgumentType]
        assert message in str(caught.value)
    modules = nn.ModuleDict({"sequence": Recurrent()})
    assert Classifier.from_specification(saved, modules).specification() == saved  # pyright: ignore[reportArgumentType]


def test_a_fusions_options_wait_for_the_fusion(splits):
    model = make_model(splits, fusion_options={"heads": "own"})
    assert model.fusion_options == {"heads": "own"} and not model.has_fusion
    saved = json.loads(json.dumps(model.specification()))
    again = Classifier.from_specification(saved)
    assert again.fusion_options == {"heads": "own"} and not again.has_fusion
    model.set_fusion("late", heads="shared")
    assert model.fusion_options == {"heads": "shared", "average": "logits", "pool": "equal"}
    model.clear_fusion()
    assert model.fusion_options == {}


def test_data_that_are_not_split(splits):
    with pytest.raises(DataError, match=r"got Dataset\. Split it first: data\.split\(seed=0\)"):
        Classifier.for_data(splits.train)
    with pytest.raises(DataError, match=r"expected data in three parts \(Splits\), got dict"):
        Classifier.for_data({"a": np.ones((3, 2))})  # pyright: ignore[reportArgumentType]


def test_fewer_than_two_modalities():
    with pytest.raises(ConfigError, match="at least two modalities, got 1 \\(a\\)"):
        Classifier({"a": nn.Linear(2, 2)}, ["x", "y"], width=2)
    with pytest.raises(ConfigError, match="got 0 \\(none\\)"):
        Classifier({}, ["x", "y"])


def test_a_model_without_fusion_says_what_to_do(splits):
    model = make_model(splits)
    assert not model.has_fusion
    with pytest.raises(ConfigError, match="has no fusion yet: train it"):
        model(model.prepare(splits.test).batch([0]))


def test_no_built_in_encoder_for_a_kind():
    data = Dataset({"a": np.ones((20, 3)), "b": np.random.default_rng(0).normal(size=(20, 2, 2, 2, 2))}, [0, 1] * 10)
    with pytest.raises(DataError, match="Modality 'b' is of kind 'tensor', which no built-in encoder serves"):
        Classifier.for_data(data.split(seed=0))


def test_data_of_another_shape_are_refused(splits):
    model = make_model(splits)
    wrong = Dataset({"vector": np.ones((3, 4)), "image": np.ones((3, 8, 9, 3), np.uint8)})
    with pytest.raises(DataError) as caught:
        model.prepare(wrong)
    assert "vector: the model was made for features 5, the data have features 4." in str(caught.value)
    assert "image: the model was made for height 8, width_pixels 8, channels 3" in str(caught.value)


@pytest.mark.parametrize(
    ("trained", "given", "message"),
    [
        (np.uint8, np.float32, "trained on pictures of integers from 0 to 255 (uint8), got floats. Give them as they"),
        (np.uint8, np.int64, "trained on pictures of integers from 0 to 255 (uint8), got integers (not uint8)."),
        (np.float32, np.uint8, "trained on pictures of floats, got integers from 0 to 255 (uint8). Scale them"),
        (np.int64, np.float32, "trained on pictures of integers (not uint8), got floats."),
        (np.float32, np.float64, None),
        (np.uint8, np.uint8, None),
        (np.int64, np.int32, None),
    ],
)
def test_pictures_of_another_scale_are_refused(splits, trained, given, message):
    """The statistics of 0 to 255 would turn floats from 0 to 1 into one grey, and predictions into nonsense."""

    def pictures(dtype):
        values = np.asarray(splits.train.arrays["image"])
        return (values / 255).astype(dtype) if np.dtype(dtype).kind == "f" else values.astype(dtype)

    vector = splits.train.arrays["vector"]
    data = Dataset({"vector": vector, "image": pictures(trained)}, splits.train.labels).split(seed=0)
    model = Classifier.for_data(data, {"image": {"hidden": [4]}}, width=8, fusion="late")
    again = Classifier.from_specification(json.loads(json.dumps(model.specification())))
    new = Dataset({"image": pictures(given)}, kinds={"image": "image"})
    for one in (model, again):
        if message is None:
            assert one.prepare(new) is new
            continue
        with pytest.raises(DataError) as caught:
            one.prepare(new)
        assert message in str(caught.value) and "data: image: " in str(caught.value)


def test_a_cnn_made_without_data_takes_pictures_of_any_scale(splits):
    encoder = CNN(height=8, width_pixels=8, channels=3, width=8, hidden=[4])
    model = make_model(splits, encoders={"image": encoder})
    assert len(model.prepare(splits.test)) == len(splits.test)
    with pytest.raises(ConfigError, match=r"model\.encoders\.image: pixels follows from the data"):
        make_model(splits, encoders={"image": {"pixels": "float"}})
