"""The cross-modal mapping: a learned map into a shared space, and alignment across samples by correlation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError, did_you_mean
from equimodal.models.initial import for_each

SHARPNESS = 2.0
"""Factor before the tanh of a bounded mapping: units are then mostly near -1 or 1, where gates are open or closed."""


def correlations(first: Tensor, second: Tensor) -> Tensor:
    """Return the Pearson correlation of each row of `first` (B, D) with each row of `second` (B', D), (B, B')."""

    def standard(rows: Tensor) -> Tensor:
        return nn.functional.normalize(rows - rows.mean(dim=1, keepdim=True), dim=1)

    return standard(first) @ standard(second).T


def alignment_weights(previous: Tensor, mapped: Tensor, tau: float, valid: Tensor) -> Tensor:
    r"""Return the row-normalised, thresholded correlation matrix between two modalities' samples.

    With the Pearson correlation between row i of `previous` and row j of `mapped`,

    $$
    R_{ij} = \mathrm{corr}(p_i, a_j), \qquad
    \tilde C_{ij} = 1 \text{ if } i = j, \; R_{ij} \text{ if } R_{ij} \ge \tau, \; 0 \text{ otherwise},
    $$

    the result is $C_{ij} = \tilde C_{ij} / \sum_k \tilde C_{ik}$. The paper
    always keeps the diagonal; its weight of 1, which leaves a row without a partner as it is, is ours.

    Args:
        previous: mapped representations of the weaker modality (B, D); no gradient should flow into it.
        mapped: mapped representations of this modality (B, D).
        tau: threshold in (0, 1]; 1 keeps the diagonal alone.
        valid: bool (B,); rows where both are present. Others get a row of the identity.

    Returns:
        Weights (B, B), each row summing to 1.

    Example:
        >>> p = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
        >>> alignment_weights(p, p, tau=0.5, valid=torch.tensor([True, True]))
        tensor([[1., 0.],
                [0., 1.]])

    Source: Shi et al., arXiv 2506.00030, cross-modal mapping, sample level.
    """

    correlation = correlations(previous, mapped)
    keep = (correlation >= tau) & valid[:, None] & valid[None, :]
    keep.fill_diagonal_(False)
    weights = correlation * keep + torch.eye(len(mapped), dtype=mapped.dtype, device=mapped.device)
    return weights / weights.sum(dim=1, keepdim=True)


def alignment_loss(
    previous: Tensor, mapped: Tensor, labels: Tensor, valid: Tensor, temperature: float = 0.1
) -> tuple[Tensor, Tensor]:
    r"""Return the supervised contrastive loss between two modalities' mapped rows, as (sum, count).

    $$
    \ell_i = -\frac{1}{|P_i|} \sum_{j \in P_i} \log
    \frac{\exp(R_{ij} / T)}{\sum_k \exp(R_{ik} / T)}, \qquad P_i = \{j : y_j = y_i\},
    $$

    over the valid rows, with R the correlations of `alignment_weights`: it makes samples of one class
    correlate across modalities, without which the threshold drops everything (ours).

    Args:
        previous: mapped representations of the weaker modality (B, D).
        mapped: mapped representations of this modality (B, D).
        labels: class numbers (B,).
        valid: bool (B,); rows where both are present.
        temperature: T.

    Source: Khosla et al., 2020, "Supervised Contrastive Learning", arXiv 2004.11362 (across modalities: ours).
    """
    scores = correlations(previous.detach(), mapped) / temperature
    log_probability = scores.masked_fill(~valid[None, :], torch.finfo(scores.dtype).min).log_softmax(dim=1)
    positive = (labels[:, None] == labels[None, :]) & valid[None, :] & valid[:, None]
    each = -torch.where(positive, log_probability, 0.0).sum(1) / positive.sum(1).clamp(min=1)
    return torch.where(valid, each, 0.0).sum(), valid.sum()


class CrossModalMapping(nn.Module):
    """Map each modality's encoding into a shared space and align it with the next weaker modality's.

    *Feature level*: a linear map for each modality. *Sample level*: in training, the mapped rows of a batch are
    mixed by `alignment_weights`; in evaluation only the diagonal is used (ours), which is the identity, so
    that a prediction never depends on what else is in the batch.

    Args:
        modalities: names.
        width: size of the encodings and of the shared space.
        feature_level: learn the maps; without it encodings pass as they are.
        sample_level: mix rows by correlation in training.
        tau: correlations below it are dropped, in (0, 1].
        bounded: bound what the memory reads, see `bound` (ours).
        rotations: each map is a random rotation at first, so that an encoding keeps its size (ours); else weights are
            drawn as torch draws them, which shrinks it by about the square root of three.

    Raises:
        ConfigError: `tau` is out of its range.

    Example:
        >>> mapping = CrossModalMapping(["audio", "image"], width=8)
        >>> mapping("audio", torch.randn(4, 8)).shape
        torch.Size([4, 8])

    Source: Shi et al., arXiv 2506.00030, cross-modal mapping.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        *,
        feature_level: bool = True,
        sample_level: bool = True,
        tau: float = 0.5,
        bounded: bool = False,
        rotations: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(tau, (int, float)) or not 0 < tau <= 1:
            raise ConfigError(f"tau: expected a number above 0 and up to 1, got {tau!r}.")
        self.modalities = tuple(modalities)
        make = _rotation if rotations else nn.Linear
        self.maps = for_each(self.modalities if feature_level else (), lambda _: make(width, width))
        self.sample_level = sample_level
        self.tau = tau
        self.bounded = bounded

    def map(self, name: str, encoding: Tensor) -> Tensor:
        """Return the encoding (..., D) in the shared space (..., D): the feature level alone.

        Raises:
            ConfigError: there is no such modality.
        """
        if name not in self.modalities:
            raise ConfigError(f"The mapping knows no modality '{name}'.{did_you_mean(name, self.modalities)}")
        return self.maps[name](encoding) if name in self.maps else encoding

    def bound(self, mapped: Tensor) -> Tensor:
        """Return what the memory reads of mapped rows (..., D): tanh(2 LayerNorm(row)) if the mapping is bounded."""
        if not self.bounded:
            return mapped
        return (SHARPNESS * nn.functional.layer_norm(mapped, mapped.shape[-1:])).tanh()

    def align(self, mapped: Tensor, previous: Tensor, valid: Tensor) -> Tensor:
        """Return mapped rows (B, D) aligned with `previous` (B, D) where `valid` (B,)."""
        if not (self.training and self.sample_level):
            return mapped
        return alignment_weights(previous.detach(), mapped, self.tau, valid) @ mapped

    def forward(
        self, name: str, encoding: Tensor, previous: Tensor | None = None, valid: Tensor | None = None
    ) -> Tensor:
        """Return the aligned representation (B, D) of one modality.

        Args:
            name: the modality.
            encoding: its encodings (B, D).
            previous: mapped representations (B, D) of the next weaker modality; None where there is none.
            valid: bool (B,), rows where both are present; None: all rows.

        Raises:
            ConfigError: there is no such modality.
        """
        mapped = self.map(name, encoding)
        if previous is None:
            return mapped
        if valid is None:
            valid = torch.ones(len(mapped), dtype=torch.bool, device=mapped.device)
        return self.align(mapped, previous, valid)


def _rotation(width: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(width, outputs)
    nn.init.orthogonal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
