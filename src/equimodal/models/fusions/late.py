"""Late fusion: each modality decides by itself, and the decisions are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, Presence, certainty, check_choices, masked_average
from equimodal.models.initial import for_each


@FUSIONS.register("late")
class Late(Fusion):
    r"""The mean, over the modalities present, of the logits of a linear head on each encoding.

    By `weights="entropy"` a sample's modalities count by how sure each is of itself:
    $w_m = e^{-H_m} / \sum_k e^{-H_k}$ over the modalities k present, with $H_m$ the entropy (in nats) of
    the class probabilities of m alone.

    Args:
        heads: "own", one head per modality, or "shared", one for all.
        average: "logits", or "probabilities" (the result is then the log of the mean probability).
        weights: "equal", or "entropy" (Zhang et al., CVPR 2024, arXiv 2311.10707).

    Example:
        >>> fusion = Late(["a", "b"], width=4, classes=3, heads="shared")
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])
    """

    absence = "left out of the mean"

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        heads: str = "own",
        average: str = "logits",
        weights: str = "equal",
    ) -> None:
        super().__init__(modalities, width, classes, heads=heads, average=average, weights=weights)
        check_choices(
            "late",
            heads=(heads, ("own", "shared")),
            average=(average, ("logits", "probabilities")),
            weights=(weights, ("equal", "entropy")),
        )
        self.average = average
        self.weights = weights
        self.heads = for_each(self.modalities if heads == "own" else ("shared",), lambda _: nn.Linear(width, classes))
        self.shared = heads == "shared"

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's head, unless one head serves all."""
        return [] if self.shared else [self.heads[modality]]

    def head(self, modality: str) -> nn.Linear:
        """Return the head that reads a modality's encodings."""
        return cast(nn.Linear, self.heads["shared" if self.shared else modality])

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.pool(self._decisions(encodings, present), self._stacked(present))

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C); each head runs once."""
        return self.pool(self._decisions(encodings, present), coalitions.unsqueeze(-1) & self._stacked(present))

    def _stacked(self, present: Presence) -> Tensor:
        return torch.stack([present[name] for name in self.modalities])

    def _decisions(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return each modality's logits (n, B, C)."""
        each = []
        for name in self.modalities:
            if present[name].any():
                each.append(self.head(name)(encodings[name]))
            else:  # no gradient, where one of zeros would let weight decay and momentum move the head
                each.append(encodings[name].new_zeros(len(encodings[name]), self.classes))
        return torch.stack(each)

    def pool(self, each: Tensor, mask: Tensor) -> Tensor:
        """Combine the modalities' logits (n, B, C): (B, C) for a mask (n, B), (K, B, C) for (K, n, B).

        A new fusion of decisions overrides this method alone.
        """
        values = each if self.average == "logits" else each.softmax(-1)
        if self.weights == "equal":
            mean = masked_average(values, mask)
        else:
            mean = (certainty_weights(each, mask).unsqueeze(-1) * values).sum(-3)
        return mean if self.average == "logits" else mean.clamp(min=torch.finfo(mean.dtype).tiny).log()


def certainty_weights(logits: Tensor, mask: Tensor) -> Tensor:
    """Return the weights of modalities by the entropy of each one's prediction: their certainties as shares.

    A row's weights depend on that row alone, and sum to one where any counts.

    Args:
        logits: (n, B, C), each modality's own.
        mask: which of them count, (n, B) or (K, n, B).

    Example:
        >>> unsure, sure = torch.zeros(1, 2), torch.tensor([[50.0, 0.0]])
        >>> weights = certainty_weights(torch.stack([unsure, sure]), torch.ones(2, 1, dtype=torch.bool))
        >>> [round(weight, 3) for weight in weights[:, 0].tolist()]  # entropies log 2 and 0
        [0.333, 0.667]
    """
    weights = torch.where(mask, certainty(logits).expand(mask.shape), 0.0)
    return weights / weights.sum(-2, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
