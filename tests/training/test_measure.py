"""Measurements against scikit-learn and loops, and how often the encoders run."""

import json
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, log_loss

from equimodal.config.run import MeasureConfig
from equimodal.contribution.bootstrap import Interval
from equimodal.errors import ConfigError, DataError
from equimodal.models.encoded import coalition_outputs, encode_all
from equimodal.models.predict import class_probabilities
from equimodal.training.ability import Ability
from equimodal.training.measure import Measurement, expected_calibration_error, measure
from synthetic import make_model, make_splits
from training.runs import fit_tiny

PLAIN = MeasureConfig(bootstrap=0)


@pytest.fixture(scope="module")
def trained(splits):
    run = fit_tiny(splits, "equilibrium", model=make_model(splits), epochs=4, learning_rate=0.01)
    return run.model, run.model.prepare(splits.test), splits.test


def probabilities(model, data, names):
    return (
        class_probabilities(model, data, names).numpy()
        if names
        else np.tile(model.log_prior.exp().numpy(), (len(data), 1))
    )


def test_scores_of_all_and_of_each_alone(trained):
    model, prepared, data = trained
    found = measure(model, encode_all(model, prepared), PLAIN, split="test")
    assert (found.split, found.samples) == ("test", len(data))
    for scores, names in ((found.scores, data.modalities), *((found.unimodal[m], [m]) for m in data.modalities)):
        p = probabilities(model, data, names).astype(np.float64)
        guess = p.argmax(1)
        assert scores["accuracy"] == pytest.approx(accuracy_score(data.labels, guess))
        assert scores["macro_f1"] == pytest.approx(f1_score(data.labels, guess, average="macro"), abs=1e-6)
        assert scores["loss"] == pytest.approx(log_loss(data.labels, p / p.sum(1, keepdims=True)), abs=1e-5)


@pytest.mark.parametrize("value", ["accuracy", "log_likelihood_gain"])
def test_every_coalition_and_the_shapley_values_that_follow(trained, value):
    model, prepared, data = trained
    found = measure(model, encode_all(model, prepared), MeasureConfig(bootstrap=0, value=value), split="test")

    def worth(names):
        p = probabilities(model, data, sorted(names, key=data.modalities.index)).astype(np.float64)
        if value == "accuracy":
            return accuracy_score(data.labels, p.argmax(1))
        return np.log(p.shape[1]) + np.log(p[np.arange(len(p)), data.labels]).mean()

    subsets = [names for size in range(4) for names in combinations(data.modalities, size)]
    accuracies = {
        "+".join(names): accuracy_score(data.labels, probabilities(model, data, names).argmax(1)) for names in subsets
    }
    assert found.subsets == pytest.approx(accuracies)
    assert found.subset_mean == pytest.approx(np.mean([a for name, a in accuracies.items() if name]))
    assert found.alone == pytest.approx({m: worth([m]) for m in data.modalities}, abs=1e-5)
    orders = list(permutations(data.modalities))
    phi = {m: np.mean([worth(o[: o.index(m) + 1]) - worth(o[: o.index(m)]) for o in orders]) for m in data.modalities}
    assert found.contribution.phi == pytest.approx(phi, abs=1e-5)


def test_utilisation_is_what_is_left_of_what_could_be(trained):
    model, prepared, data = trained
    assert measure(model, encode_all(model, prepared), PLAIN, split="test").utilisation is None
    empty = accuracy_score(data.labels, probabilities(model, data, []).argmax(1))
    reference = Ability({"vector": 0.9, "sequence": 0.8, "image": empty})  # image could do nothing alone: undefined
    found = measure(model, encode_all(model, prepared), PLAIN, split="test", reference=reference)
    assert found.utilisation is not None
    assert found.utilisation["image"] is None
    for name in ("vector", "sequence"):
        alone = accuracy_score(data.labels, probabilities(model, data, [name]).argmax(1))
        assert found.utilisation[name] == pytest.approx((alone - empty) / (reference[name] - empty), abs=1e-6)


