"""Comparisons carried out on small data: what is shared, kept, gone on with and refused."""

from __future__ import annotations

import shutil
import signal
import typing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import equimodal as eq
from equimodal.comparison import jobs as module
from equimodal.comparison.compare import run_comparison
from equimodal.comparison.comparison import load_comparison
from equimodal.comparison.jobs import seed_data
from equimodal.config.options import TrainingOptions
from equimodal.config.run import TrainingConfig, build_config
from equimodal.data import catalogue
from equimodal.errors import ConfigError, DataError, Interrupted, RunError
from equimodal.locks import locked
from equimodal.training.ability import plain_reference
from equimodal.training.fit import train
from equimodal.training.loop import Trainer

QUICK: dict[str, Any] = {"epochs": 2, "quiet": True, "measure": {"bootstrap": 0}}


def arrays(seed=0, rows=150, noise=1.0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    strong = rng.normal(labels[:, None], noise, (rows, 3)).astype(np.float32)
    weak = rng.normal(labels[:, None] / 2, noise, (rows, 2)).astype(np.float32)
    return {"strong": strong, "weak": weak}, labels


def make_data(**options):
    return eq.Dataset(*arrays(**options), name="toy").split(seed=0)


def narrow(seed):
    """A classifier of random weights: only the seed that the caller sets makes it repeatable."""
    encoders = {"strong": torch.nn.Linear(3, 8), "weak": torch.nn.Linear(2, 8)}
    return eq.Classifier(encoders, ["0", "1", "2"], width=8)


def numbers(comparison):
    """Everything that must not differ between two ways to the same comparison: all but seconds and memory."""
    plain = comparison.to_dict()
    for result in plain["results"]:
        del result["seconds"], result["memory"]
    return plain["results"]


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A comparison in a folder; tests that change the folder take a copy."""
    out = tmp_path_factory.mktemp("comparison") / "out"
    return eq.compare(data, ["joint", "alternating"], seeds=2, out=out, **QUICK), out


@pytest.fixture
def trained(monkeypatch):
    """The (label, seed) of every run that is trained while the test runs."""
    calls = []

    def watched(config, *args, **options):
        calls.append((config.method.label, config.seed))
        return train(config, *args, **options)

    monkeypatch.setattr(module, "train", watched)
    return calls


def copy_of(finished, tmp_path):
    return shutil.copytree(finished[1], tmp_path / "out")


def test_a_run_is_what_train_gives_on_the_redrawn_split(data, finished):
    base = {"data": {"name": "toy", "split_seed": 1}, "training": {"epochs": 2}, "measure": {"bootstrap": 0}}
    base |= {"seed": 1, "reference": False}
    split = data.redraw(1)
    alone = train(build_config(base | {"method": "unimodal_ensemble"}), split, quiet=True)
    reference = alone.reference
    run = train(build_config(base | {"method": "joint"}), split, quiet=True, reference=reference)
    result = finished[0].results["joint"][1]
    assert result.test == run.test.to_dict()
    assert result.reference == plain_reference(reference)
    assert result.validation_accuracy == run.validation.scores["accuracy"]
    assert result.best_epoch == run.best_epoch
    assert result.updates == {"strong": 4, "weak": 4}  # 90 rows: 2 batches an epoch
    assert result.sizes == {"train": 90, "validation": 30, "test": 30, "pool": 90}


def test_memory_and_folder_give_the_same(data, finished):
    assert numbers(eq.compare(data, ["joint", "alternating"], seeds=2, **QUICK)) == numbers(finished[0])


def test_the_folder_holds_runs_and_the_comparison(finished):
    comparison, out = finished
    assert load_comparison(out).to_dict() == comparison.to_dict()
    runs = sorted(str(path.parent.relative_to(out)) for path in out.glob("*/*/metrics.json"))
    methods = ("alternating", "joint", "unimodal_ensemble")
    assert runs == [f"{method}/seed-{seed}" for method in methods for seed in (0, 1)]
    assert eq.load(out / "joint" / "seed-1").test.to_dict() == comparison.results["joint"][1].test
    assert comparison.provenance["data"] == "toy"
    assert comparison.provenance["split"]["sizes"]["train"] == 90


def test_ensemble_comes_first_and_is_everyones_reference(data, trained):
    comparison = eq.compare(data, ["joint", "unimodal_ensemble"], seeds=2, **QUICK)
    ensemble = comparison.results["unimodal_ensemble"]
    assert trained == [("unimodal_ensemble", 0), ("unimodal_ensemble", 1), ("joint", 0), ("joint", 1)]
    assert comparison.methods == ("joint", "unimodal_ensemble")
    for joint, alone in zip(comparison.results["joint"], ensemble, strict=True):
        assert joint.reference["test"]["alone"] == alone.test["alone"]
    assert comparison.values("unimodal_ensemble", "smallest_utilisation") == [1.0, 1.0]


def test_unlisted_ensemble_is_trained_but_not_in_the_table(data, trained):
    comparison = eq.compare(data, ["joint"], seeds=1, **QUICK)
    assert trained == [("unimodal_ensemble", 0), ("joint", 0)]
    assert comparison.methods == ("joint",)
    assert set(comparison.results) == {"joint"}


def test_finished_runs_are_kept(data, finished, trained, tmp_path):
    out = copy_of(finished, tmp_path)
    (out / "comparison.json").unlink()
    again = eq.compare(data, ["joint", "alternating"], seeds=2, out=out, **QUICK)
    assert trained == []
    assert again.to_dict() == finished[0].to_dict() == load_comparison(out).to_dict()


def test_a_deleted_run_is_trained_again_and_no_other(data, finished, trained, tmp_path):
    out = copy_of(finished, tmp_path)
    shutil.rmtree(out / "alternating" / "seed-1")
    again = eq.compare(data, ["joint", "alternating"], seeds=2, out=out, **QUICK)
    assert trained == [("alternating", 1)]
    assert numbers(again) == numbers(finished[0])


def test_seeds_and_methods_may_be_added(data, finished, trained, tmp_path):
    out = copy_of(finished, tmp_path)
    more = eq.compare(data, ["joint", "uniform"], seeds=3, out=out, **QUICK)
    assert trained == [
        ("unimodal_ensemble", 2),
        ("uniform", 0),
        ("uniform", 1),
        ("joint", 2),
        ("uniform", 2),
    ]
    assert more.results["joint"][:2] == finished[0].results["joint"]


def test_an_interrupted_comparison_goes_on_to_the_same_numbers(data, finished, monkeypatch, tmp_path):
    epochs, out = [], tmp_path / "out"
    train_epoch = Trainer._train_epoch

    def interrupted(trainer, *args):
        train_epoch(trainer, *args)
        epochs.append(trainer.config.method.label)
        if len(epochs) == 9:  # after the two ensembles (2 x 2 x 2 epochs), in the middle of the first joint run
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_train_epoch", interrupted)
    with pytest.raises(Interrupted, match="2 of 6 runs are finished"):
        eq.compare(data, ["joint", "alternating"], seeds=2, out=out, **QUICK)
    assert (out / "joint" / "seed-0" / "checkpoint").exists()
    assert not (out / "joint" / "seed-0" / "metrics.json").exists()
    assert not (out / "comparison.json").exists()
    again = eq.compare(data, ["joint", "alternating"], seeds=2, out=out, **QUICK)
    assert epochs[9:] == [
        "joint",
        "alternating",
        "alternating",
        "joint",
        "joint",
        "alternating",
        "alternating",
    ]
    assert numbers(again) == numbers(finished[0])


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(data, finished, tmp_path):
    threads = torch.get_num_threads()
    side_by_side = eq.compare(data, ["joint", "alternating"], seeds=2, out=tmp_path / "out", workers=2, **QUICK)
    assert torch.get_num_threads() == threads
    for mine, other in zip(side_by_side.to_dict()["results"], finished[0].to_dict()["results"], strict=True):
        assert (mine["method"], mine["seed"], mine["updates"]) == (
            other["method"],
            other["seed"],
            other["updates"],
        )
        assert mine["test"]["accuracy"] == other["test"]["accuracy"]
        assert mine["test"]["loss"] == pytest.approx(other["test"]["loss"], abs=1e-5)
        assert mine["reference"] == other["reference"]


@pytest.mark.slow
def test_processes_write_where_the_caller_is_now(data, tmp_path, monkeypatch):
    """They outlive a comparison, and the caller may have changed folder since they started."""
    for name in ("before", "now"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        eq.compare(data, ["joint", "alternating"], seeds=1, out=Path("out"), workers=2, **QUICK)
        found = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("metrics.json")}
        assert found >= {f"{name}/out/{method}/seed-0" for method in ("joint", "alternating")}


def change_training(data, out):
    eq.compare(data, ["joint"], seeds=2, out=out, **dict(QUICK, epochs=3))


def change_redraw(data, out):
    eq.compare(data, ["joint"], seeds=2, out=out, redraw="none", **QUICK)


def change_method(data, out):
    eq.compare(data, [{"name": "uniform", "label": "joint"}], seeds=2, out=out, **QUICK)


def change_data(data, out):
    eq.compare(make_data(noise=1.1), ["joint"], seeds=2, out=out, **QUICK)


def forbid_resume(data, out):
    eq.compare(data, ["joint"], seeds=2, out=out, resume=False, **QUICK)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (change_training, r"training.epochs: 2 there, 3 here"),
        (change_redraw, r"compare.redraw: 'split' there, 'none' here"),
        (change_method, r"method 'joint'.*'joint' there, 'uniform' here"),
        (change_data, r"other data"),
        (forbid_resume, r"holds a comparison already"),
    ],
)
def test_another_configuration_is_refused_before_training(call, message, data, finished, trained):
    before = (finished[1] / "compare.yaml").read_text()
    with pytest.raises(RunError, match=message):
        call(data, finished[1])
    assert trained == []
    assert (finished[1] / "compare.yaml").read_text() == before


def test_foreign_folders_and_files_are_refused(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match="not empty, and not the folder of a comparison"):
        eq.compare(data, ["joint"], seeds=1, out=tmp_path, **QUICK)
    with pytest.raises(RunError, match="is a file"):
        eq.compare(data, ["joint"], seeds=1, out=tmp_path / "thesis.tex", **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "compare.yaml").write_text("# mine\nseed: 3\n")
    with pytest.raises(RunError, match="not empty, and not the folder of a comparison"):
        eq.compare(data, ["joint"], seeds=1, out=tmp_path / "mine", **QUICK)
    assert (tmp_path / "mine" / "compare.yaml").read_text() == "# mine\nseed: 3\n"


def test_damaged_run_is_named(data, finished, tmp_path):
    out = copy_of(finished, tmp_path)
    path = out / "joint" / "seed-0" / "metrics.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(RunError, match=r"seed-0: a file of the run is missing or damaged.*Delete the folder"):
        eq.compare(data, ["joint", "alternating"], seeds=2, out=out, **QUICK)


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        ([], {}, "expected at least one method"),
        ("joint", {}, "expected a list of methods"),
        (["joint", "joint"], {}, "'joint' is there twice"),
        (
            ["joint", {"name": "uniform", "label": "unimodal_ensemble"}],
            {},
            "'unimodal_ensemble' is there twice",
        ),
        (["joint", {"name": "joint", "label": "Joint."}], {}, "would share the folder 'joint'"),
        (["jiont"], {}, "Did you mean 'joint'"),
        (["joint"], {"seeds": 0}, "compare.seeds"),
        (["joint"], {"redraw": "no"}, "compare.redraw"),
        (["joint"], {"workers": 0}, "workers: expected at least 1"),
        (["joint"], {"epoch": 3}, "Did you mean 'epochs'"),
        (["joint"], {"model": narrow(0)}, "expected a function from a seed"),
        (
            ["joint"],
            {"model": lambda _: torch.nn.Linear(1, 1)},
            "expected a Classifier for seed 0, got Linear",
        ),
    ],
)
def test_mistakes_have_one_clear_message(methods, options, message, data):
    with pytest.raises(ConfigError, match=message):
        eq.compare(data, methods, **({"seeds": 1, **QUICK} | options))


def test_all_mistakes_are_reported_together(data):
    with pytest.raises(ConfigError) as caught:
        eq.compare(data, ["joint", "joint"], workers=0, **QUICK)
    assert len(caught.value.problems) == 2


def test_a_fusion_that_a_method_cannot_train_is_found_before_training(data, trained):
    config = build_config({"model": {"fusion": "concat"}, "compare": {"methods": ["joint", "alternating"]}})
    with pytest.raises(ConfigError, match=r"model\.fusion: 'alternating' trains the fusions"):
        run_comparison(config, data, quiet=True)
    assert trained == []


def test_the_ensemble_keeps_its_fusion_where_the_others_share_one(data):
    config = build_config(
        {
            "model": {"fusion": "concat"},
            "training": {"epochs": 1},
            "measure": {"bootstrap": 0},
            "compare": {"methods": ["joint", "unimodal_ensemble"], "seeds": 1},
        }
    )
    assert run_comparison(config, data, quiet=True).methods == ("joint", "unimodal_ensemble")


def test_unsplit_data_are_answered():
    with pytest.raises(DataError, match="Split it first"):
        eq.compare(eq.Dataset(*arrays()), ["joint"])  # pyright: ignore


def test_where_every_run_diverges_there_is_nothing_to_compare(data):
    with pytest.raises(RunError, match=r"^Every run diverged, for instance joint, seed 0: Epoch 1"):
        eq.compare(data, ["joint"], seeds=1, learning_rate=1e38, optimiser="sgd", clip_norm=None, **QUICK)


def test_one_start_for_all_methods_of_a_seed(data, monkeypatch):
    starts = {}

    def watched(config, data, model, **options):
        weights = torch.cat([p.detach().flatten() for p in model.encoders.parameters()])
        starts[config.method.label, config.seed] = weights.clone()
        return train(config, data, model, **options)

    monkeypatch.setattr(module, "train", watched)
    torch.manual_seed(5)
    eq.compare(data, ["joint", "alternating"], model=narrow, seeds=2, **QUICK)
    for seed in (0, 1):
        for method in ("joint", "alternating"):
            assert torch.equal(starts[method, seed], starts["unimodal_ensemble", seed])
    assert not torch.equal(starts["joint", 0], starts["joint", 1])


def test_one_classifier_for_all_seeds_is_copied(data):
    mine = narrow(0)
    before = {name: tensor.clone() for name, tensor in mine.state_dict().items()}
    comparison = eq.compare(data, ["joint"], model=lambda _: mine, seeds=1, **QUICK)
    assert comparison.results["joint"][0].updates["weak"] > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in mine.state_dict().items())
    assert not mine.has_fusion


def test_fixed_split_is_left_alone(data, monkeypatch):
    seen = []

    def watched(config, data, model, **options):
        seen.append((config.data.split_seed, data.test.ids.tolist()))
        return train(config, data, model, **options)

    monkeypatch.setattr(module, "train", watched)
    comparison = eq.compare(data, ["joint"], seeds=2, redraw="none", **QUICK)
    assert all(entry == (None, data.test.ids.tolist()) for entry in seen)
    assert comparison.overlap == 0
    assert comparison.values("joint", "loss")[0] != comparison.values("joint", "loss")[1]


@pytest.mark.parametrize("redraw", ["split", "none"])
@pytest.mark.parametrize("labels", [None, 20])
def test_data_of_a_seed_is_what_the_runs_own_configuration_loads(redraw, labels, tmp_path):
    """So that evaluating a run of the comparison by itself meets the same split."""
    columns, target = arrays()
    path = tmp_path / "own.npz"
    np.savez(path, strong=columns["strong"], weak=columns["weak"], labels=target)
    about = {"data": {"name": str(path), "labels": labels, "split_seed": 4}, "compare": {"redraw": redraw}}
    config = build_config(about)
    whole = catalogue.load(path, split_seed=4)
    mine = seed_data(config, whole, 7)
    own = module.run_config(config, config.method, 7).data
    theirs = catalogue.load(own.name, labels=own.labels, split_seed=own.split_seed)
    for part, rows in mine.parts().items():
        assert rows.ids.tolist() == theirs.parts()[part].ids.tolist()
    assert len(mine.train) == (labels or 90)
    assert (mine.test.ids.tolist() == whole.test.ids.tolist()) == (redraw == "none")


def test_redrawing_comes_before_scarcity(data):
    config = build_config({"data": {"labels": 20}})
    seeds = [seed_data(config, data, seed) for seed in (0, 1, 2)]
    assert {len(split.train) for split in seeds} == {20}
    assert {len(split.test) for split in seeds} == {30}
    for split in seeds:  # validation and test are drawn from all rows, not from what scarcity left
        assert not set(split.train.ids) & set(split.test.ids)
    assert len(set().union(*(set(split.train.ids) for split in seeds))) > 45


def test_the_correction_for_shared_rows_does_not_grow_with_labels_left_out(data, tmp_path):
    about = {"data": {"labels": 20}, "training": {"epochs": 1}, "compare": {"methods": ["joint"], "seeds": 2}}
    out = tmp_path / "few"
    found = run_comparison(build_config(about), data, out=out, quiet=True)
    assert {result.sizes["train"] for result in found.results["joint"]} == {20}
    assert found.overlap == pytest.approx(30 / 90)
    shutil.rmtree(out / "joint" / "seed-1")
    again = run_comparison(build_config(about), data, out=out, resume=True, quiet=True)  # one run read, one trained
    assert again.overlap == found.overlap == load_comparison(out).overlap


def test_progress_is_a_line_a_run_or_nothing(data, capsys):
    eq.compare(data, ["joint"], seeds=2, **dict(QUICK, quiet=False))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("toy: 4 runs, about ")
    assert lines[1].startswith("About ") and lines[1].endswith(" in all.")
    assert lines[4].startswith("run 3/4  joint, seed 0: accuracy 0.")
    assert lines[4].endswith(" left") and "left" not in lines[5]
    assert lines[5].startswith("run 4/4  joint, seed 1: accuracy 0.")
    eq.compare(data, ["joint"], seeds=1, **QUICK)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_compare_yaml_is_a_recipe_of_the_comparison(finished):
    content = yaml.safe_load((finished[1] / "compare.yaml").read_text())
    assert content["provenance"]["data"] == "toy"
    assert [method["name"] for method in content["compare"]["methods"]] == ["joint", "alternating"]
    assert content["training"]["epochs"] == 2


def test_fingerprint_sees_what_changes_results(data):
    columns, labels = arrays()
    same = eq.Dataset(columns, labels, name="another name").split(seed=0)
    assert same.fingerprint() == data.fingerprint()
    assert eq.Dataset(columns, labels).split(seed=1).fingerprint() != data.fingerprint()
    scaled = eq.Dataset(columns | {"weak": columns["weak"] * 2}, labels).split(seed=0)
    assert scaled.fingerprint() != data.fingerprint()
    lacking = eq.Dataset(columns, labels, present={"weak": labels > 0}).split(seed=0)
    assert lacking.fingerprint() != data.fingerprint()


def test_encoders_are_built_on_each_seeds_own_training_rows(data, monkeypatch):
    """Statistics of the built-in encoders are those of the seed's training part, not of the split that was given."""
    shifted = eq.Dataset({**arrays()[0], "weak": arrays()[0]["weak"] * 50 + 7}, arrays()[1], name="toy").split(seed=0)
    seen = {}

    def watched(config, data, model, **options):
        made = model.encoders["weak"]
        seen[config.seed] = (made, data.train.arrays["weak"], type(model.encoders["strong"]))
        return train(config, data, model, **options)

    monkeypatch.setattr(module, "train", watched)
    encoders: dict[str, Any] = {"strong": lambda: torch.nn.Linear(3, 8), "weak": {"name": "mlp", "hidden": 4}}
    eq.compare(shifted, ["joint"], seeds=2, encoders=encoders, width=8, **QUICK)
    means = []
    for seed, (made, rows, kind) in seen.items():
        assert kind is torch.nn.Linear
        assert np.array_equal(rows, shifted.redraw(seed).train.arrays["weak"])
        (mean,) = [b.numpy().ravel() for name, b in made.named_buffers() if name.endswith("mean")]
        assert mean == pytest.approx(rows.mean(0), rel=1e-4)
        means.append(mean)
    assert not np.allclose(means[0], means[1])


@pytest.mark.parametrize("given", ["function", "module"])
def test_own_encoders_start_alike_in_all_methods_and_are_never_shared(given, data, monkeypatch):
    starts, made = {}, []
    mine = torch.nn.Linear(3, 8)
    before = mine.weight.detach().clone()

    def watched(config, data, model, **options):
        made.append(model.encoders["strong"])
        starts[config.method.label, config.seed] = model.encoders["strong"].weight.detach().clone()
        return train(config, data, model, **options)

    monkeypatch.setattr(module, "train", watched)
    encoders: dict[str, Any] = {"strong": mine if given == "module" else lambda: torch.nn.Linear(3, 8)}
    torch.manual_seed(5)
    found = eq.compare(data, ["joint", "alternating"], seeds=2, encoders=encoders, width=8, **QUICK)
    assert len({id(encoder) for encoder in made}) == len(made) == 6
    assert torch.equal(mine.weight, before)  # a module of the user is copied, not trained
    for seed in (0, 1):
        for method in ("joint", "alternating"):
            assert torch.equal(starts[method, seed], starts["unimodal_ensemble", seed])
    assert torch.equal(starts["joint", 0], starts["joint", 1]) == (given == "module")
    torch.manual_seed(6)
    again = eq.compare(data, ["joint", "alternating"], seeds=2, encoders=encoders, width=8, **QUICK)
    assert numbers(again) == numbers(found)


def test_encoders_by_name_are_those_of_the_configuration(data):
    found = eq.compare(data, ["joint"], seeds=1, encoders={"weak": {"name": "mlp", "hidden": 4}}, width=8, **QUICK)
    config = build_config(
        {
            "data": {"name": "toy"},
            "model": {"width": 8, "encoders": {"weak": {"name": "mlp", "hidden": 4}}},
            "training": {"epochs": 2},
            "measure": {"bootstrap": 0},
            "compare": {"methods": ["joint"], "seeds": 1},
        }
    )
    assert numbers(run_comparison(config, data, quiet=True)) == numbers(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoders": {"waek": "mlp"}}, "Did you mean 'weak'"),
        ({"encoders": {"weak": "mpl"}}, "Did you mean 'mlp'"),
        ({"encoders": {"weak": 3}}, r"encoders\.weak: expected a name, a mapping, a module or a function"),
        ({"encoders": {"weak": lambda: 3}}, r"encoders\.weak: expected a function that returns a module, got int"),
        ({"encoders": {"weak": "mlp"}, "model": narrow}, "Leave out model, or encoders and width"),
        ({"width": 0}, "model.width"),
    ],
)
def test_mistakes_in_encoders_are_found_before_training(options, message, data, trained):
    with pytest.raises(ConfigError, match=message):
        eq.compare(data, ["joint"], seeds=1, **options, **QUICK)
    assert trained == []


