"""Fusion by a multilayer perceptron over the concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, MeanEncoding, Presence
from equimodal.models.initial import draw_blocks


@FUSIONS.register("mlp")
class MLPFusion(Fusion):
    r"""Logits of one hidden layer over the concatenated encodings, which can learn interactions of modalities.

    $$
    z = W \, \mathrm{dropout}(\mathrm{ReLU}(A [h_1 .. h_n] + a)) + b
    $$

    Args:
        hidden: units of the hidden layer.
        dropout: probability that a hidden unit is dropped while training.
        absent: what replaces an absent encoding: "mean" (of the training encodings), "zeros" or "learned" (a vector
            that is trained wherever the modality is absent in training).

    Raises:
        ConfigError: `hidden` is below 1, or `absent` is neither.

    Example:
        >>> fusion = MLPFusion(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: common practice.
    """

    absence = "the mean training encoding takes its place (options: zeros, a learned vector)"

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        hidden: int = 128,
        dropout: float = 0.1,
        absent: str = "mean",
    ) -> None:
        super().__init__(modalities, width, classes, hidden=hidden, dropout=dropout, absent=absent)
        if hidden < 1:
            raise ConfigError(f"fusion 'mlp', option 'hidden': expected at least 1 unit, got {hidden}.")
        self.substitute = MeanEncoding(self.modalities, width, absent)
        self.hidden = draw_blocks(nn.Linear(width * len(self.modalities), hidden), self.modalities)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, classes)

    def representation(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return the hidden layer: (B, hidden)."""
        return torch.relu(self.hidden(torch.cat(self.substitute(encodings, present), dim=1)))

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.head(self.dropout(self.representation(encodings, present)))
