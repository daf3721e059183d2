"""Torchmetrics classes for contribution and EDM: update by batch, compute, reset, synchronise across ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from equimodal.contribution.equilibrium import Target, target_vector
from equimodal.contribution.measure import contribution
from equimodal.contribution.result import Contribution
from equimodal.contribution.shapley import Plan, plan
from equimodal.contribution.values import ValueFunction, value_function
from equimodal.errors import DataError


class _CoalitionMetric(Metric):
    """The outputs of all coalitions, gathered batch by batch.

    The states have samples first, (B, K, C): torchmetrics joins batches and ranks along dimension 0.
    """

    is_differentiable = False
    full_state_update = False
    outputs: list[Tensor]
    targets: list[Tensor]
    groups: list[Tensor]

    def __init__(
        self,
        modalities: Sequence[str],
        *,
        coalitions: Plan | None = None,
        value: str | ValueFunction = "accuracy",
        target: Target = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.modalities = tuple(modalities)
        self.coalitions = plan(len(self.modalities)) if coalitions is None else coalitions
        self.value = value
        self.target = target
        value_function(value)
        target_vector(target, self.modalities)
        self.add_state("outputs", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")
        self.add_state("groups", default=[], dist_reduce_fx="cat")

    def update(self, outputs: Tensor, targets: Tensor, groups: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            outputs: (K, B, C) in the order of the plan's coalitions, see
                `equimodal.contribution.coalition_outputs`.
            targets: (B,).
            groups: group numbers (B,), int64, the same in all batches: the bootstrap of `contribution` then draws
                whole groups. All batches have them, or none.

        Raises:
            DataError: the shapes do not fit.
        """
        count = len(self.coalitions.coalitions)
        if outputs.ndim != 3 or len(outputs) != count or outputs.shape[1] != len(targets):
            raise DataError(
                f"Expected outputs ({count}, B, C) and targets (B,), got {tuple(outputs.shape)} and "
                f"{tuple(targets.shape)}."
            )
        if groups is not None and groups.shape != (len(targets),):
            raise DataError(f"groups: expected ({len(targets)},), one per target, got {tuple(groups.shape)}.")
        self.outputs.append(outputs.detach().transpose(0, 1).contiguous())
        self.targets.append(targets.detach())
        if groups is not None:
            self.groups.append(groups.detach())

    def contribution(self, *, bootstrap: int = 200, seed: int = 0, split: str | None = None) -> Contribution:
        """Return the whole result, with intervals, of the samples of this rank.

        Raises:
            DataError: there was no batch, or some batches had groups and others had none.
        """
        if not len(self.targets):
            raise DataError("Nothing to measure: call update(outputs, targets) first.")
        targets = dim_zero_cat(self.targets)
        groups = dim_zero_cat(self.groups) if bootstrap and len(self.groups) else None  # only intervals need them
        if groups is not None and len(groups) != len(targets):
            raise DataError(f"groups: only {len(groups)} of {len(targets)} samples have one. Pass them in each update.")
        return contribution(
            dim_zero_cat(self.outputs).transpose(0, 1),
            self.coalitions,
            targets,
            self.modalities,
            value=self.value,
            target=self.target,
            bootstrap=bootstrap,
            seed=seed,
            split=split,
            groups=groups,
        )


class ModalityContribution(_CoalitionMetric):
    """Shapley value of each modality, in units of the value function.

    Args:
        modalities: n names.
        coalitions: the plan that outputs follow; by default all coalitions.
        value: a name in `equimodal.contribution.VALUES`, or a value function.
        target: see `equimodal.contribution.contribution`.
        kwargs: of `torchmetrics.Metric`.

    Shapes:
        `update`: outputs (K, B, C), targets (B,), group numbers (B,) or none. `compute`: a dict of tensors () by
        modality.

    Raises:
        ConfigError: unknown value function or impossible target.

    Example:
        >>> metric = ModalityContribution(["a", "b"])
        >>> targets = torch.tensor([0, 1, 1])
        >>> nothing, a = torch.zeros(3, 2), torch.eye(2)[targets]
        >>> metric.update(torch.stack([nothing, a, nothing, a]), targets)
        >>> {name: round(phi.item(), 3) for name, phi in metric.compute().items()}
        {'a': 0.667, 'b': 0.0}

    Source: the paper's contribution of a modality.
    """

    higher_is_better = True

    def compute(self) -> dict[str, Tensor]:
        """Return phi by modality."""
        phi = self.contribution(bootstrap=0).phi
        return {name: torch.tensor(amount, device=self.device) for name, amount in phi.items()}


class EquilibriumDeviation(_CoalitionMetric):
    """Equilibrium deviation metric, EDM = sum |eta - psi|; NaN where the model is no better than the prior.

    Arguments, shapes and errors as for `ModalityContribution`; `compute` returns a tensor ().

    Example:
        >>> metric = EquilibriumDeviation(["a", "b"])
        >>> targets = torch.tensor([0, 1, 1])
        >>> nothing, a = torch.zeros(3, 2), torch.eye(2)[targets]
        >>> metric.update(torch.stack([nothing, a, nothing, a]), targets)
        >>> metric.compute().item()
        1.0

    Source: the paper's EDM.
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return EDM."""
        edm = self.contribution(bootstrap=0).edm
        return torch.tensor(torch.nan if edm is None else edm, device=self.device)
