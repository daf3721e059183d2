"""What a model gets of what is absent, and what it may answer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from equimodal.batch import Batch
from equimodal.contribution import (
    EquilibriumDeviation,
    ModalityContribution,
    coalition_outputs,
    contribution,
    diagnose,
    plan,
)
from equimodal.contribution.hiding import hide
from equimodal.contribution.prior import prior_logits
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError
from equimodal.models.encoded import encode_all
from equimodal.training.measure import measure
from synthetic import linear_model, make_model, make_splits

NAMES = ("a", "b")


def linear_data(samples=200, seed=0, absent=0.2):
    """Two vectors, "a" clearer than "b", some absent."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, samples)
    arrays = {
        "a": rng.normal(size=(samples, 3)) + 2 * np.eye(3)[labels],
        "b": rng.normal(size=(samples, 3)) + np.eye(3)[labels],
    }
    present = {name: rng.random(samples) >= absent for name in arrays}
    return Dataset(arrays, labels, present=present, name="linear")


def summed(inputs, present):
    """Read `present`, as the contract once asked."""
    return sum(torch.where(present[m].unsqueeze(-1), inputs[m], 0.0) for m in NAMES)


def blunt(inputs, present):
    """Never read `present`."""
    return inputs["a"] + inputs["b"]


def test_a_model_that_never_reads_present_is_measured_like_one_that_does():
    data = linear_data()
    read, never = diagnose(summed, data), diagnose(blunt, data)
    assert never == read
    assert read.edm is not None and read.edm > 0.1 and read.dominant == ("a",)


@pytest.mark.parametrize("absent", [0.0, 0.2])
def test_a_model_whose_outputs_never_change_is_an_error(absent):
    data = linear_data(absent=absent)
    whole = data.batch(slice(None))
    stored = blunt(whole.inputs, whole.present)

    def from_elsewhere(inputs, present):
        return stored

    def constant(inputs, present):
        return torch.tensor([[0.0, 1.0, 0.0]]).expand(len(present["a"]), 3)

    for model in (from_elsewhere, constant):
        with pytest.raises(DataError, match="predictions are the same whichever modalities are present"):
            diagnose(model, whole)


def test_a_model_that_reads_one_modality_is_not_an_error():
    c = diagnose(lambda inputs, present: inputs["a"], linear_data())
    assert c.dominant == ("a",) and c.phi["a"] > 0.2 > abs(c.phi["b"])  # the prior is met where only "b" is


def test_rows_with_one_modality_each_cannot_tell_and_are_measured():
    data = linear_data(absent=0.0)
    first = np.arange(200) < 100
    apart = Dataset(data.arrays, data.labels, present={"a": first, "b": ~first})
    batch = apart.batch(slice(None))
    stored = blunt(batch.inputs, batch.present)
    c = diagnose(lambda inputs, present: stored, batch)  # no row has two: nothing shows that hiding is ignored
    assert c.edm is not None


def test_a_model_may_write_into_what_it_gets():
    def spoiling(inputs, present):
        logits = blunt(inputs, present).clone()
        for name in NAMES:
            inputs[name].fill_(7.0)
            present[name].fill_(True)
        del inputs["a"]
        return logits

    data = linear_data()
    batch = data.batch(slice(None))
    assert diagnose(spoiling, batch, bootstrap=0) == diagnose(blunt, batch, bootstrap=0)
    assert torch.equal(batch.inputs["a"], data.batch(slice(None)).inputs["a"])


@pytest.mark.parametrize(
    "form",
    [
        lambda logits: logits.numpy(),
        lambda logits: logits.tolist(),
        lambda logits: list(logits),
        lambda logits: logits.numpy().T.copy().T,  # not contiguous
        lambda logits: logits.double(),
        lambda logits: logits.softmax(-1),
        lambda logits: logits.double().softmax(-1).numpy(),
    ],
)
def test_arrays_lists_and_probabilities_give_the_same_accuracies(form):
    data = linear_data()
    expected = diagnose(blunt, data)
    found = diagnose(lambda inputs, present: form(blunt(inputs, present)), data)
    assert found.coalition_values == expected.coalition_values and found.intervals == expected.intervals


