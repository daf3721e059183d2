"""Features over epochs: what runs keep, what is read from it, the figures, and the page that is written again."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from equimodal.analyses.feature_measures import linear_cka, modality_gap
from equimodal.analyses.feature_reading import read_features
from equimodal.analyses.feature_runs import run_features
from equimodal.analyses.features import POINTS, Features
from equimodal.analyses.figures import analysis_charts
from equimodal.analyses.findings import load_findings
from equimodal.comparison import jobs
from equimodal.config.method import parse_methods
from equimodal.config.run import build_config
from equimodal.display.charts import CurveGrid, PointGrid
from equimodal.errors import ConfigError, RunError
from equimodal.reports.write import export
from equimodal.training.encodings import read_encodings
from equimodal.training.fit import train
from equimodal.training.names import NAMES
from equimodal.training.run import load

from .made_up import content, write_data

METHODS = ["joint", "equilibrium"]


def configured(path, epochs=(0, 1, 2), rows=20, training=None, **compare):
    given = content(path, **{"methods": METHODS, **compare})
    given["measure"]["encodings"] = {"epochs": list(epochs), "rows": rows}
    given["training"].update(training or {})
    return build_config(given, NAMES)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    plain = configured(write_data(folder))
    findings = run_features(plain, out=folder / "out", quiet=True, command="equimodal analyse features mine.yaml")
    return findings, folder / "out", plain, export(findings, folder / "out")


def test_what_is_read_is_measured_on_what_the_runs_kept(finished):
    findings, out, _, _ = finished
    found = findings.settings["own"]
    for label in METHODS:
        for seed, reading in zip((0, 1), found.readings[label], strict=True):
            folder = out / "own" / label / f"seed-{seed}"
            kept = {epoch: read_encodings(folder, epoch) for epoch in (0, 1, 2)}
            last, here = kept[2], kept[2].present["weak"].numpy()
            weak, strong = (last.encodings[name].double().numpy() for name in ("weak", "strong"))
            labels = last.labels.numpy()
            assert not here.all()  # the measures are of the rows that have the modality
            assert reading["silhouette.weak.2"] == pytest.approx(silhouette_score(weak[here], labels[here]))
            assert reading["silhouette.logits.2"] == pytest.approx(silhouette_score(last.logits.double(), labels))
            assert reading["cka.strong+weak.2"] == pytest.approx(linear_cka(strong[here], weak[here]))
            assert reading["gap.strong+weak.2"] == pytest.approx(modality_gap(strong[here], weak[here]))
            first = kept[0].encodings["strong"].double().numpy()
            assert reading["cka.strong.0-2"] == pytest.approx(linear_cka(first, strong))
            assert ("silhouette.fused.2" in reading) == (label == "joint")
            assert reading["kept"]["rows"] == 20 and reading["kept"]["reached"] == [0, 1, 2]
            assert (reading["kept"]["points"] is None) == (seed == 1)  # the figures show the first seed


def test_tables_figures_and_sentences_are_of_all_methods(finished):
    findings, _, _, _ = finished
    (part,) = findings.parts()
    tables = {table.title: table for table in part.tables}
    assert set(tables["Silhouette"].labels) == {
        *(f"{space}, {method}" for space in ("strong", "weak", "logits") for method in METHODS),
        "fused, joint",
    }
    assert [column.header for column in tables["Modality gap"].columns] == ["epoch 0", "epoch 1", "epoch 2"]
    assert tables["CKA of modalities"].labels == ("strong and weak, joint", "strong and weak, equilibrium")
    assert "silhouette: strong" in tables["Differences after epoch 2"].labels
    values = [found.values((m,), "silhouette.strong.2") for found in findings.settings.values() for m in METHODS]
    change = tables["Differences after epoch 2"].columns[0].cells[0]
    assert float(change.text.replace("\u2212", "-")) == pytest.approx(np.mean(np.subtract(*values[::-1])), abs=6e-4)
    assert any(
        sentence.startswith("equilibrium against joint, silhouette after epoch 2:") for sentence in part.sentences
    )
    assert any("No single layer makes the decision of equilibrium" in sentence for sentence in part.sentences)
    (charts,) = analysis_charts(findings)
    grids = {chart.key: chart for chart in charts if isinstance(chart, PointGrid)}
    assert set(grids) == {f"features-{m}-{kind}" for m in METHODS for kind in ("pca", "tsne")}
    grid = grids["features-joint-tsne"]
    assert grid.columns == ("epoch 0", "epoch 1", "epoch 2")
    assert list(grid.rows) == ["strong", "weak", "fused", "logits"]
    assert list(grids["features-equilibrium-pca"].rows) == ["strong", "weak", "logits"]
    panel = grid.rows["strong"][0]
    assert panel is not None and sum(len(cloud.x) for cloud in panel) == 20
    curves = {chart.key: chart for chart in charts if isinstance(chart, CurveGrid)}
    line = curves["features-silhouette"].panels["strong"][0]
    assert line.values == tuple(
        findings.settings["own"].summary(("joint",), f"silhouette.strong.{e}").mean for e in (0, 1, 2)
    )
    assert curves["features-change"].panels["weak"][1].values[0] == 1.0


def test_what_is_written_is_loaded_and_written_as_it_was(finished):
    findings, out, _, written = finished
    page = (out / "report.html").read_bytes()
    assert len(page) < 1e6 and b"t-SNE of encodings by epoch: joint" in page
    assert (out / "figures" / "features-joint-pca.svg").is_file() and written[0] == out / "report.html"
    lines = list(csv.DictReader((out / "runs.csv").open(encoding="utf-8")))
    assert [(line["method"], line["seed"]) for line in lines] == [(m, seed) for m in METHODS for seed in "01"]
    assert (
        float(lines[0]["silhouette.strong.2"]) == findings.settings["own"].readings["joint"][0]["silhouette.strong.2"]
    )
    assert load_findings(out).to_markdown() == findings.to_markdown() == (out / "table.md").read_text()
    again = export(load_findings(out), out)
    assert again == written and (out / "report.html").read_bytes() == page


def test_finished_runs_are_kept_and_stopped_analyses_resumed(finished, monkeypatch, tmp_path):
    findings, out, plain, _ = finished
    trained = []

    def counts(*arguments, **options):
        trained.append(arguments)
        if len(trained) == 4:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(jobs, "train", counts)
    with pytest.raises(RunError, match="Interrupted: 3 of 6"):
        run_features(plain, out=tmp_path / "out", quiet=True)
    again = run_features(plain, out=tmp_path / "out", quiet=True)
    assert len(trained) == 4 + 3
    assert again.settings["own"].readings == findings.settings["own"].readings
    run_features(plain, out=out, quiet=True)
    assert len(trained) == 7
    with pytest.raises(RunError, match=r"measure\.encodings.*Choose another folder"):
        run_features(configured(plain.data.name, epochs=[0, 2]), out=out, quiet=True)


def test_a_run_that_ended_early_has_no_later_epochs(tmp_path):
    path = write_data(tmp_path)
    plain = configured(path, [0, 1, 8], training={"epochs": 8, "patience": 1}, methods=["joint"], seeds=1)
    findings = run_features(plain, out=tmp_path / "out", projections=["pca"], quiet=True)
    (reading,) = findings.settings["own"].readings["joint"]
    assert reading["kept"]["reached"] == [0, 1]
    assert reading["silhouette.strong.1"] is not None and reading["silhouette.strong.8"] is None
    assert reading["cka.strong.0-8"] is None and reading["gap.strong+weak.8"] is None
    assert "joint, seed 0, ended before epoch 8: its numbers are undefined there." in findings.parts()[0].sentences
    export(findings, tmp_path / "out")


def test_a_method_whose_every_run_diverged_has_no_figures(finished):
    findings, _, _, _ = finished
    found = findings.settings["own"]
    without = replace(found, readings={"joint": found.readings["joint"], "equilibrium": ({}, {})})
    keys = [chart.key for chart in Features.charts(without)]
    assert "joint-pca" in keys and "equilibrium-pca" not in keys
    assert Features.tables(without) and Features.sentences(without)


def test_encodings_that_were_deleted_are_missed(finished, tmp_path):
    _, out, _, _ = finished
    run = load(out / "own" / "joint" / "seed-1")
    kept = out / "own" / "joint" / "seed-1" / "encodings" / "epoch-1.safetensors"
    kept.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(RunError, match="kept no encodings of epoch 1, or they were deleted"):
            read_features(run)
    finally:
        (tmp_path / "elsewhere").rename(kept)
    with pytest.raises(RunError, match="this one has none"):
        read_features(replace(run, folder=None))


def test_a_setting_that_trains_less_is_named(tmp_path):
    settings: list[Any] = [{"label": "short", "training": {"epochs": 1}}]
    plain = configured(write_data(tmp_path), settings=settings)
    with pytest.raises(ConfigError, match=r"short.*epoch 2 is beyond training, which has 1"):
        run_features(plain, out=tmp_path / "out", quiet=True)


def test_settings_keep_the_epochs_of_their_own_training_where_none_are_named(tmp_path):
    settings: list[Any] = [
        {"label": "short", "training": {"epochs": 1}},
        {"label": "own", "training": {"epochs": 4}, "measure": {"encodings": {"epochs": [3]}}},
        {"label": "same", "measure": {"encodings": {"rows": 10}}},
    ]
    plain = configured(write_data(tmp_path), epochs=(), settings=settings, methods=["joint"], seeds=1)
    findings = run_features(plain, out=tmp_path / "out", projections=["pca"], quiet=True)
    kept = {label: found.readings["joint"][0]["kept"] for label, found in findings.settings.items()}
    assert {label: one["reached"] for label, one in kept.items()} == {"short": [0, 1], "own": [3], "same": [0, 1, 2]}
    assert kept["same"]["rows"] == 10


@pytest.mark.parametrize("wrong", [{"epochs": "many"}, {"epochs": 0}])
def test_a_setting_with_a_wrong_number_of_epochs_is_refused_with_all_other_mistakes(tmp_path, wrong):
    settings: list[Any] = [{"label": "wrong", "training": wrong}, {"label": "worse", "model": {"width": -1}}]
    plain = configured(write_data(tmp_path), epochs=(), settings=settings)
    with pytest.raises(ConfigError) as raised:
        run_features(plain, out=tmp_path / "out", quiet=True)
    assert "training.epochs" in str(raised.value) and "model.width" in str(raised.value)


def test_a_modality_may_not_be_called_what_figures_call_something_else():
    analysis = Features(parse_methods(["joint"]))
    with pytest.raises(ConfigError, match="a modality 'logits'"):
        analysis.arms(["image", "logits"])


def test_the_points_of_a_page_are_shared_by_its_settings_and_methods():
    assert Features(parse_methods(METHODS), settings=3).most == POINTS // 6


def test_the_readings_are_json(finished):
    findings, _, _, _ = finished
    readings = findings.settings["own"].readings
    assert json.loads(json.dumps(readings, allow_nan=False)) == {label: list(each) for label, each in readings.items()}
