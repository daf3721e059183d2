"""The page of an explanation and its files: the numbers of the run, pictures of misled rows, and hostile names."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import equimodal as eq
from data.own_data import write_own_data
from equimodal.cli.main import main
from equimodal.config.run import build_config
from equimodal.contribution.bootstrap import Interval
from equimodal.contribution.result import Intervals
from equimodal.data.catalogue import load, load_configured
from equimodal.errors import ConfigError, DataError
from equimodal.inference.evaluation import Chosen, rows_to_measure
from equimodal.inference.explanation.explain import Explanation, explain
from equimodal.inference.explanation.misleading import LeftOut, Misleading
from equimodal.inference.explanation.reliability import Calibration, Reliability
from equimodal.inference.means import Mean
from equimodal.reports.explanation import explain_run, write_explanation_page
from equimodal.reports.explanation_figures import confusion_chart, interaction_chart
from equimodal.reports.explanation_verdict import explanation_verdict
from equimodal.training.fit import train
from equimodal.training.predictions import read_predictions
from equimodal.training.run import load as load_run

EVIL = "<script>alert('x')</script>\"&"


def table(path: Path) -> Any:
    """A table of pandas; its types say less than what is done with it here."""
    return pd.read_csv(path)


def trained(place: Path, data: Path) -> Path:
    config = build_config(
        {
            "method": "joint",
            "data": {"name": str(data)},
            "training": {"epochs": 3, "learning_rate": 0.01},
            "model": {"width": 8},
            "reference": False,
            "measure": {"bootstrap": 0},
        }
    )
    train(config, load(data), folder=place / "run", quiet=True)
    return place / "run"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on data with groups, sequences, missing entries and pictures of which some mislead, and its explanation."""
    place = tmp_path_factory.mktemp("own")
    data = write_own_data(place / "data", samples=360)
    image = np.load(data / "image.npy")
    wrong = np.random.default_rng(1).random(len(image)) < 0.3
    image[wrong] = np.roll(image, 1, axis=0)[wrong]  # that of another class
    np.save(data / "image.npy", image)
    folder = trained(place, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["equimodal", "explain", str(folder)])
        try:
            main()
        except SystemExit as stop:
            assert not stop.code
    return folder


def test_the_files_hold_the_numbers_of_the_run(own: Path) -> None:
    run, rows = load_run(own), read_predictions(own)
    means: Any = pd.DataFrame({"class": rows.labels, "right": rows.right, **rows.contributions}).groupby("class").mean()
    found = table(own / "explain_classes.csv").set_index("class")
    assert found["accuracy"].to_dict() == pytest.approx(means["right"].to_dict())
    for name in rows.modalities:
        assert found[f"{name}: contribution"].to_dict() == pytest.approx(means[name].to_dict(), abs=1e-5)
        # A row that lacks the modality has no decision in the run's file, and here the answer of the label prior.
        alone = found[f"{name}: accuracy alone"] @ found["rows"] / found["rows"].sum()
        assert alone == pytest.approx(run.test.unimodal[name]["accuracy"])
    assert found["recall"].to_dict() == pytest.approx(found["accuracy"].to_dict())
    pairs = table(own / "explain_interactions.csv").set_index("pair")["interaction"].to_dict()
    assert pairs == pytest.approx(run.test.contribution.interactions)
    bins = table(own / "explain_reliability.csv")
    assert bins[bins["probabilities"] == "before"]["ece"].iloc[0] == pytest.approx(run.test.ece)
    assert set(bins["probabilities"]) == {"before", "after"}
    counts = table(own / "explain_confusion.csv")
    right = counts[counts["class"] == counts["predicted"]]["rows"].sum() / counts["rows"].sum()
    assert right == pytest.approx(run.test.accuracy)
    groups = table(own / "explain_groups.csv")
    assert groups["rows"].sum() == run.test.samples and groups["group"].str.startswith("s").all()


