"""Modality valuation: joint training with extra rows of the modalities that contribute little."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from equimodal.batch import Batch
from equimodal.contribution.shapley import plan
from equimodal.data.dataset import Dataset
from equimodal.data.rows import concatenate
from equimodal.methods.base import LOGIT_FUSIONS, METHODS, Method, MethodConfig, Outcome, Update, cross_entropy
from equimodal.models.encoded import encode_all
from equimodal.modes import evaluating

ROWS_AT_A_TIME = 256


class ModalityValuationConfig(MethodConfig):
    """Options of modality valuation.

    Args:
        level: "sample", extra copies by each sample's own contributions; or "modality", by their mean.
        rate: how strongly a low contribution is answered: see `sample_copies` and `modality_rates`.
        warmup: epochs before the first valuation, without extra copies.
    """

    level: Literal["sample", "modality"] = "sample"
    rate: float = Field(default=1.0, gt=0, le=10)
    warmup: int = Field(default=5, ge=0)


def sample_copies(contributions: Tensor, rate: float) -> Tensor:
    r"""Return how many extra copies each sample gets for each modality: $\lceil r (1 - \phi) \rceil$, at least 0.

    Example:
        >>> sample_copies(torch.tensor([[1.5, 0.5], [0.0, 0.0], [1.0, 1.0]]), rate=1.0).tolist()
        [[0, 1], [1, 1], [0, 0]]
    """
    lack = rate * (1 - contributions)
    return (lack - 1e-6).ceil().clamp(min=0).long()  # a Shapley value of 1 may be off by a rounding


def modality_rates(mean: Tensor, rate: float) -> Tensor:
    r"""Return the probability with which a sample gets an extra copy for each modality.

    $$
    p_m = \tanh(r \max(d_m, 0)), \quad d_m = \frac{1}{n-1} \sum_{j \ne m} (\psi_j - \psi_m),
    \quad \psi_m = \bar\phi_m / \sum_j \bar\phi_j
    $$

    0 throughout where the contributions' sum is not above 0: there are no shares then.

    Example:
        >>> modality_rates(torch.tensor([1.2, 0.4]), rate=1.0)  # shares .75 and .25: d = -.5 and .5
        tensor([0.0000, 0.4621])
    """
    total = mean.sum()
    if not bool(total > 0):
        return torch.zeros_like(mean)
    share = mean / total
    lag = (1 - len(mean) * share) / (len(mean) - 1)  # as above, since shares add up to 1
    return torch.tanh(rate * lag.clamp(min=0))


@METHODS.register("modality_valuation")
class ModalityValuation(Method):
    r"""Joint training with extra copies of samples in which only a low-contributing modality is present.

    At the start of each epoch every training sample is valued: with $v(S) = |S|$ if the modalities in S alone
    give the right class, else 0, the Shapley value $\phi_m$ is 1 when every modality decides rightly by itself,
    and below 1 when m adds less. The fused loss is then minimised on all samples and, for each modality m, extra copies
    with the others masked: $\lceil r (1 - \phi_m) \rceil$ of each sample (`level="sample"`), or one with a
    probability that grows with how far m's mean share lags behind the others' (`level="modality"`).

    Ours: the two increasing functions, ceiling and tanh (the paper leaves them open, as far as we could read); a
    modality that a sample lacks is no member of S and gets no copies; the modality level values every row, not a
    random part. More than ten modalities: contributions from sampled coalitions.

    Source: Wei, Feng, Wang, Hu, 2024, "Enhancing Multimodal Cooperation via Sample-level Modality Valuation", CVPR
    2024, arXiv 2309.06255.
    """

    Config = ModalityValuationConfig
    fusions = LOGIT_FUSIONS
    config: ModalityValuationConfig
    contributions: Tensor
    copies: Tensor

    def __init__(self, model: Any, config: ModalityValuationConfig, seed: int = 0) -> None:
        super().__init__(model, config, seed)
        self.plan = plan(len(model.modalities), seed=seed)

    def begin(self, train: Dataset) -> None:
        """Make room for every row's contributions and numbers of copies."""
        shape = (len(train), len(self.model.modalities))
        self.register_buffer("contributions", torch.zeros(shape))
        self.register_buffer("copies", torch.zeros(shape, dtype=torch.int64))

    def on_epoch_start(self, train: Dataset) -> None:
        """Value every training row, and decide how many copies it gets."""
        if self.epoch < self.config.warmup:
            return
        self.contributions.copy_(self.value(train))
        if self.config.level == "sample":
            copies = sample_copies(self.contributions, self.config.rate)
        else:
            counts = self._present(train).sum(0).clamp(min=1)
            rates = modality_rates(self.contributions.sum(0) / counts, self.config.rate)
            copies = (torch.rand(self.contributions.shape) < rates).long()
        self.copies.copy_(copies * self._present(train))

    def value(self, data: Dataset) -> Tensor:
        """Return the Shapley value of each modality for each row (N, n); 0 for those that a row lacks."""
        coalitions = self.plan.coalitions
        found = []
        for part in encode_all(self.model, data, ROWS_AT_A_TIME):
            there = torch.stack([part.present[name] for name in self.model.modalities], dim=1).cpu()  # (B, n)
            with evaluating(self.model):
                logits = self.model.coalitions(part.encodings, part.present, coalitions)
            right = (logits.argmax(-1) == part.labels).cpu()  # (K, B)
            members = (coalitions.unsqueeze(1) & there).sum(-1)
            values = self.plan.shapley((right * members).T).float()
            found.append(values * there)  # exactly 0 for what is absent, in whatever order the numbers are added
        return torch.cat(found)

    def _present(self, train: Dataset) -> Tensor:
        return torch.from_numpy(np.stack([train.present[name] for name in self.model.modalities], axis=1))

    def training_data(self, train: Dataset) -> Dataset:
        """Return all rows, then the extra copies of each modality."""
        rows = np.arange(len(train))
        extra = [
            train.subset(np.repeat(rows, copies)).restrict((name,))
            for name, copies in zip(self.model.modalities, self.copies.cpu().numpy().T, strict=True)
        ]
        return concatenate([train.subset(rows), *extra])

    def updates(self, batch: Batch) -> Generator[Update, Outcome, None]:
        """Yield one update: the fused loss."""
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels, batch.anything)}, batch.modalities)
