"""Measures of encodings against closed forms, a second implementation, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group

from equimodal.analyses.feature_measures import (
    calinski_harabasz,
    davies_bouldin,
    linear_cka,
    modality_gap,
    silhouette,
)


def clouds(seed: int, rows: int = 40, size: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    labels[:3] = range(3)
    return rng.normal(size=(rows, size)) + 2 * np.eye(3, size)[labels], labels


def test_each_measure_by_class_is_its_formula():
    points, labels = clouds(0)
    distances, classes = cdist(points, points), range(3)
    widths = []
    for i, own in enumerate(labels):
        a = distances[i, labels == own].sum() / ((labels == own).sum() - 1)
        b = min(distances[i, labels == other].mean() for other in classes if other != own)
        widths.append((b - a) / max(a, b))
    assert silhouette(points, labels) == pytest.approx(np.mean(widths))
    centres = np.stack([points[labels == c].mean(0) for c in classes])
    spread = [np.linalg.norm(points[labels == c] - centres[c], axis=1).mean() for c in classes]
    worst = [
        max((spread[c] + spread[k]) / np.linalg.norm(centres[c] - centres[k]) for k in classes if k != c)
        for c in classes
    ]
    assert davies_bouldin(points, labels) == pytest.approx(np.mean(worst))
    between = sum((labels == c).sum() * np.sum((centres[c] - points.mean(0)) ** 2) for c in classes)
    within = np.sum((points - centres[labels]) ** 2)
    assert calinski_harabasz(points, labels) == pytest.approx(between / 2 / (within / (len(points) - 3)))


@pytest.mark.parametrize("measure", [silhouette, davies_bouldin, calinski_harabasz])
def test_a_measure_by_class_is_undefined_with_one_class_or_none_together(measure):
    points, _ = clouds(1)
    assert measure(points, np.zeros(len(points), int)) is None
    assert measure(points, np.arange(len(points))) is None
    assert measure(points[:0], np.zeros(0, int)) is None


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_rotation_scale_and_shift_change_neither_measures_by_class_nor_cka(seed, scale, shift):
    points, labels = clouds(seed)
    rotation = ortho_group.rvs(points.shape[1], random_state=seed)
    moved = scale * points @ rotation + shift
    assert linear_cka(points, moved) == pytest.approx(1.0)
    for measure in (silhouette, davies_bouldin, calinski_harabasz):
        assert measure(moved, labels) == pytest.approx(measure(points, labels), rel=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_cka_is_that_of_gram_matrices_symmetric_and_between_0_and_1(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(12, 4)), rng.normal(size=(12, 7))
    centring = np.eye(12) - 1 / 12
    k, m = (centring @ (each @ each.T) @ centring for each in (x, y))
    expected = np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))  # HSIC over the geometric mean
    assert linear_cka(x, y) == pytest.approx(expected)
    assert linear_cka(y, x) == pytest.approx(expected)
    assert 0 <= expected <= 1


def test_cka_of_orthogonal_columns_is_0_and_of_stretched_ones_below_1():
    one = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    other = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    assert linear_cka(one, other) == pytest.approx(0.0)
    both = np.hstack([one, other])
    assert linear_cka(both, both * [1.0, 0.0]) == pytest.approx(1 / np.sqrt(2))  # 16 / (sqrt(32) * 4)


def test_cka_is_undefined_where_all_rows_are_the_same():
    points, _ = clouds(2)
    assert linear_cka(points, np.ones((len(points), 3))) is None
    assert linear_cka(points[:0], points[:0]) is None
    assert linear_cka(1e-200 * points, points) == pytest.approx(1.0)


def test_the_gap_of_opposite_directions_is_2_and_of_the_same_0():
    points = np.abs(clouds(3)[0])
    north = np.tile([0.0, 0.0, 3.0], (4, 1))
    assert modality_gap(north, -7 * north) == 2
    assert modality_gap(points, points * np.arange(1, len(points) + 1)[:, None]) == pytest.approx(0)
    assert modality_gap(np.zeros((2, 3)), north[:2]) == 1  # a row of zeros stays one
    assert modality_gap(north[:0], north[:0]) is None