def test_the_page_shows_misled_rows_with_what_they_hold(own: Path) -> None:
    page = (own / "explain.html").read_text("utf-8")
    misled = table(own / "explain_misled.csv")
    counts = table(own / "explain_modalities.csv").set_index("modality")
    assert misled["modality"].value_counts().to_dict() == counts[counts["misled"] > 0]["misled"].to_dict()
    cards = page[page.index('<div class="cards">') : page.index("Synergy and redundancy</h2>")]
    assert cards.count("<figure>") == min(12, misled["id"].nunique())
    strongest = misled.iloc[0]
    assert f"without {strongest['modality']}: right, {strongest['gain']:+.2f} nats" in cards
    assert "data:image/png;base64," in cards and str(strongest["id"]) in cards
    for heading in ("Accuracy by group", "Synergy and redundancy", "Reliability", "Confusion matrix", "Misled rows"):
        assert heading in page
    assert page.count("<script") == 1 and not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_other_rows_need_a_folder_and_are_explained_there(own: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--out"):
        explain_run(own, split="validation")
    found = explain_run(own, split="validation", out=tmp_path / "there").found
    assert (tmp_path / "there" / "explain.html").is_file()
    assert "flatters" in found.reliability.note
    assert found.measured.accuracy == pytest.approx(load_run(own).validation.accuracy)


def test_without_the_runs_own_data_there_is_no_temperature(own: Path, tmp_path: Path) -> None:
    data = write_own_data(tmp_path / "mine")
    run = trained(tmp_path, data)
    data.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="cannot be loaded again"):
        explain_run(run)
    explained = explain_run(run, str(tmp_path / "moved"), out=tmp_path / "out")
    assert explained.found.reliability.temperature is None
    assert "No temperature is fitted" in str(explained)
    assert set(table(tmp_path / "out" / "explain_reliability.csv")["probabilities"]) == {"before"}


def fitted(n: int, classes: list[str], rows: int, **more: Any) -> Explanation:
    random = np.random.default_rng(0)
    labels = np.arange(rows) % len(classes)
    names = [f"{EVIL} {i}" if i % 2 else f"plain {i}" for i in range(n)]
    arrays = {name: random.normal(size=(rows, 3)) + labels[:, None] / (1 + i) for i, name in enumerate(names)}
    splits = eq.Dataset(arrays, np.array(classes)[labels], name=EVIL, **more).split()
    run = eq.fit(
        eq.Classifier.for_data(splits, width=4), splits, "joint",
        epochs=1, reference=False, quiet=True, measure={"bootstrap": 0, "budget": 64 if n > 10 else None},
    )  # fmt: skip
    return explain(run, Chosen(splits.test, "test"))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    found = fitted(2, [EVIL, "plain"], 60, ids=[f"{row} {EVIL}" for row in range(60)])
    page = write_explanation_page(found, EVIL, tmp_path / "page.html").read_text("utf-8")
    assert page.count("<script") == 1 and "&lt;script&gt;" in page
    again = write_explanation_page(found, EVIL, tmp_path / "again.html").read_text("utf-8")
    assert page == again
    assert confusion_chart(found) is not None and interaction_chart(found) is not None


