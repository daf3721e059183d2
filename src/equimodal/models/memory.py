"""The cross-modal memory: a gated state that travels from weak modalities to strong ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state and cell of every sample, each (B, D)."""


class CrossModalMemory(nn.Module):
    r"""An LSTM cell read from weak to strong, and the refinement of an encoding by its state.

    For modality m with aligned representation $a_m$ and encoding $z_m$,

    $$
    (h, c) \leftarrow \mathrm{LSTM}(a_m, (h, c)), \qquad r_m = z_m + U\,\mathrm{dropout}(h).
    $$

    A sample that lacks the modality keeps its state. `U` starts at zero (ours), so that training starts as
    plain alternating training and memory only adds. The state that starts a batch is a buffer: zero at first,
    then what `inherit` is given (the mean final state of the epoch before).

    Outside training the refinement is scaled by `strength` (ours), a buffer that starts at 1: a method may fit it on
    validation, so that a memory that does not generalise does no harm.

    Args:
        width: size of representations, encodings and state.
        dropout: probability of dropping a unit of the state on its way into the refinement, in training.

    Example:
        >>> memory = CrossModalMemory(width=8)
        >>> state = memory.start(3)
        >>> state = memory(torch.randn(3, 8), state, present=torch.tensor([True, True, False]))
        >>> memory.refine(torch.randn(3, 8), state).shape
        torch.Size([3, 8])

    Source: Shi et al., arXiv 2506.00030, cross-modal memory.
    """

    inherited_h: Tensor
    inherited_c: Tensor
    strength: Tensor

    def __init__(self, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        self.dropout = nn.Dropout(dropout)
        self.refinement = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.refinement.weight)
        self.register_buffer("inherited_h", torch.zeros(width))
        self.register_buffer("inherited_c", torch.zeros(width))
        self.register_buffer("strength", torch.ones(()))

    def start(self, samples: int) -> State:
        """Return the inherited state for each of `samples` samples."""
        return self.inherited_h.expand(samples, -1), self.inherited_c.expand(samples, -1)

    def inherit(self, h: Tensor, c: Tensor) -> None:
        """Let later batches start from the state `h`, `c`, each (D,)."""
        self.inherited_h.copy_(h)
        self.inherited_c.copy_(c)

    def forward(self, aligned: Tensor, state: State, present: Tensor | None = None) -> State:
        """Return the state after reading `aligned` (B, D); rows not `present` (B,) keep theirs."""
        h, c = self.cell(aligned, state)
        if present is None:
            return h, c
        kept = present.unsqueeze(-1)
        return torch.where(kept, h, state[0]), torch.where(kept, c, state[1])

    def refine(self, encoding: Tensor, state: State) -> Tensor:
        """Return the encoding (B, D) with what the memory adds to it."""
        added = self.refinement(self.dropout(state[0]))
        return encoding + (added if self.training else self.strength * added)