@pytest.mark.parametrize("method", ["joint", "unimodal_ensemble", "equilibrium"])
def test_one_pass_of_each_encoder_serves_all_coalitions(splits, method):
    model = make_model(splits)
    fit_tiny(splits, method, model=model, epochs=1)
    data = model.prepare(splits.test)
    rows = dict.fromkeys(splits.modalities, 0)
    calls = dict.fromkeys(splits.modalities, 0)

    def count(name):
        def hook(module, inputs):
            calls[name] += 1
            rows[name] += len(inputs[0])

        return hook

    hooks = [encoder.register_forward_pre_hook(count(name)) for name, encoder in model.encoders.items()]
    measure(model, encode_all(model, data), MeasureConfig(bootstrap=50), split="test")
    assert calls == dict.fromkeys(splits.modalities, 1)
    assert rows == {name: int(mask.sum()) for name, mask in splits.test.present.items()}  # never on absent rows
    for hook in hooks:
        hook.remove()


def test_measurements_do_not_depend_on_the_batch_size_and_leave_the_mode(trained):
    model, prepared, _ = trained
    model.train()
    whole = measure(model, encode_all(model, prepared), MeasureConfig(bootstrap=20), split="test")
    small = measure(model, encode_all(model, prepared, 5), MeasureConfig(bootstrap=20), split="test")
    assert model.training
    model.eval()
    assert whole.subsets == small.subsets
    assert whole.contribution.phi == small.contribution.phi
    assert whole.contribution.intervals == small.contribution.intervals
    assert whole.scores == pytest.approx(small.scores, abs=1e-6)


def test_outputs_come_coalition_by_coalition_in_the_order_asked(trained):
    model, prepared, data = trained
    masks = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    outputs, labels = coalition_outputs(model, encode_all(model, prepared, 7), masks)
    assert labels.tolist() == data.labels.tolist()
    for row, names in zip(outputs, (["vector", "image"], [], list(data.modalities)), strict=True):
        assert np.allclose(row.softmax(-1), probabilities(model, data, names), atol=1e-6)


def test_a_measurement_survives_json(trained):
    model, prepared, _ = trained
    gains = {"vector": Interval(0.4, 0.5, 0.6), "image": Interval(-0.1, 0.0, 0.1)}
    shares = {"vector": 0.6, "sequence": 0.3, "image": 0.1}
    reference = Ability({"vector": 0.9, "sequence": 0.8, "image": 0.7}, shares, gains)
    found = measure(model, encode_all(model, prepared), MeasureConfig(bootstrap=20), split="test", reference=reference)
    again = Measurement.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again == found
    assert str(again) == str(found)
    assert "utilisation: vector" in str(found)
    assert found.utilisation is not None and found.utilisation["image"] is None and found.utilisation["sequence"]
    assert "image undefined (knows nothing alone)" in str(found) and "EDM against ability: " in str(found)


def test_accuracy_with_entries_missing_is_that_of_drawn_entries(trained):
    """Entries are removed from the data themselves, many times, and the model predicts what is left."""
    model, prepared, data = trained
    found = measure(model, encode_all(model, prepared), PLAIN, split="test")
    rng, right = np.random.default_rng(0), []
    names = [[m for i, m in enumerate(data.modalities) if mask >> i & 1] for mask in range(8)]
    guesses = np.stack([probabilities(model, data, each).argmax(1) == data.labels for each in names])
    for _ in range(4000):
        masks = ((rng.random((len(data), 3)) >= 0.5) << np.arange(3)).sum(1)
        right.append(guesses[masks, np.arange(len(data))][masks > 0].mean())
    assert found.accuracy_missing(0.5) == pytest.approx(np.mean(right), abs=5 * np.std(right) / 4000**0.5)
    assert found.accuracy_missing(0) == found.accuracy
    some = measure(model, encode_all(model, prepared), MeasureConfig(bootstrap=0, value="accuracy"), split="test")
    del some.subsets["vector"]
    assert some.accuracy_missing(0.5) is None


def test_data_that_lack_a_modality_count_it_as_absent(trained):
    model, _, data = trained
    less = model.prepare(data.restrict(["vector", "sequence"]))
    found = measure(model, encode_all(model, less), PLAIN, split="test")
    assert found.contribution.phi["image"] == pytest.approx(0, abs=1e-12)
    assert found.subsets["vector+image"] == found.subsets["vector"]


def test_a_target_of_other_modalities(trained):
    model, prepared, _ = trained
    with pytest.raises(ConfigError, match="smell"):
        measure(model, encode_all(model, prepared), MeasureConfig(bootstrap=0, target={"smell": 1.0}), split="test")


