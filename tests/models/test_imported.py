"""Encoders that are classes of the user's, named `module:Class`: what they are made of, and when they are imported."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from equimodal.data.columns.base import Spec
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError
from equimodal.models.classifier import Classifier
from equimodal.models.imported import arguments_for, encoder_class
from equimodal.models.state import copy_of
from equimodal.training.checkpoint import load_tensors, save_tensors
from equimodal.training.run import load
from training.runs import assert_same_weights, fit_tiny

NETS = '''
import torch
from torch import nn
from equimodal.models.encoders.base import Encoder

imported = True

class Net(nn.Module):
    def __init__(self, features: int, hidden: int = 8, names: list[str] | None = None):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU())

    def forward(self, x, lengths=None):
        return self.layers(x)

class Projected(nn.Module):
    """A frozen random projection that no second construction repeats, and a layer that trains."""
    def __init__(self, features, width):
        super().__init__()
        self.base = nn.Linear(features, 7).requires_grad_(False)
        self.head = nn.Linear(7, width)

    def forward(self, x):
        return self.head(self.base(x))

class Typed(Encoder):
    """An encoder that is not registered."""
    kinds = ("vector",)

    def __init__(self, features: int, width: int = 4):
        super().__init__(features=features, width=width)
        self.register_buffer("largest", torch.zeros(features))
        self.layer = nn.Linear(features, width)

    def fit_inputs(self, chunks):
        for rows in chunks:
            self.largest.copy_(torch.maximum(self.largest, torch.tensor(abs(rows).max(0)).float()))

    def forward(self, x, lengths=None):
        return self.layer(x.float() / self.largest)

class Anything(nn.Module):
    def __init__(self, width, features=None, steps=None, height=None, width_pixels=None, channels=None, shape=None,
                 **more):
        super().__init__()

class Raises(nn.Module):
    def __init__(self, features, hidden=1):
        raise RuntimeError("no luck")

class NotOne:
    pass

def function():
    pass
'''


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A module of the user's that can be imported, under a name that no other test has; its folder is not a run's."""
    name = f"nets_{abs(hash(str(tmp_path)))}"
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / f"{name}.py").write_text(NETS)
    monkeypatch.syspath_prepend(folder)
    yield name
    sys.modules.pop(name, None)


def spec(kind, shape, dtype=np.float32):
    return Spec(kind, shape, np.dtype(dtype))


# What follows from the data


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("vector", (5,), {"features": 5}),
        ("sequence", (9, 5), {"steps": 9, "features": 5}),
        ("sequence", (None, 5), {"features": 5}),
        ("image", (8, 7), {"height": 8, "width_pixels": 7, "channels": 1}),
        ("image", (8, 7, 3), {"height": 8, "width_pixels": 7, "channels": 3}),
        ("video", (None, 8, 7, 3), {"height": 8, "width_pixels": 7, "channels": 3}),
        ("video", (4, 8, 7, 3), {"steps": 4, "height": 8, "width_pixels": 7, "channels": 3}),
        ("tensor", (4, 8, 7, 6), {}),
        ("text", (), {}),
    ],
)
def test_what_follows_from_the_data(nets, kind, shape, expected):
    cls = encoder_class(f"{nets}:Anything")
    found = arguments_for(cls, f"{nets}:Anything", "m", spec(kind, shape), 16, {})
    assert found == {"width": 16, "shape": list(shape), **expected}


