"""A model with one modality noisy: each kind of noise against what defines it, accuracies against new predictions."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import equimodal as eq
from data.own_data import write_own_data
from equimodal.data.catalogue import load
from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.corrupted import Blurred, CorruptedColumn, Noisy, NoisySignal, WithoutWords
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.columns.text import TextColumn
from equimodal.errors import ConfigError
from equimodal.inference.evaluation import Chosen
from equimodal.inference.noise import measure_noise
from equimodal.models.predict import class_probabilities
from equimodal.reports.robustness import report_noise
from equimodal.seeds import derive_seed

QUICK = {"epochs": 2, "reference": False, "quiet": True, "measure": {"bootstrap": 0}}
ROWS = 120


@pytest.fixture(scope="module")
def splits():
    random = np.random.default_rng(0)
    labels = np.arange(ROWS) % 3
    words = np.array(["sun moon star", "cat dog cow", "red green blue"])
    shade = (50 * labels).astype(np.uint8)[:, None, None, None]
    return eq.Dataset(
        {
            "photo": random.integers(0, 100, (ROWS, 8, 8, 3), np.uint8) + shade,
            "wave": random.normal(size=(ROWS, 32, 1)).astype(np.float32) * (1 + labels[:, None, None]),
            "steps": random.normal(size=(ROWS, 6, 3)).astype(np.float32),
            "facts": random.normal(size=(ROWS, 4)) + labels[:, None],
            "words": words[labels].tolist(),
            "still": np.ones((ROWS, 2)),
        },
        labels,
        present={"facts": random.random(ROWS) < 0.8},
        groups=np.arange(ROWS) // 2,
    ).split(seed=0)  # fmt: skip


@pytest.fixture(scope="module")
def run(splits):
    return eq.fit(eq.Classifier.for_data(splits, width=8), splits, "joint", learning_rate=0.01, **QUICK)


@pytest.fixture(scope="module")
def found(run, splits):
    return measure_noise(run, Chosen(splits.test, "test"), seed=3)


def test_every_modality_has_the_noise_that_suits_it(found):
    kinds = {}
    for each in found.measured:
        kinds.setdefault(each.modality, {}).setdefault(each.kind, []).append(each.strength)
    assert kinds == {
        "photo": {"blur": [0.5, 1, 2, 4], "noise": [0.25, 0.5, 1, 2]},
        "wave": {"signal-to-noise ratio": [20, 10, 0, -10]},
        "steps": {"noise": [0.25, 0.5, 1, 2]},
        "facts": {"noise": [0.25, 0.5, 1, 2]},
        "words": {"words dropped": [0.2, 0.4, 0.6, 0.8]},
    }
    assert "cannot be set" in found.notes["steps"] and "same number everywhere, left out" in found.notes["still"]
    assert "still: holds the same number" in str(found) and "blur, 0.5 px" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "kind", "strength", "make"),
    [
        ("photo", "blur", 2, lambda rows: Blurred(2, "image")),
        ("wave", "signal-to-noise ratio", 0, lambda rows: NoisySignal(0)),
        ("facts", "noise", 1, lambda rows: Noisy(float(np.concatenate([*rows.valid("facts")]).std()))),
        ("words", "words dropped", 0.8, lambda rows: WithoutWords(0.8)),
    ],
)
def test_accuracies_are_those_of_predictions_on_the_noisy_rows(run, splits, found, name, kind, strength, make):
    rows = splits.test
    (each,) = [e for e in found.measured if (e.modality, e.kind, e.strength) == (name, kind, strength)]
    column = CorruptedColumn(rows.column(name), make(rows), None, derive_seed(3, "noise", name, kind))
    worse = class_probabilities(run.model, rows.replace_column(name, column)).argmax(-1).numpy()
    assert each.accuracy == pytest.approx((worse == rows.labels).mean())
    assert each.drop == pytest.approx(run.test.accuracy - each.accuracy)
    assert each.ends[0] <= each.accuracy <= each.ends[1] and each.drop_ends[0] <= each.drop <= each.drop_ends[1]
    assert found.accuracy == pytest.approx(run.test.accuracy)


@pytest.mark.parametrize("groups", [1, 2])
def test_one_or_two_groups_have_no_interval(run, splits, groups):
    rows = splits.test.with_groups([f"g{row % groups}" for row in range(len(splits.test))])
    report = measure_noise(run, Chosen(rows, "test"), seed=3)
    assert report.ends is None and {each.ends for each in report.measured} == {None}
    assert report.records()[1]["drop_low"] is None and "too few rows or groups for an interval" in str(report)
    json.dumps(report.to_dict(), allow_nan=False)


# What noise is


def test_a_row_is_the_same_in_every_batch_and_keeps_its_type():
    pictures = ArrayColumn(np.random.default_rng(0).integers(0, 256, (6, 9, 9, 3), np.uint8), "image")
    worse = CorruptedColumn(pictures, Noisy(60), None, 1)
    whole = worse.take(slice(0, 6))
    assert whole.dtype == np.uint8 and whole.shape == (6, 9, 9, 3) and (whole == 255).any() and (whole == 0).any()
    assert np.array_equal(worse.take(np.array([4, 1])), whole[[4, 1]])
    assert np.abs(whole.astype(int) - pictures.array.astype(int)).mean() > 20


def test_the_fingerprint_follows_from_kind_strength_and_seed():
    rows = ArrayColumn(np.ones((2, 4)), "vector")
    changes = [(Noisy(1.0), 0), (Noisy(2.0), 0), (Noisy(1.0), 1), (NoisySignal(1.0), 0)]
    first, again = ([CorruptedColumn(rows, make, None, seed).fingerprint() for make, seed in changes] for _ in range(2))
    assert first == again and len(set(first)) == 4
    assert CorruptedColumn(rows, Noisy(1.0), None, 0).fingerprint() == first[0]


def test_blur_spreads_a_point_by_its_sigma_within_a_frame_and_a_channel():
    clip = np.zeros((3, 41, 41, 2))
    clip[1, 20, 20, 0] = 1
    made = Blurred(2.0, "video")(clip, np.random.default_rng(0))
    assert made[[0, 2]].max() == 0 and made[..., 1].max() == 0
    assert made.sum() == pytest.approx(1)
    across = np.arange(41) - 20
    for axis in (0, 1):
        assert (made[1, :, :, 0].sum(axis) * across**2).sum() == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("decibels", [20, 0, -10])
def test_a_waveform_has_its_noise_in_the_steps_that_are_valid(decibels):
    random = np.random.default_rng(0)
    waves = np.zeros((2, 30_000, 1), np.float32)
    waves[:, :20_000] = 3 * random.normal(size=(2, 20_000, 1))
    worse = CorruptedColumn(ArrayColumn(waves, "sequence"), NoisySignal(decibels), np.array([20_000, 30_000]), 0)
    noise = worse.take(slice(0, 2)) - waves
    assert (noise[0, 20_000:] == 0).all()
    for row, end in enumerate((20_000, 30_000)):
        ratio = np.mean(waves[row, :end] ** 2) / np.mean(noise[row, :end] ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(decibels, abs=0.1)


def test_rows_of_different_lengths_keep_theirs():
    column = RaggedColumn(np.arange(14.0).reshape(7, 2), np.array([0, 3, 7]), "sequence")
    worse = CorruptedColumn(column, Noisy(1.0), None, 0)
    assert [row.shape for row in worse.take(slice(0, 2))] == [(3, 2), (4, 2)]
    assert np.array_equal(worse.take(np.array([1]))[0], worse.take(slice(0, 2))[1])


def test_dropped_words_are_a_share_of_them_in_order_and_never_all():
    text = " ".join(str(number) for number in range(200))
    column = CorruptedColumn(TextColumn([text] * 50 + ["one", "", "two  words"]), WithoutWords(0.7), None, 0)
    made = column.take(slice(0, 53)).tolist()
    numbers = [[int(word) for word in row.split()] for row in made[:50]]
    assert all(row == sorted(row) for row in numbers)
    assert np.mean([len(row) for row in numbers]) == pytest.approx(60, abs=3)
    assert made[50:52] == ["one", ""] and made[52] in ("two", "words", "two words")


def test_the_command_writes_the_table(tmp_path):
    own = write_own_data(tmp_path / "own", samples=96)
    data, folder = load(own), tmp_path / "run"
    eq.fit(eq.Classifier.for_data(data, width=4), data, "joint", out=folder, **{**QUICK, "epochs": 1})
    (folder / "report.html").touch()  # what is there is written again
    reported = report_noise(folder)
    with (folder / "noise.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[0]["kind"] == "none" and float(lines[0]["accuracy"]) == pytest.approx(eq.load(folder).test.accuracy)
    assert [line["modality"] for line in lines[1:]] == [each.modality for each in reported.report.measured]
    assert {"noise.csv", "noise.svg", "noise.pdf", "report.html"} <= {path.name for path in reported.files}
    assert "Accuracy with noise on one modality" in (folder / "report.html").read_text()
    with pytest.raises(ConfigError, match="--out: expected a folder for the files"):
        report_noise(folder, present=[data.modalities[0]])