def test_many_modalities_and_classes(tmp_path: Path) -> None:
    classes = [f"class {number}" for number in range(101)]
    groups, split = [f"g{row // 2}" for row in range(606)], [0] * 202 + [1] * 102 + [2] * 302
    found = fitted(12, classes, 606, groups=groups, split=split)
    page = write_explanation_page(found, "many", tmp_path / "page.html").read_text("utf-8")
    assert found.group_count == 151
    assert confusion_chart(found) is None and interaction_chart(found) is None
    assert "Confusion matrix" not in page and "Interactions of pairs are computed where" in page
    pairs = page[page.index("Most confused classes</h3>") :]
    assert pairs[: pairs.index("</table>")].count("<tr>") == 21
    groups = page[page.index("Accuracy by group</h3>") :]
    assert groups[: groups.index("</table>")].count("<tr") == 12  # a head, all rows, and the ten largest groups
    assert page.count('<span class="interval">few</span>') >= 101  # every class has few rows
    assert "estimated from" in page


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((0, 0), (0, 9), "No modality misleads: no row is wrong"),
        ((9, 163), (6, 8), "No modality misleads more than it helps: 6 rows are wrong with all modalities and right "),
        ((2, 2), (0, 11), "No modality misleads more than it helps: 2 rows are wrong with all modalities and right "),
        ((9, 1), (20, 30), "'a' misleads more than it helps: 9 rows are wrong with all modalities and right without "),
        ((1, 0), (0, 0), "'a' misleads more than it helps: 1 row is wrong with all modalities and right without 'a', "),
    ],
)
def test_a_modality_misleads_where_it_does_not_help_more(a: tuple[int, int], b: tuple[int, int], said: str) -> None:
    counts = {"a": LeftOut(200, *a), "b": LeftOut(200, *b)}
    found = replace(fitted(2, ["x", "y"], 60), misleading=Misleading(counts, ()))
    assert explanation_verdict(found).details[0].startswith(said)


@pytest.mark.parametrize(
    ("indices", "ends", "said"),
    [
        ({"a+b": 0.2, "a+c": -0.1}, {"a+b": (-0.1, 0.5), "a+c": (-0.2, -0.05)}, "a and c, \u22120.100 [\u22120.200, "),
        (
            {"a+b": 0.2, "a+c": -0.1},
            {"a+b": (-0.1, 0.5), "a+c": (-0.2, 0.05)},
            "No two modalities interact beyond noise.",
        ),
        ({"a+b": 0.2, "a+c": -0.3}, {}, "a and c, \u22120.300: they repeat each other."),
    ],
)
def test_the_strongest_interaction_is_one_beyond_noise(indices: dict, ends: dict, said: str) -> None:
    found = fitted(3, ["x", "y"], 60)
    known = {pair: Interval(low, (low + high) / 2, high) for pair, (low, high) in ends.items()}
    contribution = found.measured.contribution
    contribution = replace(contribution, interactions=indices, intervals=Intervals({}, None, None, interactions=known))
    details = explanation_verdict(replace(found, measured=replace(found.measured, contribution=contribution))).details
    assert said in " ".join(details) and sum("nteract" in line for line in details) == 1


def test_classes_that_are_all_the_same_are_not_set_apart() -> None:
    found = fitted(2, ["x", "y"], 60)
    same = tuple(replace(part, rows=50, accuracy=Mean(1.0)) for part in found.classes)
    assert explanation_verdict(replace(found, classes=same)).headline.count(" from ") == 0
    other = replace(same[0], accuracy=Mean(0.25))
    headline = explanation_verdict(replace(found, classes=(other, *same[1:]))).headline
    assert headline.endswith("from 0.250 on 'x' to 1.000 on 'y'.")


def test_a_temperature_that_makes_things_worse_is_said_to() -> None:
    found = fitted(2, ["x", "y"], 60)
    for loss, confirmed in ((0.5, True), (0.7, False)):
        before, after = Calibration(0.1, 0.6, ()), Calibration(0.2, loss, ())
        said = explanation_verdict(replace(found, reliability=Reliability(before, 2.0, after))).details
        (line,) = (line for line in said if line.startswith("ECE"))
        assert "the model is too sure" in line
        assert ("does not confirm" not in line) == confirmed


def test_the_runs_data_are_loaded_once(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def counted(settings: Any) -> Any:
        loaded.append(settings.name)
        return load_configured(settings)

    monkeypatch.setattr("equimodal.inference.evaluation.load_configured", counted)
    run = load_run(own)
    assert explain(run, rows_to_measure(run)).reliability.temperature is not None
    assert len(loaded) == 1


def test_the_row_over_all_rows_is_marked_so_that_it_is_not_sorted(own: Path) -> None:
    page = (own / "explain.html").read_text()
    assert len(re.findall(r'<tr class="all"><th scope="row">all rows</th>', page)) == 4  # of classes and of groups