def test_integers_and_bfloat16_are_logits_too():
    data = linear_data()
    rounded = diagnose(lambda inputs, present: (100 * blunt(inputs, present)).round(), data)
    whole = diagnose(lambda inputs, present: (100 * blunt(inputs, present)).round().int().numpy(), data)
    assert whole == rounded
    diagnose(lambda inputs, present: blunt(inputs, present).bfloat16(), data)


def test_probabilities_count_as_probabilities_in_every_value():
    data = linear_data()
    for value in ("log_likelihood_gain", "true_class_probability"):
        logits = diagnose(blunt, data, value=value)
        found = diagnose(lambda inputs, present: blunt(inputs, present).softmax(-1), data, value=value)
        assert found.phi == pytest.approx(logits.phi, abs=1e-5)
        assert any("predict returns probabilities" in note for note in found.notes)
        assert not any("probabilities" in note for note in logits.notes)


def test_regression_takes_one_number_per_row():
    x = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
    here = torch.ones(3, dtype=torch.bool)
    batch = Batch({"a": x[:, 0], "b": x[:, 1]}, {"a": here, "b": here}, x.sum(-1), torch.arange(3))
    flat = diagnose(lambda inputs, present: inputs["a"] + inputs["b"], batch, value="r2")
    column = diagnose(lambda inputs, present: (inputs["a"] + inputs["b"])[:, None].numpy(), batch, value="r2")
    assert flat == column and flat.value_all == pytest.approx(1)


class Summing(nn.Module):
    """A module that counts the steps of a sequence and drops out in training."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm1d(3, affine=False)
        self.drop = nn.Dropout(0.9)
        self.seen = []

    def forward(self, inputs, present, lengths):
        self.seen.append({name: steps.clone() for name, steps in lengths.items()})
        return self.drop(inputs["a"] + inputs["b"].mean(1) * lengths["b"].unsqueeze(-1) / 4)


def sequences():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    a = rng.normal(size=(60, 3)) + np.eye(3)[labels]
    b = rng.normal(size=(60, 4, 3)) + np.eye(3)[labels][:, None]
    present = {"b": np.arange(60) % 5 > 0}
    return Dataset({"a": a, "b": b}, labels, lengths={"b": rng.integers(1, 5, 60)}, present=present)


def test_a_module_gets_lengths_by_its_forward_and_is_in_evaluation_mode_meanwhile():
    module, data = Summing(), sequences()
    module.norm.eval()
    first = diagnose(module, data, batch_size=60)
    assert diagnose(module, data, batch_size=60) == first == diagnose(module.forward, data, batch_size=60)
    assert [each.training for each in module.modules()] == [True, False, True]
    whole = data.batch(slice(None))
    assert module.seen[2]["b"].tolist() == whole.lengths["b"].tolist()
    assert module.seen[0]["b"].tolist() == [1] * 60  # of what is hidden, not even the length is left


def test_modes_are_restored_after_an_error():
    class Failing(nn.Module):
        def forward(self, inputs, present):
            raise RuntimeError("mine")

    module = Failing()
    with pytest.raises(RuntimeError, match="mine"):
        diagnose(module, linear_data())
    assert module.training


@pytest.mark.parametrize(
    "wrong", [lambda inputs: inputs["a"], lambda: None, lambda a, b, c: a, nn.Linear(2, 2), lambda a, b, lengths, c: a]
)
def test_a_function_of_other_parameters_is_named(wrong):
    with pytest.raises(ConfigError, match=r"predict: expected a function \(inputs, present\)"):
        diagnose(wrong, linear_data())


@pytest.mark.parametrize("value", ["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"])
def test_a_classifier_is_diagnosed_as_a_run_measures_it(value):
    """One value of v(none): the training prior's, also for a class that training lacked."""
    from equimodal.config.run import MeasureConfig

    splits = make_splits(90, nothing=0.1)
    model = make_model(splits, fusion="late")
    model.log_prior.copy_(prior_logits([0.75, 0.25, 0.0]))
    data = model.prepare(splits.test)
    config = MeasureConfig(bootstrap=50, value=value)
    run = measure(model, encode_all(model, data), config, split="synthetic").contribution
    found = diagnose(model.train(), data, bootstrap=50, value=value)
    assert model.training
    assert found.coalition_values == pytest.approx(run.coalition_values, abs=1e-6)
    assert found.phi == pytest.approx(run.phi, abs=1e-6)
    assert found.notes[: len(run.notes)] == run.notes  # then what one model alone can tell
    given_prior = diagnose(lambda batch: model(batch), data, bootstrap=50, value=value, prior=[0.75, 0.25, 0.0])
    assert given_prior.value_empty == pytest.approx(run.value_empty, abs=1e-6)


