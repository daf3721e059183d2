"""Fit the few numbers of a pool, and the strength of a memory, on validation encodings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded, joined
from equimodal.models.fusions.late import Late
from equimodal.models.fusions.memory import MemoryFusion
from equimodal.models.fusions.pool import weighted_pool
from equimodal.statistics.clusters import effective_samples

RIDGE = 10.0
"""Weight of the penalties, in samples: the log-weights are shrunk to equal ones, as if so many rows said so (ours)."""
BOUNDS = {"log weight": (-6.0, 6.0), "log beta": (-3.0, 3.0), "gamma": (0.0, 1.0), "strength": (0.0, 3.0)}


class Table(NamedTuple):
    """What the numbers are fitted on.

    Args:
        each: log-probabilities of each modality alone (n, N, C).
        mask: which modalities count, bool (K, n, N).
        corrections: what the memory adds at full strength (K, N, C); None without memory.
        labels: class numbers (N,).
        weights: of each coalition and row in the mean loss (K, N), of sum 1.
        average: "logits" or "probabilities", see `Pool`.
    """

    each: Tensor
    mask: Tensor
    corrections: Tensor | None
    labels: Tensor
    weights: Tensor
    average: str


def fitted_coalitions(n: int) -> Tensor:
    """Return the coalitions whose loss is fitted: single modalities, all but one, and all, bool (K, n).

    Example:
        >>> fitted_coalitions(2).int().tolist()
        [[1, 0], [0, 1], [1, 1]]
        >>> len(fitted_coalitions(3)), len(fitted_coalitions(6))
        (7, 13)
    """
    one = torch.eye(n, dtype=torch.bool)
    return torch.cat([one, *([~one] if n > 2 else []), torch.ones(1, n, dtype=torch.bool)])


@torch.no_grad()
def fit_pool(model: Classifier, validation: Sequence[Encoded]) -> None:
    r"""Fit the pool's numbers and the memory's strength, if the model's fusion has a fitted pool.

    They minimise, over weights $r$, inverse temperature $\beta$, exponent $\gamma$ and strength s,

    $$
    N_e \, \overline{CE} + \frac{\lambda}{2} \Big( \sum_m (\log r_m - \overline{\log r})^2 + (1 - \gamma)^2 + s^2
    \Big) + \frac{(\log \beta)^2}{2}
    $$

    with the cross entropy averaged over the sizes of coalitions (single modalities, all but one, and all), over the
    coalitions of a size, and over rows; $\lambda = 10$. $N_e$ is the number of rows; where they come in groups, the
    number of independent rows that they are worth (`equimodal.statistics.clusters.effective_samples`), so that with few
    people in the validation part the numbers stay near equal weights and the memory is weak unless it helps much.

    Args:
        model: the classifier, in evaluation mode.
        validation: encodings of the validation probe.
    """
    fusion = model.fusion
    if not isinstance(fusion, (Late, MemoryFusion)) or not fusion.pool.fitted:
        return
    known = joined(validation)
    table, gain = _tabulate(fusion, known)
    groups = None if known.groups is None else known.groups.numpy()
    rows = effective_samples(_reliability(table, gain), groups)
    remembers = table.corrections is not None
    r, beta, gamma, strength = _minimise(table, rows, _start(fusion))
    fusion.pool.set(r, beta, gamma)
    if remembers and isinstance(fusion, MemoryFusion):
        fusion.strength.copy_(strength)


def _tabulate(fusion: Late | MemoryFusion, known: Encoded) -> tuple[Table, Tensor | None]:
    device = known.labels.device
    coalitions = fitted_coalitions(len(fusion.modalities)).to(device)
    mask = coalitions.unsqueeze(-1) & fusion.stacked(known.present)
    corrections = None
    if isinstance(fusion, MemoryFusion) and fusion.remembers:
        corrections = fusion.added_to(known.encodings, known.present, coalitions)
    each = fusion.decisions(known.encodings, known.present).double().log_softmax(-1)
    sizes = coalitions.sum(1)
    per_size = torch.stack([(sizes == size).sum() for size in sizes])  # coalitions of the same size
    here = mask.any(1).double()
    weights = here / here.sum(1, keepdim=True).clamp(min=1) / per_size.unsqueeze(1)
    table = Table(
        each.cpu(),
        mask.cpu(),
        None if corrections is None else corrections.double().cpu(),
        known.labels.cpu(),
        (weights / weights.sum().clamp(min=1e-12)).cpu(),
        fusion.pool.average,
    )
    return table, None if corrections is None else table.corrections[-1]  # pyright: ignore[reportOptionalSubscript]


def _reliability(table: Table, gain: Tensor | None) -> np.ndarray:
    """Return what decides the fit, row by row (N, n or n + 1): how much better than the mean of the modalities present
    each one knows the true class, and how much the memory adds."""
    rows = torch.arange(len(table.labels))
    right, here = table.each[:, rows, table.labels], table.mask[-1]
    columns = torch.where(here, right - torch.where(here, right, 0.0).sum(0) / here.sum(0).clamp(min=1), 0.0)
    if gain is not None:
        base = weighted_pool(
            table.each, table.mask[-1], torch.ones(len(table.each)), torch.tensor(1.0), torch.tensor(1.0)
        )
        better = (base + gain).log_softmax(-1) - base.log_softmax(-1)
        columns = torch.cat([columns, better[rows, table.labels].unsqueeze(0)])
    return columns.T.numpy()


def _start(fusion: Late | MemoryFusion) -> np.ndarray:
    """Return the numbers that the fusion has: the next epoch's are near."""
    pool = fusion.pool
    numbers = [
        *pool.weights.double().log().tolist(),
        float(pool.inverse_temperature.double().log()),
        float(pool.exponent),
    ]
    if isinstance(fusion, MemoryFusion) and fusion.remembers:
        numbers.append(float(fusion.strength))
    return np.array(numbers)