def test_many_modalities_are_sampled_within_the_budget():
    names = tuple(f"vector_{i}" for i in range(11))
    splits = make_splits(60, modalities=names)
    model = make_model(splits, fusion="late")
    found = measure(
        model, encode_all(model, model.prepare(splits.test)), MeasureConfig(bootstrap=0, budget=60), split="test"
    )
    assert not found.contribution.exact
    assert found.contribution.coalitions <= 60
    assert set(found.alone) == set(names)
    assert found.subsets[""] == pytest.approx(found.contribution.value_empty)


@pytest.mark.parametrize("bins", [5, 15])
@pytest.mark.parametrize("sharp", [0.0, 1.0, 5.0])
def test_the_calibration_error_agrees_with_a_loop_over_bins(sharp, bins):
    generator = torch.Generator().manual_seed(0)
    logits = sharp * torch.randn(400, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (400,), generator=generator)
    confidence, predicted = (part.numpy() for part in logits.softmax(-1).max(-1))
    right, expected = predicted == labels.numpy(), 0.0
    for low in np.arange(bins) / bins:
        inside = (confidence >= low) & (confidence < low + 1 / bins)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(logits, labels, bins) == pytest.approx(expected, abs=1e-6)


def test_a_calibrated_and_an_overconfident_classifier():
    labels = torch.arange(1000) % 10
    sure_and_right = 50 * torch.nn.functional.one_hot(labels).float()
    assert expected_calibration_error(sure_and_right, labels) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(sure_and_right, (labels + 1) % 10) == pytest.approx(1, abs=1e-6)
    guess = torch.tensor([0.75, 0.25]).log().expand(400, 2)
    assert expected_calibration_error(guess, (torch.arange(400) % 4 == 0).long()) == pytest.approx(0, abs=1e-6)


def test_the_calibration_error_is_known_by_hand():
    """Over-confident in one bin and under-confident in another: the gaps add up, they do not cancel."""
    logits = torch.tensor([0.95, 0.05]).log().repeat(20, 1)
    logits[10:] = torch.tensor([0.55, 0.45]).log()
    labels = torch.zeros(20, dtype=torch.long)
    labels[:5] = 1  # of ten rows of confidence .95, half are right; of ten of .55, all
    assert expected_calibration_error(logits, labels) == pytest.approx(0.5 * 0.45 + 0.5 * 0.45, abs=1e-6)
    labels[:5], labels[10:] = 0, 1  # .95 and all right, .55 and none right
    assert expected_calibration_error(logits, labels) == pytest.approx(0.5 * 0.05 + 0.5 * 0.55, abs=1e-6)


def test_logits_between_0_and_1_are_not_taken_for_probabilities():
    logits, labels = torch.rand(300, 3), torch.randint(0, 3, (300,))
    shifted = expected_calibration_error(logits + 5, labels)
    assert expected_calibration_error(logits, labels) == pytest.approx(shifted, abs=1e-5)


def test_scores_and_contributions_are_attributes(trained):
    model, prepared, _ = trained
    found = measure(model, encode_all(model, prepared), MeasureConfig(bootstrap=20), split="test")
    assert found.scores == {name: getattr(found, name) for name in ("accuracy", "macro_f1", "loss", "ece")}
    measured = found.contribution
    assert (found.phi, found.shares, found.edm) == (measured.phi, measured.shares, measured.edm)


@pytest.mark.parametrize("value", ["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"])
@pytest.mark.parametrize("change", ["one row", "one class", "nothing present", "one modality"])
def test_little_data_are_measured_as_far_as_they_go(trained, change, value):
    model, prepared, data = trained
    part = {
        "one row": lambda: prepared.subset([0]),
        "one class": lambda: prepared.subset(np.flatnonzero(data.labels == 0)),
        "nothing present": lambda: prepared.restrict([]),
        "one modality": lambda: prepared.restrict(["vector"]),
    }[change]()
    found = measure(model, encode_all(model, part), MeasureConfig(bootstrap=20, value=value), split="test")
    assert found.samples == len(part) and str(found)
    assert Measurement.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    measured = found.contribution
    assert sum(measured.phi.values()) == pytest.approx(measured.value_all - measured.value_empty)
    if change == "nothing present":
        assert found.edm is None and measured.reason is not None


def test_no_rows_are_named(trained):
    model, prepared, _ = trained
    with pytest.raises(DataError, match="at least one row to measure, got none"):
        measure(model, encode_all(model, prepared.subset([])), PLAIN, split="test")
