"""A finished analysis: where its numbers come from, what is kept, what is written, and how it is loaded."""

from __future__ import annotations

import csv
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

import equimodal as eq
from comparison.made_up import comparison
from equimodal.analyses.ablation import Ablation
from equimodal.analyses.arms import Arm
from equimodal.analyses.figures import analysis_charts, overall_charts
from equimodal.analyses.findings import Findings, load_findings
from equimodal.analyses.order import Order
from equimodal.analyses.result import SettingResult
from equimodal.analyses.running import prepare, run_analysis
from equimodal.comparison import jobs
from equimodal.comparison.result import Failure
from equimodal.config.method import parse_methods
from equimodal.config.run import build_config
from equimodal.display.charts import EpochChart
from equimodal.errors import RunError
from equimodal.reports.write import export
from equimodal.statistics.resampling import resampled_interval
from equimodal.tables.words import interval, number
from equimodal.training.fit import train
from equimodal.training.measure import pack

from .made_up import config, content, write_data

SETTINGS = [{"label": "all"}, {"label": "few", "data": {"labels": 40}}]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("order")
    plain = config(write_data(folder), methods=["paper"], settings=SETTINGS)
    out = folder / "out"
    findings = run_analysis(Order, plain, out=out, quiet=True, command="equimodal analyse order mine.yaml")
    return findings, out, plain, export(findings, out)


def test_each_run_is_read_as_it_was_measured(finished):
    findings, out, _, _ = finished
    for label, found in findings.settings.items():
        for arm in found.arms:
            for seed, reading in zip(found.comparison.seeds, found.readings[arm.label], strict=True):
                where = f"{label}/{arm.label.replace(', ', '-').replace(' > ', '-')}/seed-{seed}"
                run = eq.load(out / where)
                assert reading["order"] == list(run.model.fusion.order)
                assert reading["crossing.own"] == pytest.approx(run.test.scores["accuracy"], abs=1e-6)
                for name, scores in run.test.unimodal.items():
                    assert reading[f"alone.on.{name}"] == pytest.approx(scores["accuracy"], abs=1e-6)
                other = "crossing.first." + reading["order"][1]
                assert reading["crossing.reversed"] == reading[other]


