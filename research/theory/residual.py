r"""The residual loss: why a memory that is trained on what the experts leave over does not disturb them.

A label y of +1 or -1, alike often, and two modalities of two bits each. Modality m sees $s_m$, which is y with
probability $p_m$ (its reliability), and $r_m$, which says nothing alone: $r_1 r_2$ is y with probability
$(1 + \kappa) / 2$, an exclusive or of strength $\kappa$. Given y, $(s_1, s_2)$ and $(r_1, r_2)$ are independent; $s_1$
and $s_2$ err together more often than by chance (redundancy). The log-odds of y are then exactly

$$
a_1 s_1 + a_2 s_2 + c\, r_1 r_2 \quad \text{of everything}, \qquad b_m s_m \quad \text{of modality m alone},
$$

with $b_m = \operatorname{logit} p_m$ and $c = 2 \operatorname{artanh} \kappa$. Each modality has a head, of logits $w_m
s_m$; the memory gives $V^\top h$, with h all 16 products of the four bits, so that it can express anything. All losses
are expected ones, summed over the 32 cells of the table: nothing is sampled, and nothing over-fits. The model is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal, get_args

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from equimodal.errors import ConfigError

Training = Literal["joint", "joint, memory reads all", "uniform losses", "residual memory"]
"""How heads and memory are trained.

Joint: the loss of the fused logits alone; the memory reads only products of bits of both modalities. "Reads all": the
memory reads single bits as well. Uniform: with each head's own loss beside the fused one. Residual: each head by its
own loss; the memory by the loss of the pool, held constant, plus its correction.
"""

TRAININGS: tuple[Training, ...] = get_args(Training)
SUBSETS = np.array(list(product((0, 1), repeat=4)), bool)
"""The bits in each product of h, of s1, s2, r1, r2: the first is the constant 1."""
CROSSING = (SUBSETS[:, [0, 2]].any(1)) & (SUBSETS[:, [1, 3]].any(1))
"""The products that no modality can form alone."""
SINGLE = tuple(int(np.flatnonzero((np.eye(4, dtype=bool)[m] == SUBSETS).all(1))[0]) for m in (0, 1))
"""Where s1 and s2 are in h."""
EXCLUSIVE_OR = int(np.flatnonzero((SUBSETS == [False, False, True, True]).all(1))[0])
"""Where r1 r2 is in h."""


@dataclass(frozen=True, kw_only=True)
class Bits:
    """Two modalities of two bits each.

    Args:
        strong: reliability of the first modality, above .5 and below 1.
        weak: reliability of the second, above .5 and below 1.
        redundancy: how often both err together: 0, as often as by chance; towards 1, as often as it can be.
        interaction: kappa, 0 or more and below 1.

    Raises:
        ConfigError: a value is out of its range; all mistakes are reported together.
    """

    strong: float
    weak: float
    redundancy: float = 0.0
    interaction: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected a number above .5 and below 1, got {getattr(self, name)}."
            for name in ("strong", "weak")
            if not 0.5 < getattr(self, name) < 1
        ] + [
            f"{name}: expected a number from 0 and below 1, got {getattr(self, name)}."
            for name in ("redundancy", "interaction")
            if not 0 <= getattr(self, name) < 1
        ]
        if problems:
            raise ConfigError(problems)

    @property
    def reliabilities(self) -> np.ndarray:
        """Those of both modalities (2,), strong first."""
        return np.array([self.strong, self.weak])

    @cached_property
    def right(self) -> np.ndarray:
        """Probability (2, 2) that s1 is wrong or right (rows), and s2 (columns)."""
        p, q = self.strong, self.weak
        together = self.redundancy * min(p * (1 - q), (1 - p) * q)
        independent = np.outer([1 - p, p], [1 - q, q])
        return independent + together * np.array([[1, -1], [-1, 1]])

    @property
    def experts(self) -> np.ndarray:
        """b (2,), the log-odds of each modality alone."""
        return np.log(self.reliabilities / (1 - self.reliabilities))

    @property
    def posterior(self) -> np.ndarray:
        """a (2,), the weights of s1 and s2 in the log-odds of everything."""
        both, apart = np.log(self.right[1, 1] / self.right[0, 0]), np.log(self.right[1, 0] / self.right[0, 1])
        return np.array([both + apart, both - apart]) / 2

    @property
    def exclusive_or(self) -> float:
        """c, the weight of r1 r2 in the log-odds of everything."""
        return float(2 * np.arctanh(self.interaction))

    @property
    def information(self) -> np.ndarray:
        """Mutual information of y with each modality alone, in bits (2,)."""
        p = self.reliabilities
        return 1 + p * np.log2(p) + (1 - p) * np.log2(1 - p)

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The bits (32, 4), y (32,) and the probability (32,) of every case."""
        table = np.array(list(product((-1, 1), repeat=5)))
        bits, y = table[:, :4], table[:, 4]
        own = self.right[(bits[:, 0] == y).astype(int), (bits[:, 1] == y).astype(int)]
        return bits, y, own * (1 + self.interaction * y * bits[:, 2] * bits[:, 3]) / 8

    @cached_property
    def products(self) -> np.ndarray:
        """h (32, 16) of every case."""
        return np.where(SUBSETS, self.cells[0][:, None, :], 1).prod(-1)