def test_only_what_the_constructor_names_is_passed_and_an_option_goes_before_it(nets):
    def found(name, options):
        return arguments_for(encoder_class(f"{nets}:{name}"), name, "m", spec("vector", (5,)), 16, options)

    assert found("Net", {}) == {"features": 5}
    assert found("Net", {"hidden": "3"}) == {"features": 5, "hidden": 3}
    assert found("Net", {"features": 2, "names": ("a", "b")}) == {"features": 2, "names": ["a", "b"]}
    fields = Spec("tensor", (), np.dtype("int64"), fields={"ids": spec("tensor", (3,))})
    assert arguments_for(encoder_class(f"{nets}:Anything"), "A", "m", fields, 16, {"x": 1}) == {"width": 16, "x": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": 3}, "has no option 'hiden'. Did you mean 'hidden'?"),
        ({"hidden": "many"}, r"model\.encoders\.m\.hidden: input should be a valid integer"),
        ({"hidden": torch.nn.ReLU()}, "must be numbers, texts, booleans, lists or mappings.*Give the module itself"),
        ({"hidden": float("nan")}, "must be numbers"),
    ],
)
def test_options_that_are_wrong_are_named(nets, options, message):
    with pytest.raises(ConfigError, match=message):
        arguments_for(encoder_class(f"{nets}:Net"), f"{nets}:Net", "m", spec("vector", (5,)), 16, options)


# What cannot be imported


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{}:Nett", r"the module '{}' \(.*{}\.py\) has no class 'Nett'\. Did you mean 'Net'\?"),
        ("{}:NotOne", r"the class NotOne is not a torch\.nn\.Module"),
        ("{}:function", "function is not a class"),
        ("{}_missing:Net", r"There is no module '{}_missing' \(looked for in .*path, .*\)"),
        ("{}.sub:Net", r"There is no module '{}\.sub'"),
        ("missing_{}.nets:Net", r"There is no module 'missing_{}' of 'missing_{}\.nets'"),
        ("a:b:c", r"'a:b:c': expected module:Class"),
        (":Net", "':Net': expected module:Class"),
        ("{}:", "expected module:Class"),
        ("../{}:Net", "expected module:Class"),
    ],
)
def test_what_cannot_be_found_is_an_error_that_says_where(tiny, nets, name, message):
    with pytest.raises(ConfigError) as caught:
        Classifier.for_data(tiny, {"vector": name.format(nets)})
    assert re.search(rf"^model\.encoders\.vector: .*{message.replace('{}', nets)}", str(caught.value)), caught.value


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_package_anywhere", "cannot be imported: ModuleNotFoundError: No module named 'no_such_pack"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("class Net(", "cannot be imported: SyntaxError"),
    ],
)
def test_a_module_that_fails_is_an_error_of_its_own(tiny, tmp_path, monkeypatch, code, message):
    name = f"broken_{abs(hash((str(tmp_path), code)))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=f"vector: The module '{name}' {message}"):
        Classifier.for_data(tiny, {"vector": f"{name}:Net"})


def test_errors_of_the_constructor_and_of_forward_say_whose_they_are(tiny, nets):
    with pytest.raises(ConfigError, match=r"vector: Raises\(features=5, hidden=2\) cannot be made: .*: no luck"):
        Classifier.for_data(tiny, {"vector": {"name": f"{nets}:Raises", "hidden": 2}})
    with pytest.raises(ConfigError, match=r"sequence: Net cannot encode two training rows|sequence: Net should return"):
        Classifier.for_data(tiny, {"sequence": f"{nets}:Net"})


# Runs


def test_a_run_is_rebuilt_from_the_name_at_the_users_word_only(tiny, nets, tmp_path):
    model = Classifier.for_data(tiny, {"vector": {"name": f"{nets}:Net", "hidden": 5}}, width=6)
    described = model.specification()["encoders"]["vector"]
    assert described == {"name": f"{nets}:Net", "options": {"features": 5, "hidden": 5}}
    assert model.specification()["widths"] == {"vector": 5}  # found by a trial run
    run = fit_tiny(tiny, "joint", tmp_path / "run", model=model)
    del sys.modules[nets]
    for trust in ((), ["another"], [f"{nets}:Net"], [nets[:-1]]):
        with pytest.raises(ConfigError, match=rf"trained with {nets}:Net \(encoder of 'vector'\).*--trust {nets}, or"):
            load(tmp_path / "run", trust=trust)
    with pytest.raises(ConfigError, match=rf"expected a list of modules, got '{nets}'"):
        load(tmp_path / "run", trust=nets)
    assert nets not in sys.modules  # nothing was imported
    again = load(tmp_path / "run", trust=[nets])
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert np.array_equal(run.predict(tiny.test).probabilities, again.predict(tiny.test).probabilities)
    assert again.model.specification() == run.model.specification()
    given = load(tmp_path / "run", encoders={"vector": encoder_class(f"{nets}:Net")(5, 5)})  # its own word
    assert_same_weights(run.model.state_dict(), given.model.state_dict())


