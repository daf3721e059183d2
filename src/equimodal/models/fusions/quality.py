"""Quality-weighted fusion: each modality decides by itself, and counts by the energy of its decision."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS
from equimodal.models.fusions.late import Late

SCALE = 10.0
"""What the weights are divided by where they are not shares: the public implementations' constant."""
FAR_BELOW = -20.0
"""From here down log(softplus(s)) is s in float32, while softplus(s) itself goes under."""


@FUSIONS.register("quality")
class Quality(Late):
    r"""The decisions of the modalities present, weighted by the energy of each.

    $$
    z = \frac{\sum_m w_m z_m}{\sum_m w_m}, \qquad
    w_m = \log\Bigl(1 + \sum_c e^{z_{m,c}}\Bigr), \qquad z_m = W_m h_m + b_m
    $$

    A sample's weights depend on that sample alone. They carry no gradient, as in public implementations of the paper:
    confidence is not a lever by which the fused loss moves a head.

    Ours: the paper's confidence is the negative energy $E_m = \log \sum_c e^{z_{m,c}}$, which may be negative.
    The 1, a class of logit 0, makes it positive: $w_m = \log(1 + e^{E_m})$, about $E_m$ where that is
    large. So every present modality has a share, and every head a gradient. The mean is ours too: it keeps the
    logits' range whichever modality is absent; with `combine="sum"` they are the paper's $\sum_m w_m z_m$, with
    weights a tenth of the above, as in public implementations.

    The paper trains each head by a cross entropy of its own besides, and ranks confidences by the history of each
    sample's losses. These are losses, and so belong to a method, not to a fusion. Without them nothing ties a
    head's energy to how often it is right, but that it grows with the logits.

    Args:
        combine: "mean", or "sum".

    Raises:
        ConfigError: `combine` is neither.

    Example:
        >>> fusion = Quality(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Zhang et al., 2023, "Provable Dynamic Fusion for Low-Quality Multimodal Data" (QMF), ICML, arXiv 2306.02050;
    the use of the weights after public implementations.
    """

    absence = "left out of the weighted mean (option: sum)"

    def __init__(self, modalities: Sequence[str], width: int, classes: int, combine: str = "mean") -> None:
        if combine not in ("mean", "sum"):
            raise ConfigError(f"fusion 'quality', option 'combine': expected 'mean' or 'sum', got {combine!r}.")
        super().__init__(modalities, width, classes)
        self.options = {"combine": combine}  # it has none of late fusion's options
        self.combine = combine

    def combine_decisions(self, each: Tensor, mask: Tensor) -> Tensor:
        """Return the mean, or the sum, weighted by confidence."""
        weights = quality_shares(each, mask) if self.combine == "mean" else mask * confidence(each) / SCALE
        return (weights.unsqueeze(-1) * each).sum(-3)


@torch.no_grad()
def confidence(logits: Tensor) -> Tensor:
    r"""Return $\log(1 + \sum_c e^{z_c})$: (..., C) -> (...), without gradient.

    Example:
        >>> round(float(confidence(torch.tensor([2.0, 4.0]).log())), 4)  # log 7
        1.9459
    """
    return nn.functional.softplus(logits.float().logsumexp(-1))


@torch.no_grad()
def quality_shares(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the modalities' confidences as shares of those in the mask, without gradient.

    They are taken from logarithms, so that they stay shares where all confidences are too small for float32.

    Args:
        logits: (n, B, C), each modality's own.
        mask: which of them count, (n, B) or (K, n, B).

    Returns:
        Weights of the mask's shape, of sum 1.

    Example:
        >>> logits = torch.tensor([[[1.0, 1.0]], [[4.0, 4.0]]]).log()  # confidences log 3 and log 9
        >>> quality_shares(logits, torch.ones(2, 1, dtype=torch.bool)).flatten()
        tensor([0.3333, 0.6667])
    """
    energy = logits.float().logsumexp(-1)
    logs = torch.where(energy < FAR_BELOW, energy, confidence(logits).log())
    hidden = torch.finfo(logs.dtype).min  # finite: where nothing counts, weights stay numbers
    return logs.expand(mask.shape).masked_fill(~mask, hidden).softmax(-2)
