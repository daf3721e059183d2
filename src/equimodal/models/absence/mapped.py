"""Imputation by learned maps from each modality to each other one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equimodal.models.absence.imputer import Imputer
from equimodal.seeds import seeded

PASSES, BATCH, RATE, DECAY = 3, 64, 3e-3, 0.1
"""Of the training after each epoch: passes over its rows, rows of a step, learning rate and weight decay of AdamW."""
PARTS = ("inner", "inner_bias", "outer", "outer_bias")


class LearnedMaps(Imputer):
    r"""The mean of what small networks predict from each of the modalities that are present.

    With encodings centred on their mean over the training rows and divided by their root mean square $\sigma_m$, the
    map from s to t is

    $$
    f_{st}(x) = B_{st} \, \mathrm{ReLU}(A_{st} x + a_{st}) + b_{st}, \qquad
    \hat h_t = \mu_t + \frac{\sigma_t}{|S|} \sum_{s \in S} f_{st}\Big(\frac{h_s - \mu_s}{\sigma_s}\Big),
    $$

    S being the modalities that are present. After each epoch the maps are trained further, beside the classifier, on
    the encodings that the model then gives of the training rows: they minimise the mean squared error of each
    $f_{st}$ over the rows that have both. Encodings are data here: without gaps in training, the classifier is trained
    bit for bit as with `absent: mean`. At first the maps are 0, and the mean takes the place.

    Args:
        modalities: names.
        width: size of the encodings, and of the hidden layers.

    Example:
        >>> imputer = LearnedMaps(["a", "b"], width=1)
        >>> a, here = torch.arange(20.0).unsqueeze(1), torch.ones(20, dtype=torch.bool)
        >>> imputer.fit({"a": a, "b": 3 * a + 1}, {"a": here, "b": here})
        >>> guess = imputer({"a": torch.tensor([[4.0]]), "b": torch.zeros(1, 1)}, {"a": here[:1], "b": ~here[:1]})[1]
        >>> guess.shape
        torch.Size([1, 1])

    Source: the cross-modal mapping of Shi et al., arXiv 2506.00030, as an imputation: ours; imagination networks as in
    Zhao, Li and Jin, 2021, "Missing Modality Imagination Network for Emotion Recognition", ACL.
    """

    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor
    scale: Tensor

    def __init__(self, modalities: Sequence[str], width: int) -> None:
        super().__init__(modalities, width)
        n = len(self.modalities)
        for name in PARTS:  # by source and target
            shape = (n, n, width) if name.endswith("bias") else (n, n, width, width)
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("scale", torch.ones(n))

    def learn(self, known: Tensor, have: Tensor) -> None:
        """Train the maps further; the order of the rows is drawn from torch's generator."""
        centred = torch.where(have.unsqueeze(-1), known - self.centre, 0.0)
        numbers = have.sum(0).clamp(min=1) * centred.shape[-1]
        self.scale.copy_((centred.square().sum((0, 2)) / numbers).sqrt().clamp(min=1e-6))
        if not self.fitted:
            self._draw()
        rows = (centred / self.scale.unsqueeze(-1)).transpose(0, 1)  # (n, N, width)
        pairs = have.T.unsqueeze(1) & have.T.unsqueeze(0)  # (n, n, N)
        pairs &= ~torch.eye(len(pairs), dtype=torch.bool, device=pairs.device).unsqueeze(-1)
        with torch.enable_grad(), torch.autocast(rows.device.type, enabled=False):
            parts = [getattr(self, name).clone().requires_grad_() for name in PARTS]
            optimiser = torch.optim.AdamW(parts, lr=RATE, weight_decay=DECAY)
            for _ in range(PASSES):
                for batch in torch.randperm(rows.shape[1]).to(rows.device).split(BATCH):
                    errors = (_apply(rows[:, batch], *parts) - rows[:, batch]).square().mean(-1)  # (n, n, B)
                    both = pairs[..., batch]
                    optimiser.zero_grad()
                    (torch.where(both, errors, 0.0).sum(-1) / both.sum(-1).clamp(min=1)).sum().backward()
                    optimiser.step()
        for name, part in zip(PARTS, parts, strict=True):
            getattr(self, name).copy_(part)

    def _draw(self) -> None:
        """Draw the hidden layers, each by the names of its modalities, so that their order does not matter."""
        base = int(torch.randint(2**62, ()))
        bound = 1 / math.sqrt(self.inner.shape[-1])
        for s, source in enumerate(self.modalities):
            for t, target in enumerate(self.modalities):
                with seeded(base, source, target):
                    drawn = torch.empty(self.inner.shape[2:]).uniform_(-bound, bound)
                self.inner[s, t] = drawn.to(self.inner.device)

    def relate(self, encodings: Mapping[str, Tensor]) -> Tensor:
        """Return the prediction of each modality from each other one (n, n, B, width)."""
        rows = torch.stack([encodings[name].float() for name in self.modalities])
        rows = (rows - self.centre.unsqueeze(1)) / self.scale[:, None, None]
        predicted = _apply(rows, *(getattr(self, name) for name in PARTS))
        return self.centre.unsqueeze(1) + self.scale[:, None, None] * predicted

    def impute(
        self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor], related: Tensor
    ) -> dict[str, Tensor]:
        """Return the mean prediction of the modalities present; that of a row with nothing has no meaning."""
        here = torch.stack([present[name] for name in self.modalities]).unsqueeze(-1)  # (n, B, 1)
        number = here.sum(0).clamp(min=1)
        return {
            self.modalities[t]: torch.where(here, related[:, t], 0.0).sum(0) / number for t in self.lacking(present)
        }


def _apply(rows: Tensor, inner: Tensor, inner_bias: Tensor, outer: Tensor, outer_bias: Tensor) -> Tensor:
    """Return what every map makes of rows (n, B, width): (n, n, B, width)."""
    hidden = torch.relu(torch.einsum("sbd,stdh->stbh", rows, inner) + inner_bias.unsqueeze(2))
    return torch.einsum("stbh,sthd->stbd", hidden, outer) + outer_bias.unsqueeze(2)
