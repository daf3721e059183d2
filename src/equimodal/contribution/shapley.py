"""Shapley values as linear operators on coalition values, exact or by antithetic permutation sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equimodal.contribution.coalitions import (
    MAX_EXACT,
    all_coalitions,
    antithetic_permutations,
    prefixes,
)
from equimodal.errors import ConfigError, DataError

DEFAULT_BUDGET = 1024
"""Coalitions evaluated at most where 2**n are too many (ours)."""


def gains(values: Tensor) -> Tensor:
    """Return what each coalition adds to the empty one, which comes first: (..., K) -> (..., K), float64.

    Differences within rounding of the values are set to 0, so that a game that is constant up to rounding
    contributes exactly nothing instead of shares made of noise.

    Example:
        >>> gains(torch.tensor([0.25, 0.75, 0.25, 1.0])).tolist()
        [0.0, 0.5, 0.0, 0.75]
    """
    values = values.double()
    gain = values - values[..., :1]
    rounding = 1e-13 * values.abs().amax(-1, keepdim=True)
    return torch.where(gain.abs() <= rounding, 0.0, gain)


def shapley_operator(n: int) -> Tensor:
    r"""Return the matrix that turns the values of all coalitions into Shapley values: phi = operator @ v.

    $$\phi_m = \sum_{S \not\ni m} \frac{|S|!\,(n - |S| - 1)!}{n!} \bigl(v(S \cup m) - v(S)\bigr)$$

    Args:
        n: the number of modalities, 1 to 10.

    Returns:
        float64 (n, 2**n); columns in the order of `equimodal.contribution.all_coalitions`.

    Raises:
        ConfigError: `n` is out of range.

    Example:
        >>> shapley_operator(2).tolist()
        [[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]]

    Source: Shapley, "A value for n-person games" (1953); the paper's contribution of a modality.
    """
    members = all_coalitions(n)
    size = members.sum(-1)
    weight = torch.tensor([1 / (n * math.comb(n - 1, others)) for others in range(n)] + [0.0], dtype=torch.float64)
    return torch.where(members, weight[size - 1].unsqueeze(-1), -weight[size].unsqueeze(-1)).T.contiguous()


def shapley(values: Tensor) -> Tensor:
    """Return the exact Shapley value of each modality.

    Args:
        values: v(S) for all coalitions (..., 2**n), in the order of
            `equimodal.contribution.all_coalitions`; leading dimensions are kept.

    Returns:
        float64 (..., n); its sum over modalities is v(all) - v(empty).

    Raises:
        DataError: the number of values is not 2**n for an n of 1 to 10.

    Example:
        >>> shapley(torch.tensor([0.0, 0.25, 0.5, 1.0])).tolist()  # v(), v(a), v(b), v(a+b)
        [0.375, 0.625]

    Source: Shapley (1953).
    """
    count = values.shape[-1] if values.ndim else 0
    n = count.bit_length() - 1
    if not 1 <= n <= MAX_EXACT or count != 2**n:
        raise DataError(
            f"Expected the values of all 2**n coalitions, n from 1 to {MAX_EXACT}, in the last dimension, "
            f"got {tuple(values.shape)}. Above {MAX_EXACT} use plan(n, budget=...).shapley(values)."
        )
    return gains(values) @ shapley_operator(n).T


@dataclass(frozen=True, eq=False)
class Plan:
    """Which coalitions to evaluate, and how their values become Shapley values.

    Returned by `plan`. The first coalition is the empty one, the last the grand one.

    Args:
        coalitions: bool (K, n), distinct rows.
        operator: float64 (n, K); phi = operator @ v.
        exact: whether every coalition is there.
        budget: the greatest number of coalitions that was allowed.
        seed: of the sampled orders; None when exact.
        steps: for sampled plans, int64 (P, 2, n, 2): for pair, order and modality, the numbers of the
            coalitions before and after that modality enters.

    Example:
        >>> some = plan(12, budget=200, seed=0)
        >>> some.exact, some.coalitions.shape[0] <= 200
        (False, True)
    """

    coalitions: Tensor
    operator: Tensor
    exact: bool
    budget: int
    seed: int | None = None
    steps: Tensor | None = None

    def shapley(self, values: Tensor) -> Tensor:
        """Return Shapley values, exact or estimated: (..., K) -> (..., n).

        Efficiency holds for both, since every sampled order runs from the empty coalition to the grand one.

        Raises:
            DataError: the number of values is not that of the coalitions.
        """
        self._check(values)
        return gains(values) @ self.operator.T

    def pair_contributions(self, values: Tensor) -> Tensor:
        """Return the estimate of each antithetic pair alone: (..., K) -> (..., P, n).

        Pairs are drawn independently; the two orders of a pair are not.

        Raises:
            DataError: the plan is exact, or there are not as many values as coalitions.
        """
        self._check(values)
        if self.steps is None:
            raise DataError("An exact plan has no sampled pairs; its Shapley values have no sampling error.")
        before, after = self.steps.unbind(-1)
        gain = gains(values)
        return (gain[..., after] - gain[..., before]).mean(-2)

    def sampling_errors(self, values: Tensor) -> Tensor:
        """Return the standard error of each estimate, over antithetic pairs: (..., K) -> (..., n).

        Raises:
            DataError: the plan is exact, or there are not as many values as coalitions.
        """
        pairs = self.pair_contributions(values)
        return pairs.std(-2) / math.sqrt(pairs.shape[-2])

    def _check(self, values: Tensor) -> None:
        if values.ndim == 0 or values.shape[-1] != len(self.coalitions):
            raise DataError(
                f"Expected one value for each of the {len(self.coalitions)} coalitions in the last "
                f"dimension, got {tuple(values.shape)}."
            )


def sample_permutations(n: int, budget: int, seed: int) -> Plan:
    """Plan an estimate from random orders, each taken with its reverse.

    phi_m is estimated by the mean, over the orders drawn, of what modality m adds when it joins. In the reverse
    order m joins the complement, which cancels much of the variance. As many pairs are drawn as `budget` allows:
    2 (n - 1) coalitions per pair, besides the empty and the grand one.

    Args:
        n: the number of modalities, at least 2.
        budget: the greatest number of coalitions to evaluate, at least 4 n - 2 (two pairs, so that there is a
            standard error).
        seed: of the orders.

    Raises:
        ConfigError: too few modalities, or a budget that does not pay for two pairs.

    Example:
        >>> estimate = sample_permutations(12, budget=200, seed=0)
        >>> values = estimate.coalitions.double().sum(-1)  # an additive game: every modality adds 1
        >>> bool((estimate.shapley(values) - 1).abs().max() < 1e-12)
        True

    Source: antithetic sampling of orders after Mitchell et al., "Sampling permutations for Shapley value
    estimation" (JMLR 2022), section 4.
    """
    if n < 2:
        raise ConfigError(f"Sampling orders needs at least 2 modalities, got {n}.")
    pairs = (budget - 2) // (2 * (n - 1))
    if pairs < 2:
        raise ConfigError(
            f"A budget of {budget} coalitions is too small for {n} modalities: an estimate with a standard "
            f"error needs at least {4 * n - 2}."
        )
    orders = antithetic_permutations(n, pairs, seed)
    path = prefixes(orders)
    coalitions, number = path.reshape(-1, n).unique(dim=0, return_inverse=True)
    number = number.view(pairs, 2, n + 1)
    entry = orders.argsort(-1)
    steps = torch.stack([number.gather(-1, entry), number.gather(-1, entry + 1)], dim=-1)

    # Counted in whole numbers first: the rows then cancel exactly, and efficiency holds to the last bit.
    modality = torch.arange(n).expand(pairs, 2, n)
    counts = torch.zeros(n, len(coalitions), dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64)
    counts.index_put_((modality, steps[..., 1]), one, accumulate=True)
    counts.index_put_((modality, steps[..., 0]), -one, accumulate=True)
    return Plan(coalitions, counts / (2 * pairs), False, budget, seed, steps)


def plan(n: int, *, budget: int | None = None, seed: int = 0) -> Plan:
    """Choose the coalitions to evaluate: all where that is affordable, else sampled ones.

    Args:
        n: the number of modalities, at least 2.
        budget: the greatest number of coalitions to evaluate. By default all 2**n up to 10 modalities and
            1024 above. A budget below 2**n asks for sampling.
        seed: of the sampled orders; not used when exact.

    Raises:
        ConfigError: fewer than 2 modalities, or a budget too small for sampling.

    Example:
        >>> plan(3).exact, plan(3).coalitions.shape, plan(12).exact
        (True, torch.Size([8, 3]), False)
    """
    if n < 2:
        raise ConfigError(f"Contributions compare modalities: at least 2 are needed, got {n}.")
    if n <= MAX_EXACT and (budget is None or budget >= 2**n):
        return Plan(all_coalitions(n), shapley_operator(n), True, 2**n)
    budget = DEFAULT_BUDGET if budget is None else budget
    if n <= MAX_EXACT and 2**n <= 4 * n - 2:
        raise ConfigError(f"A budget of {budget} coalitions is too small for {n} modalities: give {2**n}.")
    return sample_permutations(n, budget, seed)
