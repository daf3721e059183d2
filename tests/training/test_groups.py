"""Runs whose rows come in groups: intervals, noise floor and steering resample groups."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equimodal.config.run import MeasureConfig
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.inference.evaluation import evaluate_run
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import coalition_outputs, encode_all, joined
from equimodal.training.fit import fit
from equimodal.training.measure import measure

ROWS = 12


def spoken(speakers: int, first: int, seed: int) -> Dataset:
    """Rows of speakers, of whom each is clear in one modality, all his rows alike."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(speakers), ROWS)
    labels = np.tile(np.arange(2), speakers * ROWS // 2)
    clear = (who % 2 == 0)[:, None]
    signal = np.stack([1 - 2 * labels, labels], 1)
    noise = rng.normal(size=(2, len(who), 2)) * 0.3
    arrays = {"a": np.where(clear, signal, 0) + noise[0], "b": np.where(clear, 0, signal) + noise[1]}
    return Dataset(arrays, labels, ids=first * ROWS + np.arange(len(who)), groups=who + first, name="spoken")


def splits(validation: int = 5, test: int = 8) -> Splits:
    return Splits(spoken(10, 0, 0), spoken(validation, 10, 1), spoken(test, 20, 2))


def train(data: Splits, **options):
    return fit(Classifier.for_data(data, width=8), data, "equilibrium", epochs=2, quiet=True, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(splits(), out=tmp_path_factory.mktemp("runs") / "run", reference=False)


def test_every_measurement_of_a_run_resamples_groups(run):
    assert (run.test.contribution.groups, run.test.contribution.resampled) == (8, "groups: 8")
    assert run.validation.contribution.resampled == "groups: 5"
    assert [line["validation"]["contribution"]["resampled"] for line in run.history] == ["groups: 5"] * 2
    assert "(resampled: groups: 8)" in str(run.test)


def test_the_interval_of_a_run_is_that_of_a_cluster_bootstrap_in_numpy(run):
    data = splits().test
    coalitions = torch.tensor([[False, False], [True, False], [False, True], [True, True]])
    outputs, labels = coalition_outputs(run.model, encode_all(run.model, run.model.prepare(data)), coalitions)
    correct = (outputs.argmax(-1) == labels).double().numpy()
    rng, names, found = np.random.default_rng(0), np.unique(data.groups), []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(data.groups == name) for name in rng.choice(names, len(names))])
        empty, a, b, both = correct[:, rows].mean(-1)
        found.append((a - empty + both - b) / 2)
    config = MeasureConfig(bootstrap=4000)
    one = measure(run.model, encode_all(run.model, run.model.prepare(data)), config, split="test").contribution
    assert one.intervals is not None
    interval = one.intervals.phi["a"]
    assert (interval.low, interval.high) == pytest.approx(np.quantile(found, [0.025, 0.975]), abs=0.02)


def test_groups_travel_with_the_encodings_whatever_the_batch_size(run):
    data = run.model.prepare(splits().test)
    parts = list(encode_all(run.model, data, 7))
    groups = joined(parts).groups
    assert groups is not None
    assert groups.tolist() == np.unique(data.groups, return_inverse=True)[1].tolist()
    alone = Dataset(data.arrays, data.labels)
    assert joined(encode_all(run.model, alone)).groups is None
    config = MeasureConfig(bootstrap=50)
    one, other = (measure(run.model, encode_all(run.model, data, size), config, split="x") for size in (7, 256))
    assert one.contribution.intervals == other.contribution.intervals


def test_a_probe_of_some_rows_keeps_their_groups():
    found = train(splits(), reference=False, measure={"probe": 30}).history[0]["validation"]
    assert found["samples"] == 30 and found["contribution"]["resampled"] == "groups: 5"


def test_evaluation_of_a_finished_run_resamples_groups(run, tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    data = splits().test
    for name, array in data.arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "labels.npy", data.labels)
    np.save(folder / "groups.npy", data.groups)
    found = evaluate_run(run.folder, str(folder))
    assert found.contribution.resampled == "groups: 8"
    assert found.contribution.phi == pytest.approx(run.test.contribution.phi)


@pytest.mark.parametrize("validation", [1, 2])
def test_a_run_with_one_or_two_groups_to_validate_on_has_no_interval_and_says_why(validation):
    found = train(splits(validation=validation), reference=False)
    measured = found.validation.contribution
    assert measured.intervals is measured.noise_floor is None and measured.groups == validation
    assert any("intervals and noise floor are undefined" in note for note in measured.notes)
    assert found.test.contribution.intervals is not None


def test_rows_without_groups_are_resampled_as_rows():
    data = splits()
    alone = Splits(*(Dataset(part.arrays, part.labels, ids=part.ids) for part in data.parts().values()))
    assert train(alone, reference=False).test.contribution.resampled == "rows"
