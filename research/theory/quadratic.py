r"""Two modalities with quadratic losses that share their parameters: the model in which Theorem 1 is checked.

$$
\begin{aligned}
L_m(\theta, H_m) &= \tfrac12 (\theta + H_m - t_m)^\top Q_m (\theta + H_m - t_m) \\
L_{\text{fusion}} &= a_1 L_1(\theta, H_1) + a_2 L_2(\theta, H_2), \qquad a_1 \le a_2
\end{aligned}
$$

Modality 1 is the weak one, 2 the strong one. A cycle visits f first and l last, each with one step on its own loss:

$$
\begin{aligned}
\theta_f &= \theta_0 - \eta_f \nabla L_f(\theta_0, 0) \\
H_l &= \kappa (\theta_f - \theta_0), \qquad H_f = 0 \\
\theta_l &= \theta_f - \eta_l \nabla L_l(\theta_f, H_l)
\end{aligned}
$$

The memory carries kappa times what the first step learnt. It can be met in the step, in the fusion loss, or in both.
The statement (weights, own losses, memory, one cycle) is the paper's, Theorem 1 of Shi et al., arXiv 2506.00030. That
losses are quadratic, that all parameters are shared, that memory is a shift of them, and that it is empty when a cycle
begins, is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from equimodal.errors import ConfigError, DataError, did_you_mean

Order = Literal["weak_to_strong", "strong_to_weak"]
Weak = Literal["light", "slow", "flat"]

WEAKNESSES: dict[Weak, str] = {
    "light": "its loss weighs less; steps and curvature are alike",
    "slow": "its loss weighs less, and its step is on the weighted loss: shorter by the same ratio",
    "flat": "its loss weighs less, and its curvature is smaller by the same ratio",
}
"""The readings of "weak" (ours)."""


@dataclass(frozen=True, eq=False)
class Problems:
    """A number P of problems in d shared parameters; the weak modality is at index 0, the strong one at 1.

    Args:
        curvatures: Q (P, 2, d, d), symmetric, no eigenvalue below 0.
        optima: t (P, 2, d).
        start: where training begins (P, d).

    Raises:
        DataError: shapes do not go together, or a curvature is not what it must be.

    Example:
        >>> Problems(np.ones((1, 2, 1, 1)), np.array([[[-1.0], [1.0]]]), np.zeros((1, 1))).start.shape
        (1, 1)
    """

    curvatures: np.ndarray
    optima: np.ndarray
    start: np.ndarray

    def __post_init__(self) -> None:
        P, d = self.start.shape if self.start.ndim == 2 else (0, 0)
        if not P or not d or self.curvatures.shape != (P, 2, d, d) or self.optima.shape != (P, 2, d):
            raise DataError(
                "Expected curvatures (P, 2, d, d), optima (P, 2, d) and start (P, d), none empty, got "
                f"{self.curvatures.shape}, {self.optima.shape} and {self.start.shape}."
            )
        for name in ("curvatures", "optima", "start"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"{name}: expected finite numbers, got NaN or infinity in problem {self._bad(name)}.")
        if not np.allclose(self.curvatures, self.curvatures.swapaxes(-1, -2)):
            raise DataError("curvatures: expected symmetric matrices.")
        lowest = np.linalg.eigvalsh(self.curvatures)[..., 0]
        if lowest.min() < -1e-9:
            row, modality = map(int, np.unravel_index(lowest.argmin(), lowest.shape))
            raise DataError(
                f"curvatures: expected no eigenvalue below 0, got {lowest.min():.3g} in problem {row}, "
                f"modality {modality}."
            )

    def _bad(self, name: str) -> int:
        finite = np.isfinite(getattr(self, name)).reshape(len(self.start), -1).all(1)
        return int(finite.argmin())


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """How a cycle is run, and what the fusion loss weighs.

    Args:
        ratio: a1 / a2, above 0 and at most 1; a2 is 1.
        step: eta, above 0.
        transfer: kappa, 0 or more.
        weak: what makes the weak modality weak besides its weight, see `WEAKNESSES`.
        in_step: the last step meets the memory.
        in_loss: the fusion loss reads the memory.

    Raises:
        ConfigError: a value is out of its range; all mistakes are reported together.

    Example:
        >>> Cycle(ratio=0.1, step=0.5, weak="slow").steps
        (0.05, 0.5)
    """

    ratio: float
    step: float
    transfer: float = 0.0
    weak: Weak = "light"
    in_step: bool = True
    in_loss: bool = True

    def __post_init__(self) -> None:
        problems: list[str] = []
        if not 0 < self.ratio <= 1:
            problems.append(f"ratio: expected a number above 0 and at most 1, got {self.ratio}.")
        if not (self.step > 0 and math.isfinite(self.step)):
            problems.append(f"step: expected a finite number above 0, got {self.step}.")
        if not (self.transfer >= 0 and math.isfinite(self.transfer)):
            problems.append(f"transfer: expected a finite number, 0 or more, got {self.transfer}.")
        if self.weak not in get_args(Weak):
            problems.append(f"weak: nothing is called '{self.weak}'.{did_you_mean(self.weak, get_args(Weak))}")
        if problems:
            raise ConfigError(problems)

    @property
    def weights(self) -> tuple[float, float]:
        """a1 and a2."""
        return self.ratio, 1.0

    @property
    def steps(self) -> tuple[float, float]:
        """Size of each modality's step."""
        return self.step * (self.ratio if self.weak == "slow" else 1.0), self.step

    @property
    def met(self) -> float:
        """Transfer that the last step meets."""
        return self.transfer if self.in_step else 0.0

    @property
    def read(self) -> float:
        """Transfer that the fusion loss reads."""
        return self.transfer if self.in_loss else 0.0

    @property
    def carried(self) -> float:
        """c = 1 + met - read, which is all that memory changes at rest for a given first step."""
        return 1 + self.met - self.read


