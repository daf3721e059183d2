"""Random problems, and in which share of them weak to strong wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equimodal.errors import ConfigError
from research.theory.order import difference, gains, gains_at_rest
from research.theory.quadratic import Cycle, Problems, simulate

TIE = 1e-12
"""A difference smaller than this, relative to the loss at the start, is a tie: it is rounding."""


def random_problems(count: int, agreement: float | None = None, dimension: int = 4, seed: int = 0) -> Problems:
    """Return random problems that treat both modalities alike: only the weights make one of them weak.

    The start is 0. Eigenvalues of the curvatures are log-uniform from .1 to 1, their directions uniform; so a step of 2
    is where plain descent on one modality may diverge. The optima lie in uniform directions, at distances log-uniform
    from .5 to 2.

    Args:
        count: how many.
        agreement: the cosine of the ways from the start to the two optima; None: uniform from -1 to 1, drawn anew for
            each problem.
        dimension: number of parameters, at least 2.
        seed: of the draws. The same seed gives the same problems but for the cosine.

    Raises:
        ConfigError: an argument is out of its range.

    Example:
        >>> t = random_problems(3, agreement=0.5).optima
        >>> (np.sum(t[:, 0] * t[:, 1], -1) / np.linalg.norm(t, axis=-1).prod(-1)).round(6)
        array([0.5, 0.5, 0.5])
    """
    if count < 1 or dimension < 2 or not (agreement is None or -1 <= agreement <= 1):
        raise ConfigError(
            "Expected at least 1 problem, 2 dimensions and an agreement from -1 to 1, got "
            f"{count}, {dimension} and {agreement}."
        )
    rng = np.random.default_rng(seed)
    axes = _frames(rng.normal(size=(count, 2, dimension, dimension)))
    values = 10 ** rng.uniform(-1, 0, size=(count, 2, dimension))
    curvatures = np.einsum("pmik,pmk,pmjk->pmij", axes, values, axes)
    frame = _frames(rng.normal(size=(count, dimension, 2)))
    distances = 2 ** rng.uniform(-1, 1, size=(count, 2))
    drawn = rng.uniform(-1, 1, size=count)
    cosine = drawn if agreement is None else np.full(count, float(agreement))
    across = np.sqrt(1 - cosine**2)[:, None]
    ways = np.stack([frame[..., 0], cosine[:, None] * frame[..., 0] + across * frame[..., 1]], axis=1)
    curvatures = (curvatures + curvatures.swapaxes(-1, -2)) / 2
    return Problems(curvatures, distances[..., None] * ways, np.zeros((count, dimension)))


@dataclass(frozen=True)
class Outcome:
    """How weak to strong fares over problems.

    Args:
        share: of the problems, those in which it ends lower; a tie counts one half.
        mean: difference in fusion loss to strong to weak, over the fusion loss at the start; below 0 is a win.
        low: end of the mean's 95% interval (normal, over problems).
        high: the other end.
        counted: share of the problems in which both orders converge, and which alone are counted.
    """

    share: float
    mean: float
    low: float
    high: float
    counted: float


def outcome(problems: Problems, cycle: Cycle, cycles: int | None = 1) -> Outcome:
    """Return how weak to strong compares after some cycles, or at the limit of endless ones.

    Args:
        problems: at least two.
        cycle: how a cycle is run.
        cycles: 1 (by the closed form), more (simulated), or None: at rest (by the closed form).

    Example:
        >>> found = outcome(random_problems(200, agreement=0.5), Cycle(ratio=0.1, step=0.1, transfer=1.0))
        >>> found.share > 0.8, found.high < 0
        (True, True)
    """
    if cycles is None:
        away = difference(gains_at_rest(problems, cycle), cycle)
    elif cycles == 1:
        away = difference(gains(problems, cycle), cycle)
    else:
        away = simulate(problems, cycle, "weak_to_strong", cycles)[-1]
        away = away - simulate(problems, cycle, "strong_to_weak", cycles)[-1]
    relative = away / simulate(problems, cycle, "weak_to_strong", 0)[0]
    known = relative[np.isfinite(relative)]
    counted = len(known) / len(relative)
    if len(known) < 2:
        return Outcome(np.nan, np.nan, np.nan, np.nan, counted)
    half = 1.96 * known.std(ddof=1) / np.sqrt(len(known))
    share = np.mean(np.where(np.abs(known) < TIE, 0.5, known < 0))
    return Outcome(float(share), float(known.mean()), float(known.mean() - half), float(known.mean() + half), counted)


def sweep(
    problems: Sequence[Problems], base: Cycle, cycles: int | None = 1, **axes: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return the share of problems that weak to strong wins, for every combination of some settings.

    Args:
        problems: one or several collections (one each agreement, say), which are the last axis of the result.
        base: every other setting.
        cycles: see `outcome`.
        axes: names of `Cycle`'s numbers and the values of each, which are the other axes, in this order.

    Example:
        >>> sweep([random_problems(50)], Cycle(ratio=0.1, step=0.1), transfer=[0.0, 1.0], ratio=[0.1, 0.5, 1.0]).shape
        (2, 3, 1)
    """
    found = np.empty((*(len(values) for values in axes.values()), len(problems)))
    for place in np.ndindex(found.shape[:-1]):
        values: dict[str, Any] = {name: float(axes[name][i]) for name, i in zip(axes, place, strict=True)}
        found[place] = [outcome(each, replace(base, **values), cycles).share for each in problems]
    return found


def _frames(normal: np.ndarray) -> np.ndarray:
    """Return orthonormal columns in uniform directions; LAPACK is free to choose their signs, so we choose them."""
    columns, triangle = np.linalg.qr(normal)
    return columns * np.sign(np.diagonal(triangle, axis1=-2, axis2=-1))[..., None, :]
