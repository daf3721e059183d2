"""ReconBoost: one modality a stage learns what the ensemble of the others gets wrong."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from equimodal.batch import Batch
from equimodal.methods.base import METHODS, Loss, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.models.fusions.base import masked_average
from equimodal.models.fusions.late import Late
from equimodal.modes import evaluating


class ReconBoostConfig(MethodConfig):
    """Options of ReconBoost.

    Args:
        label_weight: weight of the modality's own cross entropy in its stage.
        reconcilement: weight of the divergence from the ensemble of the others, which the stage makes larger.
        agreement: weight of the squared distance to the logits of that ensemble. It keeps the stage's loss bounded
            from below: without it logits may run away.
        stage_epochs: epochs of a stage, in which one modality learns.
        rectify_epochs: epochs after each stage in which all learn together.
    """

    label_weight: float = Field(default=5.0, gt=0)
    reconcilement: float = Field(default=1.0, ge=0)
    agreement: float = Field(default=0.5, ge=0)
    stage_epochs: int = Field(default=4, ge=1)
    rectify_epochs: int = Field(default=4, ge=0)


def stage_lengths(epochs: int, modalities: int, stage: int, rectify: int) -> tuple[int, int]:
    """Return the lengths of a stage and of the rectification after it, shortened so that each modality has a stage.

    They shrink in proportion where `epochs` are fewer than a cycle through all modalities.

    Example:
        >>> stage_lengths(30, 2, stage=4, rectify=4), stage_lengths(10, 3, stage=4, rectify=4)
        ((4, 4), (2, 1))
    """
    each = max(1, epochs // modalities)
    if each >= stage + rectify:
        return stage, rectify
    shorter = math.ceil(each * stage / (stage + rectify))
    return shorter, each - shorter


@METHODS.register("recon_boost")
class ReconBoost(Method):
    r"""Boosting over modalities: in turn, one learns what the frozen ensemble of the others gets wrong.

    Stages of a few epochs visit the modalities cyclically. With F the mean logits of the others, frozen, the stage of
    modality m minimises, over encoder and head of m alone,

    $$
    w_1\,CE(z_m) - w_2\,KL(\mathrm{softmax}(F) \,\|\, \mathrm{softmax}(z_m))
    + w_3\,\tfrac{1}{C} \lVert z_m - F \rVert^2 .
    $$

    The first two have the gradient $(w_1 - w_2)\,p_m - (w_1 y - w_2\,p_F)$ in the logits: m fits the residual
    of the ensemble, as in gradient boosting. After each stage (global rectification) all learn on CE of the fused
    logits, for as many epochs. Only the newest learner of each modality is kept.

    Ours: the ensemble is the mean of the logits where the paper has their sum, so that what is trained is what late
    fusion predicts for any subset; a learner joins the ensemble when it has been trained, and in the first stage
    there is none; the others are frozen without dropout and batch statistics; terms with F count the rows that have
    m and one of the others; no pretraining of each modality; stages shrink where the epochs are too few for each
    modality to have one; one learning-rate schedule over all of it.

    Source: Hua, Xu, Bao, Yang, Huang, 2024, "ReconBoost: Boosting Can Achieve Modality Reconcilement", ICML,
    arXiv 2405.09321.
    """

    Config = ReconBoostConfig
    fusions = ("late",)
    config: ReconBoostConfig

    @classmethod
    def fusion_options(cls, config: Any) -> dict[str, Any]:
        """Return late fusion's options: own heads, mean logits."""
        return {"heads": "own", "average": "logits"}

    @property
    def fusion(self) -> Late:
        """The model's fusion."""
        return cast(Late, self.model.fusion)

    @property
    def learner(self) -> str | None:
        """The modality whose stage this epoch is in; None in rectification."""
        number, rectifying = self._stage()
        return None if rectifying else self.model.modalities[number % len(self.model.modalities)]

    @property
    def ensemble(self) -> tuple[str, ...]:
        """The trained learners that this epoch's stage is set against."""
        names, (number, _) = self.model.modalities, self._stage()
        together = number >= 1 and self._lengths()[1] > 0  # a rectification trained them all
        return tuple(name for name in (names if together else names[:number]) if name != self.learner)

    @property
    def order(self) -> tuple[str, ...] | None:
        """The modality of the stage, alone; None in rectification."""
        return None if self.learner is None else (self.learner,)

    def _lengths(self) -> tuple[int, int]:
        config = self.config
        return stage_lengths(self.epochs, len(self.model.modalities), config.stage_epochs, config.rectify_epochs)

    def _stage(self) -> tuple[int, bool]:
        """Return the number of finished stages with their rectifications, and whether this epoch rectifies."""
        stage, rectify = self._lengths()
        number, place = divmod(self.epoch, stage + rectify)
        return number, place >= stage

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the stage's loss, for its modality; or the fused loss, for all."""
        if self.learner is None:
            yield Update({"fused": cross_entropy(self.model(batch), batch.labels, batch.anything)}, batch.modalities)
        else:
            yield Update(self._stage_losses(batch, self.learner), (self.learner,))

    def _stage_losses(self, batch: Batch, name: str) -> dict[str, Loss]:
        config, present = self.config, batch.present[name]
        others, judged = self._frozen(batch)
        logits = self.fusion.head(name)(self.model.encode_one(batch, name)).float()
        total, count = cross_entropy(logits, batch.labels, present)
        divergence = nn.functional.kl_div(
            logits.log_softmax(-1), others.log_softmax(-1), reduction="none", log_target=True
        ).sum(-1)
        distance = (logits - others).square().mean(-1)
        both = present & judged

        def term(weight: float, each: Tensor) -> Loss:
            return weight * torch.where(both, each, 0.0).sum(), both.sum()

        return {
            name: (config.label_weight * total, count),
            f"{name} reconcilement": term(-config.reconcilement, divergence),
            f"{name} agreement": term(config.agreement, distance),
        }

    @torch.no_grad()
    def _frozen(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the ensemble's mean logits (B, C), and which rows (B,) have one of its modalities."""
        if not self.ensemble:
            zeros = torch.zeros(len(batch), len(self.model.classes), device=batch.labels.device)
            return zeros, torch.zeros_like(batch.labels, dtype=torch.bool)
        each = []
        for name in self.ensemble:
            with evaluating(self.model.encoders[name]):  # no dropout, and its statistics stay
                encoding = self.model.encode_one(batch, name)
            each.append(self.fusion.head(name)(encoding).float())
        here = torch.stack([batch.present[name] for name in self.ensemble])
        return masked_average(torch.stack(each), here), here.any(0)
