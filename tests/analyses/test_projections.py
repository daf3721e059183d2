"""Projections into the plane: what must be kept, what is turned, and what is refused."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from equimodal.analyses.projections import check_projections, on_grid, project, turned
from equimodal.errors import ConfigError


def groups(rows: int = 40, size: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, size)) + 20 * (np.arange(rows) % 2)[:, None]


def test_pca_is_that_of_the_singular_vectors():
    points = groups()
    centred = points - points.mean(0)
    _, _, directions = np.linalg.svd(centred)
    found, expected = project("pca", points), centred @ directions[:2].T
    assert np.allclose(pdist(found), pdist(expected))
    assert np.allclose(pdist(found), pdist(PCA(2).fit_transform(points)))


UMAP = pytest.param("umap", marks=pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed"))


@pytest.mark.parametrize("name", ["tsne", UMAP])
def test_neighbours_keep_groups_apart_and_are_the_same_again(name):
    found = project(name, groups(), seed=3)
    first, second = found[::2], found[1::2]
    apart = np.linalg.norm(first.mean(0) - second.mean(0))
    assert apart > 2 * max(np.linalg.norm(each - each.mean(0), axis=1).mean() for each in (first, second))
    assert np.array_equal(found, project(name, groups(), seed=3))


@pytest.mark.parametrize("name", ["pca", "tsne", UMAP])
@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (2, 3), (3, 1), (4, 3), (6, 1), (5, 2)])
def test_few_points_and_few_numbers_have_a_place_too(name, shape):
    found = project(name, np.random.default_rng(0).normal(size=shape))
    assert found.shape == (shape[0], 2) and np.isfinite(found).all()


@pytest.mark.parametrize("name", ["pca", "tsne", UMAP])
def test_equal_points_are_in_one_place(name):
    assert not project(name, np.ones((9, 4))).any()


def test_turned_points_keep_their_distances_and_lie_where_the_others_do():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20, 2))
    angle = 2.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, -1])
    found = turned(3 * points @ rotation + 5, points)
    assert np.allclose(found, 3 * (points - points.mean(0)))


def test_the_grid_has_one_scale():
    x, y = np.array(on_grid(np.array([[-1.0, 0.0], [3.0, 1.0], [1.0, 0.5]])))
    assert (x.min(), x.max(), y.min(), y.max()) == (0, 1000, 375, 625)
    assert on_grid(np.zeros((2, 2))) == [[500, 500], [500, 500]]
    assert on_grid(np.zeros((0, 2))) == [[], []]


def test_unknown_projections_are_refused_together(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match=r"no 'tsen'\. Did you mean 'tsne'\?.*\n?.*no 'mds'"):
        check_projections(["pca", "tsen", "mds"])
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match=r"'umap' needs umap-learn.*equimodal\[umap\]', or leave umap out"):
        check_projections(["umap"])