def _minimise(table: Table, rows: float, start: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    n = len(table.each)
    bounds = [BOUNDS["log weight"]] * n + [BOUNDS["log beta"], BOUNDS["gamma"], BOUNDS["strength"]]

    def split(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        strength = numbers[n + 2] if len(numbers) > n + 2 else numbers.new_zeros(())
        return numbers[:n], numbers[n].exp(), numbers[n + 1], strength

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            numbers = torch.tensor(x, dtype=torch.float64, requires_grad=True)
            logs, beta, gamma, strength = split(numbers)
            loss = rows * _mean_loss(table, logs, beta, gamma, strength) + _penalty(logs, beta, gamma, strength)
            loss.backward()
        assert numbers.grad is not None
        return float(loss.detach()), numbers.grad.numpy()

    low, high = np.array(bounds[: len(start)]).T
    best = minimize(
        objective,
        np.clip(start, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds[: len(start)],
        options={"ftol": 1e-6, "maxiter": 50},
    )
    logs, beta, gamma, strength = split(torch.from_numpy(best.x))
    return _relative(logs), beta, gamma, strength


def _relative(logs: Tensor) -> Tensor:
    """Return weights of mean 1."""
    return logs.softmax(0) * len(logs)


def _penalty(logs: Tensor, beta: Tensor, gamma: Tensor, strength: Tensor) -> Tensor:
    shrunk = (logs - logs.mean()).square().sum() + (1 - gamma).square() + strength.square()
    return RIDGE / 2 * shrunk + beta.log().square() / 2 + logs.mean().square() / 2


def _mean_loss(table: Table, logs: Tensor, beta: Tensor, gamma: Tensor, strength: Tensor) -> Tensor:
    logits = weighted_pool(table.each, table.mask, _relative(logs), beta, gamma, table.average)
    if table.corrections is not None:
        logits = logits + strength * table.corrections
    K = len(table.mask)
    each = nn.functional.cross_entropy(logits.flatten(0, 1), table.labels.repeat(K), reduction="none").unflatten(
        0, (K, -1)
    )
    return (table.weights * each).sum()
