"""ResNet-18: torchvision's names and outputs, both norms, stored weights, videos."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from equimodal.config.load import load_config
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError, Interrupted
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.base import build_encoder
from equimodal.models.encoders.resnet18 import ResNet18
from equimodal.models.predict import class_probabilities
from equimodal.training.fit import fit
from equimodal.training.run import load
from training.runs import assert_same_run, assert_same_weights, at_batch, press_ctrl_c

NORMED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def names_of_torchvision():
    """The names and shapes in `torchvision.models.resnet18().state_dict()`, but for the last layer."""

    def normed(convolution, norm, out, before, size):
        shapes = {f"{norm}.{name}": (out,) for name in NORMED[:4]} | {f"{norm}.num_batches_tracked": ()}
        return {f"{convolution}.weight": (out, before, size, size)} | shapes

    names = normed("conv1", "bn1", 64, 3, 7)
    for stage, (before, out) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)], start=1):
        for block in (0, 1):
            at = f"layer{stage}.{block}"
            names |= normed(f"{at}.conv1", f"{at}.bn1", out, before if block == 0 else out, 3)
            names |= normed(f"{at}.conv2", f"{at}.bn2", out, out, 3)
            if block == 0 and stage > 1:
                names |= normed(f"{at}.downsample.0", f"{at}.downsample.1", out, before, 1)
    return names


def ours(encoder):
    mine = encoder.state_dict().items()
    return {name: tuple(value.shape) for name, value in mine if not name.startswith(("fc.", "standardise."))}


def test_names_and_shapes_are_those_of_torchvision():
    expected = names_of_torchvision()
    assert len(expected) == 120
    assert ours(ResNet18(norm="batch")) == expected
    groups = {name: shape for name, shape in expected.items() if name.rpartition(".")[2] in ("weight", "bias")}
    assert ours(ResNet18()) == groups


def small(channels=3, hidden=8, seed=0, **options):
    torch.manual_seed(seed)
    return ResNet18(channels=channels, width=5, hidden=hidden, **options)


def stored(seed=1, hidden=8, channels=3):
    """A network with batch norms as after a training, and its tensors as torchvision would store them."""
    network = small(channels, hidden, seed, norm="batch")
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            tensor.uniform_(0.5, 1.5)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items() if "standardise" not in name}
    return network.eval(), state | {"fc.weight": torch.randn(1000, 8 * hidden), "fc.bias": torch.randn(1000)}


def reference(state, x):
    """Features of torchvision's network in evaluation mode, from its tensors: (B, C, H, W) to (B, D)."""

    def norm(x, name):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])

    x = norm(functional.conv2d(x, state["conv1.weight"], stride=2, padding=3), "bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        for block in (0, 1):
            at, stride = f"layer{stage}.{block}", 2 if block == 0 and stage > 1 else 1
            y = norm(functional.conv2d(x, state[f"{at}.conv1.weight"], stride=stride, padding=1), f"{at}.bn1").relu()
            y = norm(functional.conv2d(y, state[f"{at}.conv2.weight"], padding=1), f"{at}.bn2")
            if stride == 2:
                x = norm(functional.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2), f"{at}.downsample.1")
            x = (x + y).relu()
    return x.mean((2, 3))


def test_stored_weights_give_the_stored_networks_features(tmp_path):
    _, state = stored()
    save_file(state, tmp_path / "resnet.safetensors")
    encoder = small(norm="batch", weights=str(tmp_path / "resnet.safetensors")).eval()
    x = torch.randn(2, 33, 40, 3)
    expected = reference(state, x.permute(0, 3, 1, 2))
    assert torch.allclose(encoder(x), encoder.fc(expected), atol=1e-5)
    assert "weights" not in encoder.options  # a saved model is rebuilt without the file
    grouped = small(weights=str(tmp_path / "resnet.safetensors"))
    assert torch.equal(grouped.layer3[1].conv2.weight, state["layer3.1.conv2.weight"])
    assert torch.equal(grouped.layer3[1].bn2.bias, state["layer3.1.bn2.bias"])


def test_torchvision_itself_agrees(tmp_path):
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
    torch.manual_seed(0)
    theirs = models.resnet18().eval()
    save_file(theirs.state_dict(), tmp_path / "resnet.safetensors")
    encoder = ResNet18(norm="batch", weights=str(tmp_path / "resnet.safetensors")).eval()
    x = torch.randn(1, 64, 64, 3)
    theirs.fc = encoder.fc
    assert torch.allclose(encoder(x), theirs(x.permute(0, 3, 1, 2)), atol=1e-5)


