"""Measures of encodings: how far classes lie apart in them, and how alike two sets of them are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def silhouette(points: np.ndarray, labels: np.ndarray) -> float | None:
    r"""Return the mean silhouette of rows by class, from -1 to 1: 1 where classes are tight and far apart.

    $$s_i = \frac{b_i - a_i}{\max(a_i, b_i)}$$

    $a_i$ is the mean Euclidean distance of row i to the other rows of its class, $b_i$ that to the rows of the nearest
    other class. Computed by scikit-learn.

    Args:
        points: (N, D).
        labels: class numbers (N,).

    Returns:
        None where it is undefined: fewer than two classes, or as many as rows.

    Example:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> round(silhouette(points, np.array([0, 0, 1, 1])), 3)  # a is 1; b is 10.5, 9.5, 9.5 and 10.5
        0.9

    Source: Rousseeuw, 1987, "Silhouettes", Journal of Computational and Applied Mathematics 20.
    """
    from sklearn.metrics import silhouette_score

    return _by_class(silhouette_score, points, labels)


def davies_bouldin(points: np.ndarray, labels: np.ndarray) -> float | None:
    r"""Return the Davies-Bouldin index of rows by class, 0 or more: lower where classes are tight and far apart.

    $$\frac{1}{C} \sum_c \max_{k \ne c} \frac{s_c + s_k}{\lVert \mu_c - \mu_k \rVert}$$

    $\mu_c$ is the centroid of class c, $s_c$ the mean distance of its rows to it. Computed by scikit-learn.

    Args:
        points: (N, D).
        labels: class numbers (N,).

    Returns:
        None where it is undefined: fewer than two classes, or as many as rows.

    Example:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> davies_bouldin(points, np.array([0, 0, 1, 1]))  # (0.5 + 0.5) / 10
        0.1

    Source: Davies and Bouldin, 1979, "A cluster separation measure", IEEE TPAMI 1.
    """
    from sklearn.metrics import davies_bouldin_score

    return _by_class(davies_bouldin_score, points, labels)


def calinski_harabasz(points: np.ndarray, labels: np.ndarray) -> float | None:
    r"""Return the Calinski-Harabasz index of rows by class, 0 or more: higher where classes are tight and far apart.

    $$
    \frac{\sum_c n_c \lVert \mu_c - \mu \rVert^2 / (C - 1)}
    {\sum_c \sum_{i \in c} \lVert x_i - \mu_c \rVert^2 / (N - C)}
    $$

    The variance between classes over that within; it grows with N. Computed by scikit-learn.

    Args:
        points: (N, D).
        labels: class numbers (N,).

    Returns:
        None where it is undefined: fewer than two classes, or as many as rows.

    Example:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> calinski_harabasz(points, np.array([0, 0, 1, 1]))  # (4 * 25 / 1) / (4 * 0.25 / 2)
        200.0

    Source: Calinski and Harabasz, 1974, "A dendrite method for cluster analysis", Communications in Statistics 3.
    """
    from sklearn.metrics import calinski_harabasz_score

    return _by_class(calinski_harabasz_score, points, labels)


def _by_class(measure: Callable[..., float], points: np.ndarray, labels: np.ndarray) -> float | None:
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(measure(np.asarray(points, float), labels))


def linear_cka(one: np.ndarray, other: np.ndarray) -> float | None:
    r"""Return how alike two encodings of the same rows are, from 0 to 1: linear centred kernel alignment.

    $$\mathrm{CKA}(X, Y) = \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F \, \lVert Y^\top Y \rVert_F}$$

    with centred columns. It is 1 where one is the other rotated, mirrored, moved or scaled. With few rows for the
    number of columns it is above 0 by chance.

    Args:
        one: X, (N, D).
        other: Y, (N, F), row by row of the same samples.

    Returns:
        None where it is undefined: one of them is the same in all rows.

    Example:
        >>> points = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> round(linear_cka(points, 3 * points[:, ::-1] + 1), 6)
        1.0

    Source: Kornblith et al., 2019, "Similarity of neural network representations revisited", ICML, arXiv 1905.00414.
    """
    if len(one) == 0:
        return None
    x, y = (np.asarray(each, float) - np.mean(each, axis=0, dtype=float) for each in (one, other))
    x, y = (each / (np.abs(each).max() or 1.0) for each in (x, y))  # squares of tiny numbers would be lost
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(min(1.0, np.linalg.norm(y.T @ x) ** 2 / scale)) if scale > 0 else None


def modality_gap(one: np.ndarray, other: np.ndarray) -> float | None:
    r"""Return the distance of the centroids of two modalities on the unit sphere, from 0 to 2.

    $$\Big\lVert \frac{1}{N} \sum_i \frac{x_i}{\lVert x_i \rVert} - \frac{1}{N} \sum_i \frac{y_i}{\lVert y_i \rVert}
    \Big\rVert$$

    A row of zeros stays one.

    Args:
        one: the encodings of one modality (N, D).
        other: those of another in the same space (N, D).

    Returns:
        None where there are no rows.

    Example:
        >>> modality_gap(np.array([[2.0, 0.0]]), np.array([[0.0, 3.0]])) == 2**0.5
        True

    Source: Liang et al., 2022, "Mind the gap", NeurIPS, arXiv 2203.02053.
    """
    if len(one) == 0:
        return None
    x, y = (_unit(np.asarray(each, float)).mean(0) for each in (one, other))
    return float(np.linalg.norm(x - y))


def _unit(points: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(norms > 0, norms, 1.0)