@dataclass(frozen=True)
class Trained:
    """What was learnt.

    Args:
        bits: what was to be learnt.
        heads: w (2,).
        memory: V (16,).
        pool: weights of the heads in the fused logits (2,).
    """

    bits: Bits
    heads: np.ndarray
    memory: np.ndarray
    pool: np.ndarray

    @property
    def alone(self) -> np.ndarray:
        """What each head says alone, in bits (2,): 1 - its cross entropy; at most the mutual information."""
        p = self.bits.reliabilities
        return 1 - (p * np.logaddexp(0, -self.heads) + (1 - p) * np.logaddexp(0, self.heads)) / np.log(2)

    @property
    def fused(self) -> float:
        """What the fused logits say, in bits: 1 - their cross entropy."""
        _, y, p = self.bits.cells
        return float(1 - p @ np.logaddexp(0, -y * self.logits) / np.log(2))

    @property
    def logits(self) -> np.ndarray:
        """The fused logits of every case (32,)."""
        return self.bits.cells[0][:, :2] @ (self.pool * self.heads) + self.bits.products @ self.memory

    @property
    def utilisation(self) -> np.ndarray:
        """What each head says alone over what it could (2,)."""
        return self.alone / self.bits.information


def exact_pool(bits: Bits) -> np.ndarray:
    """Return the weights (2,) of the experts' logits whose sum is the posterior of s1 and s2, a / b.

    Without redundancy they are 1: log-odds of modalities that are independent given the class add up.

    Example:
        >>> exact_pool(Bits(strong=0.9, weak=0.7)).round(12).tolist()
        [1.0, 1.0]
        >>> exact_pool(Bits(strong=0.9, weak=0.7, redundancy=0.5)).round(2).tolist()
        [0.96, 0.25]
    """
    return bits.posterior / bits.experts


