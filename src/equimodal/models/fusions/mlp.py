"""Fusion by a multilayer perceptron over the concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS
from equimodal.models.fusions.filling import FillingFusion
from equimodal.models.initial import draw_blocks


@FUSIONS.register("mlp")
class MLPFusion(FillingFusion):
    r"""Logits of one hidden layer over the concatenated encodings, which can learn interactions of modalities.

    $$
    z = W \, \mathrm{dropout}(\mathrm{ReLU}(A [h_1 .. h_n] + a)) + b
    $$

    Args:
        hidden: units of the hidden layer.
        dropout: probability that a hidden unit is dropped while training.
        absent: what takes the place of an absent encoding: "mean", "zeros", "learned", "knn", "iterative" or "mapped",
            see `equimodal.models.fusions.filling.FillingFusion`.
        neighbours: training rows that "knn" takes the mean of.

    Raises:
        ConfigError: `hidden` is below 1, `absent` is none of these, or `neighbours` is out of its range.

    Example:
        >>> fusion = MLPFusion(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: common practice.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        hidden: int = 128,
        dropout: float = 0.1,
        absent: str = "mean",
        neighbours: int = 5,
    ) -> None:
        super().__init__(
            modalities, width, classes, absent=absent, neighbours=neighbours, hidden=hidden, dropout=dropout
        )
        if hidden < 1:
            raise ConfigError(f"fusion 'mlp', option 'hidden': expected at least 1 unit, got {hidden}.")
        self.hidden = draw_blocks(nn.Linear(width * len(self.modalities), hidden), self.modalities)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, classes)

    def read(self, filled: list[Tensor]) -> Tensor:
        """Return the hidden layer (B, hidden), in training with dropout."""
        return self.dropout(torch.relu(self.hidden(torch.cat(filled, dim=1))))
