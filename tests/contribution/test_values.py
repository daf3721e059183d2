import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from equimodal.contribution import VALUES, value_function
from equimodal.errors import ConfigError, DataError

K, N, C, R = 3, 40, 4, 6
CLASS_VALUES = ["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"]


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def average_precision(scores, truth, w):
    kept = [c for c in range(truth.shape[1]) if (w * truth[:, c]).sum() > 0]
    return np.mean([metrics.average_precision_score(truth[:, c], scores[:, c], sample_weight=w) for c in kept])


REFERENCES = {
    "accuracy": lambda z, y, w: metrics.accuracy_score(y, z.argmax(-1), sample_weight=w),
    "macro_f1": lambda z, y, w: metrics.f1_score(
        y,
        z.argmax(-1),
        labels=np.unique(y[w > 0]),
        average="macro",
        sample_weight=w,
        zero_division=0,  # type: ignore[arg-type]
    ),
    "log_likelihood_gain": lambda z, y, w: (
        np.log(z.shape[-1]) - metrics.log_loss(y, softmax(z), sample_weight=w, labels=np.arange(z.shape[-1]))
    ),
    "true_class_probability": lambda z, y, w: np.average(softmax(z)[np.arange(len(y)), y], weights=w),
    "negative_mae": lambda z, y, w: -metrics.mean_absolute_error(y, z, sample_weight=w),
    "r2": lambda z, y, w: metrics.r2_score(y, z, sample_weight=w),
    "mean_average_precision": average_precision,
}


def case(name, seed=0):
    """Outputs with ties, targets in which one class never occurs, and integer weights with zeros."""
    rng = np.random.default_rng(seed)
    outputs = rng.integers(-3, 4, (K, N, C)) / 2
    if name in CLASS_VALUES:
        targets = rng.integers(0, C - 1, N)
    elif name == "mean_average_precision":
        targets = (rng.random((N, C)) < 0.3).astype(int)
        targets[:, 2] = 0
    else:
        targets = rng.normal(size=(N, C))
    return outputs, targets, rng.integers(0, 4, (R, N))


def test_every_value_function_is_tested():
    assert set(REFERENCES) == set(VALUES)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_agrees_with_scikit_learn(name):
    outputs, targets, weights = case(name)
    ours = VALUES[name](torch.tensor(outputs), torch.tensor(targets), torch.tensor(weights))
    expected = [[REFERENCES[name](z, targets, w) for z in outputs] for w in weights]
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-12)
    plain = VALUES[name](torch.tensor(outputs), torch.tensor(targets), None)
    np.testing.assert_allclose(plain, [REFERENCES[name](z, targets, np.ones(N)) for z in outputs], atol=1e-12)


@pytest.mark.parametrize("name", sorted(VALUES))
@settings(max_examples=25, deadline=None)
@given(weights=hnp.arrays(np.int64, N, elements=st.integers(0, 3)), seed=st.integers(0, 100))
def test_weights_are_repetitions(name, weights, seed):
    outputs, targets, _ = case(name, seed)
    weights[:3] += 1
    targets[:3] = 1  # always a sample, a positive
    z, y, w = torch.tensor(outputs), torch.tensor(targets), torch.tensor(weights)
    repeated = VALUES[name](z.repeat_interleave(w, dim=1), y.repeat_interleave(w, dim=0), None)
    torch.testing.assert_close(VALUES[name](z, y, w), repeated, rtol=0, atol=1e-10)
    torch.testing.assert_close(VALUES[name](z, y, w[None]), repeated[None], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_are_float64_whatever_the_outputs(name):
    outputs, targets, weights = case(name)
    values = VALUES[name](torch.tensor(outputs).bfloat16(), torch.tensor(targets), torch.tensor(weights))
    assert values.dtype == torch.float64 and values.shape == (R, K)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
def test_ties_go_to_the_lowest_class(name):
    tied = torch.zeros(1, 2, 3)
    assert VALUES[name](tied, torch.tensor([0, 0]), None).item() == 1
    assert VALUES[name](tied, torch.tensor([1, 1]), None).item() == 0


def test_uniform_guessing_gains_nothing():
    assert VALUES["log_likelihood_gain"](torch.full((1, 5, 7), 2.5), torch.arange(5), None).item() == (
        pytest.approx(0, abs=1e-12)
    )


@pytest.mark.parametrize(("guess", "score"), [(3.0, 1.0), (2.0, 0.0)])
def test_r2_of_constant_targets_is_as_in_scikit_learn(guess, score):
    targets = torch.full((4,), 3.0)
    outputs = torch.full((1, 4, 1), guess)
    assert VALUES["r2"](outputs, targets, None).item() == score == metrics.r2_score(targets, outputs[0])


def test_regression_takes_flat_targets():
    outputs = torch.tensor([[[1.0], [2.0], [4.0]]])
    assert VALUES["negative_mae"](outputs, torch.tensor([1.0, 3.0, 2.0]), None).item() == pytest.approx(-1)


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "weights", "message"),
    [
        (
            "accuracy",
            torch.zeros(3, 2),
            torch.zeros(2).long(),
            None,
            r"outputs \(coalitions, samples, classes\)",
        ),
        ("accuracy", torch.zeros(1, 2, 3), torch.zeros(4).long(), None, r"targets \(4,\)"),
        (
            "accuracy",
            torch.zeros(1, 2, 3),
            torch.zeros(2),
            None,
            "class numbers .* as integers, got torch.float32",
        ),
        (
            "macro_f1",
            torch.zeros(1, 2, 3),
            torch.tensor([0, 3]),
            None,
            "target 3 of row 1 is not a class.* 0 to 2",
        ),
        ("macro_f1", torch.zeros(1, 2, 3), torch.tensor([-1, 0]), None, "target -1 of row 0"),
        ("true_class_probability", torch.zeros(1, 2, 1), torch.tensor([0, 0]), None, r"two logits \(0, z\)"),
        (
            "accuracy",
            torch.zeros(1, 2, 3),
            torch.tensor([0, 1]),
            torch.ones(3),
            r"weights \(2,\) or \(R, 2\)",
        ),
        (
            "r2",
            torch.zeros(1, 2, 3),
            torch.zeros(2),
            None,
            r"shape of one coalition's outputs \(2, 3\), got \(2, 1\)",
        ),
        (
            "mean_average_precision",
            torch.zeros(1, 2, 1),
            torch.tensor([[0], [2]]),
            None,
            "targets of 0 and 1",
        ),
        ("mean_average_precision", torch.zeros(1, 2, 1), torch.zeros(2, 1), None, "at least one 1"),
    ],
)
def test_mistakes_are_named(name, outputs, targets, weights, message):
    with pytest.raises(DataError, match=message):
        VALUES[name](outputs, targets, weights)


def test_lookup_by_name_or_function():
    def mine(outputs, targets, weights):
        return outputs

    assert value_function(mine) == ("mine", mine)
    with pytest.raises(ConfigError, match=r"Unknown value function 'acuracy'\. Did you mean 'accuracy'"):
        value_function("acuracy")