@dataclass(frozen=True, eq=False)
class State:
    """Where a cycle ends.

    Args:
        points: theta (P, d).
        memory: what the fusion loss reads for each modality (P, 2, d).
    """

    points: np.ndarray
    memory: np.ndarray


def curvatures(problems: Problems, cycle: Cycle) -> np.ndarray:
    """Return Q (P, 2, d, d) as it is under a reading of "weak"."""
    flat = cycle.ratio if cycle.weak == "flat" else 1.0
    return problems.curvatures * np.array([flat, 1.0])[:, None, None]


def gradients(problems: Problems, cycle: Cycle, points: np.ndarray) -> np.ndarray:
    """Return each modality's gradient (P, 2, d) at points (P, d), with no memory."""
    return np.einsum("pmij,pmj->pmi", curvatures(problems, cycle), points[:, None] - problems.optima)


def losses(problems: Problems, cycle: Cycle, state: State) -> np.ndarray:
    """Return each modality's loss (P, 2), unweighted."""
    away = state.points[:, None] + state.memory - problems.optima
    return 0.5 * np.einsum("pmi,pmij,pmj->pm", away, curvatures(problems, cycle), away)


def fusion_loss(problems: Problems, cycle: Cycle, state: State) -> np.ndarray:
    """Return a1 L1 + a2 L2 (P,)."""
    return losses(problems, cycle, state) @ np.array(cycle.weights)


def visits(order: Order) -> tuple[int, int]:
    """Return the index of the modality that comes first, and of the one that comes last.

    Raises:
        ConfigError: no such order.
    """
    if order not in get_args(Order):
        raise ConfigError(f"No order is called '{order}'.{did_you_mean(order, get_args(Order))}")
    return (0, 1) if order == "weak_to_strong" else (1, 0)


def run_cycle(problems: Problems, cycle: Cycle, order: Order, points: np.ndarray) -> State:
    """Run one cycle from points (P, d), step by step."""
    first, last = visits(order)
    Q = curvatures(problems, cycle)
    learnt = -cycle.steps[first] * gradients(problems, cycle, points)[:, first]
    seen = points + learnt + cycle.met * learnt - problems.optima[:, last]
    moved = points + learnt - cycle.steps[last] * np.einsum("pij,pj->pi", Q[:, last], seen)
    memory = np.zeros_like(problems.optima)
    memory[:, last] = cycle.read * learnt
    return State(moved, memory)


def simulate(problems: Problems, cycle: Cycle, order: Order, cycles: int = 1) -> np.ndarray:
    """Return the fusion loss (cycles + 1, P): at the start, with no memory, and after each cycle.

    Args:
        problems: to run on.
        cycle: how.
        order: who comes first.
        cycles: how many; memory is empty again at the beginning of each.

    Example:
        >>> problems = Problems(np.ones((1, 2, 1, 1)), np.array([[[0.5], [1.0]]]), np.zeros((1, 1)))
        >>> cycle = Cycle(ratio=0.1, step=0.1, transfer=1.0)
        >>> for order in ("weak_to_strong", "strong_to_weak"):
        ...     print(simulate(problems, cycle, order)[1, 0].round(4))
        0.3345
        0.3821
    """
    state = State(problems.start, np.zeros_like(problems.optima))
    found = [fusion_loss(problems, cycle, state)]
    for _ in range(cycles):
        state = run_cycle(problems, cycle, order, state.points)
        found.append(fusion_loss(problems, cycle, state))
    return np.stack(found)
