from __future__ import annotations

import numpy as np
import pytest
import torch

import equimodal as eq
from equimodal.contribution.coalitions import all_coalitions
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError
from equimodal.models.encoded import coalition_outputs, encode_all
from equimodal.models.encoders.base import ENCODERS
from equimodal.models.predict import class_probabilities
from equimodal.training.fit import fit
from synthetic import make_model

# every fusion by a method that trains it, and between them every encoder
RUNS = [
    ("joint", "concat", "gru"),
    ("modality_dropout", "gated", "conv1d"),
    ("uniform", "sum", "gru"),
    ("joint", "quality", "gru"),
    ("joint", "evidential", "conv1d"),
    ("uniform", "mlp", "conv1d"),
    ("modality_dropout", "bilinear", "gru"),
    ("joint", "film", "conv1d"),
    ("unimodal_ensemble", "late", "conv1d"),
    ("alternating", "late", "gru"),
    ({"name": "equilibrium", "mapping": {"sample": True, "tau": 0.05}}, "memory", "gru"),
    ("paper", "refined", "conv1d"),
    ({"name": "alternating", "pool": "fitted"}, "late", "gru"),
]


ELSEWHERE = {"resnet18", "video", "transformers"}
"""Encoders whose independence of the batch is tested in files of their own."""


def test_every_encoder_takes_part():
    assert {"mlp", "cnn", "hashed_text", *(sequence for *_, sequence in RUNS)} | ELSEWHERE == set(ENCODERS.names())


@pytest.mark.parametrize(("method", "fusion", "sequence"), RUNS)
def test_predictions_depend_neither_on_batch_size_nor_on_order(four, method, fusion, sequence):
    named = None if fusion in ("concat", "late", "memory", "refined") else fusion  # those are their method's own choice
    model = make_model(four, encoders={"sequence": {"name": sequence}}, fusion=named)
    run = fit(
        model, four, method, epochs=3, batch_size=16, learning_rate=0.01, reference=False, quiet=True,
        measure={"bootstrap": 0},
    )  # fmt: skip
    assert run.model.fusion_name == fusion
    data = four.train
    assert not all(mask.all() for mask in data.present.values())
    assert any(not any(mask[i] for mask in data.present.values()) for i in range(len(data)))
    order = np.random.default_rng(0).permutation(len(data))
    reference = class_probabilities(run.model, data, batch_size=len(data))
    assert reference.std(0).max() > 0.02  # it has learnt to tell samples apart
    for size in (1, 7, 64):
        assert torch.allclose(class_probabilities(run.model, data, batch_size=size), reference, atol=1e-5)
        shuffled = class_probabilities(run.model, data.subset(order), batch_size=size)
        assert torch.allclose(shuffled, reference[order], atol=1e-5)
    some = class_probabilities(run.model, data, ["text", "vector"], batch_size=7)
    assert torch.allclose(
        some, class_probabilities(run.model, data.restrict(["vector", "text"]), batch_size=64), atol=1e-5
    )

    prepared, coalitions = run.model.prepare(data), all_coalitions(4)
    whole, _ = coalition_outputs(run.model, encode_all(run.model, prepared, 64), coalitions)
    single, labels = coalition_outputs(run.model, encode_all(run.model, prepared, 1), coalitions)
    assert torch.allclose(whole, single, atol=1e-5)
    assert labels.tolist() == list(data.labels)
    for k in (0, 5, 15):
        members = [name for name, inside in zip(data.modalities, coalitions[k].tolist(), strict=True) if inside]
        assert torch.allclose(whole[k].softmax(-1), class_probabilities(run.model, data, members), atol=1e-5)


def test_prediction_leaves_the_model_as_it_was(splits):
    model = make_model(splits, fusion="concat").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    class_probabilities(model, splits.test)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(ConfigError):
        class_probabilities(model, splits.test, ["sound"])
    assert model.training


def test_unknown_modalities_are_named(splits):
    with pytest.raises(ConfigError, match=r"present: unknown modality 'imag'\. Did you mean 'image'"):
        class_probabilities(make_model(splits, fusion="concat"), splits.test, ["imag"])


def test_data_without_any_known_modality_are_refused(splits):
    model = make_model(splits, fusion="late")
    with pytest.raises(DataError, match="the model does not know 'smell'; the model was made for vector"):
        class_probabilities(model, Dataset({"smell": np.ones((3, 2))}))


@pytest.fixture(scope="module")
def run(splits):
    return fit(make_model(splits), splits, "joint", epochs=1, reference=False, quiet=True, measure={"bootstrap": 0})


def test_predictions_are_probabilities_names_and_ids(run, splits):
    expected = class_probabilities(run.model, splits.test).numpy()
    for found in (eq.predict(run, splits.test), eq.predict(run.model, splits.test), run.predict(splits.test)):
        assert found.classes == splits.classes and len(found) == len(splits.test)
        np.testing.assert_array_equal(found.probabilities, expected)
        np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-6)
        assert found.labels.tolist() == [splits.classes[best] for best in expected.argmax(1)]
        assert found.ids.tolist() == splits.test.ids.tolist()
    some = run.predict(splits.test, present=["vector"])
    np.testing.assert_array_equal(some.probabilities, class_probabilities(run.model, splits.test, ["vector"]).numpy())


def test_a_modality_that_is_lacking_counts_as_absent(run, splits):
    arrays = splits.test.arrays
    some = Dataset({"vector": arrays["vector"]}, present={"vector": splits.test.present["vector"]})
    np.testing.assert_allclose(
        run.predict(some).probabilities, run.predict(splits.test, present=["vector"]).probabilities, rtol=1e-5
    )
    with pytest.raises(DataError, match="holds vector, none of which is asked for here \\(image\\)"):
        run.predict(some, present=["image"])


def test_an_unknown_modality_is_never_dropped(run, splits):
    arrays = splits.test.arrays
    renamed = Dataset({"Vector": arrays["vector"], "image": arrays["image"]})
    with pytest.raises(DataError, match=r"does not know 'Vector'.* Did you mean 'vector'"):
        run.predict(renamed)
    more = Dataset({"vector": arrays["vector"], "smell": np.ones((len(arrays["vector"]), 2))})
    with pytest.raises(DataError, match="does not know 'smell'"):
        run.predict(more, present=["vector"])


def test_a_path_is_read_without_its_labels(run, splits, tmp_path):
    values = splits.test.arrays["vector"]
    np.save(tmp_path / "vector.npy", values)
    np.save(tmp_path / "vector_present.npy", splits.test.present["vector"])
    (tmp_path / "labels.txt").write_text("?\n")
    (tmp_path / "groups.txt").write_text("\n\n")
    for path in (tmp_path, str(tmp_path)):
        found = eq.predict(run, path)
        np.testing.assert_allclose(found.probabilities, run.predict(splits.test, ["vector"]).probabilities, rtol=1e-5)


def test_what_is_neither_a_model_nor_data_is_named(run, splits, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a Classifier or a run, got str\. Load a run's folder: eq\.load"):
        eq.predict("runs/mine", splits.test)
    with pytest.raises(DataError, match=r"expected a Dataset or a path, got Splits\. Name a part: data\.test"):
        eq.predict(run, splits)
    with pytest.raises(DataError, match="expected a Dataset or a path, got dict"):
        eq.predict(run, {"vector": np.ones((2, 5))})
    with pytest.raises(ConfigError, match=r"present: expected a list of modalities, got 'image'"):
        eq.predict(run, splits.test, "image")
    with pytest.raises(ConfigError, match="No data set and no file or folder is called"):
        eq.predict(run, tmp_path / "nothing")
