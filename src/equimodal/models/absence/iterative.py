"""Iterative imputation: each modality's encoding is regressed on all others, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equimodal.models.absence.imputer import Imputer

ROUNDS = 5
"""Rounds over the modalities, in fitting and in imputing."""
PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Penalties to choose from, in units of the mean eigenvalue of the predictors' scatter matrix."""


def best_penalty(x: Tensor, y: Tensor) -> Tensor:
    r"""Return the penalty of a ridge regression, with intercept, of the smallest squared error left one out.

    The error left out of row i is $r_i / (1 - h_{ii})$, with the residual r and the diagonal of the hat matrix
    H; the choice is among `PENALTIES` times the mean eigenvalue of the centred $x^\top x$, for all outputs together.

    Args:
        x: predictors (N, P).
        y: targets (N, D).

    Example:
        >>> x = torch.arange(10.0).unsqueeze(1)
        >>> float(best_penalty(x, 2 * x + 1) / (x - x.mean()).square().sum())  # no noise: the smallest
        9.999999747378752e-05

    Source: Allen, 1974, "The relationship between variable selection and data augmentation and a method for
    prediction", Technometrics 16 (PRESS).
    """
    x, y = x - x.mean(0), y - y.mean(0)
    values, vectors = torch.linalg.eigh(x.T @ x)
    values = values.clamp(min=0)
    unit = torch.where(values.mean() > 0, values.mean(), 1.0)  # predictors that never change explain nothing
    candidates = unit * torch.tensor(PENALTIES, dtype=x.dtype)
    scores, targets = x @ vectors, (x @ vectors).T @ y
    errors = []
    for penalty in candidates:
        shrunk = 1 / (values + penalty)
        leverage = scores.square() @ shrunk + 1 / len(x)
        residual = y - scores @ (shrunk.unsqueeze(1) * targets)
        errors.append((residual / (1 - leverage).clamp(min=1e-9).unsqueeze(1)).square().sum())
    return candidates[torch.stack(errors).argmin()]


def ridge(x: Tensor, y: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights (P, D) and intercept (D,) of the ridge regression of `y` (N, D) on `x` (N, P).

    Example:
        >>> x = torch.tensor([[-1.0], [1.0]])
        >>> ridge(x, 3 * x + 2, torch.tensor(1.0))  # the sum of squares is 2, which the penalty makes 3
        (tensor([[2.]]), tensor([2.]))
    """
    mean, centred = x.mean(0), x - x.mean(0)
    scatter = centred.T @ centred + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(scatter, centred.T @ (y - y.mean(0)))
    return weights, y.mean(0) - mean @ weights


class ChainedRidge(Imputer):
    r"""A ridge regression of each absent encoding on all others, where those that are absent too are guessed.

    $$
    \hat h_t = b_t + \sum_{s \ne t} W_{st}^\top h_s
    $$

    Absent encodings begin at the mean of the training rows. In each of `ROUNDS` rounds they are predicted again, one
    modality after the other, from what is present and from the latest guesses. It is fitted in the same way: on
    training rows that lack entries, each round fits a modality's regression where that is present, and then fills in
    where it is not. The last round's regressions are kept. Without gaps in training, one round is enough.

    scikit-learn's `IterativeImputer` regresses one feature after the other, each with a Bayesian ridge. Here a
    modality's encoding is one block with one penalty, chosen by leaving one out (`best_penalty`) in the first round:
    the same idea with n regressions in the place of n times the width. It also keeps the regressions of all rounds
    apart, and here those of the last serve in all rounds.

    Args:
        modalities: names.
        width: size of the encodings.

    Example:
        >>> imputer = ChainedRidge(["a", "b"], width=1)
        >>> a, here = torch.arange(20.0).unsqueeze(1), torch.ones(20, dtype=torch.bool)
        >>> imputer.fit({"a": a, "b": 3 * a + 1}, {"a": here, "b": here})
        >>> imputer({"a": torch.tensor([[4.0]]), "b": torch.zeros(1, 1)}, {"a": here[:1], "b": ~here[:1]})[1].round()
        tensor([[13.]])

    Source: van Buuren and Groothuis-Oudshoorn, 2011, "mice: Multivariate Imputation by Chained Equations in R", Journal
    of Statistical Software 45 (one imputation, without noise); by blocks: ours.
    """

    weights: Tensor
    bias: Tensor

    def __init__(self, modalities: Sequence[str], width: int) -> None:
        super().__init__(modalities, width)
        n = len(self.modalities)
        self.register_buffer("weights", torch.zeros(n, n, width, width))  # from source to target
        self.register_buffer("bias", torch.zeros(n, width))

    def learn(self, known: Tensor, have: Tensor) -> None:
        """Fit the regressions, in double precision."""
        have = have.cpu()
        rows = torch.where(have.unsqueeze(-1), known.double().cpu(), self.centre.double().cpu())
        n = len(self.modalities)
        weights, bias = torch.zeros(self.weights.shape, dtype=rows.dtype), self.centre.double().cpu()
        targets = [t for t in range(n) if have[:, t].any()]
        penalties: dict[int, Tensor] = {}
        for _ in range(1 if bool(have.all()) else ROUNDS):
            for t in targets:
                others = [s for s in range(n) if s != t]
                x, y, there = rows[:, others].flatten(1), rows[:, t], have[:, t]
                if t not in penalties:
                    penalties[t] = best_penalty(x[there], y[there])
                found, bias[t] = ridge(x[there], y[there], penalties[t])
                weights[others, t] = found.unflatten(0, (len(others), -1))
                rows[~there, t] = x[~there] @ found + bias[t]
        self.weights.copy_(weights)
        self.bias.copy_(bias)

    def relate(self, encodings: Mapping[str, Tensor]) -> Tensor:
        """Return what each modality adds to the prediction of each other one (n, n, B, width)."""
        rows = torch.stack([encodings[name].float() for name in self.modalities])
        return torch.einsum("sbd,stde->stbe", rows, self.weights)

    def impute(
        self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor], related: Tensor
    ) -> dict[str, Tensor]:
        """Return the predictions of the last round."""
        lacking = self.lacking(present)
        here = [present[name].unsqueeze(-1) for name in self.modalities]
        guesses = {i: self.centre[i].expand(len(here[i]), -1) for i in lacking}
        for _ in range(ROUNDS if len(lacking) > 1 else 1):
            for t in lacking:
                guesses[t] = self.bias[t] + sum(
                    torch.where(here[s], related[s, t], guesses[s] @ self.weights[s, t])
                    if s in guesses
                    else related[s, t]
                    for s in range(len(here))
                    if s != t
                )
        return {self.modalities[i]: guess for i, guess in guesses.items()}
