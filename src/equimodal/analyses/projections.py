"""Projections of encodings into the plane: PCA, t-SNE and UMAP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equimodal.errors import ConfigError, did_you_mean
from equimodal.extras import need

WORDS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
"""Every projection, with its name in words."""


def check_projections(names: Sequence[str]) -> None:
    """Check names of projections, and that what they need is installed.

    Raises:
        ConfigError: there is none, one is unknown, or UMAP is asked for and not installed.
    """
    problems = [
        f"--projections: there is no '{name}'.{did_you_mean(name, WORDS)}" for name in names if name not in WORDS
    ]
    if not names:
        problems.append(f"--projections: expected at least one of {', '.join(WORDS)}, got none.")
    if problems:
        raise ConfigError(problems)
    if "umap" in names:
        need("umap", instead="leave umap out of --projections")


def project(name: str, points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return points in the plane.

    t-SNE begins with PCA, its perplexity is 30, or less for fewer than 91 points. UMAP has 15 neighbours, or less.

    Args:
        name: "pca", "tsne" or "umap".
        points: (N, D).
        seed: of what t-SNE and UMAP draw.

    Returns:
        (N, 2); zeros where all points are the same.

    Example:
        >>> points = np.array([[0.0, 0.0, 3.0], [0.0, 0.0, -3.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
        >>> np.abs(project("pca", points)).round(6).tolist()
        [[3.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]

    Source: van der Maaten and Hinton, 2008, "Visualizing data using t-SNE", JMLR 9, by scikit-learn; McInnes et al.,
    2018, "UMAP", arXiv 1802.03426, by umap-learn.
    """
    points = np.asarray(points, float)
    N, D = points.shape
    if N < 2 or np.ptp(points, axis=0).max() == 0:
        return np.zeros((N, 2))
    if name == "umap" and N > 3:
        umap = need("umap")
        return umap.UMAP(n_components=2, n_neighbors=min(15, N - 1), random_state=seed, n_jobs=1).fit_transform(points)
    if name == "tsne" and N > 3:
        from sklearn.manifold import TSNE

        start = "pca" if D > 1 else "random"
        return TSNE(2, perplexity=min(30.0, (N - 1) / 3), init=start, random_state=seed).fit_transform(points)
    return _principal(points)


def _principal(points: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    padded = np.pad(points, ((0, 0), (0, max(0, 2 - points.shape[1]))))
    return PCA(2, svd_solver="full").fit_transform(padded)


def turned(points: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return points (N, 2) rotated or mirrored so that they lie as near to others (N, 2) as they can.

    Distances between them stay. Which way a projection points is chance: turned to the one before, panels can be
    compared.

    Example:
        >>> square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 2.0]])
        >>> np.allclose(turned(square @ [[0, 1], [1, 0]], square), square - square.mean(0))
        True

    Source: the orthogonal Procrustes problem, Schönemann, 1966, Psychometrika 31, by SciPy.
    """
    from scipy.linalg import orthogonal_procrustes

    centred = points - points.mean(0)
    rotation, _ = orthogonal_procrustes(centred, like - like.mean(0))
    return centred @ rotation


def on_grid(points: np.ndarray, steps: int = 1000) -> list[list[int]]:
    """Return x and y of points (N, 2) as whole numbers from 0 to `steps`, the same scale for both.

    Example:
        >>> on_grid(np.array([[0.0, 0.0], [4.0, 2.0]]), steps=4)
        [[0, 4], [1, 3]]
    """
    if len(points) == 0:
        return [[], []]
    middle = (points.max(0) + points.min(0)) / 2
    extent = float(np.ptp(points, axis=0).max()) or 1.0
    return np.rint(steps * ((points - middle) / extent + 0.5)).astype(int).T.tolist()