def test_half_precision_does_not_blur_a_classifiers_prior():
    model = linear_model(fusion="late").eval()
    prior = torch.tensor([0.333, 0.334, 0.333])
    model.log_prior.copy_(prior_logits(prior))
    encodings = {name: torch.zeros(2, 6) for name in NAMES}
    nobody = {name: torch.zeros(2, dtype=torch.bool) for name in NAMES}
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.coalitions(encodings, nobody, torch.ones(1, 2, dtype=torch.bool))[0]
        assert logits.argmax(-1).tolist() == model.fuse(encodings, nobody).argmax(-1).tolist() == [1, 1]
    assert logits.softmax(-1)[0].tolist() == pytest.approx(prior.tolist(), abs=1e-6)


def test_groups_of_the_data_are_resampled():
    data = linear_data()
    speakers = [f"s{i % 8}" for i in range(200)]
    grouped = Dataset(data.arrays, data.labels, present=data.present, groups=speakers, name="linear")
    c = diagnose(blunt, grouped, batch_size=64)
    assert (c.groups, c.resampled) == (8, "groups: 8")
    assert c == diagnose(blunt, linear_data(), groups=speakers)
    assert diagnose(blunt, grouped, groups=range(200)).intervals == diagnose(blunt, data).intervals


def test_the_outputs_of_a_batch_feed_the_metrics():
    data, prior, groups = linear_data(), [0.2, 0.3, 0.5], torch.arange(200) % 25
    metrics = EquilibriumDeviation(NAMES), ModalityContribution(NAMES)
    for batch in data.batches(64):
        outputs = coalition_outputs(blunt, batch, NAMES, metrics[0].coalitions, prior=prior)
        for metric in metrics:
            metric.update(outputs, batch.labels, groups[batch.ids])
    whole = diagnose(blunt, data, prior=prior, groups=groups)
    assert metrics[0].compute().item() == pytest.approx(whole.edm)
    assert {name: phi.item() for name, phi in metrics[1].compute().items()} == pytest.approx(whole.phi)
    assert metrics[0].contribution().intervals == whole.intervals


def test_a_batch_with_nothing_has_the_prior_as_its_outputs():
    data = linear_data().restrict([])
    outputs = coalition_outputs(blunt, data.batch([0, 1]), NAMES, plan(2), prior=[0.2, 0.3, 0.5])
    assert outputs.softmax(-1).flatten(0, 1).tolist() == [pytest.approx([0.2, 0.3, 0.5])] * 8


def test_metrics_refuse_batches_of_which_some_have_groups():
    metric = EquilibriumDeviation(NAMES)
    outputs, targets = torch.zeros(4, 2, 2), torch.tensor([0, 1])
    with pytest.raises(DataError, match=r"groups: expected \(2,\)"):
        metric.update(outputs, targets, torch.tensor([0]))
    metric.update(outputs, targets, torch.tensor([0, 1]))
    metric.update(outputs, targets)
    with pytest.raises(DataError, match="groups: only 2 of 4 samples have one"):
        metric.contribution()


@pytest.mark.parametrize("labels", [[1], [0, 0, 0, 0]])
def test_one_row_or_one_class_give_what_they_can(labels):
    rng = np.random.default_rng(0)
    x = {name: torch.tensor(rng.normal(size=(len(labels), 2))) for name in NAMES}
    here = torch.ones(len(labels), dtype=torch.bool)
    batch = Batch(x, dict.fromkeys(NAMES, here), torch.tensor(labels), torch.arange(len(labels)))
    for value in ("accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"):
        c = diagnose(blunt, batch, value=value)
        assert c.samples == len(labels) and str(c)
        assert sum(c.phi.values()) == pytest.approx(c.value_all - c.value_empty)


