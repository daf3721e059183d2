import math

import numpy as np
import pytest
import torch

from equimodal.batch import Batch
from equimodal.contribution import diagnose, plan, play
from equimodal.errors import ConfigError, DataError
from synthetic import make_splits

# Ten samples of class 1 or 0. "a" says the class outright where it is there; "b" is right on even rows only.
LABELS = torch.tensor([1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
RIGHT_B = torch.arange(10) % 2 == 0


def data(a_there=None, b_there=None):
    everyone = torch.ones(10, dtype=torch.bool)
    said = torch.where(RIGHT_B, LABELS, 1 - LABELS)
    return Batch(
        {"a": LABELS.clone(), "b": said},
        {"a": everyone if a_there is None else a_there, "b": everyone if b_there is None else b_there},
        LABELS,
        torch.arange(10),
    )


def pieces(batch, size):
    for start in range(0, len(batch), size):
        rows = slice(start, start + size)
        yield Batch(
            {name: value[rows] for name, value in batch.inputs.items()},
            {name: mask[rows] for name, mask in batch.present.items()},
            batch.labels[rows],
            batch.ids[rows],
            {name: steps[rows] for name, steps in batch.lengths.items()},
        )


class Split:
    name = "test"

    def batches(self, batch_size):
        return pieces(data(), batch_size)


def predict(inputs, present):
    """Believe "a" if it is there, else "b"; NaN with neither, which must never be seen."""
    said = torch.where(present["a"], inputs["a"], inputs["b"])
    logits = 4.0 * torch.nn.functional.one_hot(said, 2)
    return torch.where((present["a"] | present["b"]).unsqueeze(-1), logits, torch.nan)


def test_a_model_with_a_closed_form():
    c = diagnose(predict, data())
    # v() = 0.6 (the prior says 1), v(a) = 1, v(b) = 0.5, v(ab) = 1
    assert c.coalition_values == pytest.approx({"": 0.6, "a": 1.0, "b": 0.5, "a+b": 1.0})
    assert c.phi == pytest.approx({"a": 0.45, "b": -0.05})
    assert c.shares == pytest.approx({"a": 1.125, "b": -0.125}) and c.edm == pytest.approx(1.25)
    assert any("prior of these labels" in note for note in c.notes)
    assert any("negative contribution of b" in note for note in c.notes)


def test_absent_entries_shrink_coalitions_and_leave_the_prior():
    a_there = torch.tensor([False] * 2 + [True] * 6 + [False] * 2)  # rows 0, 1, 8, 9 lack "a"
    b_there = torch.tensor([False, True] * 5)  # even rows lack "b"; 0 and 8 have nothing
    c = diagnose(predict, data(a_there, b_there))
    # a: rows 2-7 right; 0, 1 (class 1) right by the prior, 8, 9 (class 0) wrong: 0.8
    # b: odd rows wrong; even rows 0, 2, 4 right by the prior, 6, 8 wrong: 0.3
    # a+b: rows 2-7 right by a; 1, 9 wrong by b; 0 right, 8 wrong by the prior: 0.7
    assert c.coalition_values == pytest.approx({"": 0.6, "a": 0.8, "b": 0.3, "a+b": 0.7})


def test_a_given_prior_replaces_that_of_the_data():
    c = diagnose(predict, data(), prior=[0.7, 0.3])
    assert c.value_empty == pytest.approx(0.4) and not any("prior of these" in note for note in c.notes)
    d = diagnose(predict, data(), prior=[0.7, 0.3], value="log_likelihood_gain")
    assert d.value_empty == pytest.approx(math.log(2) + 0.4 * math.log(0.7) + 0.6 * math.log(0.3))


def test_the_prior_of_classes_that_never_occur_is_finite():
    def wide(inputs, present):
        return torch.nn.functional.one_hot(inputs["a"], 5) * 3.0

    assert diagnose(wide, data(), value="log_likelihood_gain").value_empty == pytest.approx(
        math.log(5) + 0.6 * math.log(0.6) + 0.4 * math.log(0.4), abs=1e-6
    )


@pytest.mark.parametrize("size", [1, 3, 10])
def test_batches_do_not_matter(size):
    c = diagnose(predict, Split(), batch_size=size)
    whole = diagnose(predict, data())
    assert c.split == "test" and c.to_dict() | {"split": None} == whole.to_dict()
    assert diagnose(predict, pieces(data(), size)) == diagnose(predict, list(pieces(data(), size))) == whole


def test_each_batch_is_read_once_and_the_empty_coalition_is_never_predicted():
    seen = []

    def spy(inputs, present):
        assert not torch.is_grad_enabled()
        seen.append((len(present["a"]), bool(present["a"].any()), bool(present["b"].any())))
        return predict(inputs, present)

    diagnose(spy, pieces(data(), 5))
    assert seen == 2 * [(5, True, False), (5, False, True), (5, True, True)]


def test_a_first_batch_with_nothing_in_it():
    nothing_first = torch.arange(10) >= 5
    c = diagnose(predict, pieces(data(nothing_first, nothing_first), 5))
    # rows 0-4 are of class 1, which the prior gets right; of rows 5-9, b gets 6 and 8 right
    assert c.coalition_values == pytest.approx({"": 0.6, "a": 1.0, "b": 0.7, "a+b": 1.0})


def test_lengths_are_passed_to_a_function_that_names_them():
    batch = data()
    lengths = {"a": torch.arange(10)}
    with_lengths = Batch(batch.inputs, batch.present, batch.labels, batch.ids, lengths)

    def sequential(inputs, present, lengths):
        assert lengths["a"].tolist() == (list(range(10)) if present["a"].all() else [1] * 10)
        return predict(inputs, present)

    assert diagnose(sequential, with_lengths) == diagnose(predict, batch)


def test_players_left_out_are_absent_throughout():
    batch = data()
    more = Batch({**batch.inputs, "c": LABELS}, {**batch.present, "c": torch.ones(10).bool()}, LABELS, batch.ids)

    def spy(inputs, present):
        assert not present["c"].any()
        return predict(inputs, present)

    assert diagnose(spy, more, modalities=["a", "b"]) == diagnose(predict, batch)
    assert diagnose(predict, batch, modalities=["b", "a"]).phi == pytest.approx({"b": -0.05, "a": 0.45})


def test_a_modality_that_nobody_has_is_noted():
    c = diagnose(predict, data(b_there=torch.zeros(10).bool()))
    assert c.phi["b"] == 0 and any("no sample has b" in note for note in c.notes)


def test_regression_starts_from_the_mean():
    x = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
    y = x.sum(-1)
    here = torch.ones(3, dtype=torch.bool)
    batch = Batch({"a": x[:, 0], "b": x[:, 1]}, {"a": here, "b": here}, y, torch.arange(3))

    def summed(inputs, present):
        parts = [torch.where(present[m], inputs[m], inputs[m].mean()) for m in ("a", "b")]
        return torch.stack(parts, dim=-1).sum(-1, keepdim=True)

    c = diagnose(summed, batch, value="r2", bootstrap=0)
    assert c.value_empty == pytest.approx(0) and c.value_all == pytest.approx(1)
    assert c.shares is not None and c.shares["a"] > c.shares["b"] > 0


def test_half_precision_does_not_blur_the_prior():
    labels = torch.tensor([0] * 500 + [1] * 501)
    here = torch.ones(1001, dtype=torch.bool)
    batch = Batch({"a": labels, "b": labels}, {"a": here, "b": here}, labels, torch.arange(1001))

    def half(inputs, present):
        return torch.nn.functional.one_hot(inputs["a"], 2).bfloat16()

    assert diagnose(half, batch, bootstrap=0).value_empty == pytest.approx(501 / 1001)


def test_more_than_ten_modalities_are_estimated():
    names = [f"m{i}" for i in range(12)]
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (60,), generator=generator)
    inputs = {name: torch.randn(60, generator=generator) + labels for name in names}
    batch = Batch({**inputs}, {name: torch.ones(60, dtype=torch.bool) for name in names}, labels, torch.arange(60))

    def voting(inputs, present):
        score = torch.stack([torch.where(present[m], inputs[m] - 0.5, 0.0) for m in names]).sum(0)
        return torch.stack([-score, score], dim=-1)

    c = diagnose(voting, batch, budget=100, seed=5)
    assert not c.exact and c.coalitions <= 100 and c.sampling_seed == 5
    assert sum(c.phi.values()) == pytest.approx(c.value_all - c.value_empty)


def test_play_gives_the_outputs_of_every_coalition():
    scheme = plan(2)
    played = play(predict, [data()], scheme.coalitions, ["a", "b"], prior=[0.25, 0.75])
    assert played.outputs.shape == (4, 10, 2) and torch.equal(played.targets, LABELS)
    assert played.outputs[0].softmax(-1)[3].tolist() == pytest.approx([0.25, 0.75])
    assert played.outputs[1].argmax(-1).tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *_: torch.zeros(10), r"tensor \(10, classes\) for batch 0, a, got \(10,\)"),
        (lambda *_: torch.zeros(3, 2), r"\(10, classes\) for batch 0, a, got \(3, 2\)"),
        (lambda *_: [0] * 10, r"got list \(10,\)"),
        (
            lambda _, present: torch.zeros(10, 2 + int(present["b"].any())),
            "2 classes as before for batch 0, b, got 3",
        ),
        (lambda *_: torch.zeros(10, 1), r"got \(10, 1\)\. Return one column per class: a single logit z as \(0, z\)"),
        (lambda *_: np.zeros((10, 1)), r"got ndarray \(10, 1\)\. Return one column per class"),
        (lambda *_: np.zeros(10, int), r"got ndarray \(10,\)\. .* not class numbers"),
        (lambda *_: torch.zeros(2, 10), r"got \(2, 10\)\. Return one row per row of the inputs, in their order"),
        (lambda _, present: torch.zeros(int(present["a"].sum()) - 1, 2), r"got \(9, 2\)\. Return one row per row"),
        (lambda *_: (torch.zeros(10, 2), None), "got tuple. Return the logits alone"),
        (lambda *_: {"logits": torch.zeros(10, 2)}, "got dict. Return the logits alone"),
        (lambda *_: None, "got NoneType. Return the logits alone"),
        (lambda *_: np.full((10, 2), "ant"), "got ndarray that is not a table of numbers"),
        (lambda *_: [[0, 1], [2]], "got list that is not a table of numbers"),
        (lambda *_: torch.zeros(10, 2, dtype=torch.cfloat), "got complex numbers"),
        (lambda *_: np.full((10, 2), np.nan), "NaN with a present, sample 0"),
        (lambda *_: torch.full((10, 2), torch.nan), "NaN with a present, sample 0"),
    ],
)
def test_wrong_predictions_are_named(answer, message):
    with pytest.raises(DataError, match=message):
        diagnose(answer, data())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"value": "acuracy"}, ConfigError, "Did you mean 'accuracy'"),
        ({"target": {"a": 1.0}}, ConfigError, "no share for modality 'b'"),
        ({"modalities": ["a"]}, ConfigError, "at least 2 are needed"),
        ({"modalities": ["a", "c"]}, DataError, "Batch 0 has no modality c; it has a, b"),
        ({"prior": [1.0]}, DataError, r"prior: expected 2 numbers, one per class, got \(1,\)"),
        ({"prior": [0.5, 0.6]}, DataError, "sum 1, got a sum of 1.1"),
        ({"prior": "uniform"}, DataError, "one number per class, got 'uniform'"),
        ({"prior": [math.nan, 1.0]}, DataError, "sum 1, got a sum of nan"),
        ({"bootstrap": 10.5}, ConfigError, "bootstrap >= 0, a whole number"),
        ({"modalities": "a"}, ConfigError, "a list of names, got 'a'"),
        ({"groups": [1, 2]}, DataError, "each of the 10 samples, got 2"),
        ({"budget": 3}, ConfigError, "give 4"),
    ],
)
def test_mistakes_are_named(options, error, message):
    with pytest.raises(error, match=message):
        diagnose(predict, data(), **options)


