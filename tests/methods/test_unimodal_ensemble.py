from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from equimodal.models.predict import class_probabilities
from equimodal.seeds import permutation
from equimodal.training.fit import fit
from synthetic import make_model

EPOCHS, BATCH, RATE = 5, 16, 0.02


def alone(model, splits, name, phase):
    """Train one encoder with its head by a plain loop; return the best epoch's state by its own validation."""
    encoder, head = model.encoders[name], model.fusion.heads[name]
    parameters = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01)
    train, validation = model.prepare(splits.train), model.prepare(splits.validation)
    steps, best, scores = math.ceil(len(train) / BATCH), (-1.0, 0.0), []
    state = None
    for epoch in range(EPOCHS):
        order = permutation(len(train), 0, "order", phase, epoch, 0).numpy()
        for step in range(steps):
            rate = RATE * 0.5 * (1 + math.cos(math.pi * (epoch * steps + step) / (EPOCHS * steps)))
            for group in optimiser.param_groups:
                group["lr"] = rate
            batch = train.batch(order[step * BATCH : (step + 1) * BATCH])
            rows = batch.present[name]
            lengths = batch.lengths[name][rows] if name in batch.lengths else None
            logits = head(encoder(batch.inputs[name][rows], lengths))
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, batch.labels[rows]).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
        encoder.eval()
        with torch.no_grad():
            batch = validation.batch(np.arange(len(validation)))
            answer = head(encoder(batch.inputs[name], batch.lengths.get(name))).log_softmax(-1)
            answer = torch.where(batch.present[name][:, None], answer, model.log_prior)
        encoder.train()
        accuracy = float((answer.argmax(-1) == batch.labels).float().mean())
        loss = float(nn.functional.nll_loss(answer, batch.labels))
        scores.append((accuracy, loss))
        if (accuracy, -loss) > best:
            best = (accuracy, -loss)
            state = [{k: v.clone() for k, v in module.state_dict().items()} for module in (encoder, head)]
    return state, scores


def test_each_encoder_is_as_if_trained_alone(splits):
    options = {"vector": {"dropout": 0.0}, "sequence": {"dropout": 0.0}, "image": {"dropout": 0.0, "hidden": [16]}}
    late = {"fusion": "late", "fusion_options": {"heads": "own", "average": "probabilities"}}
    model, plain = (make_model(splits, encoders=options, seed=1, **late) for _ in range(2))
    run = fit(model, splits, "unimodal_ensemble", epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE, quiet=True)
    assert [line["phase"] for line in run.history] == [m for m in splits.modalities for _ in range(EPOCHS)]
    best_is_last = []
    for phase, name in enumerate(splits.modalities):
        state, scores = alone(plain.train(), splits, name, phase)
        assert state is not None
        fusion: Any = run.model.fusion
        for ours, expected in zip((run.model.encoders[name], fusion.heads[name]), state, strict=True):
            for key, tensor in ours.state_dict().items():
                assert torch.allclose(tensor, expected[key], atol=1e-5), (name, key)
        lines = run.history[phase * EPOCHS : (phase + 1) * EPOCHS]
        for line, (accuracy, loss) in zip(lines, scores, strict=True):
            own = line["validation"]["unimodal"][name]
            assert own["accuracy"] == pytest.approx(accuracy)
            assert own["loss"] == pytest.approx(loss, abs=1e-4)
            assert line["updates"].keys() == {name}
        ranks = [(accuracy, -loss) for accuracy, loss in scores]
        best = ranks.index(max(ranks))
        assert max(i for i, line in enumerate(lines) if line["best"]) == best
        best_is_last.append(best == EPOCHS - 1)
    assert not all(best_is_last)  # else nothing was shown about the choice of the best epoch


def test_the_ensemble_averages_probabilities_and_is_its_own_reference(splits):
    run = fit(make_model(splits), splits, "unimodal_ensemble", epochs=2, quiet=True)
    test = splits.test
    each = torch.stack([class_probabilities(run.model, test, [m]) for m in splits.modalities])
    present = torch.stack([torch.from_numpy(test.present[m]) for m in splits.modalities])
    expected = (each * present[..., None]).sum(0) / present.sum(0)[:, None]
    assert torch.allclose(class_probabilities(run.model, test), expected, atol=1e-5)
    assert run.reference is not None and run.reference["test"].alone == run.test.alone
    assert run.test.utilisation is not None
    assert all(used is None or used == pytest.approx(1) for used in run.test.utilisation.values())


def test_it_may_average_logits(splits):
    ensembles = [
        fit(make_model(splits), splits, f"unimodal_ensemble:average={average}", epochs=2, quiet=True).model
        for average in ("logits", "probabilities")
    ]
    logits, same = (
        {m: class_probabilities(model, splits.test, [m]).log() for m in splits.modalities} for model in ensembles
    )
    present = {m: torch.from_numpy(splits.test.present[m])[:, None] for m in splits.modalities}
    assert all(torch.allclose(logits[m], same[m], atol=1e-4) for m in splits.modalities)  # trained alike
    product = torch.stack([torch.where(present[m], logits[m], 0.0) for m in splits.modalities]).sum(0)
    expected = (product / sum(present.values())).softmax(1)
    assert torch.allclose(class_probabilities(ensembles[0], splits.test), expected, atol=1e-5)