def test_a_run_may_be_resumed_and_a_copy_keeps_the_origin(tiny, nets, tmp_path):
    def model():
        return Classifier.for_data(tiny, {"vector": f"{nets}:Net"}, width=6)

    first = fit_tiny(tiny, "joint", tmp_path / "run", model=model())
    again = fit_tiny(tiny, "joint", tmp_path / "run", model=model(), resume=True)
    assert_same_weights(first.model.state_dict(), again.model.state_dict())
    assert copy_of(first.model).origins == first.model.origins


def test_frozen_parts_are_kept_with_the_run(tiny, nets, tmp_path):
    model = Classifier.for_data(tiny, {"vector": f"{nets}:Projected"}, width=6)
    run = fit_tiny(tiny, "joint", tmp_path / "run", model=model, epochs=1)
    torch.manual_seed(99)
    again = load(tmp_path / "run", trust=[nets])
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert not again.model.encoders["vector"].base.weight.requires_grad


def test_an_encoder_that_is_not_registered_is_described_and_fitted(tiny, nets, tmp_path):
    model = Classifier.for_data(tiny, {"vector": f"{nets}:Typed"}, width=6)
    rows = np.concatenate(list(tiny.train.valid("vector")))
    encoder = model.encoders["vector"]
    assert torch.allclose(encoder.largest, torch.tensor(np.abs(rows).max(0)).float())
    run = fit_tiny(tiny, "joint", tmp_path / "run", model=model, epochs=1)
    again = load(tmp_path / "run", trust=[nets])
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    with pytest.raises(ConfigError, match=f"encoder '{nets}:Typed' serves vector, but 'sequence' is of kind sequence"):
        Classifier.for_data(tiny, {"sequence": f"{nets}:Typed"})


def test_the_options_in_a_runs_file_are_plain(tiny, nets):
    model = Classifier.for_data(tiny, {"vector": {"name": f"{nets}:Net", "names": ("a", "b")}}, width=6)
    described = model.specification()
    assert json.loads(json.dumps(described)) == described
    assert described["encoders"]["vector"]["options"]["names"] == ["a", "b"]


def test_a_spectrogram_taken_for_a_sequence_is_told_how_to_be_a_picture():
    rng = np.random.default_rng(0)
    arrays = {"sound": rng.normal(size=(30, 9, 8)), "more": rng.normal(size=(30, 2))}
    with pytest.raises(ConfigError, match=r"serves image, but 'sound' is of kind sequence.*declare kind 'image'"):
        Classifier.for_data(Dataset(arrays, np.arange(30) % 2).split(seed=0), {"sound": "cnn"})


def test_a_name_put_into_the_file_of_a_run_is_not_imported(tiny, nets, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "run", model=Classifier.for_data(tiny, width=6), epochs=1)
    tensors, header = load_tensors(tmp_path / "run" / "model.safetensors")
    header["specification"]["encoders"]["vector"]["name"] = f"{nets}:Net"
    save_tensors(tmp_path / "run" / "model.safetensors", tensors, header)
    with pytest.raises(ConfigError, match="--trust"):
        load(tmp_path / "run")
    assert nets not in sys.modules


def test_the_class_on_the_page_of_encoders_is_one_that_works():
    page = Path(__file__).parents[2] / "docs" / "encoders" / "index.md"
    if not page.is_file():
        pytest.skip("the source distribution comes without the docs")
    code = re.search(r"```python\n# mypackage/nets\.py\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict = {}
    exec(code[1], names)
    net = names["AudioNet"](features=3, hidden=5)
    x, lengths = torch.randn(2, 4, 3), torch.tensor([4, 2])
    expected = torch.stack([net.layers(x[0]).mean(0), net.layers(x[1, :2]).mean(0)])
    assert torch.allclose(net(x, lengths), expected, atol=1e-6)
