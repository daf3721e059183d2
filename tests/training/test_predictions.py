"""What a run says of each test row: against the model itself, and written and read again."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from equimodal.contribution.shapley import plan
from equimodal.data.dataset import Dataset
from equimodal.errors import RunError
from equimodal.models.classifier import Classifier
from equimodal.models.predict import class_probabilities
from equimodal.training.fit import fit
from equimodal.training.outputs import Outputs
from equimodal.training.predictions import read_predictions, sample_predictions, save_predictions
from equimodal.training.run import load
from training.runs import fit_tiny

SHORT = {"epochs": 2, "reference": False, "quiet": True, "measure": {"bootstrap": 0}}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    arrays = {name: rng.normal(size=(120, 4)) + labels[:, None] for name in ("ear", "eye", "hand")}
    present = {"eye": rng.random(120) > 0.3}
    ids = [f"clip, {row}" for row in range(120)]
    return Dataset(arrays, np.array(["ant", "b,ee", "c(at)"])[labels], present=present, ids=ids).split(seed=0)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions") / "run"
    return fit(Classifier.for_data(data, width=8, fusion="gated"), data, "joint", out=folder, **SHORT)


def of_label(run, rows, names):
    """Probability of the label with some modalities, predicted anew."""
    probabilities = class_probabilities(run.model, rows, list(names)).double()
    return probabilities[torch.arange(len(rows)), torch.from_numpy(rows.labels)].numpy()


def test_the_file_says_what_the_model_predicts(run, data):
    found, test = read_predictions(run.folder), data.test
    probabilities = class_probabilities(run.model, test).numpy()
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-5)
    assert found.classes == data.classes
    assert found.ids.tolist() == test.ids.tolist()
    assert found.labels.tolist() == np.array(data.classes)[test.labels].tolist()
    assert found.predicted.tolist() == np.array(data.classes)[probabilities.argmax(-1)].tolist()
    assert found.right.mean() == run.test.accuracy
    assert len(found) == len(test)


def test_each_modality_decides_where_it_is_there(run, data):
    found, test = read_predictions(run.folder), data.test
    assert found.modalities == data.modalities
    for name, here in test.present.items():
        alone = np.array(data.classes)[class_probabilities(run.model, test, [name]).argmax(-1)]
        assert found.decisions[name].tolist() == np.where(here, alone, "").tolist()
        np.testing.assert_allclose(found.label_probabilities[name][here], of_label(run, test, [name])[here], rtol=1e-5)
        assert np.isnan(found.label_probabilities[name][~here]).all()
        assert (found.contributions[name][~here] == 0).all()
    assert (~test.present["eye"]).any()


def test_contributions_are_the_mean_over_orders_of_what_a_modality_adds(run, data):
    """Shapley's own definition, one row at a time, from predictions made anew."""
    found, names = read_predictions(run.folder), data.modalities
    values = {
        members: np.log(of_label(run, data.test, members))
        for size in range(len(names) + 1)
        for members in itertools.combinations(names, size)
    }
    expected = {name: np.zeros(len(data.test)) for name in names}
    for order in itertools.permutations(names):
        for place, name in enumerate(order):
            before = tuple(other for other in names if other in order[:place])
            after = tuple(other for other in names if other in order[: place + 1])
            expected[name] += (values[after] - values[before]) / math.factorial(len(names))
    for name in names:
        np.testing.assert_allclose(found.contributions[name], expected[name], rtol=2e-5, atol=2e-6)


def test_every_run_has_them_and_an_earlier_one_is_given_them(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "run", reference=True)
    assert read_predictions(tmp_path / "run" / "reference").modalities == tiny.modalities
    path = tmp_path / "run" / "predictions.csv"
    before = path.read_bytes()
    path.unlink()
    assert load(tmp_path / "run").test.samples == len(tiny.test)
    with pytest.raises(RunError, match=r"predictions\.csv: there is no such file.*--resume"):
        read_predictions(tmp_path / "run")
    fit_tiny(tiny, "joint", tmp_path / "run", reference=True, resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda text: "", lambda text: "a,b\n1,2\n"])
def test_a_damaged_file_is_one_message(run, tmp_path, damage):
    path = tmp_path / "predictions.csv"
    path.write_text(damage((run.folder / "predictions.csv").read_text()))
    with pytest.raises(RunError, match="is damaged"):
        read_predictions(path)


def test_many_classes_and_tiny_probabilities_survive_the_file(tmp_path):
    generator = torch.Generator().manual_seed(0)
    logits = 20 * torch.randn(5, 4, 400, generator=generator)
    labels, present = (
        torch.tensor([0, 7, 399, 7]),
        torch.tensor([[True, True], [True, False], [False, True], [True] * 2]),
    )
    outputs = Outputs(plan(2), logits[:4], logits[:2], logits[4], labels, present)
    found = sample_predictions(outputs, np.arange(4), [f"c{k}" for k in range(400)], ["a", "b"])
    save_predictions(tmp_path / "p.csv", found)
    again = read_predictions(tmp_path / "p.csv")
    assert found.probabilities.min() < 1e-20
    np.testing.assert_allclose(again.probabilities, found.probabilities, rtol=1e-5)
    np.testing.assert_allclose(again.label_probabilities["b"], found.label_probabilities["b"], rtol=1e-5)
    assert again.decisions["a"].tolist() == found.decisions["a"].tolist()
    assert again.decisions["b"][1] == "" and again.predicted.tolist() == found.predicted.tolist()
