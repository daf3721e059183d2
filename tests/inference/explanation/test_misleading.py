"""Rows that a modality misleads: by hand, and against a model whose data are restricted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import equimodal as eq
from equimodal.contribution.shapley import plan
from equimodal.inference.evaluation import Chosen
from equimodal.inference.explanation.explain import explain
from equimodal.inference.explanation.misleading import LeftOut, misleading
from equimodal.training.outputs import Outputs


def outputs(full, labels, present):
    n = present.shape[1]
    scheme = plan(n)
    blank = torch.zeros(len(scheme.coalitions), *full.shape)
    return Outputs(scheme, blank, torch.zeros(n, *full.shape), full, labels, present)


def test_by_hand():
    right, wrong, worse = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), torch.tensor([0.0, 5.0])
    full = torch.stack([wrong, worse, right, wrong, wrong])  # all rows are of class 0
    without = torch.stack(
        [
            torch.stack([right, right, wrong, wrong, right]),
            torch.stack([wrong, right, right, wrong, right]),
        ]
    )
    present = torch.tensor([[True, True]] * 4 + [[True, False]])
    found = misleading(outputs(full, torch.zeros(5, dtype=torch.int64), present), without, ["a", "b"])
    assert found.counts == {"a": LeftOut(4, 2, 1), "b": LeftOut(4, 1, 0)}  # the last row has nothing but a
    assert [(each.row, each.modality) for each in found.rows] == [(1, "a"), (1, "b"), (0, "a")]
    gains = [each.gain for each in found.rows]
    p = [1 / (1 + math.exp(x)) for x in (5, 2)]
    best = 1 / (1 + math.exp(-2))
    assert gains == pytest.approx([math.log(best / p[0])] * 2 + [math.log(best / p[1])], rel=1e-6)


@pytest.mark.parametrize("n", [2, 3])
def test_they_are_what_the_model_predicts_without_the_modality(n):
    random = np.random.default_rng(n)
    labels = np.arange(240) % 3
    arrays = {f"m{i}": random.normal(size=(240, 3)) + labels[:, None] / (1 + i) for i in range(n)}
    splits = eq.Dataset(arrays, labels, present={"m1": random.random(240) < 0.7}).split(seed=0)
    model = eq.Classifier.for_data(splits, width=8)
    run = eq.fit(
        model, splits, "joint", epochs=3, learning_rate=0.01, reference=False, quiet=True, measure={"bootstrap": 0}
    )
    test = splits.test
    found = explain(run, Chosen(test, "test"))
    true, names = test.label_names, list(arrays)
    assert true is not None
    full = run.predict(test)
    expected = set()
    for name in names:
        rest = [other for other in names if other != name]
        others = run.predict(test, rest)
        here = test.present[name] & np.any([test.present[other] for other in rest], axis=0)
        misled = here & (full.labels != true) & (others.labels == true)
        expected |= {(row, name) for row in np.flatnonzero(misled).tolist()}
        assert found.misleading.counts[name].misled == misled.sum()
    assert {(each.row, each.modality) for each in found.misleading.rows} == expected
    assert expected  # these data have such rows
    assert "lack a modality" in found.notes[0]
    assert "No temperature" in found.reliability.note  # data that were given in Python cannot be loaded again
    first = found.misleading.rows[0]
    column = list(run.model.classes).index(true[first.row])
    rest = run.predict(test, [other for other in names if other != first.modality])
    ratio = rest.probabilities[first.row, column] / full.probabilities[first.row, column]
    assert first.gain == pytest.approx(math.log(ratio), rel=1e-4)
