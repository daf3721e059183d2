"""A model with entries missing: against the closed form, against predictions made anew, and written and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

import equimodal as eq
from data.own_data import write_own_data
from equimodal.contribution.missing import value_missing
from equimodal.data.catalogue import load
from equimodal.data.missing import keep_some
from equimodal.errors import ConfigError, RunError
from equimodal.inference.evaluation import Chosen, rows_to_measure
from equimodal.inference.missing import measure_missing
from equimodal.inference.missing_report import read_missing, save_missing
from equimodal.models.predict import class_probabilities
from equimodal.reports.robustness import report_missing
from equimodal.seeds import derive_seed

QUICK = {"epochs": 2, "reference": False, "quiet": True, "measure": {"bootstrap": 0}}


def made(n, present=None, rows=150, **options):
    """A run on n modalities that know something of the label, the first ones more, and its splits."""
    random = np.random.default_rng(0)
    labels = np.arange(rows) % 3
    arrays = {f"m{i}": random.normal(size=(rows, 3)) + labels[:, None] / (1 + i) for i in range(n)}
    splits = eq.Dataset(arrays, labels, present=present).split(seed=0)
    model = eq.Classifier.for_data(splits, width=8, fusion="gated")
    return eq.fit(model, splits, "joint", **{**QUICK, **options}), splits


@pytest.fixture(scope="module")
def three():
    return made(3, learning_rate=0.01)


@pytest.fixture(scope="module")
def found(three):
    run, splits = three
    return measure_missing(run, Chosen(splits.test, "test"), masks=400)


def test_the_mean_over_masks_is_the_closed_form(three, found):
    run, _ = three
    for each in found.rates:
        assert each.accuracy.mean == pytest.approx(run.test.accuracy_missing(each.rate), abs=0.01)
        assert each.accuracy.low - 1e-9 <= each.accuracy.mean <= each.accuracy.high + 1e-9
    losses = {"": 0.0} | {each.name: each.loss for each in found.subsets}
    assert found.rates[5].loss.mean == pytest.approx(value_missing(losses, 3, 0.5), rel=0.03)
    assert [each.rate for each in found.rates] == [rate / 10 for rate in range(10)]


def test_without_missing_entries_it_is_the_measurement_of_the_run(three, found):
    run, _ = three
    first = found.rates[0]
    assert [first.accuracy.mean, first.accuracy.low, first.accuracy.high] == pytest.approx([run.test.accuracy] * 3)
    assert first.loss.mean == pytest.approx(run.test.loss, rel=1e-6)
    assert first.edm == pytest.approx(run.test.edm, rel=1e-9)
    assert {each.name: each.accuracy for each in found.subsets} == pytest.approx(
        {name: value for name, value in run.test.subsets.items() if name}
    )


def test_summaries(found):
    means = [each.accuracy.mean for each in found.rates]
    assert found.area == pytest.approx(np.sum((np.array(means[1:]) + means[:-1]) / 2) / 9)
    assert found.worst.accuracy == min(each.accuracy for each in found.subsets)
    assert found.worst.name in str(found) and "Area under the curve" in str(found)


@pytest.mark.parametrize("n", [3, 7])
def test_masks_are_what_the_model_predicts_with_those_entries_absent(n):
    """One mask at one rate, drawn again here and given to the model as data; seven modalities take the other way."""
    rows = 60
    present = {"m0": np.random.default_rng(1).random(rows) < 0.7}
    value = {"bootstrap": 0, "value": "log_likelihood_gain"}
    run, splits = made(n, present, rows=rows, epochs=6, learning_rate=0.01, measure=value)
    once = measure_missing(run, Chosen(splits.test, "test"), rates=(0.0, 0.6), masks=1, seed=4)
    has = np.stack(list(splits.test.present.values()), 1)
    kept = keep_some(np.full(n, 0.6), has, np.random.default_rng(derive_seed(4, "mask", 0)))
    columns = {
        name: replace(splits.test.modality(name), present=kept[:, i]) for i, name in enumerate(splits.modalities)
    }
    probabilities = class_probabilities(run.model, splits.test.with_modalities(columns)).double()
    labels = torch.from_numpy(splits.test.labels)
    assert once.rates[1].accuracy.mean == pytest.approx(float((probabilities.argmax(-1) == labels).double().mean()))
    loss = -probabilities[torch.arange(len(labels)), labels].log().mean()
    assert once.rates[1].loss.mean == pytest.approx(float(loss), rel=1e-5)
    if n == 3:
        assert len(once.subsets) == 7 and once.rates[1].edm is not None
    else:
        names = splits.modalities
        all_but_one = ["+".join(name for name in names if name != other) for other in names]
        assert [each.name for each in once.subsets] == [*names, *all_but_one, "+".join(names)]
        assert once.rates[1].edm is None and "EDM" not in str(once)


def test_the_file_is_read_as_it_was_written(found, tmp_path):
    save_missing(found, tmp_path / "missing.csv")
    assert read_missing(tmp_path / "missing.csv") == found
    json.dumps(found.to_dict(), allow_nan=False)
    for text in ("", "kind,split\nrate,test\n"):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(RunError, match=r"bad\.csv: is missing or damaged"):
            read_missing(tmp_path / "bad.csv")
    lines = (tmp_path / "missing.csv").read_text().splitlines(keepends=True)
    for place, cell in product((1, -1), ("nan", "inf", "17", "-0.5", "many")):
        accuracy = lines[0].split(",").index("accuracy")
        cells = lines[place].split(",")
        changed = [*lines]
        changed[place] = ",".join([*cells[:accuracy], cell, *cells[accuracy + 1 :]])
        (tmp_path / "bad.csv").write_text("".join(changed))
        with pytest.raises(RunError, match=rf"damaged \(expected a number from 0 to 1, got '{cell}'\)"):
            read_missing(tmp_path / "bad.csv")


def test_a_run_is_given_the_files_and_its_page_has_the_figure(tmp_path):
    own = write_own_data(tmp_path / "own", samples=96)
    splits, folder = load(own), tmp_path / "run"
    eq.fit(eq.Classifier.for_data(splits, width=4), splits, "joint", out=folder, **{**QUICK, "epochs": 1})
    eq.report(eq.load(folder), folder / "report.html")
    before = (folder / "report.html").read_text()
    reported = report_missing(folder)
    assert [path.name for path in reported.files] == ["missing.csv", "missing.svg", "missing.pdf", "report.html"]
    page = (folder / "report.html").read_text()
    assert "Accuracy with entries missing" in page and "Accuracy with entries missing" not in before
    assert read_missing(folder / "missing.csv") == reported.report
    with pytest.raises(ConfigError, match="--out: expected a folder for the files"):
        report_missing(folder, split="validation")
    elsewhere = report_missing(folder, split="validation", out=tmp_path / "other")
    assert elsewhere.report.split == "validation" and (tmp_path / "other" / "missing.svg").is_file()
    assert (folder / "report.html").read_text() == page
    run = eq.load(folder)
    assert rows_to_measure(run).own and not rows_to_measure(run, present=[run.model.modalities[0]]).own
