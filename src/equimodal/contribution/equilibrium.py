"""From Shapley values to shares, deviations, the equilibrium deviation metric (EDM) and utilisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equimodal.errors import ConfigError, did_you_mean

Target = Mapping[str, float] | Sequence[float] | Tensor | None
"""The shares that count as equilibrium: by name or in the modalities' order; None means equal shares."""


def shares(phi: Tensor) -> Tensor:
    r"""Return each modality's share of what all of them achieve, psi_m = phi_m / sum phi.

    The sum is v(all) - v(empty). Where it is not above 0 the model is no better than the prior, and every share is
    NaN. A sum within rounding of 0 counts as 0. Shares below 0 or above 1 occur where the phi of a modality is
    negative.

    Args:
        phi: Shapley values (..., n).

    Returns:
        float64 (..., n).

    Example:
        >>> shares(torch.tensor([[0.3, 0.1], [0.2, -0.2]], dtype=torch.float64))
        tensor([[0.7500, 0.2500],
                [   nan,    nan]], dtype=torch.float64)

    Source: the paper's contribution share; NaN for a sum that is not positive is ours.
    """
    phi = phi.double()
    total = phi.sum(-1, keepdim=True)
    defined = total > 1e-12 * phi.abs().sum(-1, keepdim=True)
    return torch.where(defined, phi / torch.where(defined, total, 1.0), torch.nan)


def deviation(shares: Tensor, target: Tensor) -> Tensor:
    """Return psi_m - eta_m, (..., n): below 0 for minor modalities, above 0 for dominant ones.

    Example:
        >>> deviation(torch.tensor([0.75, 0.25]), torch.tensor([0.5, 0.5])).tolist()
        [0.25, -0.25]

    Source: the paper's deviation of a modality.
    """
    return shares.double() - target.double()


def equilibrium_deviation(shares: Tensor, target: Tensor) -> Tensor:
    r"""Return the equilibrium deviation metric, EDM = sum_m |eta_m - psi_m|.

    0 is equilibrium. With no negative phi the maximum is 2 (1 - min eta); with a negative one there is no
    upper bound. NaN where the shares are.

    Args:
        shares: psi (..., n).
        target: eta (n,), positive, of sum 1.

    Returns:
        float64 (...).

    Example:
        >>> equilibrium_deviation(torch.tensor([0.75, 0.25]), torch.tensor([0.5, 0.5])).item()
        0.5

    Source: the paper's EDM.
    """
    return deviation(shares, target).abs().sum(-1)


def noise_floor(replicates: Tensor, shares: Tensor) -> Tensor:
    """Return the EDM that noise alone would show if the true shares were on target.

    It is the mean of sum_m |psi*_m - psi_m| over bootstrap replicates psi*: replicates vary about the estimate as
    the estimate varies about the truth.

    Args:
        replicates: psi* (R, n); replicates with undefined (NaN) shares are ignored.
        shares: psi (n,).

    Returns:
        float64 (); NaN where no replicate is defined.

    Example:
        >>> noise_floor(torch.tensor([[0.75, 0.25], [0.5, 0.5]]), torch.tensor([0.625, 0.375])).item()
        0.25

    Source: ours.
    """
    return equilibrium_deviation(replicates, shares).nanmean()


def utilisation(values_single: Tensor, values_reference: Tensor, value_empty: Tensor | float) -> Tensor:
    r"""Return how much of what a modality could do alone it still does alone in the fused model.

    $$u_m = \frac{v(\{m\}) - v(\varnothing)}{v_\mathrm{alone}(m) - v(\varnothing)}$$

    Read it beside EDM: harming the strong modality lowers EDM, and lowers its utilisation. NaN where the reference
    itself is no better than the prior.

    Args:
        values_single: v({m}) of the fused model (..., n).
        values_reference: the value of an encoder trained on m alone with the same budget (..., n).
        value_empty: v(empty), what the label prior alone scores.

    Returns:
        float64 (..., n).

    Example:
        >>> utilisation(torch.tensor([0.5, 0.25]), torch.tensor([0.5, 0.75]), 0.25).tolist()
        [1.0, 0.0]

    Source: ours.
    """
    gain = values_single.double() - value_empty
    possible = values_reference.double() - value_empty
    return torch.where(possible > 0, gain / torch.where(possible > 0, possible, 1.0), torch.nan)


def target_vector(target: Target, modalities: Sequence[str]) -> Tensor:
    """Return eta as a float64 tensor (n,) in the order of `modalities`.

    Args:
        target: None for 1/n each, shares by name, or shares in the order of `modalities`.
        modalities: the names.

    Raises:
        ConfigError: names that do not fit, a wrong number, a share that is not positive, a sum that is not 1.
            All mistakes are reported together.

    Example:
        >>> target_vector({"text": 0.75, "image": 0.25}, ["image", "text"]).tolist()
        [0.25, 0.75]
    """
    n = len(modalities)
    if target is None:
        return torch.full((n,), 1 / n, dtype=torch.float64)
    if isinstance(target, Mapping):
        problems = [f"target: no share for modality '{name}'." for name in modalities if name not in target]
        problems += [
            f"target: '{name}' is not a modality.{did_you_mean(str(name), modalities)}"
            for name in target
            if name not in modalities
        ]
        if problems:
            raise ConfigError(problems)
        numbers = [float(target[name]) for name in modalities]
    else:
        numbers = [float(share) for share in target]
        if len(numbers) != n:
            raise ConfigError(f"target: expected {n} shares, one each for {', '.join(modalities)}, got {len(numbers)}.")
    problems = [
        f"target: the share of '{name}' must be above 0, got {number:g}."
        for name, number in zip(modalities, numbers, strict=True)
        if not number > 0
    ]
    if not abs(sum(numbers) - 1) <= 1e-6:
        problems.append(f"target: the shares must sum to 1, got {sum(numbers):g}.")
    if problems:
        raise ConfigError(problems)
    return torch.tensor(numbers, dtype=torch.float64)
