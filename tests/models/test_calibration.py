"""The fit of a pool on validation, against the documented objective written again in NumPy."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import f_oneway

from equimodal.models.calibration import fit_pool, fitted_coalitions
from equimodal.models.encoded import Encoded
from equimodal.training.run import load
from synthetic import linear_model
from training.runs import fit_tiny

from . import naive

KINDS = [
    ("late", {"pool": "fitted"}),
    ("late", {"pool": "fitted", "average": "probabilities"}),
    ("memory", {"pool": "fitted"}),
]


def made(fusion, options, signals, rows=80, groups=0, seed=0, presence=0.8):
    """A model whose heads read their logits off, and encodings that know the class by so much, and noise of size 1."""
    torch.manual_seed(seed)
    names = tuple("abcd"[: len(signals)])
    model = linear_model(names, fusion=fusion, fusion_options=options).eval()
    with torch.no_grad():
        for head in model.fusion.heads.values():
            head.weight.copy_(torch.eye(3, 6))
            head.bias.zero_()
    labels = torch.randint(0, 3, (rows,))
    numbers = torch.arange(rows) % groups if groups else None
    encodings = {}
    for name, (signal, noise) in zip(names, signals, strict=True):
        z = noise * torch.randn(rows, 6)
        if numbers is not None:
            z = z + torch.randn(groups, 6)[numbers]
        z[:, :3] += signal * torch.nn.functional.one_hot(labels, 3)
        encodings[name] = z
    present = {name: torch.rand(rows) < presence for name in names}
    if fusion == "memory":
        torch.nn.init.normal_(model.fusion.correction.output.weight)
        model.fusion.memory.inherit(torch.randn(6), torch.randn(6))
        model.fusion.order = names[::-1]
    return model, Encoded({m: z * present[m][:, None] for m, z in encodings.items()}, present, labels, numbers)


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


class Objective:
    """N_e * mean CE + penalties, over (log r, log beta, gamma, s)."""

    def __init__(self, model, known):
        fusion = model.fusion
        self.coalitions = fitted_coalitions(len(fusion.modalities)).numpy()
        self.labels, self.average = known.labels.numpy(), fusion.pool.average
        self.present = np.stack([known.present[m].numpy() for m in fusion.modalities])
        weights = {m: [p.detach().double().numpy() for p in fusion.head(m).parameters()] for m in fusion.modalities}
        self.each = log_softmax(
            np.stack([known.encodings[m].double().numpy() @ W.T + b for m, (W, b) in weights.items()])
        )
        self.added = None
        if hasattr(fusion, "strength"):
            tables = {}
            for strength in (0.0, 1.0):
                fusion.strength.fill_(strength)
                table = naive.table("memory", fusion, known.encodings, known.present, torch.from_numpy(self.coalitions))
                tables[strength] = np.nan_to_num(table)
            self.added = tables[1.0] - tables[0.0]
        self.rows = self.worth(known.groups)

    def worth(self, groups):
        """Kish's design effect of the most correlated column, the correlation shrunk towards .05."""
        N = len(self.labels)
        if groups is None:
            return N
        groups = groups.numpy()
        right = self.each[:, np.arange(N), self.labels]
        mean = (right * self.present).sum(0) / np.maximum(self.present.sum(0), 1)
        columns = list((right - mean) * self.present)
        if self.added is not None:
            total = self.present.sum(0)
            base = (self.each * self.present[..., None]).sum(0) / np.maximum(total, 1)[:, None]
            gain = log_softmax(base + self.added[-1]) - log_softmax(base)
            columns.append(gain[np.arange(N), self.labels])
        kinds, sizes = np.unique(groups, return_counts=True)
        G, m0 = len(kinds), (N - (sizes**2).sum() / N) / max(len(kinds) - 1, 1)
        found = []
        for column in columns:
            if G > 1 and column.std() > 0:
                F = f_oneway(*(column[groups == g] for g in kinds)).statistic
                found.append(min(max((F - 1) / (F - 1 + m0), 0), 1))
        rho = ((G - 1) * max(found, default=0.05) + 4 * 0.05) / (G - 1 + 4)
        return N / (1 + ((sizes**2).sum() / N - 1) * rho)

    def loss(self, x):
        n = len(self.each)
        r = np.exp(x[:n]) / np.exp(x[:n]).mean()
        beta, gamma = np.exp(x[n]), x[n + 1]
        by_size = {}
        for k, members in enumerate(self.coalitions):
            mask = members[:, None] & self.present
            some, weight = mask.any(0), r[:, None] * mask
            total = np.where(some, weight.sum(0), 1)
            if self.average == "logits":
                logits = beta * np.einsum("nb,nbc->bc", weight, self.each) / (total**gamma)[:, None]
            else:
                sharp = np.exp(log_softmax(beta * self.each))
                logits = np.log(np.maximum(np.einsum("nb,nbc->bc", weight, sharp) / total[:, None], 1e-300))
            if self.added is not None:
                logits = logits + x[n + 2] * self.added[k]
            losses = -log_softmax(logits)[np.arange(len(self.labels)), self.labels]
            by_size.setdefault(members.sum(), []).append(losses[some].mean())
        return np.mean([np.mean(losses) for losses in by_size.values()])

    def __call__(self, x):
        n = len(self.each)
        s = x[n + 2] if self.added is not None else 0
        shrunk = ((x[:n] - x[:n].mean()) ** 2).sum() + (1 - x[n + 1]) ** 2 + s**2
        return self.rows * self.loss(x) + 10 / 2 * shrunk + x[n] ** 2 / 2 + x[:n].mean() ** 2 / 2

    def minimum(self):
        n = len(self.each)
        start = np.array([0.0] * n + [0.0, 0.9] + [0.5] * (self.added is not None))
        bounds = [(-6, 6)] * n + [(-3, 3), (0, 1)] + [(0, 3)] * (self.added is not None)
        return minimize(self, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-12})

    @staticmethod
    def numbers(fusion):
        pool = fusion.pool
        found = [*np.log(pool.weights.numpy()), float(pool.inverse_temperature.log()), float(pool.exponent)]
        return np.array([*found, float(fusion.strength)] if hasattr(fusion, "strength") else found)


