"""Imputation by nearest neighbours, against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.impute import KNNImputer

from equimodal.errors import ConfigError
from equimodal.models.absence.imputer import ROWS
from equimodal.models.absence.knn import NearestNeighbours

from .rows import NAMES, filled, related, something, with_nan


@pytest.mark.parametrize("neighbours", [1, 5, 10, 100])
@pytest.mark.parametrize("gaps", [0.0, 0.3, 0.7])
def test_it_is_scikit_learns(neighbours, gaps):
    encodings, present = related(40, gaps=gaps)
    new, there = related(30, gaps=0.4, seed=1)
    imputer = NearestNeighbours(NAMES, 2, neighbours)
    imputer.fit(encodings, present)
    rows = with_nan(encodings, present)[something(present)]
    reference = KNNImputer(n_neighbors=neighbours).fit(rows)
    got, some = filled(imputer, new, there), something(there)
    assert np.allclose(got[some], reference.transform(with_nan(new, there))[some], atol=1e-5)
    assert not np.allclose(got[some], with_nan(new, there)[some], equal_nan=True)


def test_a_row_that_shares_nothing_with_any_donor_gets_the_mean():
    imputer = NearestNeighbours(("a", "b"), 1, 2)
    imputer.fit(
        {"a": torch.zeros(3, 1), "b": torch.tensor([[1.0], [2.0], [6.0]])},
        {"a": torch.zeros(3, dtype=torch.bool), "b": torch.ones(3, dtype=torch.bool)},
    )
    here = torch.ones(1, dtype=torch.bool)
    assert imputer({"a": torch.ones(1, 1), "b": torch.zeros(1, 1)}, {"a": here, "b": ~here})[1].item() == 3


def test_another_fit_forgets_the_rows_before():
    imputer = NearestNeighbours(NAMES, 2, 3)
    once, present = related(40)
    imputer.fit(*related(60, seed=2))
    imputer.fit(once, present)
    other = NearestNeighbours(NAMES, 2, 3)
    other.fit(once, present)
    assert all(torch.equal(one, imputer.state_dict()[key]) for key, one in other.state_dict().items())


@pytest.mark.parametrize("neighbours", [0, ROWS + 1])
def test_impossible_numbers_of_neighbours_are_refused(neighbours):
    with pytest.raises(ConfigError, match=f"'neighbours': expected a number from 1 to 1000, got {neighbours}"):
        NearestNeighbours(NAMES, 2, neighbours)