class Parts:
    """What a split looks like from here: parts, and no batches of its own."""

    train = validation = test = Split()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Parts(), r"^data: expected one part, got all of them \(Parts\)\. Give one, for instance splits\.test\.$"),
        (make_splits(samples=60), r"got all of them \(Splits\)\. Give one, for instance splits\.test"),
        (3, r"^data: expected a Dataset, a Batch or batches, got int\."),
        (None, "got NoneType"),
        (torch.zeros(4, 2), r"^data: expected batches, got Tensor as number 0\."),
        ([data(), (1, 2)], "expected batches, got tuple as number 1"),
        ({"a": torch.zeros(4)}, "expected batches, got str as number 0"),
    ],
)
def test_what_holds_no_batches_is_named(wrong, message):
    with pytest.raises(DataError, match=message):
        diagnose(predict, wrong)


def test_a_model_that_cannot_be_called_is_named():
    with pytest.raises(ConfigError, match=r"predict: expected a function .* got Batch\. The data come second"):
        diagnose(data(), predict)  # pyright: ignore[reportArgumentType]


def test_no_data_is_named():
    with pytest.raises(DataError, match="at least one batch to diagnose"):
        diagnose(predict, [])
    with pytest.raises(DataError, match="some sample has some modality"):
        diagnose(predict, data(torch.zeros(10).bool(), torch.zeros(10).bool()))
