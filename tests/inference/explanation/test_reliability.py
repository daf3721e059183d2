"""Reliability and the temperature: against scikit-learn, torchmetrics' number and a temperature that is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from equimodal.inference.explanation.reliability import BINS, calibration, fit_temperature, reliability


def drawn(rows, temperature=1.0, seed=0):
    """Logits that are too sure by a known temperature, and labels drawn from what they should say."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 4, generator=generator)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(-1)
    return logits * temperature, labels


def test_bins_are_those_of_scikit_learn():
    logits, labels = drawn(1000)
    found = calibration(logits, labels)
    confidence = logits.double().softmax(-1).amax(-1).numpy()
    right = (logits.argmax(-1) == labels).numpy()
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS)
    filled = [each for each in found.bins if each.rows]
    assert [each.accuracy for each in filled] == pytest.approx(accuracy)
    assert [each.confidence for each in filled] == pytest.approx(mean)
    assert len(found.bins) == 15 and sum(each.rows for each in found.bins) == 1000


def test_the_error_is_that_of_the_bins():
    found = calibration(*drawn(500, temperature=3))
    gaps = [
        each.rows * abs(each.accuracy - each.confidence)
        for each in found.bins
        if each.accuracy is not None and each.confidence is not None
    ]
    assert found.ece == pytest.approx(sum(gaps) / 500, abs=1e-5)


def test_a_certain_row_is_in_the_last_bin():
    assert calibration(torch.tensor([[200.0, 0.0]]), torch.tensor([0])).bins[-1].rows == 1


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature):
    assert fit_temperature(*drawn(20000, temperature)) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_is_the_minimum():
    logits, labels = drawn(200, 2.0)
    best = fit_temperature(logits, labels)
    grid = np.exp(np.linspace(-2, 2, 2001))
    losses = [float(torch.nn.functional.cross_entropy(logits.double() / each, labels)) for each in grid]
    assert best == pytest.approx(grid[int(np.argmin(losses))], rel=0.003)


def test_it_is_fitted_on_validation_and_changes_no_decision():
    logits, labels = drawn(400, 4.0, seed=1)
    validation = drawn(400, 4.0, seed=2)
    found = reliability(logits, labels, validation)
    assert found.temperature == fit_temperature(*validation) != fit_temperature(logits, labels)
    assert found.after is not None and found.after.ece < found.before.ece / 2
    total = [sum((each.accuracy or 0) * each.rows for each in one.bins) for one in (found.before, found.after)]
    assert total[0] == pytest.approx(total[1])


def test_without_an_optimum_and_without_validation():
    logits, labels = torch.eye(3).repeat(4, 1), torch.arange(3).repeat(4)
    assert "beyond the bounds" in reliability(logits, labels, (logits, labels)).note
    alone = reliability(logits, labels, None, "Why.")
    assert (alone.temperature, alone.after, alone.note) == (None, None, "Why.")
