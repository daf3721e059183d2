import csv
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import equimodal as eq
from equimodal.display.figure_files import write_figures
from equimodal.errors import ConfigError, RunError
from equimodal.statistics.estimates import estimate
from research.family import limits, place, splits
from research.family.figures import charts
from research.family.summary import Summary
from research.family.sweep import DIAGNOSED, METHODS, Sweep, run

TINY = {"sizes": (120, 40, 60), "training": {"epochs": 1}}
METHOD = ("alternating", "ensemble of logits")


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[Sweep, Path, Summary]:
    sweep = Sweep(interactions=(0, 3), weaknesses=(1.25, 0.75), methods=METHOD, seeds=2, **TINY)
    out = tmp_path_factory.mktemp("family")
    return sweep, out, Summary(sweep, tuple(run(sweep, out)))


def test_every_method_is_one_that_can_be_trained():
    labels = [method["label"] for method in METHODS]
    assert len(set(labels)) == len(labels)
    assert set(DIAGNOSED) <= set(labels)


def test_each_run_is_found_once_with_the_numbers_of_its_folder(swept):
    _, out, summary = swept
    keys = {(one.interactions, one.weak, one.method, one.seed) for one in summary.found}
    assert len(keys) == len(summary.found) == 2 * 2 * 2 * 2
    one = next(found for found in summary.found if (found.interactions, found.weak, found.seed) == (3, 0.75, 1))
    assert one.method == "alternating"
    trained = eq.load(out / "2-modalities-unique-3-of-3-weak-0.75" / "data-1" / "alternating" / "seed-1")
    assert one.accuracy == trained.test.accuracy
    assert one.interaction_accuracy == (trained.test.contribution.interactions or {})["a+b"]
    data = splits(place(3, weak=0.75), seed=1, sizes=TINY["sizes"])
    values = eq.diagnose(trained.model, data.test, value="log_likelihood_gain").coalition_values or {}
    index = values["a+b"] - values["a"] - values["b"] + values[""]
    assert one.interaction_likelihood == pytest.approx(index, abs=1e-6)


def test_only_some_methods_are_diagnosed(swept):
    _, _, summary = swept
    assert {one.method for one in summary.found if one.interaction_likelihood is not None} == {"alternating"}


def test_finished_runs_are_kept(swept):
    sweep, out, summary = swept
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert tuple(run(sweep, out)) == summary.found
    assert {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")} == before


def test_a_folder_with_other_rows_is_refused(swept):
    sweep, out, _ = swept
    other = replace(sweep, sizes=(120, 40, 61))
    with pytest.raises(RunError, match="other data"):
        next(run(other, out))


def test_the_tables_hold_means_over_seeds_and_the_limits(swept):
    _, _, summary = swept
    accuracy = summary.tables()[0]
    assert accuracy.title == "Accuracy, b of strength 1.25"
    assert accuracy.labels == (*METHOD, "perfect model", "product of unimodal experts")
    values = [one.accuracy for one in summary.found if (one.method, one.interactions, one.weak) == (METHOD[0], 3, 1.25)]
    found = estimate(values)
    assert accuracy.columns[1].header == "3 of 3"
    assert accuracy.columns[1].cells[0].text == f"{np.mean(values):.3f}"
    assert found.mean == pytest.approx(np.mean(values))
    assert accuracy.columns[1].cells[2].text == f"{limits(place(3, weak=1.25)).together:.3f}"
    assert accuracy.columns[1].cells[3].text == "0.125"


def test_the_files_hold_every_run_and_every_limit(swept, tmp_path):
    _, _, summary = swept
    runs, known = summary.write(tmp_path)
    with runs.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["accuracy"]) for row in rows] == [one.accuracy for one in summary.found]
    assert [row["alone.a"] for row in rows] == [str(one.alone["a"]) for one in summary.found]
    with known.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    for row in rows:
        expected = limits(place(int(row["interactions"]), float(row["weak"])))
        assert float(row["together"]) == expected.together
        assert float(row["information.interaction"]) == expected.information["interaction"]


def test_the_figures_show_methods_and_limits(swept, tmp_path):
    _, _, summary = swept
    made = charts(summary)
    assert [chart.key for chart in made] == [
        f"family-{what}-{weak}"
        for weak in ("1-25", "0-75")
        for what in ("accuracy", "interaction-accuracy", "interaction-likelihood")
    ]
    lines = {line.label: line for line in made[0].lines}
    assert list(lines) == ["best possible", "product of unimodal experts", *METHOD]
    assert lines["best possible"].values == tuple(limits(place(i, weak=1.25)).together for i in (0, 3))
    assert lines["alternating"].values[1] == summary.over_seeds("accuracy", "alternating", 3, 1.25).mean
    assert made[0].places == (0.0, 1.0)
    assert [line.label for line in made[2].lines] == ["perfect model", "alternating"]
    for path in write_figures(made, tmp_path, ("svg",)):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": ("joined",)}, "no method is called 'joined'"),
        ({"seeds": 0}, "seeds: expected at least 1"),
        ({"interactions": (4,)}, "interactions: expected 0 to 3"),
        ({"interactions": ()}, "interactions: expected one or more"),
        ({"weaknesses": (1.0, 1.0)}, "weaknesses: expected one or more different"),
        ({"weaknesses": (float("nan"),)}, "strengths.b: expected a finite number"),
    ],
)
def test_a_sweep_that_cannot_be(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Sweep(**wrong)
