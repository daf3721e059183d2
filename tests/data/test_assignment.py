"""Splits: disjoint, covering, near their sizes, and never without a class in training if that can be had."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.data.assignment import assign, draw_stratified
from equimodal.errors import DataError

FRACTIONS = st.sampled_from([(0.6, 0.2, 0.2), (0.7, 0.1, 0.2), (0.8, 0.1, 0.1), (0.5, 0.25, 0.25)])


@given(st.integers(2, 6), st.integers(60, 200), FRACTIONS, st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_rows_alone(classes, count, fractions, seed):
    labels = np.random.default_rng(seed).permutation(np.arange(count) % classes)
    part = assign(labels, None, fractions, seed)
    np.testing.assert_array_equal(part, assign(labels, None, fractions, seed))
    assert np.abs(np.bincount(part, minlength=3) - np.array(fractions) * count).max() <= 1
    for label in range(classes):
        shares = np.bincount(part[labels == label], minlength=3)
        assert np.abs(shares - np.array(fractions) * (labels == label).sum()).max() <= 2


@given(st.integers(2, 5), st.integers(12, 40), FRACTIONS, st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_groups_are_never_shared(classes, group_count, fractions, seed):
    random = np.random.default_rng(seed)
    groups = np.repeat(random.permutation(group_count), random.integers(1, 9, group_count))
    labels = random.integers(0, classes, len(groups))
    part = assign(labels, groups, fractions, seed)
    np.testing.assert_array_equal(part, assign(labels, groups, fractions, seed))
    assert all(len(np.unique(part[groups == group])) == 1 for group in np.unique(groups))
    sizes = np.bincount(part, minlength=3)
    assert (sizes > 0).all()
    largest_fold = 2 * max(8, len(groups) / min(20, group_count))
    assert np.abs(sizes - np.array(fractions) * len(groups)).max() <= largest_fold
    assert set(labels[part == 0]) == set(labels)


@given(st.integers(3, 8), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_a_class_in_one_group_only_is_trained_on(classes, seed):
    """Classes beyond the first two have one group each: training must take every one of these."""
    random = np.random.default_rng(seed)
    common = [np.array([0, 1])] * (2 * classes)
    rare = [np.full(2, label) for label in range(2, classes)]
    labels = np.concatenate(common + rare)
    groups = np.repeat(random.permutation(len(common) + len(rare)), 2)
    part = assign(labels, groups, (0.6, 0.2, 0.2), seed)
    assert set(labels[part == 0]) == set(range(classes))
    assert set(part) == {0, 1, 2}


def test_rare_classes_without_groups():
    labels = np.array([0] * 40 + [1] * 40 + [2])
    for seed in range(20):
        part = assign(labels, None, (0.6, 0.2, 0.2), seed)
        assert part[-1] == 0
        assert np.bincount(part).tolist() == [49, 16, 16]


def test_seeds_differ():
    labels = np.arange(60) % 3
    groups = np.arange(60) // 3
    assert (assign(labels, None, (0.6, 0.2, 0.2), 0) != assign(labels, None, (0.6, 0.2, 0.2), 1)).any()
    assert (assign(labels, groups, (0.6, 0.2, 0.2), 0) != assign(labels, groups, (0.6, 0.2, 0.2), 1)).any()


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1)])
def test_fractions_that_are_none(fractions):
    with pytest.raises(DataError, match="fractions: expected three shares above 0 that add up to 1"):
        assign(np.arange(9) % 2, None, fractions, 0)


def test_too_few_rows_or_groups():
    with pytest.raises(DataError, match="needs at least 3 rows, got 2"):
        assign(np.array([0, 1]), None, (0.6, 0.2, 0.2), 0)
    with pytest.raises(DataError, match="needs at least 3 groups, got 2"):
        assign(np.arange(9) % 2, np.arange(9) // 5, (0.6, 0.2, 0.2), 0)


def test_three_rows_are_enough():
    assert sorted(assign(np.array([0, 0, 1]), None, (0.6, 0.2, 0.2), 0)) == [0, 1, 2]


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_drawn_rows_keep_the_shares(counts, data):
    labels = np.repeat(np.arange(len(counts)), counts)
    size = data.draw(st.integers(len(counts), len(labels)))
    rows = draw_stratified(labels, size, seed=0)
    assert len(set(rows.tolist())) == size
    taken = np.bincount(labels[rows], minlength=len(counts))
    ideal = size * np.array(counts) / len(labels)
    assert (taken >= 1).all()
    # A class that is given its one row takes it from the others.
    assert (np.abs(taken - ideal) < len(counts)).all()
    if (ideal >= 1).all():
        assert (np.abs(taken - ideal) < 1 + 1e-9).all()


@pytest.mark.parametrize(
    "sizes",
    [
        np.arange(90, 190, 10),  # ten persons, none with as many rows as another
        np.arange(200, 500, 10),  # thirty
        np.geomspace(20, 400, 12).astype(int),
        np.array([500, *range(40, 60)]),  # one with a third of all rows
    ],
    ids=["ten", "thirty", "uneven", "one large"],
)
def test_few_groups_of_different_sizes_are_drawn_anew_by_each_seed(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.arange(len(groups)) % 4
    fractions = np.array([0.6, 0.2, 0.2])
    drawn = [assign(labels, groups, (0.6, 0.2, 0.2), seed) for seed in range(20)]
    assert len({tuple(np.unique(groups[part == 2])) for part in drawn}) >= 10
    largest = sizes.max() / sizes.sum()
    for part in drawn:
        shares = np.bincount(part, minlength=3) / len(part)
        assert np.abs(shares - fractions).max() <= max(0.1, largest)
    once = [len({part[groups == group][0] for part in drawn}) for group in range(len(sizes))]
    assert np.mean(np.array(once) > 1) > 0.8  # nearly every group is held out by some seed


def test_few_groups_of_one_class_each_keep_the_class_shares():
    groups = np.repeat(np.arange(60), np.arange(10, 70))
    labels = (groups % 3).astype(int)
    for seed in range(5):
        part = assign(labels, groups, (0.6, 0.2, 0.2), seed)
        table = np.array([np.bincount(labels[part == number], minlength=3) for number in range(3)])
        misplaced = np.abs(table - np.array([[0.6], [0.2], [0.2]]) * table.sum(0)).sum() / 2
        assert misplaced / len(labels) < 0.15  # by folds alone it is .11
