"""Iterative imputation, against scikit-learn's and against its ridge regressions."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import Ridge, RidgeCV

from equimodal.models.absence import iterative
from equimodal.models.absence.iterative import PENALTIES, ROUNDS, ChainedRidge, best_penalty, ridge

from .rows import NAMES, filled, related, something, with_nan


@pytest.mark.parametrize(("samples", "features"), [(50, 6), (12, 30)])
def test_the_penalty_is_that_of_leaving_one_out(samples, features):
    rng = np.random.default_rng(samples)
    x = rng.normal(size=(samples, features)) @ rng.normal(size=(features, features)) + 3
    y = x @ rng.normal(size=(features, 2)) + 5 * rng.normal(size=(samples, 2))
    scatter = np.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0))).mean()
    reference = RidgeCV(alphas=scatter * np.array(PENALTIES)).fit(x, y)
    penalty = best_penalty(torch.from_numpy(x), torch.from_numpy(y))
    assert np.isclose(float(penalty), reference.alpha_)
    weights, bias = ridge(torch.from_numpy(x), torch.from_numpy(y), penalty)
    assert np.allclose(weights.numpy().T, reference.coef_) and np.allclose(bias.numpy(), reference.intercept_)


def test_of_single_features_it_is_scikit_learns(monkeypatch):
    """The regressions of the last round are those of `IterativeImputer`; imputing goes on until nothing changes."""
    penalty, rounds = 0.7, 60
    monkeypatch.setattr(iterative, "best_penalty", lambda x, y: torch.tensor(penalty, dtype=x.dtype))
    monkeypatch.setattr(iterative, "ROUNDS", rounds)
    encodings, present = related(60, width=1)
    rows = with_nan(encodings, present)[something(present)]
    reference = IterativeImputer(Ridge(alpha=penalty), max_iter=rounds, tol=0, imputation_order="roman")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it stopped after so many rounds
        reference.fit(rows)
    imputer = ChainedRidge(NAMES, 1)
    imputer.fit(encodings, present)
    for t, step in enumerate(reference.imputation_sequence_[-3:]):
        weights = [imputer.weights[s, t, 0, 0].item() for s in step.neighbor_feat_idx]
        assert step.feat_idx == t and np.allclose(weights, step.estimator.coef_, atol=1e-5)
        assert np.isclose(imputer.bias[t].item(), step.estimator.intercept_, atol=1e-5)
    new, there = related(30, width=1, gaps=0.5, seed=1)
    some = something(there)
    assert np.allclose(filled(imputer, new, there)[some], reference.transform(with_nan(new, there))[some], atol=1e-4)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_blocks_are_regressed_as_a_plain_loop_does(gaps):
    encodings, present = related(50, width=3, gaps=gaps)
    new, there = related(20, width=3, gaps=0.4, seed=1)
    imputer = ChainedRidge(NAMES, 3)
    imputer.fit(encodings, present)
    rows = with_nan(encodings, present)[something(present)]
    mean, holes = np.nanmean(rows, axis=0), np.isnan(rows)
    rows = np.where(holes, mean, rows)
    blocks = [slice(3 * t, 3 * t + 3) for t in range(3)]
    penalties, models = {}, {}
    for _ in range(ROUNDS):
        for t, block in enumerate(blocks):
            others, here = np.delete(rows, block, axis=1), ~holes[:, 3 * t]
            x = others[here]
            scale = np.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0))).mean()
            if t not in penalties:
                penalties[t] = RidgeCV(alphas=scale * np.array(PENALTIES)).fit(x, rows[here, block]).alpha_
            models[t] = Ridge(alpha=penalties[t]).fit(x, rows[here, block])
            rows[~here, block] = models[t].predict(others)[~here]
    expected = with_nan(new, there)
    lacks = np.isnan(expected)
    expected = np.where(lacks, mean, expected)
    for _ in range(ROUNDS):
        for t, block in enumerate(blocks):
            guess = models[t].predict(np.delete(expected, block, axis=1))
            expected[:, block] = np.where(lacks[:, block], guess, expected[:, block])
    some = something(there)
    assert np.allclose(filled(imputer, new, there)[some], expected[some], atol=1e-4)


def test_a_modality_that_no_training_row_has_is_no_obstacle():
    encodings, present = related(30)
    present["c"][:] = False
    imputer = ChainedRidge(NAMES, 2)
    imputer.fit(encodings, present)
    there = {name: torch.tensor([name != "b"]) for name in NAMES}
    assert all(z.isfinite().all() for z in imputer({name: torch.ones(1, 2) for name in NAMES}, there))


def test_one_training_row_is_enough():
    encodings, present = related(1, gaps=0.0)
    imputer = ChainedRidge(NAMES, 2)
    imputer.fit(encodings, present)
    here = {name: torch.tensor([name == "a"]) for name in NAMES}
    assert torch.allclose(imputer({name: torch.ones(1, 2) for name in NAMES}, here)[1], encodings["b"])
