"""How many independent samples are rows worth that come in groups?"""

from __future__ import annotations

import numpy as np

PRIOR_CORRELATION = 0.05
"""Correlation within a group that is assumed before any is seen (ours)."""
PRIOR_GROUPS = 4
"""How many groups that assumption is worth (ours)."""


def intraclass_correlation(values: np.ndarray, groups: np.ndarray) -> float | None:
    r"""Return the correlation between two rows of one group, by one-way analysis of variance.

    $$
    \rho = \frac{MS_B - MS_W}{MS_B + (m_0 - 1) MS_W}, \qquad
    m_0 = \frac{1}{G - 1} \Big( N - \frac{\sum_g m_g^2}{N} \Big),
    $$

    with the mean squares between and within groups of sizes $m_g$; clipped to [0, 1].

    Args:
        values: (N,).
        groups: group numbers (N,).

    Returns:
        The correlation; None for a single group, for groups of one row each, or for values that do not vary.

    Example:
        >>> intraclass_correlation(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
        1.0

    Source: Donner, 1986, "A review of inference procedures for the intraclass correlation coefficient",
    International Statistical Review 54.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    G, N = len(sizes), len(values)
    if G < 2 or G == N:
        return None
    means = np.bincount(numbers, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (G - 1)
    within = float(((values - means[numbers]) ** 2).sum()) / (N - G)
    m0 = (N - float((sizes.astype(float) ** 2).sum()) / N) / (G - 1)
    spread = between + (m0 - 1) * within
    if spread <= 0:
        return None
    return float(np.clip((between - within) / spread, 0.0, 1.0))


def effective_samples(values: np.ndarray, groups: np.ndarray | None) -> float:
    r"""Return how many independent samples the rows are worth: $N / (1 + (\tilde m - 1) \rho)$.

    $\tilde m = \sum_g m_g^2 / N$ is the group size that a row sees, and $\rho$ the largest intraclass correlation of a
    column. With few groups the correlation is hardly known: it is averaged with a prior one (ours),

    $$ \rho = \frac{(G - 1)\,\hat\rho + 4 \cdot .05}{G - 1 + 4} . $$

    Args:
        values: (N, P): what is to be averaged over rows.
        groups: group numbers (N,); None: rows stand alone, and the result is N.

    Example:
        >>> effective_samples(np.zeros((6, 1)), None)
        6.0
        >>> round(effective_samples(np.zeros((100, 1)), np.zeros(100)), 1)  # one group tells little
        16.8

    Source: the design effect of Kish, 1965, "Survey sampling".
    """
    N = len(values)
    if groups is None or N == 0:
        return float(N)
    sizes = np.unique(groups, return_counts=True)[1].astype(float)
    G = len(sizes)
    seen = [rho for column in values.T if (rho := intraclass_correlation(column, groups)) is not None]
    known = (G - 1) * max(seen, default=PRIOR_CORRELATION)
    rho = (known + PRIOR_GROUPS * PRIOR_CORRELATION) / (G - 1 + PRIOR_GROUPS)
    return float(N / (1 + ((sizes**2).sum() / N - 1) * rho))
