r"""Free-riding: who comes last and may read the memory in its own step needs not learn alone.

A target y of variance 1 and two modalities $x_m = y + \varepsilon_m$ with independent noise, of reliability
$R_m = 1 / (1 + \operatorname{var} \varepsilon_m)$, the share of y that x explains. The first modality's step is
on $\tfrac12 E(y - w_f x_f)^2$; it leaves the memory $h = w_f x_f$, detached. The last one's is on

$$
\tfrac12 E(y - w_l x_l - g h)^2 + \tfrac{\lambda}{2} E(y - w_l x_l)^2
$$

with lambda the weight of its own unimodal loss. All is trained to the end. What a modality does alone is
$v_m = 1 - E(y - w_m x_m)^2$, at most $R_m$; its utilisation is $v_m / R_m$. The model is ours; the
mechanism is the one that we believe to see in trials. Since w is one number, it is about errors of size, not of class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equimodal.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Two modalities, and how the last one's step is made.

    Args:
        first: reliability of the modality that comes first, above 0 and below 1; also that of its memory.
        last: reliability of the one that comes last.
        unimodal: lambda, 0 or more.
        reads: its step reads the memory; if not, g is fitted beside it, and the step is on the unimodal loss alone.

    Raises:
        ConfigError: a value is out of its range; all mistakes are reported together.
    """

    first: float
    last: float
    unimodal: float = 0.0
    reads: bool = True

    def __post_init__(self) -> None:
        problems = [
            f"{name}: expected a number above 0 and below 1, got {getattr(self, name)}."
            for name in ("first", "last")
            if not 0 < getattr(self, name) < 1
        ]
        if not (self.unimodal >= 0 and np.isfinite(self.unimodal)):
            problems.append(f"unimodal: expected a finite number, 0 or more, got {self.unimodal}.")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True)
class Learnt:
    """What was learnt, and what it is worth.

    Args:
        setting: of the training.
        first: w of the modality that came first.
        last: w of the one that came last.
        memory: g.
    """

    setting: Setting
    first: float
    last: float
    memory: float

    @property
    def alone(self) -> tuple[float, float]:
        """v of the first and of the last, without memory."""
        return _worth(self.first, self.setting.first), _worth(self.last, self.setting.last)

    @property
    def utilisation(self) -> tuple[float, float]:
        """v of the first and of the last, over the most that each could do alone."""
        first, last = self.alone
        return first / self.setting.first, last / self.setting.last

    @property
    def fused(self) -> float:
        """v of both with memory, 1 - E(y - w x - g h)²."""
        w, h = self.last, self.memory * self.first
        return 1 - ((1 - w - h) ** 2 + w**2 * _noise(self.setting.last) + h**2 * _noise(self.setting.first))

    @property
    def edm(self) -> float:
        """Equilibrium deviation for two modalities, |v1 - v2| / v12."""
        first, last = self.alone
        return abs(first - last) / self.fused


def shrinkage(
    last: np.ndarray | float, memory: np.ndarray | float, unimodal: np.ndarray | float = 0.0
) -> np.ndarray | float:
    r"""Return the part of what it would learn without memory that the last modality learns.

    $$
    s = \frac{w_l}{R_l} = \frac{1 + \lambda - R_h}{1 + \lambda - R_l R_h}, \qquad
    \text{utilisation} = s\,(2 - s)
    $$

    It falls as the memory gets more reliable, to 0 for a perfect one if lambda is 0; it is never below
    lambda / (1 + lambda).

    Args:
        last: reliability of the last modality.
        memory: reliability of the memory, that of the first one.
        unimodal: lambda.

    Example:
        >>> round(shrinkage(0.4, 0.8), 3), round(shrinkage(0.8, 0.4), 3), round(shrinkage(0.4, 0.8, unimodal=1.0), 3)
        (0.294, 0.882, 0.714)
    """
    return (1 + unimodal - memory) / (1 + unimodal - last * memory)


def closed_form(setting: Setting) -> Learnt:
    r"""Return what is learnt in the end.

    $$
    w_f = R_f, \qquad w_l = s R_l, \qquad g = 1 - w_l, \qquad v_{12} = v_l + (1 - w_l)^2 R_f
    $$

    Without reading, s is 1. With lambda 0 and reading, the fused prediction is the best linear one in either order:
    order then moves only who can do it alone.

    Example:
        >>> weak_last = closed_form(Setting(first=0.8, last=0.4))
        >>> strong_last = closed_form(Setting(first=0.4, last=0.8))
        >>> [round(u, 2) for u in weak_last.utilisation], [round(u, 2) for u in strong_last.utilisation]
        ([1.0, 0.5], [1.0, 0.99])
        >>> round(weak_last.fused - strong_last.fused, 12), round(weak_last.edm, 2), round(strong_last.edm, 2)
        (0.0, 0.73, 0.47)
    """
    s = shrinkage(setting.last, setting.first, setting.unimodal) if setting.reads else 1.0
    w = float(s * setting.last)
    return Learnt(setting, setting.first, w, 1 - w)


def train(setting: Setting, cycles: int = 2000) -> Learnt:
    """Return what alternating gradient descent learns from 0: one step of the first modality, then one of the last.

    Steps are on the expected losses; their size is one over a bound of the curvature.

    Args:
        setting: of the training.
        cycles: how many.

    Example:
        >>> setting = Setting(first=0.8, last=0.4)
        >>> abs(train(setting).last - closed_form(setting).last) < 1e-12
        True
    """
    spread = 1 + _noise(setting.first), 1 + _noise(setting.last)
    own, joint = (setting.unimodal, 1.0) if setting.reads else (1.0, 0.0)
    rate = 1 / ((own + joint) * spread[1] + 1)
    first = last = memory = 0.0
    for _ in range(cycles):
        first -= (first * spread[0] - 1) / spread[0]
        h, square = first, first**2 * spread[0]  # E[y h] = E[x_l h], and E[h²]
        slope = own * (last * spread[1] - 1) + joint * (last * spread[1] - 1 + memory * h)
        slope_memory = last * h + memory * square - h
        last, memory = last - rate * slope, memory - rate * slope_memory
    return Learnt(setting, first, last, memory)


def _noise(reliability: float) -> float:
    return 1 / reliability - 1


def _worth(weight: float, reliability: float) -> float:
    return 2 * weight - weight**2 / reliability
