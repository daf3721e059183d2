"""The cross-modal memory: a gated state that travels from weak modalities to strong ones, and what is read from it."""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state and cell of every sample, each (B, D)."""


class CrossModalMemory(nn.Module):
    r"""An LSTM cell that reads modalities from weak to strong.

    For modality m with aligned representation $a_m$: $(h, c) \leftarrow \mathrm{LSTM}(a_m, (h, c))$. A sample that lacks
    the modality keeps its state. The state that starts a batch is a buffer: zero at first, then what `inherit` is
    given (the mean final state of the epoch before).

    Args:
        width: size of representations and state.

    Example:
        >>> memory = CrossModalMemory(width=8)
        >>> h, c = memory(torch.randn(3, 8), memory.start(3), present=torch.tensor([True, True, False]))
        >>> h.shape
        torch.Size([3, 8])

    Source: Shi et al., arXiv 2506.00030, cross-modal memory.
    """

    inherited_h: Tensor
    inherited_c: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        g = float(os.environ.get("G", "1"))
        with torch.no_grad():
            for q in self.cell.parameters():
                q.mul_(g)
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


class Refinement(nn.Module):
    r"""What the paper adds to an encoding: $r_m = z_m + U\,\mathrm{dropout}(h_m)$, with U zero at the start (ours).

    Args:
        width: size of encodings and state.
        dropout: probability of dropping a unit of the state in training.

    Example:
        >>> Refinement(width=8)(torch.randn(3, 8), torch.randn(3, 8)).shape
        torch.Size([3, 8])
    """

    def __init__(self, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, encoding: Tensor, h: Tensor) -> Tensor:
        """Return the refined encoding (..., D) of an encoding (..., D) and a hidden state (..., D)."""
        return encoding + self.output(self.dropout(h))


class Correction(nn.Module):
    r"""What a modality makes of the state that weaker ones left, and of its own representation, together (ours).

    $$ u_m = \mathrm{dropout}\big(\mathrm{ReLU}(A [h_{<m}; a_m] + b)\big), \qquad i_m = V u_m . $$

    Args:
        width: size of representations and state.
        classes: number of classes.
        hidden: units of u.
        dropout: probability of dropping a unit of u in training.

    Example:
        >>> correction = Correction(width=8, classes=3)
        >>> correction.output(correction(torch.randn(5, 8), torch.randn(5, 8))).shape
        torch.Size([5, 3])
    """

    def __init__(self, width: int, classes: int, hidden: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        self.of_state = nn.Linear(width, hidden)
        self.of_representation = nn.Linear(width, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, classes, bias=False)
        if not os.environ.get("V1"):
            nn.init.zeros_(self.output.weight)

    def forward(self, received: Tensor, representation: Tensor) -> Tensor:
        """Return u (..., hidden) of the state received (..., D) and a representation (..., D)."""
        return self.dropout(torch.relu(self.of_state(received) + self.of_representation(representation)))
