"""Several sets of encoders: which runs are made, what is read from them, and how they are joined."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import equimodal as eq
from comparison.made_up import comparison
from equimodal.analyses.encoder_runs import by_encoders, join, run_encoders
from equimodal.analyses.encoders import Encoders, shares_and_size
from equimodal.analyses.figures import analysis_charts
from equimodal.analyses.findings import load_findings
from equimodal.analyses.result import SettingResult
from equimodal.analyses.running import prepare
from equimodal.comparison import jobs
from equimodal.comparison.compare import run_comparison
from equimodal.comparison.result import Failure
from equimodal.comparison.study import setting_config
from equimodal.config.method import parse_methods
from equimodal.config.run import build_config
from equimodal.data.catalogue import load_unreduced
from equimodal.display.charts import RowChart
from equimodal.errors import ConfigError, RunError
from equimodal.reports.write import export
from equimodal.training.fit import train

from .made_up import content, encoder_setting, write_data

ARMS: list[dict[str, Any]] = [
    {"label": "as they are"},
    {"label": "narrow, strong", "encoders": {"strong": {"name": "mlp", "hidden": 2}}},
]
OWN = {"weak": {"name": "mlp", "hidden": 6}}


def configured(path, **compare):
    given = content(path, **{"encoders": ARMS, "methods": ["joint"], **compare})
    given["model"]["encoders"] = OWN
    return build_config(given)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    plain = configured(write_data(folder, rows=90))
    findings = run_encoders(plain, out=folder / "out", quiet=True, command="equimodal analyse encoders mine.yaml")
    return findings, folder / "out", plain, export(findings, folder / "out")


def test_each_set_is_the_comparison_with_these_encoders_and_their_own_ensemble(finished):
    findings, _, plain, _ = finished
    found = findings.settings["own"]
    assert found.comparison.methods == ("joint, as they are", "joint, narrow, strong")
    data = load_unreduced(plain.data)
    for label, own in (("as they are", {}), ("narrow, strong", ARMS[1]["encoders"])):
        model = plain.model.model_copy(update={"encoders": {**OWN, **own}})
        alone = run_comparison(plain.model_copy(update={"model": model}), data, quiet=True)
        joined = found.comparison.results[f"joint, {label}"]
        for one, other in zip(joined, alone.results["joint"], strict=True):
            assert (one.test, one.reference) == (other.test, other.reference)
            assert (one.split["how"], one.sizes) == (other.split["how"], other.sizes)
    first, second = (results[0].reference for results in found.comparison.results.values())
    assert first["test"] != second["test"]


def test_what_is_read_is_what_the_run_measured(finished):
    findings, out, _, _ = finished
    found = findings.settings["own"]
    for arm in found.arms:
        for seed, reading in zip((0, 1), found.readings[arm.label], strict=True):
            place = out / f"own-{arm.words.replace(', ', '-').replace(' ', '-')}" / "joint" / f"seed-{seed}"
            run = eq.load(place)
            shares = run.test.contribution.shares
            for name in ("strong", "weak"):
                assert reading[f"share.{name}"] == (None if shares is None else shares[name])
                if shares is not None:
                    minor = shares[name] < 0.5 and run.reference["test"].knows(name) is not False
                    assert reading[f"minor.{name}"] == float(minor)
            assert reading["parameters"] == sum(p.numel() for p in run.model.parameters())
            run.model.encoders["strong"].requires_grad_(False)
            frozen = sum(p.numel() for p in run.model.encoders["strong"].parameters())
            assert shares_and_size(run)["parameters"] == reading["parameters"] - frozen > 0
    sizes = [found.readings[arm.label][0]["parameters"] for arm in found.arms]
    assert sizes[0] - sizes[1] == (128 - 2) * (4 + 1 + 8)  # hidden units of an MLP from 4 features to width 8


def test_what_is_written_is_loaded_as_it_was(finished):
    findings, out, _, written = finished
    assert [path.relative_to(out).as_posix() for path in written[:3]] == ["report.html", "runs.csv", "table.md"]
    lines = list(csv.DictReader((out / "runs.csv").open(encoding="utf-8")))
    assert [(line["encoders"], line["seed"]) for line in lines] == [
        (arm["label"], seed) for arm in ARMS for seed in ("0", "1")
    ]
    assert float(lines[3]["parameters"]) == findings.settings["own"].readings["joint, narrow, strong"][1]["parameters"]
    page = (out / "report.html").read_text()
    assert 'href="own/report.html"' in page and "narrow, strong against as they are" in page
    assert (out / "own" / "report.html").is_file() and (out / "figures" / "encoders-shares.svg").is_file()
    again = load_findings(out)
    assert again.to_markdown() == findings.to_markdown() == (out / "table.md").read_text()
    kept = (out / "encoders-analysis.yaml").read_text()
    assert "own, narrow, strong" in kept and "hidden: 2" in kept and "&" not in kept


def test_finished_runs_are_kept_and_killed_ones_resumed(finished, tmp_path, monkeypatch):
    findings, out, plain, _ = finished
    left = 5  # two ensembles and two runs of the first set, and the first ensemble of the second

    def dies(*arguments, **options):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "train", dies)
        with pytest.raises(RunError, match=r"own, narrow, strong: Interrupted: 1 of 4"):
            run_encoders(plain, out=tmp_path / "out", quiet=True)
    with pytest.raises(RunError, match="holds no finished analysis"):
        load_findings(tmp_path / "out")
    trained = []

    def counts(*arguments, **options):
        trained.append(arguments)
        return train(*arguments, **options)

    monkeypatch.setattr(jobs, "train", counts)
    resumed = run_encoders(plain, out=tmp_path / "out", quiet=True)
    assert len(trained) == 3
    numbers = [f.settings["own"].comparison.values("joint, narrow, strong", "loss") for f in (resumed, findings)]
    assert numbers[0] == numbers[1]
    run_encoders(plain, out=out, quiet=True)
    assert len(trained) == 3


def test_a_sets_encoder_replaces_another_with_its_options(tmp_path):
    given = content(tmp_path / "own.npz", methods=["joint"], settings=[{"label": "s"}, {"label": "t"}])
    given["model"]["encoders"] = {"a": {"name": "mlp", "hidden": 9, "layers": 2}, "b": "gru"}
    given["compare"]["settings"][1]["model"] = {"width": 4, "encoders": {"a": {"hidden": 5}}}
    given["compare"]["encoders"] = [{"label": "one"}, {"label": "two", "encoders": {"a": {"name": "cnn"}}}]
    plain, _ = prepare(build_config(given), Encoders.methods)
    study, places = by_encoders(plain)
    assert {label: list(each) for label, each in places.items()} == {"s": ["one", "two"], "t": ["one", "two"]}
    models = {setting.label: setting_config(study, setting).model for setting in study.compare.settings}
    assert {label: model.width for label, model in models.items()} == {
        "s, one": 8,
        "s, two": 8,
        "t, one": 4,
        "t, two": 4,
    }
    assert models["s, one"].encoders == {"a": {"name": "mlp", "hidden": 9, "layers": 2}, "b": "gru"}
    assert models["t, one"].encoders == {"a": {"name": "mlp", "hidden": 5, "layers": 2}, "b": "gru"}
    assert models["s, two"].encoders == models["t, two"].encoders == {"a": {"name": "cnn"}, "b": "gru"}


def test_every_method_is_taken_and_set_against_its_own_first_set():
    analysis = Encoders(parse_methods(["joint", "unimodal_ensemble"]), ["x", "y", "z"])
    arms, left_out = analysis.arms(())
    assert left_out == []
    assert [(arm.label, arm.recipe, arm.against) for arm in arms[:3]] == [
        ("joint, x", "joint", None),
        ("joint, y", "joint", "joint, x"),
        ("joint, z", "joint", "joint, x"),
    ]
    assert {arm.against for arm in arms[3:]} == {None, "unimodal_ensemble, x"}


def test_failures_keep_their_set_and_the_baseline_is_the_first():
    one, two = comparison({"joint": [0.5, 0.7]}), comparison({"joint": [0.6, 0.9]})
    failures = (Failure("unimodal_ensemble", 1, "the loss is not finite"), Failure("joint", 1, "so is this"))
    two = replace(two, results={"joint": two.results["joint"][:1]}, failures=failures)
    config = build_config({})
    joined = join({"x": one, "y": two}, ["joint, x", "joint, y"], config)
    assert joined.baseline == "joint, x"
    assert joined.values("joint, y", "accuracy") == [0.6, None]
    assert [failure.method for failure in joined.failures] == ["unimodal_ensemble, y", "joint, y"]
    assert joined.provenance["config"] == config.hash() and joined.provenance["data"] == "toy"


@pytest.fixture
def made_up() -> SettingResult:
    return encoder_setting()


def test_tables_and_sentences_say_the_shares_and_who_is_minor(made_up):
    tables = {table.title: table for table in Encoders.tables(made_up)}
    columns = {column.header: column.cells for column in tables["Contribution of each modality"].columns}
    assert [cell.text for cell in columns["share of a"]] == ["0.70", "0.65"]
    assert columns["share of a"][1].spread.endswith("(1 undefined)")
    assert columns["share of a: difference"][1].text == "0.00"  # of the seeds in which both are defined: -.3 and +.3
    assert [cell.text for cell in columns["minor"]] == ["a 1, b 2 of 3", "b 2 of 2"]
    accuracy = {column.header: column.cells for column in tables["Accuracy and balance"].columns}
    assert [cell.text for cell in accuracy["accuracy"]] == ["0.600", "0.733"]
    assert accuracy["difference"][1].text == "+0.133" and accuracy["verdict"][1].text == "too few seeds"
    cost = {column.header: column.cells for column in tables["Cost"].columns}
    assert [cell.text for cell in cost["trainable parameters"]] == ["100", "100"]
    said = Encoders.sentences(made_up)
    assert said[0] == "x: shares a 0.70 and b 0.30; minor: a 1, b 2 of 3."
    assert said[2].startswith("y against x: accuracy +0.133")


def test_undefined_shares_are_said_to_be(made_up):
    nothing = dict.fromkeys(["share.a", "share.b", "minor.a", "minor.b"])
    found = replace(made_up, readings={label: [nothing] * 3 for label in made_up.readings})
    assert Encoders.sentences(found)[0] == "x: shares undefined; minor: undefined."
    assert [mark.value for mark in Encoders.charts(found)[0].rows[0].marks] == [None, None]  # pyright: ignore


def test_the_figure_shows_each_share_with_its_seeds_and_the_target(made_up):
    shares, edm, *_ = Encoders.charts(made_up)
    assert isinstance(shares, RowChart) and shares.level == 0.5
    assert [row.label for row in shares.rows] == ["x", "y"]
    (first, other) = shares.rows[1].marks
    assert (first.value, first.each) == (pytest.approx(0.65), (0.6, 0.7))
    assert other.value == pytest.approx(np.mean([0.4, 0.3]))
    assert isinstance(edm, RowChart) and edm.key == "edm"
    mark = edm.rows[0].marks[0]
    half = 4.302653 * 0.1 * (1 / 3 + 0.5) ** 0.5  # Student's t with 2 degrees, half as many test as training rows
    assert mark.value == pytest.approx(0.2) and mark.interval == pytest.approx((0.2 - half, 0.2 + half))
    uneven = made_up.comparison.results["joint, x"][0].test["contribution"]["target"]
    uneven["a"] = 0.4
    assert Encoders.charts(made_up)[0].level is None  # pyright: ignore


def test_figures_have_keys_of_their_own(finished):
    (charts,) = analysis_charts(finished[0])
    assert [chart.key for chart in charts] == [
        f"encoders-{key}" for key in ("shares", "edm", "accuracy-difference", "edm-difference")
    ]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"encoders": []}, ["at least two sets of encoders, got none", "Write for instance"]),
        ({"encoders": ARMS[:1]}, ["at least two sets of encoders, got 1"]),
        ({"encoders": [ARMS[0], ARMS[0]]}, ["compare.encoders: 'as they are' is there twice"]),
        ({"encoders": [{"label": "a.b"}, {"label": "a.b!"}]}, ["'own, a.b' and 'own, a.b!'", "share the folder"]),
        (
            {"encoders": [{"label": "a"}, {"label": "b"}], "settings": [{"label": "s"}, {"label": "s a"}]},
            ["'s a' and 's, a' would share the folder 's-a'"],
        ),
        (
            {"encoders": [{"label": "a", "encoders": {"strng": "mlp"}}, {"label": "b", "encoders": {"weak": "gru"}}]},
            ["own, a: ", "'strng'. Did you mean 'strong'?", "own, b: model.encoders.weak: encoder 'gru'"],
        ),
        (
            {
                "encoders": [
                    {"label": "a", "encoders": {"weak": "mpl"}},
                    {"label": "b", "encoders": {"weak": {"name": 7}}},
                ]
            },
            ["compare.encoders (b).weak: expected a name"],
        ),
        ({"encoders": [{"label": "a", "encoder": {}}, ARMS[0]]}, ["compare.encoders.0.encoder", "'encoders'"]),
        ({"methods": ["joint", "joint"], "encoders": []}, ["'joint' is there twice", "at least two sets"]),
    ],
)
def test_mistakes_are_found_together_and_leave_nothing(tmp_path, change, parts):
    with pytest.raises(ConfigError) as raised:
        run_encoders(configured(write_data(tmp_path), **change), out=tmp_path / "out", quiet=True)
    for part in parts:
        assert part in str(raised.value)
    assert not (tmp_path / "out").exists()