def gradients(bits: Bits, training: Training, state: Trained) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the gradients of the expected loss by the heads (2,) and by the memory (16,).

    In residual training the head's is $E[(\sigma(w_m s_m) - Y) s_m]$, Y being 1 or 0: that of unimodal training.
    Neither V nor the other modality occurs in it. Its zero is the expert, $w_m = b_m$.
    """
    s, y, p = bits.cells[0][:, :2], bits.cells[1], bits.cells[2]
    error = p * (expit(state.logits) - (y > 0))
    own = p[:, None] * (expit(state.heads * s) - (y > 0)[:, None])
    alone, together = (own * s).sum(0), state.pool * (error @ s)
    by_heads = {"residual memory": alone, "uniform losses": alone + together}.get(training, together)
    by_memory = bits.products.T @ error
    reads = CROSSING if training in ("joint", "uniform losses") else np.ones(16, bool)
    return by_heads, np.where(reads, by_memory, 0.0)


def pull(bits: Bits, pool: np.ndarray) -> np.ndarray:
    r"""Return what asks the memory to move when it is 0 and the heads are the experts, $E[(p - Y) h]$ (16,).

    With the exact pool $p = P(y = 1 \mid s_1, s_2)$. It is then 0 for every h where there is no interaction, since $E[Y
    \mid s, r] = p$; and otherwise that of $r_1 r_2$ is

    $$
    E[(p - Y)\, r_1 r_2] = -2 \kappa\, E[p (1 - p)]
    $$

    the strength of the interaction times what the experts leave open.

    Args:
        bits: what is to be learnt.
        pool: weights of the experts (2,).

    Example:
        >>> bits = Bits(strong=0.9, weak=0.7, redundancy=0.5)
        >>> bool(np.abs(pull(bits, exact_pool(bits))).max() < 1e-12), bool(np.abs(pull(bits, np.ones(2))).max() > 0.01)
        (True, True)
    """
    return gradients(bits, "residual memory", Trained(bits, bits.experts, np.zeros(16), pool))[1]


def at_rest(bits: Bits, training: Training, pool: np.ndarray | None = None) -> Trained:
    r"""Return what is learnt in the end, from 0.

    - Residual: $w = b$, the experts, whatever the memory does. The memory is the log-odds less the pool, so that the
      fused logits are the posterior.
    - Joint: $w = a$, the part that is left for a modality beside the others.
    - Joint where the memory reads all: $w = a / 2$. Head and memory get the same gradient, so that each learns half.
    - Uniform: between a and b, found numerically.

    Args:
        bits: what is to be learnt.
        training: how.
        pool: weights of the experts in residual training (2,); None: the exact ones.

    Example:
        >>> bits = Bits(strong=0.9, weak=0.7, redundancy=0.5, interaction=0.5)
        >>> [at_rest(bits, training).alone.round(3).tolist() for training in ("residual memory", "joint")]
        [[0.531, 0.119], [0.531, 0.053]]
    """
    memory, weights = np.zeros(16), _pool(bits, training, pool)
    memory[EXCLUSIVE_OR] = bits.exclusive_or
    if training == "uniform losses":
        return _minimum(bits, weights)
    heads = {"residual memory": bits.experts, "joint": bits.posterior}.get(training, bits.posterior / 2)
    if training != "joint":
        memory[list(SINGLE)] = bits.posterior - weights * heads
    return Trained(bits, heads, memory, weights)


def learn(bits: Bits, training: Training, steps: int, rate: float = 1.0, pool: np.ndarray | None = None) -> Trained:
    """Return what gradient descent on the expected losses has learnt, from 0, after some steps.

    Args:
        bits: what is to be learnt.
        training: how.
        steps: how many.
        rate: size of a step.
        pool: see `at_rest`.

    Example:
        >>> for training in ("residual memory", "joint"):
        ...     tables = [Bits(strong=0.9, weak=0.7, interaction=strength) for strength in (0, 0.9)]
        ...     print([learn(bits, training, 20).heads.round(2).tolist() for bits in tables])
        [[2.03, 0.84], [2.03, 0.84]]
        [[1.97, 0.71], [1.41, 0.54]]
    """
    state = Trained(bits, np.zeros(2), np.zeros(16), _pool(bits, training, pool))
    for _ in range(steps):
        by_heads, by_memory = gradients(bits, training, state)
        state = Trained(bits, state.heads - rate * by_heads, state.memory - rate * by_memory, state.pool)
    return state


def _pool(bits: Bits, training: Training, pool: np.ndarray | None) -> np.ndarray:
    if training != "residual memory":
        return np.ones(2)
    return exact_pool(bits) if pool is None else np.asarray(pool, float)


def _minimum(bits: Bits, pool: np.ndarray) -> Trained:
    """Return where the sum of the fused loss and both heads' own is least: a convex problem."""

    def made(x: np.ndarray) -> Trained:
        memory = np.zeros(16)
        memory[CROSSING] = x[2:]
        return Trained(bits, x[:2], memory, pool)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        state = made(x)
        by_heads, by_memory = gradients(bits, "uniform losses", state)
        value = np.log(2) * (3 - state.fused - state.alone.sum())
        return value, np.concatenate([by_heads, by_memory[CROSSING]])

    start = np.zeros(2 + int(CROSSING.sum()))
    return made(minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x)