@pytest.mark.parametrize("groups", [0, 2, 11])
@pytest.mark.parametrize("signals", [((2, 1), (1, 2)), ((2, 1), (0, 2), (1, 1), (0.5, 1))])
@pytest.mark.parametrize(("fusion", "options"), KINDS)
def test_the_fit_is_the_minimum_of_the_documented_objective(fusion, options, signals, groups):
    model, known = made(fusion, options, signals, groups=groups)
    fit_pool(model, [known])
    found = Objective.numbers(model.fusion)
    objective = Objective(model, known)
    best = objective.minimum()
    assert objective(found) <= best.fun + 0.05  # of a likelihood of all rows: next to nothing
    n = len(signals)
    relative = np.exp(best.x[:n]) / np.exp(best.x[:n]).mean()
    assert np.exp(found[:n]).mean() == pytest.approx(1, abs=1e-5)
    assert np.allclose(np.exp(found[:n]), relative, atol=0.05)
    assert np.allclose(found[n:], best.x[n:], atol=0.1)


def test_the_coalitions_of_the_fit():
    found = {tuple(row) for row in fitted_coalitions(4).int().tolist()}
    assert len(found) == 9 and {sum(row) for row in found} == {1, 3, 4}
    assert fitted_coalitions(1).tolist() == [[True], [True]]


@pytest.mark.parametrize(("fusion", "options"), KINDS)
def test_a_loud_modality_of_noise_loses_its_weight(fusion, options):
    model, known = made(fusion, options, ((2, 1), (1.5, 1), (0, 6)), rows=150)
    if fusion == "memory":
        torch.nn.init.zeros_(model.fusion.correction.output.weight)

    def right(coded):
        with torch.no_grad():
            return float((model.fusion(coded.encodings, coded.present).argmax(1) == coded.labels).double().mean())

    _, fresh = made(fusion, options, ((2, 1), (1.5, 1), (0, 6)), rows=2000, seed=1)
    before = right(fresh)
    fit_pool(model, [known])
    trust = model.fusion.trust()
    assert trust["c"] < (0.7 if "average" in options else 0.3) and min(trust["a"], trust["b"]) > 1
    assert right(fresh) > before + (0.02 if "average" in options else 0.05)


def test_a_memory_is_as_strong_as_it_helps():
    strengths = {}
    for helps in (True, False):
        model, known = made("memory", {"pool": "fitted"}, ((1, 1), (1, 1)), rows=150, presence=1.1)
        wanted = 3 * torch.nn.functional.one_hot(known.labels if helps else torch.randint(0, 3, (150,)), 3).float()
        model.fusion.added_to = lambda _, present, coalitions, wanted=wanted: (
            wanted * (coalitions.sum(1) > 1)[:, None, None]
        )
        fit_pool(model, [known])
        strengths[helps] = float(model.fusion.strength)
    assert strengths[True] > 0.5 and strengths[False] < 0.1


