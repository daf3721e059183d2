"""Which entries (row, modality) of some rows are missing: drawn at random, and never all that a row has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equimodal.config.controls import Absence
from equimodal.seeds import derive_seed


def keep_some(rates: np.ndarray, has: np.ndarray, random: np.random.Generator) -> np.ndarray:
    r"""Return which entries are kept, bool (N, n), where each is missing independently and a row keeps at least one.

    An entry is drawn given that the row keeps something: the distribution is that of independent draws from which the
    rows with nothing left were drawn again. With rates $r_m$ of the modalities that a row has, an entry is missing
    with probability $(r_m - \prod_j r_j) / (1 - \prod_j r_j)$, which is below $r_m$; with many modalities nearly $r_m$.
    Where all rates are 1, one entry is kept, each with the same probability.

    Args:
        rates: of each entry, from 0 to 1: (N, n), or (n,) for all rows alike.
        has: which entries there are, bool (N, n); a row that has none keeps none.
        random: where the numbers come from.

    Example:
        >>> has = np.ones((4000, 2), bool)
        >>> kept = keep_some(np.array([0.5, 0.5]), has, np.random.default_rng(0))
        >>> bool(kept.any(1).all()), round(float(1 - kept.mean()), 1)  # (0.5 - 0.25) / (1 - 0.25)
        (True, 0.3)
    """
    missing = np.where(has, rates, 1.0)
    # What is still to come of each row, after each modality: the probability that all of it is missing.
    after = np.cumprod(missing[:, ::-1], axis=1)[:, ::-1]
    after = np.concatenate([after, np.ones((len(has), 1))], axis=1)
    left = np.cumsum(has[:, ::-1], axis=1)[:, ::-1]
    kept = np.zeros(has.shape, bool)
    nothing = np.ones(len(has), bool)
    for column in range(has.shape[1]):
        drawn = random.random(len(has))
        possible = 1 - after[:, column]
        sure = possible <= 0  # all that is left has a rate of 1: each is kept with the same probability
        given = (1 - missing[:, column]) / np.where(sure, 1.0, possible)
        given = np.where(sure, 1 / np.maximum(left[:, column], 1), given)
        probability = np.where(nothing, given, 1 - missing[:, column])
        kept[:, column] = has[:, column] & (drawn < probability)
        nothing &= ~kept[:, column]
    return kept


def draw_missing(
    has: np.ndarray,
    absence: Absence,
    modalities: Sequence[str],
    seed: int,
    *,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    classes: int = 0,
    part: str = "",
) -> np.ndarray:
    """Return which entries are kept of those that there are, bool (N, n).

    Args:
        has: which entries there are, bool (N, n).
        absence: rates and pattern.
        modalities: n names.
        seed: of all random numbers.
        labels: class numbers (N,), for the pattern "label".
        groups: of the rows (N,), for the pattern "group".
        classes: the number of classes, for the pattern "label".
        part: whose rows these are; which class has which rate does not depend on it.
    """
    random = np.random.default_rng(derive_seed(seed, "missing", part))
    rates = np.array([absence.rate_of(name) for name in modalities])
    if absence.pattern == "random":
        return keep_some(rates, has, random)
    if absence.one_each:
        return _without_one(has, rates, not isinstance(absence.rate, dict), random)
    if absence.pattern == "structured":
        return _by_block(has, rates, absence.block or 1, random)
    if absence.pattern == "label" and labels is not None:
        codes, count, where = labels, classes, ("label",)
    else:
        names, codes = np.unique(np.asarray(groups), return_inverse=True)
        count, where = len(names), ("group", part)
    spread = [
        _spread(rate, count, derive_seed(seed, "missing", *where, name))
        for name, rate in zip(modalities, rates.tolist(), strict=True)
    ]
    return keep_some(np.stack(spread, axis=1)[codes], has, random)


def _spread(rate: float, count: int, seed: int) -> np.ndarray:
    """Return a rate for each of `count` classes: evenly spaced, as far apart as their mean allows, in random order."""
    if count == 1:
        return np.array([rate])
    return np.random.default_rng(seed).permutation(np.linspace(max(0.0, 2 * rate - 1), min(1.0, 2 * rate), count))


def _without_one(has: np.ndarray, rates: np.ndarray, alike: bool, random: np.random.Generator) -> np.ndarray:
    """Take exactly one entry from some rows that have several.

    Args:
        has: which entries there are, bool (N, n).
        rates: (n,): where `alike`, shares of rows that lose any; else shares that lose this one.
        alike: whether the rates are one rate, shared among what a row has.
        random: where the numbers come from.
    """
    counts = has.sum(1, keepdims=True)
    shares = has * rates / np.maximum(counts, 1) if alike else has * rates
    ends = np.cumsum(shares, axis=1)
    drawn = random.random((len(has), 1))
    chosen = (drawn < ends) & (drawn >= ends - shares)
    return has & ~(chosen & (counts > 1))


def _by_block(has: np.ndarray, rates: np.ndarray, block: int, random: np.random.Generator) -> np.ndarray:
    """Take modalities from whole blocks of consecutive rows; a row that then has nothing keeps one of its entries."""
    blocks = -(-len(has) // block)
    drawn = keep_some(rates, np.ones((blocks, has.shape[1]), bool), random)
    kept = has & np.repeat(drawn, block, axis=0)[: len(has)]
    one = keep_some(np.ones(has.shape[1]), has, random)
    return np.where(kept.any(1, keepdims=True), kept, one)