@pytest.mark.parametrize("prior", [None, [0.2, 0.3, 0.5]])
def test_rows_without_labels_are_named(prior):
    batch = Dataset(linear_data().arrays).batch(slice(None))
    with pytest.raises(DataError, match=r"Sample 0 has no label|row 0 is not a class.*without labels have -1"):
        diagnose(blunt, batch, prior=prior)


def test_stored_probabilities_are_refused_where_logits_are_meant():
    outputs = torch.randn(4, 30, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(30) % 3
    for value in ("log_likelihood_gain", "true_class_probability"):
        with pytest.raises(DataError, match=f"every row holds probabilities, but '{value}' is computed from logits"):
            contribution(outputs.softmax(-1), plan(2), targets, NAMES, value=value)
        assert contribution(outputs.log_softmax(-1), plan(2), targets, NAMES, value=value).phi == pytest.approx(
            contribution(outputs, plan(2), targets, NAMES, value=value).phi, abs=1e-6
        )
    assert contribution(outputs.softmax(-1), plan(2), targets, NAMES) == contribution(outputs, plan(2), targets, NAMES)


def test_contribution_takes_arrays():
    generator = torch.Generator().manual_seed(0)
    outputs, targets = torch.randn(4, 30, 3, generator=generator), torch.arange(30) % 3
    expected = contribution(outputs, plan(2), targets, NAMES)
    assert contribution(outputs.numpy(), plan(2), targets.numpy(), NAMES) == expected
    with pytest.raises(DataError, match="targets: expected a tensor or an array of numbers, got list"):
        contribution(outputs, plan(2), ["ant"] * 30, NAMES)  # pyright: ignore[reportArgumentType]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=6), st.sampled_from([(), ("a",), ("a", "t"), ("x", "d", "n")]))
def test_hiding_leaves_what_is_present_and_nothing_else(mask, coalition):
    rows, here = len(mask), torch.tensor(mask)
    batch = Batch(
        {
            "a": torch.full((rows, 2, 3), torch.nan),
            "t": np.array(["word"] * rows, dtype=object),
            "x": np.array(["word"] * rows),
            "d": {"ids": torch.ones(rows, 4, dtype=torch.long), "mask": torch.ones(rows, 4, dtype=torch.bool)},
            "n": np.ones((rows, 2), np.float32),
        },
        dict.fromkeys("atxdn", here),
        torch.zeros(rows, dtype=torch.long),
        torch.arange(rows),
        {"a": torch.full((rows,), 2)},
    )
    hidden = hide(batch, coalition)
    for name in "atxdn":
        left = mask if name in coalition else [False] * rows
        assert hidden.present[name].tolist() == left
        parts = hidden.inputs[name].values() if name == "d" else [hidden.inputs[name]]
        for part in parts:
            for row, kept in zip(part, left, strict=True):
                if isinstance(row, str):
                    assert row == ("word" if kept else "")
                else:
                    row = np.array(row.tolist())
                    whole = np.isnan(row).all() if name == "a" else (row == 1).all()
                    assert whole if kept else not row.any()
    assert hidden.lengths["a"].tolist() == [2 if "a" in coalition and kept else 1 for kept in mask]
    assert batch.lengths["a"].tolist() == [2] * rows and batch.inputs["t"].tolist() == ["word"] * rows


def test_inputs_that_cannot_be_hidden_are_named():
    here = torch.ones(2, dtype=torch.bool)
    for value, message in (
        (3, "got int"),
        (torch.zeros(3, 1), r"expected 2 rows, one per label, got the shape \(3, 1\)"),
    ):
        batch = Batch({"a": value, "b": torch.zeros(2)}, {"a": here, "b": here}, torch.tensor([0, 1]), torch.arange(2))
        with pytest.raises(DataError, match=f"inputs of 'a': .*{message}"):
            diagnose(lambda inputs, present: inputs["b"], batch)
