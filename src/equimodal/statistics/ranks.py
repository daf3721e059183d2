"""Methods ranked over several data sets: average ranks, Friedman's test, and which methods do not differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from equimodal.statistics.permutation import LEVEL


@dataclass(frozen=True)
class Ranking:
    """Average ranks of methods over settings, 1 being the best.

    Args:
        ranks: average rank by method, best first.
        settings: number of settings.
        p: of Friedman's test that all methods are equal; None with fewer than three methods or two settings, and where
            all methods tie in every setting.
        critical_difference: two methods whose average ranks differ by less are not significantly different (Nemenyi);
            0 with one method.
        groups: the largest sets of neighbours that are not significantly different.
    """

    ranks: dict[str, float]
    settings: int
    p: float | None
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]


def rank(scores: Mapping[str, Sequence[float]], level: float = LEVEL) -> Ranking:
    r"""Rank methods within each setting, the highest score first, and average the ranks.

    $$\mathrm{CD} = q_\alpha \sqrt{k (k + 1) / (6 N)}$$

    for k methods on N settings, $q_\alpha$ being the studentised range over $\sqrt 2$. Methods that tie share a rank.
    One method has rank 1, and no test.

    Args:
        scores: by method, one mean score per setting (N,), higher is better.
        level: of the tests.

    Example:
        >>> ranking = rank({"a": [0.9, 0.8, 0.7], "b": [0.8, 0.7, 0.6], "c": [0.7, 0.6, 0.65]})
        >>> ranking.ranks["a"], round(ranking.ranks["b"], 2), round(ranking.critical_difference, 2)
        (1.0, 2.33, 1.91)

    Source: Demsar, 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, section 3.2.
    """
    methods = list(scores)
    table = np.array([scores[method] for method in methods], dtype=float)  # (k, N)
    k, N = table.shape
    average = stats.rankdata(-table, axis=0).mean(1)
    order = np.argsort(average, kind="stable")
    ranks = {methods[i]: float(average[i]) for i in order}
    if k == 1:
        return Ranking(ranks, N, None, 0.0, ())
    p = None
    if k >= 3 and N >= 2 and (table != table[0]).any():  # where all tie, the statistic is 0 / 0
        p = float(stats.friedmanchisquare(*table).pvalue)
    q = float(stats.studentized_range.ppf(1 - level, k, np.inf)) / math.sqrt(2)
    critical = q * math.sqrt(k * (k + 1) / (6 * N))
    return Ranking(ranks, N, p, critical, _groups(ranks, critical))


def _groups(ranks: Mapping[str, float], critical: float) -> tuple[tuple[str, ...], ...]:
    methods, values = list(ranks), list(ranks.values())
    reach = [max(j for j in range(len(values)) if values[j] - values[i] < critical) for i in range(len(values))]
    return tuple(
        tuple(methods[i : end + 1])
        for i, end in enumerate(reach)
        if end > i and (i == 0 or reach[i - 1] < end)  # not within the group before
    )
