"""Confusions and scores of classes: against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from equimodal.inference.explanation.confusion import confusion


@pytest.mark.parametrize("classes", [2, 7, 101])
def test_scores_are_those_of_scikit_learn(classes):
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, 300)
    predicted = np.where(random.random(300) < 0.5, labels, random.integers(0, classes - 1, 300))
    labels[labels == 0] = 1  # class 0 does not occur, but may be predicted
    names = [f"class {number}" for number in range(classes)]
    found = confusion(labels, predicted, names)
    assert np.array_equal(found.counts, confusion_matrix(labels, predicted, labels=range(classes)))
    undefined: Any = np.nan  # scikit-learn names its type str
    expected: Any = precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=undefined)
    for number, one in enumerate(found.scores().values()):
        ours = [np.nan if score is None else score for score in (one.precision, one.recall, one.f1)]
        assert ours == pytest.approx([column[number] for column in expected[:3]], nan_ok=True)


def test_confused_pairs():
    labels, predicted = (
        np.array([0] * 10 + [1] * 4 + [2] * 4),
        np.array([0] * 8 + [1] * 2 + [0] * 2 + [1] * 2 + [2] * 4),
    )
    found = confusion(labels, predicted, ["a", "b", "c"]).mistaken()
    assert [(pair.label, pair.predicted, pair.rows, pair.share) for pair in found] == [
        ("b", "a", 2, 0.5),
        ("a", "b", 2, 0.2),
    ]


def test_shares_are_of_the_rows_of_a_class():
    found = confusion(np.array([0, 0, 0, 0, 2]), np.array([0, 1, 1, 1, 2]), ["a", "b", "c"])
    assert found.shares[[0, 2]].tolist() == [[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]] and np.isnan(found.shares[1]).all()
