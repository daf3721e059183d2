"""The cross-modal memory: a gated state that travels from weak modalities to strong ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state and cell of every sample, each (B, D)."""


class CrossModalMemory(nn.Module):
    r"""An LSTM cell that reads modalities from weak to strong, and a linear output of its state.

    For modality m with aligned representation $a_m$,

    $$
    (h, c) \leftarrow \mathrm{LSTM}(a_m, (h, c)), \qquad o_m = V\,\mathrm{dropout}(h).
    $$

    A sample that lacks the modality keeps its state. `V` starts at zero (ours), so that at first the memory adds
    nothing to what it is added to. The state that starts a batch is a buffer: zero at first, then what `inherit` is
    given (the mean final state of the epoch before).

    Args:
        width: size of representations and state.
        outputs: size of the output; None: `width`.
        dropout: probability of dropping a unit of the state on its way to the output, in training.

    Example:
        >>> memory = CrossModalMemory(width=8, outputs=3)
        >>> state = memory.start(3)
        >>> state = memory(torch.randn(3, 8), state, present=torch.tensor([True, True, False]))
        >>> memory.read(state[0]).shape
        torch.Size([3, 3])

    Source: Shi et al., arXiv 2506.00030, cross-modal memory.
    """

    inherited_h: Tensor
    inherited_c: Tensor

    def __init__(self, width: int, outputs: int | None = None, dropout: float = 0.5) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, width if outputs is None else outputs, bias=False)
        nn.init.zeros_(self.output.weight)
        self.register_buffer("inherited_h", torch.zeros(width))
        self.register_buffer("inherited_c", torch.zeros(width))

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

    def read(self, h: Tensor) -> Tensor:
        """Return the output (..., outputs) of hidden states (..., D)."""
        return self.output(self.dropout(h))
