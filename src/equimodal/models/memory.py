"""The cross-modal memory: a gated state that travels from weak modalities to strong ones, and what is read from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden state and cell of every sample, each (B, D)."""


class CrossModalMemory(nn.Module):
    r"""An LSTM cell that reads modalities from weak to strong.

    For modality m with aligned representation $a_m$: $(h, c) \leftarrow \mathrm{LSTM}(a_m, (h, c))$. A sample that
    lacks the modality keeps its state. The state that starts a batch is a buffer: zero at first, then what `inherit`
    is given (the mean final state of the epoch before).

    Args:
        width: size of representations and state.
        gain: factor of the cell's initial weights (ours): with torch's own the gates of a small representation all stay
            near one half, and the memory is nearly linear in what it reads.

    Example:
        >>> memory = CrossModalMemory(width=8)
        >>> h, c = memory(torch.randn(3, 8), memory.start(3), present=torch.tensor([True, True, False]))
        >>> h.shape
        torch.Size([3, 8])

    Source: Shi et al., arXiv 2506.00030, cross-modal memory.
    """

    inherited_h: Tensor
    inherited_c: Tensor

    def __init__(self, width: int, gain: float = 1.0) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        with torch.no_grad():
            for parameter in self.cell.parameters():
                parameter.mul_(gain)
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
    r"""What is made of the memory's state and of the representations it has read, together (ours).

    With the hidden state $h_m$ after modality m and the representations $a_k$ of the modalities so far,

    $$
    u_m = \mathrm{dropout}\Big(\mathrm{ReLU}\big(A h_m + B \sum_{k \le m} a_k
    + \sum_{j < k \le m} (C a_j) \odot (C a_k) + b\big)\Big), \qquad i_m = V u_m .
    $$

    Each modality has a map of its own, so that the sum is a layer over their concatenation: with A = C = 0 the
    correction is that of an MLP on all modalities. The products of pairs are those of a factorisation machine, one in
    each hidden unit: what an MLP has to put together out of sums, they hold from the start. Since

    $$ \sum_{j < k} x_j x_k = \tfrac12 \Big(\big(\sum_k x_k\big)^2 - \sum_k x_k^2\Big), $$

    the representations and the squares of C a are all that has to be summed: the cost is linear in the modalities.

    B is drawn with the variance 2 / D that keeps the size of what goes through a ReLU (He et al., 2015,
    arXiv 1502.01852), six times torch's own: with that, the state drowns the representations for most of a short
    training. C is drawn with 4 / D, so that products are as large as the rest (ours).

    Args:
        width: size of representations and state.
        classes: number of classes.
        hidden: units of u.
        dropout: probability of dropping a unit of u in training.

    Example:
        >>> correction = Correction(width=8, classes=3)
        >>> read = correction.terms(torch.randn(5, 8)) + correction.terms(torch.randn(5, 8))  # two modalities
        >>> correction.output(correction(torch.randn(5, 8), read)).shape
        torch.Size([5, 3])

    Source: the products are those of Rendle, 2010, "Factorization Machines", ICDM; to have them here is ours.
    """

    def __init__(self, width: int, classes: int, hidden: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        self.of_state = nn.Linear(width, hidden)
        self.of_representations = nn.Linear(width, hidden, bias=False)
        self.factors = nn.Linear(width, hidden, bias=False)
        nn.init.kaiming_uniform_(self.of_representations.weight, nonlinearity="relu")
        nn.init.normal_(self.factors.weight, std=2 / width**0.5)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, classes, bias=False)

    def terms(self, representation: Tensor) -> Tensor:
        """Return what is summed over the modalities: the representation (..., D) and the squares of its factors."""
        return torch.cat([representation, self.factors(representation).square()], dim=-1)

    def forward(self, h: Tensor, terms: Tensor) -> Tensor:
        """Return u (..., hidden) of a hidden state (..., D) and the sum of terms (..., D + hidden)."""
        representations, squares = terms.split([h.shape[-1], terms.shape[-1] - h.shape[-1]], dim=-1)
        products = (self.factors(representations).square() - squares) / 2
        return self.dropout(torch.relu(self.of_state(h) + self.of_representations(representations) + products))
