"""Batches that are read ahead inside a process of a parallel comparison."""

import numpy as np
from joblib import Parallel, delayed

from equimodal.data.loading import load_batches
from equimodal.testing.data import make_splits


def read(workers):
    rows = make_splits().train
    batches = load_batches(rows, [np.arange(3), np.arange(3, 5)], workers=workers)
    return np.concatenate([batch.labels.numpy() for batch in batches])


def test_a_worker_of_joblib_may_have_loaders_of_its_own():
    expected = read(0)
    for found in Parallel(n_jobs=2)(delayed(read)(1) for _ in range(2)):
        assert np.array_equal(found, expected)
