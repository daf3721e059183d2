"""Folds that are found faster are those of scikit-learn, to the row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from equimodal.data.catalogue import load
from equimodal.data.folds import GroupFolds
from equimodal.data.identifiers import numbered

pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")


def dealt(splitter: type[StratifiedGroupKFold], folds: int, labels: np.ndarray, groups: np.ndarray, seed: int):
    split = splitter(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    return [rows.tolist() for _, rows in split]


@given(st.integers(4, 20), st.integers(2, 12), st.integers(1, 5), st.booleans(), st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_random_rows(folds, classes, size, balanced, seed):
    """Balanced classes make ties, and single rows as groups make most of them."""
    random = np.random.default_rng(seed)
    count = max(folds * classes, folds * size)
    groups = random.permutation(count) // size
    labels = np.arange(count) % classes if balanced else random.integers(0, classes, count)
    folds = min(folds, int(np.bincount(labels).max()), len(np.unique(groups)))
    assert dealt(GroupFolds, folds, labels, groups, seed) == dealt(StratifiedGroupKFold, folds, labels, groups, seed)


def test_rows_of_a_built_in_set():
    rows = load("mfeat").test
    groups = numbered(np.asarray(rows.groups))
    assert len(np.unique(groups)) > 100
    assert dealt(GroupFolds, 20, rows.labels, groups, 3) == dealt(StratifiedGroupKFold, 20, rows.labels, groups, 3)
