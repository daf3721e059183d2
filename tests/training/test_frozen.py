"""What does not train is neither moved nor saved nor copied, whatever the method; buffers move with their encoder."""

import json
import re
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from equimodal.batch import Batch
from equimodal.errors import ConfigError, Interrupted, RunError
from equimodal.methods.base import METHODS, Method
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import coalition_outputs, encode_all
from equimodal.models.predict import class_probabilities
from equimodal.models.state import copy_of
from equimodal.testing.watching import follow, watched
from equimodal.training.checkpoint import load_tensors
from equimodal.training.fit import fit
from equimodal.training.run import load
from training.frozen import Normed, OnFrozen, changed, clones, normed_model
from training.runs import assert_same_run, assert_same_weights, at_batch, fit_tiny, names_in, press_ctrl_c

OPTIONS = {
    "g_blending": ":super_epoch=1",
    "modality_valuation": ":warmup=1",
    "recon_boost": ":stage_epochs=1,rectify_epochs=1",
}
EVERY_METHOD = [
    *(name + OPTIONS.get(name, "") for name in METHODS.names()),
    "equilibrium:memory.encoders=false",
    "equilibrium:memory.coalitions=1,mapping.sample=true,mapping.tau=0.05",
    "equilibrium:alternation=epoch",
    "paper:alternation=epoch",
]
HARSH = {"learning_rate": 0.05, "weight_decay": 0.5, "epochs": 3}


# Nothing frozen moves


@pytest.mark.parametrize(
    ("method", "optimiser"), [*((method, "adamw") for method in EVERY_METHOD), ("mm_pareto", "sgd"), ("mla", "sgd")]
)
def test_a_frozen_encoder_and_a_frozen_base_do_not_move(tiny, method, optimiser):
    model = normed_model(tiny, {"vector": Normed, "sequence": OnFrozen})
    encoder = model.encoders["vector"].requires_grad_(False)
    encoder.layers[0].weight.grad = torch.ones(12, 5)  # left by a backward pass from before it was frozen
    base = model.encoders["sequence"].base
    before = clones(encoder), clones(base)
    training = HARSH if optimiser == "adamw" else {**HARSH, "learning_rate": 0.01}
    run = fit_tiny(tiny, method, model=model, optimiser=optimiser, reference=method == "joint", **training)
    assert changed(before[0], encoder) == set() and changed(before[1], base) == set()
    assert run.history[-1]["updates"]


def test_a_frozen_encoder_is_in_evaluation_mode_in_every_pass(tiny):
    model = normed_model(tiny, {"vector": Normed, "sequence": OnFrozen})
    model.encoders["vector"].requires_grad_(False)
    seen = set()

    def note(name):
        return lambda module, arguments: seen.add((name, module.training))

    for name, module in {
        "frozen": model.encoders["vector"].layers[3],
        "base": model.encoders["sequence"].base.layers[1],
        "head": model.encoders["sequence"].head,
    }.items():
        module.register_forward_pre_hook(note(name))
    fit_tiny(tiny, "joint", model=model)
    assert seen == {("frozen", False), ("base", False), ("head", True), ("head", False)}


def test_a_frozen_built_in_encoder_does_not_move_and_comes_back(tiny, tmp_path):
    model = Classifier.for_data(tiny, width=6)
    model.encoders["vector"].requires_grad_(False)
    before = clones(model.encoders["vector"])
    run = fit_tiny(tiny, "equilibrium", tmp_path, model=model, **HARSH)
    assert changed(before, model.encoders["vector"]) == set()
    assert "base.safetensors" in names_in(tmp_path)
    assert not any("encoders.vector" in name for name in load_file(tmp_path / "model.safetensors"))
    again = load(tmp_path)
    assert_same_weights(run.model.state_dict(), again.model.state_dict())
    assert torch.equal(class_probabilities(run.model, tiny.test), class_probabilities(again.model, tiny.test))


# Buffers move in the updates of their own modality


class Buffers:
    """A watch that notes, for every update, whose buffers moved since the update before, and whose might."""

    def __init__(self):
        self.steps = []

    def __call__(self, method: Method, batch: Batch, plain):
        before = {name: clones(encoder) for name, encoder in method.model.encoders.items()}
        weights = clones(method.model)

        def note(update, outcome):
            moved = {name: changed(before[name], encoder) for name, encoder in method.model.encoders.items()}
            for name, encoder in method.model.encoders.items():
                before[name] = clones(encoder)
            self.steps.append((set(update.modalities), moved))

        yield from follow(plain(batch), note)
        after = {name for name, encoder in method.model.encoders.items() if changed(before[name], encoder)}
        assert after == set(), f"{after} moved after the last update"
        assert weights.keys() == method.model.state_dict().keys()


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_running_statistics_move_only_with_their_encoder(tiny, method):
    watch = Buffers()
    with watched(METHODS.get(method.partition(":")[0]), watch):
        fit_tiny(tiny, method, model=normed_model(tiny, {"vector": Normed, "sequence": Normed}), epochs=3)
    some = set()
    for modalities, moved in watch.steps:
        for name, tensors in moved.items():
            weights = any("weight" in tensor for tensor in tensors)
            statistics = any("running" in tensor for tensor in tensors)
            assert name in modalities or not tensors, f"{name} moved in an update of {modalities}"
            assert weights == statistics, f"{name}: {tensors} moved in an update of {modalities}"
            some |= {name} if statistics else set()
    assert some == {"vector", "sequence"}  # and they do move