def test_with_few_groups_the_numbers_stay_near_equal_weights():
    """The same rows: alone, of many people, of few, of one."""
    spread = []
    for groups in (0, 40, 2, 1):
        model, known = made("late", {"pool": "fitted"}, ((2, 1), (0.3, 2), (1, 1)), rows=400)
        numbers = None if not groups else torch.arange(400) * groups // 400
        fit_pool(model, [replace(known, groups=numbers)])
        spread.append(float(model.fusion.pool.weights.log().std()))
    assert all(one > other for one, other in pairwise(spread))
    assert spread[-1] < 0.6 * spread[0]


@pytest.mark.parametrize(("fusion", "options"), KINDS)
@pytest.mark.parametrize("groups", [0, 5])
def test_neither_the_order_of_rows_nor_batches_matter(fusion, options, groups):
    model, known = made(fusion, options, ((2, 1), (0, 3), (1, 1)), groups=groups)

    def part(rows):
        numbers = None if known.groups is None else known.groups[rows]
        encodings = {m: z[rows] for m, z in known.encodings.items()}
        return Encoded(encodings, {m: here[rows] for m, here in known.present.items()}, known.labels[rows], numbers)

    first = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    found = []
    shuffled = torch.randperm(80)
    for parts in ([torch.arange(80)], torch.arange(80).split(7), [shuffled], shuffled.split(33)):
        model.load_state_dict(first)
        fit_pool(model, [part(rows) for rows in parts])
        found.append(Objective.numbers(model.fusion))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[2], found[3])
    assert np.allclose(found[0], found[2], atol=1e-3)


@pytest.mark.parametrize(("fusion", "options"), KINDS)
def test_what_stands_at_an_absent_row_changes_nothing(fusion, options):
    model, known = made(fusion, options, ((2, 1), (0, 3), (1, 1)), groups=5)
    junk = {m: torch.where(known.present[m][:, None], z, 30 * torch.randn(80, 6)) for m, z in known.encodings.items()}
    first = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    found = []
    for encodings in (known.encodings, junk):
        model.load_state_dict(first)
        fit_pool(model, [replace(known, encodings=encodings)])
        found.append(Objective.numbers(model.fusion))
    assert np.allclose(found[0], found[1], atol=1e-3)


@pytest.mark.parametrize(("fusion", "options"), KINDS)
def test_nothing_but_the_numbers_is_touched(fusion, options):
    model, known = made(fusion, options, ((2, 1), (0, 3)))
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    fit_pool(model, [known])
    changed = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])}
    assert {key.partition("_fusion.")[2] for key in changed} <= {
        "pool.weights",
        "pool.inverse_temperature",
        "pool.exponent",
        "strength",
    }
    assert "_fusion.pool.weights" in changed and all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(("fusion", "options"), [("late", {}), ("late", {"pool": "entropy"}), ("concat", {})])
def test_a_fusion_without_a_fitted_pool_stays_as_it_is(fusion, options):
    model = linear_model(("a", "b"), fusion=fusion, fusion_options=options).eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    here = {m: torch.ones(5, dtype=torch.bool) for m in "ab"}
    fit_pool(model, [Encoded({m: torch.randn(5, 6) for m in "ab"}, here, torch.zeros(5, dtype=torch.long))])
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert model.fusion.trust() is None


def test_an_entry_that_is_never_there_does_no_harm():
    model, known = made("late", {"pool": "fitted"}, ((2, 1), (1, 1), (1, 1)))
    never = {**known.present, "c": torch.zeros(80, dtype=torch.bool)}
    fit_pool(model, [replace(known, present=never)])
    assert np.isfinite(Objective.numbers(model.fusion)).all()


@pytest.mark.parametrize("method", ["alternating:pool=fitted", "unimodal_ensemble:pool=fitted", "mla:pool=fitted"])
def test_fitted_numbers_are_saved_with_the_run(tiny, tmp_path, method):
    run = fit_tiny(tiny, method, tmp_path / "run")
    again = load(tmp_path / "run").model
    trust = run.model.fusion.trust()
    assert trust is not None and again.fusion.trust() == trust and set(trust.values()) != {1.0}
    assert sum(trust.values()) == pytest.approx(len(trust), abs=1e-4)
    batch = again.prepare(tiny.test).batch(range(len(tiny.test)))
    with torch.no_grad():
        assert torch.equal(again.eval()(batch), run.model.eval()(batch))