def test_what_is_written(finished):
    findings, out, _, written = finished
    assert [path.relative_to(out).as_posix() for path in written[:3]] == ["report.html", "runs.csv", "table.md"]
    with (out / "runs.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 8 * 2
    assert {line["strategy"] for line in lines} == {"weak_to_strong", "strong_to_weak", "random", "fixed"}
    first = findings.settings["all"]
    assert float(lines[1]["accuracy"]) == first.comparison.values(first.arms[0].label, "accuracy")[1]
    assert float(lines[1]["crossing.off"]) == first.readings[first.arms[0].label][1]["crossing.off"]
    page = (out / "report.html").read_text()
    assert 'href="all/report.html"' in page and 'href="few/report.html"' in page
    assert "strong &gt; weak" in page and "What training did" in page
    assert "## few" in (out / "table.md").read_text()
    charts = [chart for part in (overall_charts(findings), *analysis_charts(findings)) for chart in part]
    assert len({chart.key for chart in charts}) == len(charts) == 3 + 16
    for path in written[3:]:
        root = ElementTree.parse(path).getroot()
        words = " ".join(text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text"))
        assert root.tag.endswith("svg") and (
            "from strong > weak" in words or "own order" in words or "gains" in words or "over all settings" in words
        )


def test_over_all_settings_differences_are_pooled(finished):
    findings, out, _, _ = finished
    whole = findings.overall()["paper"]
    table = whole.table()
    assert table.labels == ("weak_to_strong", "strong_to_weak", "random", "fixed")
    columns = {column.header: column.cells for column in table.columns}
    for i, strategy in enumerate(table.labels):
        means, variances = [], []
        for found in findings.settings.values():
            arms = [arm.label for arm in found.arms if arm.factors["strategy"] == strategy]
            bases = [arm.label for arm in found.arms if arm.factors["strategy"] == "weak_to_strong"]
            one, two = (
                np.mean(
                    [[result.test["accuracy"] for result in found.comparison.results[label]] for label in labels], 0
                )
                for labels in (arms, bases)
            )
            means.append((one.mean(), (one - two).mean()))
            variances.append((one - two).var(ddof=1) * (1 / 2 + found.comparison.overlap) / 4)
        assert columns["accuracy"][i].text == number(float(np.mean([mean for mean, _ in means])), 3)
        if i:
            difference = float(np.mean([difference for _, difference in means]))
            assert columns["difference"][i].text == number(difference, 3, sign=True)
            if sum(variances) > 0:
                free = sum(variances) ** 2 / sum(v**2 for v in variances)
                half = float(stats.t.ppf(0.975, free)) * sum(variances) ** 0.5
                assert columns["difference"][i].spread == interval(difference - half, difference + half, sign=True)
    assert columns["verdict"][0].text == "baseline" and columns["without memory: difference"][0].text == number(None)
    assert "Over all settings" in (out / "table.md").read_text() and "Over all settings" in str(findings)
    assert "<h2>Over all settings</h2>" in (out / "report.html").read_text()
    (row, *_) = overall_charts(findings)[0].rows
    assert row.label == "strong_to_weak" and row.marks[0].value == whole.difference("strong_to_weak", "accuracy").mean
    alone = replace(findings, settings={"all": findings.settings["all"]})
    assert alone.overall() == {} and overall_charts(alone) == [] and "Over all settings" not in alone.to_markdown()


def test_a_residual_memory_has_no_steps_to_show():
    """All else is said as it is of the paper's method."""
    arms, _ = Order(parse_methods(["equilibrium"])).arms(["a", "b"])
    table = comparison({arm.label: [0.6, 0.5] for arm in arms})
    shown = {}
    for steps in ({}, {"step.alone.a": 0.3, "step.own.a": 0.4}):
        reading = {"order": ["b", "a"], "crossing.own": 0.6, "crossing.reversed": 0.5, "crossing.off": 0.4, **steps}
        found = SettingResult(table, tuple(arms), (), {arm.label: (reading, reading) for arm in arms})
        tables = {one.title: one for one in Order.tables(found)}
        shown[bool(steps)] = [*tables, *(chart.key for chart in Order.charts(found))]
        first = {column.header: column.cells for column in tables["Training order by reading order"].columns}
        assert first["own order begins with"][0].text == "b 4 of 4" and first["without memory"][0].text == "0.400"
        said = " ".join(Order.sentences(found))
        assert "read in the reverse of its own order: accuracy" in said and "both read without memory" in said
    assert set(shown[True]) - set(shown[False]) == {"What a step gains by the memory it received", "gains"}


def test_finished_runs_are_kept_and_the_findings_are_loaded_as_they_were(finished, monkeypatch):
    findings, out, plain, _ = finished

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(jobs, "train", never)
    again = run_analysis(Order, plain, out=out, quiet=True, command="equimodal analyse order mine.yaml")
    assert again.to_markdown() == findings.to_markdown() == load_findings(out).to_markdown()
    assert load_findings(out).to_csv(out / "again.csv").read_text() == (out / "runs.csv").read_text()


def test_an_interrupted_analysis_resumes_to_the_same(finished, tmp_path, monkeypatch):
    findings, _, plain, _ = finished
    left = 7

    def dies(*arguments, **options):
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "train", dies)
        with pytest.raises(RunError, match="Interrupted"):
            run_analysis(Order, plain, out=tmp_path / "out", quiet=True)
    with pytest.raises(RunError, match="holds no finished analysis"):
        load_findings(tmp_path / "out")
    assert run_analysis(Order, plain, out=tmp_path / "out", quiet=True).to_markdown() == findings.to_markdown()


def test_a_folder_of_another_analysis_or_a_damaged_one(finished, tmp_path):
    _, out, plain, _ = finished
    with pytest.raises(RunError, match="not the folder of an ablation-analysis"):
        run_analysis(Ablation, plain, out=out, quiet=True)
    (tmp_path / "analysis.json").write_text('{"kind": "ordr", "passed_over": [], "command": null, "settings": {}}')
    with pytest.raises(RunError, match="Did you mean 'order'"):
        load_findings(tmp_path)
    (tmp_path / "analysis.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        load_findings(tmp_path)


def test_curves_are_the_history_over_the_reference(tmp_path):
    plain = config(write_data(tmp_path), methods=["equilibrium"])
    findings = run_analysis(Ablation, plain, out=tmp_path / "out", quiet=True)
    found = findings.settings["own"]
    run = eq.load(tmp_path / "out" / "own" / "equilibrium-full" / "seed-1")
    curves = found.readings["equilibrium, full"][1]["curves"]
    assert curves["edm"] == [line["validation"]["contribution"]["edm"] for line in run.history]
    for name in run.model.modalities:
        for used, line in zip(curves[f"utilisation.{name}"], run.history, strict=True):
            empty = line["validation"]["contribution"]["value_empty"]
            possible = run.reference["validation"][name] - empty
            expected = (line["validation"]["alone"][name] - empty) / possible if possible > 0 else None
            assert used == (None if expected is None else pytest.approx(expected))
    (charts,) = analysis_charts(findings)
    edm = next(chart for chart in charts if chart.key == "ablation-edm-epochs")
    assert isinstance(edm, EpochChart)
    both = [reading["curves"]["edm"] for reading in found.readings["equilibrium, full"]]
    for shown, values in zip(edm.lines[0].values, zip(*both, strict=True), strict=True):
        known = [value for value in values if value is not None]
        assert shown == (pytest.approx(np.mean(known)) if known else None)
    table = str(findings)
    assert "without memory" in table and "with sample mapping" in table and "relative time" in table
    assert "without gradient into the encoders" in table


def test_what_is_ignored_is_reported(tmp_path):
    given = content(
        write_data(tmp_path),
        methods=["joint", "paper"],
        primary=["paper vs joint"],
        tune={"trials": 2, "grid": {"training.learning_rate": [0.1]}, "own": {"paper": {"smoothing": [0.5]}}},
    )
    plain, passed_over = prepare(build_config(given))
    assert passed_over == ["the methods joint", "compare.primary", "compare.tune.own"]
    assert [method.label for method in plain.compare.methods] == ["paper"]
    assert plain.compare.primary == [] and plain.compare.tune and plain.compare.tune.own == {}
    assert [setting.label for setting in plain.compare.settings] == ["own"]
    alone, _ = prepare(build_config({"method": "paper"}))
    assert alone.compare.methods == [alone.method]


def test_a_group_is_averaged_within_each_seed():
    table = comparison({"a": [0.5, 0.7], "b": [0.7, 0.7], "c": [0.5, 0.4]})
    readings = {"a": [{"x": 1.0}, {"x": None}], "b": [{"x": 3.0}, {"x": 2.0}], "c": [{"x": 0.0}, {"x": None}]}
    found = SettingResult(table, (), (), readings)
    assert found.values(("a", "b"), "accuracy") == pytest.approx([0.6, 0.7])
    assert found.values(("a", "b"), "x") == [2.0, 2.0]
    assert found.values(("c",), "x") == [0.0, None]
    difference = found.difference(("a", "b"), ("c",), "accuracy")
    assert difference.mean == pytest.approx(0.2) and difference.count == 2
    assert found.difference(("b",), ("b",), "accuracy", "x").mean == pytest.approx(0.7 - 2.5)
    assert found.difference(("a",), ("c",), "accuracy") == table.difference("a", "c", "accuracy")


def test_on_a_fixed_split_groups_allow_for_another_test_sample():
    rng = np.random.default_rng(0)
    right = {label: rng.random((2, 50)) < 0.7 for label in "abc"}
    table = comparison({label: rows.mean(1).tolist() for label, rows in right.items()}, redraw="none")
    for label, rows in right.items():
        for result, row in zip(table.results[label], rows, strict=True):
            result.test.update(right=pack(row), samples=50)
    found = SettingResult(table, (), (), {})
    assert found.summary(("a", "a"), "accuracy") == table.summary("a", "accuracy")
    assert found.difference(("a",), ("b",), "accuracy") == table.difference("a", "b", "accuracy")
    both = found.difference(("a", "b"), ("c",), "accuracy")
    scores = (right["a"].astype(float) + right["b"]) / 2 - right["c"]
    assert (both.low, both.high) == pytest.approx(resampled_interval(scores, np.arange(50)))


def test_a_run_that_diverged_is_left_out_of_what_was_read(tmp_path):
    table = comparison({"a": [0.5, 0.7], "b": [0.7, 0.7]})
    results = {**table.results, "a": table.results["a"][:1]}
    failed = replace(table, results=results, failures=(Failure("a", 1, "the loss is not finite"),))
    spec = parse_methods(["paper"])[0]
    arms = tuple(Arm(spec.model_copy(update={"label": label}), "paper", {"part": label}) for label in "ab")
    readings = {"a": [{"x": 1.0}, {}], "b": [{"x": 3.0}, {"x": 2.0}]}
    setting = SettingResult(failed, arms, (), readings)
    assert setting.values(("a",), "x") == [1.0, None]
    assert setting.values(("a",), "accuracy") == [0.5, None]
    assert setting.values(("a", "b"), "accuracy") == pytest.approx([0.6, 0.7])
    assert setting.difference(("a",), ("b",), "accuracy").count == 1
    path = Findings("ablation", {"one": setting}).to_csv(tmp_path / "runs.csv")
    lines = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [(line["method"], line["seed"], line["x"]) for line in lines] == [
        ("a", "0", "1.0"),
        ("b", "0", "3.0"),
        ("b", "1", "2.0"),
    ]