def test_one_channel_answers_as_three_do_to_grey(tmp_path):
    _, state = stored()
    save_file(state, tmp_path / "resnet.safetensors")
    encoder = small(1, norm="batch", weights=str(tmp_path / "resnet.safetensors")).eval()
    x = torch.randn(2, 20, 24)
    expected = encoder.fc(reference(state, x[:, None].expand(-1, 3, -1, -1)))
    assert torch.allclose(encoder(x), expected, atol=1e-5)
    assert torch.equal(encoder(x), encoder(x.unsqueeze(-1)))


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_video_is_the_mean_of_its_frames_whatever_the_padding(norm):
    encoder = small(2, norm=norm).eval()
    x = torch.randn(2, 3, 16, 18, 2)
    steps = torch.tensor([3, 2])
    expected = torch.stack([encoder(x[0]).mean(0), encoder(x[1, :2]).mean(0)])  # the last map is linear
    padded = torch.cat([x, 100 * torch.randn(2, 4, 16, 18, 2)], dim=1)
    assert torch.allclose(encoder(x, steps), expected, atol=1e-5)
    assert torch.allclose(encoder(padded, steps), expected, atol=1e-5)
    encoder.train()  # padding must not move the statistics of a batch norm either
    one, other = small(2, norm=norm), small(2, norm=norm)
    one(x, steps), other(padded, steps)
    assert_same_weights(one.state_dict(), other.state_dict())


def test_with_groups_not_even_training_depends_on_the_batch():
    x = torch.randn(4, 16, 16, 3)
    grouped, batched = small().train(), small(norm="batch").train()
    assert torch.allclose(grouped(x)[:1], grouped(x[:1]), atol=1e-5)
    assert not torch.allclose(batched(x)[:2], batched(x[:2]), atol=1e-2)


@pytest.mark.parametrize("size", [1, 8])
def test_pictures_of_few_pixels_still_differ(size):
    """A group of one or two values would be the same for all of them."""
    encoder = small(hidden=32).eval()
    out = encoder(torch.randn(2, size, size, 3))
    assert torch.isfinite(out).all() and (out[0] - out[1]).abs().max() > 1e-2


def pictures(kind="image"):
    """Bright and dark spectrograms of one channel, or two-frame videos of them, and a vector."""
    rng = np.random.default_rng(0)
    labels = np.arange(50) % 2
    shape = (50, 12, 12) if kind == "image" else (50, 2, 12, 12, 1)
    bright = rng.normal(labels.reshape(-1, *[1] * (len(shape) - 1)), 1, shape).astype(np.float32)
    arrays = {"sound": rng.normal(labels[:, None], 2, (50, 3)), "seen": bright}
    return Dataset(arrays, labels, kinds={"seen": kind}).split(seed=0)


OPTIONS = {"batch_size": 8, "learning_rate": 0.01, "reference": False, "measure": {"bootstrap": 0}, "quiet": True}


@pytest.mark.parametrize(("norm", "kind"), [("group", "image"), ("batch", "image"), ("batch", "video")])
def test_a_run_comes_back_and_its_predictions_do_not_depend_on_the_batch(tmp_path, norm, kind):
    data = pictures(kind)
    model = Classifier.for_data(data, {"seen": {"name": "resnet18", "hidden": 4, "norm": norm}}, width=6)
    before = {name: tensor.clone() for name, tensor in model.encoders["seen"].state_dict().items()}
    run = fit(model, data, "joint", out=tmp_path, epochs=2, **OPTIONS)
    if norm == "batch":
        assert not torch.equal(before["bn1.running_mean"], run.model.encoders["seen"].bn1.running_mean)
    again = load(tmp_path).model
    assert_same_weights(run.model.state_dict(), again.state_dict())
    whole = class_probabilities(run.model, data.test)
    assert torch.equal(class_probabilities(again, data.test), whole)
    assert torch.allclose(class_probabilities(again, data.test, batch_size=1), whole, atol=1e-5)
    with pytest.raises(DataError, match=r"seen: the model was made for height 12, .*the data have height 9"):
        shape = (3, 9, 12) if kind == "image" else (3, 2, 9, 12, 1)
        values = {"seen": np.zeros(shape, np.float32), "sound": np.zeros((3, 3))}
        again.prepare(Dataset(values, kinds={"seen": kind}))