def test_a_split_that_a_later_seed_cannot_draw_is_found_before_training(data, trained, monkeypatch):
    from equimodal.comparison import preflight

    def draw(config, data, seed):
        if seed == 2:
            raise DataError("the split: train: only one class (0).")
        return seed_data(config, data, seed)

    monkeypatch.setattr(preflight, "seed_data", draw)
    with pytest.raises(DataError, match="seed 2: the split: train: only one class"):
        eq.compare(data, ["joint"], seeds=3, **QUICK)
    assert trained == []


def test_training_options_are_those_of_the_configuration():
    given = typing.get_type_hints(TrainingOptions)
    assert given.keys() == TrainingConfig.model_fields.keys()
    for name, field in TrainingConfig.model_fields.items():
        assert given[name] == field.annotation


def test_comparisons_in_threads_give_what_they_give_one_by_one(data, finished, tmp_path):
    """Two comparisons at once in one process, and a second one on a folder in use."""

    def work(_: int) -> Any:
        return eq.compare(data, ["joint", "alternating"], seeds=2, **QUICK)

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(work, range(2)):
            assert numbers(found) == numbers(finished[0])
    with locked(tmp_path, "a comparison"), pytest.raises(RunError, match="another process"):
        eq.compare(data, ["joint"], seeds=1, out=tmp_path, **QUICK)
