"""What a threshold keeps, counted pair by pair with NumPy's correlations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equimodal.analyses.kept import kept_correlations
from equimodal.models.classifier import Classifier
from equimodal.seeds import permutation
from synthetic import make_splits


@pytest.mark.parametrize("fusion", ["refined", "memory"])
@pytest.mark.parametrize("tau", [0.05, 0.3, 1.0])
@torch.no_grad()
def test_pairs_that_reach_tau_are_counted(tau, fusion):
    data = make_splits(modalities=("vector", "sequence", "image"))
    model = Classifier.for_data(data, width=8, fusion=fusion, fusion_options={"tau": tau}).eval()
    model.fusion.order = ("image", "vector", "sequence")
    train = model.prepare(data.train)
    found = kept_correlations(model, model.fusion, train, batch_size=20, seed=3)
    pairs = dict.fromkeys(model.modalities, 0)
    reach = dict.fromkeys(model.modalities, 0)
    weights = []
    order = permutation(len(train), 3, "order", "kept").numpy()
    for start in range(0, len(order), 20):
        batch = train.batch(order[start : start + 20])
        mapped = {m: model.fusion.mapping.maps[m](model.encode_one(batch, m)).numpy() for m in model.modalities}
        before: dict[int, np.ndarray] = {}
        for name in model.fusion.order:
            here = [i for i in range(len(batch)) if batch.present[name][i]]
            both = [i for i in here if i in before]
            for i in both:
                row = [np.corrcoef(before[i], mapped[name][j])[0, 1] for j in both if j != i]
                good = [r for r in row if r >= tau]
                pairs[name] += len(row)
                reach[name] += len(good)
                weights.append(sum(good) / (1 + sum(good)))
            before |= {i: mapped[name][i] for i in here}
    assert found["kept.image"] is None  # always first
    for name in ("vector", "sequence"):
        assert found[f"kept.{name}"] == pytest.approx(reach[name] / pairs[name])
    assert found["kept"] == pytest.approx(sum(reach.values()) / sum(pairs.values()))
    assert found["mixed"] == pytest.approx(np.mean(weights), abs=1e-5)
    assert (found["kept"] == 0) == (tau == 1.0)