@pytest.mark.parametrize("method", ["joint", "g_blending"])
def test_running_statistics_go_through_trials_and_checkpoints(tmp_path, method):
    """A run that was stopped and resumed is the same to the bit; G-Blending's trials restore what they moved."""
    data = pictures()

    def model():
        return Classifier.for_data(data, {"seen": {"name": "resnet18", "hidden": 4, "norm": "batch"}}, width=6)

    fit(model(), data, method, out=tmp_path / "whole", epochs=2, **OPTIONS)
    with at_batch(6, press_ctrl_c), pytest.raises(Interrupted):  # in the second epoch, or in a trial
        fit(model(), data, method, out=tmp_path / "stopped", epochs=2, **OPTIONS)
    fit(model(), data, method, out=tmp_path / "stopped", resume=True, epochs=2, **OPTIONS)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_batches_of_one_row_are_refused_with_batch_norms():
    data = pictures()
    model = Classifier.for_data(data, {"seen": {"name": "resnet18", "hidden": 4, "norm": "batch"}}, width=6)
    with pytest.raises(ConfigError, match=r"training\.batch_size: expected at least 2, because .*'seen' \(ResNet18\)"):
        fit(model, data, "joint", epochs=1, **{**OPTIONS, "batch_size": 1})


def _pickle(path):
    torch.save({"conv1.weight": torch.zeros(1)}, path)


def _old_pickle(path):
    torch.save({"conv1.weight": torch.zeros(1)}, path, _use_new_zipfile_serialization=False)


def _state(change):
    def write(path):
        state = stored()[1]
        change(state)
        save_file(state, path)

    return write


WRONG = {
    "missing": (lambda path: None, r"weights: .*w\.pth: no such file"),
    "pickle": (_pickle, r"is a pickle, which is never loaded.*save_file\(state, 'w\.safetensors'\)"),
    "old pickle": (_old_pickle, "is a pickle, which is never loaded"),
    "text": (lambda path: path.write_text("no tensors"), "damaged, or no safetensors file"),
    "lacks": (_state(lambda s: s.pop("layer2.0.bn1.weight")), r"it lacks layer2\.0\.bn1\.weight\. Give a file of"),
    "more": (_state(lambda s: s.update(layer5=torch.zeros(2))), "it has layer5, which ResNet18 has not"),
    "shape": (
        _state(lambda s: s.update({"conv1.weight": torch.zeros(8, 2, 7, 7)})),
        r"another shape: conv1\.weight is \(8, 2, 7, 7\) there and \(8, 3, 7, 7\) here",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_weights_that_cannot_be_used_are_refused(tmp_path, case):
    write, message = WRONG[case]
    write(tmp_path / "w.pth")
    with pytest.raises(ConfigError, match=r"model\.encoders\.seen: weights: ") as caught:
        build_encoder("resnet18", "seen", {"channels": 3, "hidden": 8, "weights": str(tmp_path / "w.pth")})
    assert re.search(message, str(caught.value)), caught.value


def test_an_unknown_norm_is_refused():
    with pytest.raises(ConfigError, match="cannot be made: norm: expected 'group' or 'batch', got 'layer'"):
        build_encoder("resnet18", "seen", {"norm": "layer"})


def test_a_path_of_weights_is_seen_from_the_file_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "recipe").mkdir()
    for folder in (tmp_path / "recipe", tmp_path):
        (folder / "w.safetensors").write_text("")
    (tmp_path / "recipe" / "r.yaml").write_text("model: {encoders: {a: {name: resnet18, weights: w.safetensors}}}")
    monkeypatch.chdir(tmp_path)

    def found(*arguments):
        return load_config(*arguments).model.encoders["a"]["weights"]  # pyright: ignore

    assert found("recipe/r.yaml") == str(tmp_path / "recipe" / "w.safetensors")
    assert found("recipe/r.yaml", ["model.encoders.a.weights=w.safetensors"]) == str(tmp_path / "w.safetensors")
    assert found("recipe/r.yaml", ["model.encoders.a.weights=DEFAULT"]) == "DEFAULT"
    settings = "[{label: one, model: {encoders: {a: {name: resnet18, weights: w.safetensors}}}}]"
    (tmp_path / "recipe" / "study.yaml").write_text(f"compare: {{methods: [joint], settings: {settings}}}")
    changes = load_config("recipe/study.yaml").compare.settings[0].changes
    assert changes["model"]["encoders"]["a"]["weights"] == str(tmp_path / "recipe" / "w.safetensors")
    arms = "[{label: one, encoders: {a: {name: resnet18, weights: w.safetensors}}}, {label: two}]"
    (tmp_path / "recipe" / "arms.yaml").write_text(f"compare: {{encoders: {arms}}}")
    (arm, _) = load_config("recipe/arms.yaml").compare.encoders
    assert arm.encoders["a"] == {"name": "resnet18", "weights": str(tmp_path / "recipe" / "w.safetensors")}
