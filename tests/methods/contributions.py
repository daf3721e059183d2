"""Contributions made by hand, as a probe might find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from equimodal.contribution.coalitions import all_coalitions
from equimodal.contribution.measure import contribution
from equimodal.contribution.result import Contribution
from equimodal.contribution.shapley import plan


def additive(phi: Mapping[str, float], noise: float | None = None) -> Contribution:
    """Return the contribution of an additive game, so that its Shapley values are `phi`.

    Args:
        phi: by modality; where they do not add up to more than 0, shares are undefined.
        noise: standard error of the difference between any two shares; None: there was no bootstrap.
    """
    n = len(phi)
    values = all_coalitions(n).double() @ torch.tensor(list(phi.values()), dtype=torch.float64)
    made = contribution(values, plan(n), None, list(phi))
    if noise is None:
        return made
    variance = noise**2 / 2  # of each, independently
    covariance = tuple(tuple(variance if i == j else 0.0 for j in range(n)) for i in range(n))
    return replace(made, share_covariance=covariance)
