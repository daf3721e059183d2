"""Bilinear fusion of low rank: products of the modalities' projections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS, Encodings, OneHead, Presence
from equimodal.models.initial import for_each


@FUSIONS.register("bilinear")
class Bilinear(OneHead):
    r"""Low-rank multimodal fusion: the outer product of all encodings, each with a 1, through a tensor of low rank.

    $$
    z = W \sum_{r=1}^{R} \prod_m A_{m,r} [h_m; 1] + b
    $$

    The products are taken unit by unit, over the modalities present. The 1 keeps the terms of fewer modalities. For two
    modalities this is bilinear, for n multilinear.

    Ours: an absent modality leaves the product, as a factor of 1. The factors' biases begin at 1, so that the product
    begins near 1 plus the sum of what each modality says: a product of n small random numbers hardly learns.

    Args:
        rank: terms of the sum, $R$.
        hidden: size of the fused representation, which a linear head reads.

    Raises:
        ConfigError: `rank` or `hidden` is below 1.

    Example:
        >>> fusion = Bilinear(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Liu et al., 2018, "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors" (LMF), ACL,
    arXiv 1806.00064.
    """

    absence = "left out of the product"

    def __init__(self, modalities: Sequence[str], width: int, classes: int, rank: int = 4, hidden: int = 64) -> None:
        super().__init__(modalities, width, classes, rank=rank, hidden=hidden)
        if problems := [
            f"fusion 'bilinear', option '{key}': expected at least 1, got {value}."
            for key, value in self.options.items()
            if value < 1
        ]:
            raise ConfigError(problems)
        self.rank, self.hidden = rank, hidden
        self.factors = for_each(self.modalities, lambda _: self._factor())
        self.head = nn.Linear(hidden, classes)

    def _factor(self) -> nn.Linear:
        factor = nn.Linear(self.width, self.rank * self.hidden)
        nn.init.ones_(factor.bias)
        return factor

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's factor."""
        return [self.factors[modality]]

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return the product of low rank: (B, hidden)."""
        first = encodings[self.modalities[0]]
        product = first.new_ones(len(first), self.rank * self.hidden)
        for name in self.modalities:
            if present[name].any():  # or no gradient, where one of zeros would let weight decay move the factor
                factor = self.factors[name](encodings[name])
                product = product * torch.where(present[name].unsqueeze(-1), factor, 1.0)
        return product.unflatten(1, (self.rank, self.hidden)).sum(1)