@pytest.mark.parametrize("method", ["joint", "equilibrium", "paper", "mla"])
def test_a_run_with_batch_norms_is_resumed_to_the_bit(tiny, tmp_path, method):
    def model():
        return normed_model(tiny, {"vector": Normed, "sequence": OnFrozen})

    fit_tiny(tiny, method, tmp_path / "whole", model=model())
    with at_batch(3, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, method, tmp_path / "stopped", model=model())
    fit_tiny(tiny, method, tmp_path / "stopped", model=model(), resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


# Modes


def test_every_excursion_restores_each_modules_own_mode(tiny):
    model = normed_model(tiny, {"vector": Normed, "sequence": OnFrozen}, fusion="memory")
    model.train()
    norm = model.encoders["vector"].layers[1].eval()  # the user's wish
    before = {name: module.training for name, module in model.named_modules()}
    assert before["encoders.vector.layers.3"] and not before["encoders.sequence.base.layers.1"]

    def same():
        return {name: module.training for name, module in model.named_modules()} == before

    statistics = clones(norm)
    data = model.prepare(tiny.test)
    masks = torch.eye(2, dtype=torch.bool)
    coalition_outputs(model, encode_all(model, data, 5), masks)
    assert same()
    class_probabilities(model, tiny.test)
    assert same()
    encoded = encode_all(model, data, 5)
    next(encoded)
    assert same()  # between two batches too
    encoded.close()
    assert same()
    Classifier.for_data(tiny, dict(model.encoders), width=6)
    assert same()

    def refuse(*arguments):
        raise ValueError("no")

    model.encoders["vector"].layers[4].register_forward_hook(refuse)
    for excursion in (lambda: list(encode_all(model, data)), lambda: class_probabilities(model, tiny.test)):
        with pytest.raises(ValueError, match="no"):
            excursion()
        assert same()
    assert changed(statistics, norm) == set()


class KeepsItsNorms(Normed):
    """The usual way to keep running statistics: a `train` that leaves the norms in evaluation mode."""

    def train(self, mode=True):
        super().train(mode)
        self.layers[1].eval()
        return self


def test_a_module_that_keeps_its_norms_in_evaluation_mode_is_respected(tiny):
    model = normed_model(tiny, {"vector": KeepsItsNorms})
    before = clones(model.encoders["vector"])
    fit_tiny(tiny, "joint", model=model)
    assert {name.rpartition(".")[2] for name in changed(before, model.encoders["vector"])} == {"weight", "bias"}


def test_a_frozen_module_is_not_switched():
    switched = []

    class Merges(nn.Linear):
        def train(self, mode=True):
            switched.append(mode)
            return super().train(mode)

    model = Classifier(
        {"a": Merges(3, 6).requires_grad_(False).eval(), "b": nn.Linear(4, 6)}, ["x", "y"], width=6, fusion="late"
    )
    switched.clear()
    model.train()
    model.eval()
    assert switched == [] and not model.training


# What is saved


class Wide(nn.Module):
    """65 MB that are frozen, with a batch norm; 12 kB that train."""

    def __init__(self):
        super().__init__()
        self.base = nn.Sequential(nn.Linear(5, 4000), nn.BatchNorm1d(4000), nn.ReLU(), nn.Linear(4000, 4000))
        with torch.no_grad():
            for parameter in self.base.parameters():
                parameter.fill_(1e-3)
        self.base.requires_grad_(False)
        self.head = nn.Linear(4000, 6, bias=False)

    def forward(self, x):
        return self.head(self.base(x))


def written() -> int:
    """Return the bytes that this process has written so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes as Linux does")
@pytest.mark.parametrize("method", ["joint", "umt", "g_blending:super_epoch=1", "info_reg", "equilibrium"])
def test_an_epoch_writes_less_than_a_megabyte_beside_65_that_are_frozen(tiny, tmp_path, method):
    model = Classifier.for_data(tiny, {"vector": Wide(), "sequence": Normed(3)}, width=6)
    frozen = sum(t.numel() * t.element_size() for t in model.encoders["vector"].base.state_dict().values())
    assert frozen > 64e6
    before = written()
    run = fit_tiny(tiny, method, tmp_path, model=model, epochs=3, reference=method == "joint")
    epochs = len(run.history) * (2 if method == "joint" else 1)
    assert 0 < written() - before < 1e6 * epochs
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2e6


def test_a_trial_and_a_reference_copy_nothing_that_is_frozen(tiny):
    model = Classifier.for_data(tiny, {"vector": Wide()}, width=6)
    other = copy_of(model)
    ours, theirs = model.encoders["vector"], other.encoders["vector"]
    for (name, one), two in zip(ours.base.state_dict().items(), theirs.base.state_dict().values(), strict=True):
        assert one.data_ptr() == two.data_ptr(), name
    assert ours.head.weight.data_ptr() != theirs.head.weight.data_ptr()
    assert model.encoders["sequence"].project.weight.data_ptr() != other.encoders["sequence"].project.weight.data_ptr()


# What is loaded


def test_a_run_on_a_frozen_base_is_loaded_from_the_module_and_the_trained_part(tiny, tmp_path):
    run = fit_tiny(tiny, "equilibrium", tmp_path, model=normed_model(tiny, {"vector": OnFrozen, "sequence": Normed}))
    tensors, header = load_tensors(tmp_path / "model.safetensors")
    assert {name for name in tensors if "vector" in name and "encoders" in name} == {
        "encoders.vector.head.weight",
        "encoders.vector.head.bias",
    }
    entry = header["specification"]["encoders"]
    assert entry["vector"]["class"] == "OnFrozen" and entry["vector"]["base"]["tensors"] == 9
    assert entry["sequence"] == {"class": "Normed"}
    for fresh in (OnFrozen(5), OnFrozen(5).requires_grad_(True)):  # how it is frozen now does not matter
        again = load(tmp_path, encoders={"vector": fresh, "sequence": Normed(3)})
        assert_same_weights(run.model.state_dict(), again.model.state_dict())
        assert torch.equal(class_probabilities(run.model, tiny.test), class_probabilities(again.model, tiny.test))


def test_another_base_is_refused(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path, model=normed_model(tiny, {"vector": OnFrozen}))
    with pytest.raises(RunError, match=r"another base of the encoder of 'vector'.* 9 \(\d+ B, checksum"):
        load(tmp_path, encoders={"vector": OnFrozen(5, seed=1)})
    moved = OnFrozen(5)
    moved.base.layers[1].running_var += 1e-3
    with pytest.raises(RunError, match="another base of the encoder of 'vector'"):
        load(tmp_path, encoders={"vector": moved})
    with pytest.raises(RunError, match=r"model's encoders\.vector\.base\.checksum"):
        again = Classifier.for_data(tiny, {"vector": OnFrozen(5, seed=1)}, width=6)
        fit_tiny(tiny, "joint", tmp_path, model=again, resume=True)
    with pytest.raises(ConfigError, match="encoders of your own for vector"):
        load(tmp_path)


def test_a_base_is_named_by_its_source_where_the_module_knows_it(tiny, tmp_path):
    model = normed_model(tiny, {"vector": OnFrozen})
    model.encoders["vector"].base.name_or_path = "someone/small-net"
    model.encoders["vector"].base.config = type("Config", (), {"_commit_hash": "abc123"})()
    fit_tiny(tiny, "joint", tmp_path, model=model)
    provenance = json.loads(json.dumps(load_tensors(tmp_path / "model.safetensors")[1]))
    base = provenance["specification"]["encoders"]["vector"]["base"]
    assert (base["source"], base["revision"]) == ("someone/small-net", "abc123")
    with pytest.raises(RunError, match=re.escape("source someone/small-net, revision abc123")):
        load(tmp_path, encoders={"vector": OnFrozen(5, seed=3)})


# Threads


def test_two_fits_in_two_threads_give_what_they_give_one_after_the_other(tiny):
    def run(method, model):
        return fit_tiny(tiny, method, model=model, epochs=3).model.state_dict()

    methods = ("equilibrium", "modality_dropout")
    alone = [run(method, normed_model(tiny, {"vector": Normed})) for method in methods]
    # Made before the threads: it seeds torch's generator itself, and not in turns.
    models = [normed_model(tiny, {"vector": Normed}) for _ in methods]
    found: dict[int, dict[str, torch.Tensor]] = {}
    threads = [
        threading.Thread(target=lambda i=i, method=method: found.update({i: run(method, models[i])}))
        for i, method in enumerate(methods)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, expected in enumerate(alone):
        assert_same_weights(expected, found[i])


def test_fit_in_a_thread_leaves_the_callers_random_numbers(tiny):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    thread = threading.Thread(target=lambda: fit_tiny(tiny, "joint"))
    thread.start()
    thread.join()
    assert torch.equal(torch.rand(3), expected)
    assert fit is not None
