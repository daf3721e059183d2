import numpy as np
import pytest
import shapiq
import torch

from equimodal.contribution import interaction_index
from equimodal.contribution.coalitions import bit_masks
from equimodal.errors import DataError


def table(v, n):
    """Values of a set function on all coalitions, in the order of bit masks."""
    return torch.tensor(
        [v(frozenset(i for i in range(n) if mask >> i & 1)) for mask in range(2**n)], dtype=torch.float64
    )


@pytest.mark.parametrize("n", range(2, 9))
def test_agrees_with_shapiq(n):
    values = torch.rand(2**n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)

    def game(rows):
        return values[bit_masks(torch.from_numpy(np.asarray(rows, dtype=bool)))].numpy()

    expected = shapiq.ExactComputer(game, n_players=n)("SII", order=2).get_n_order_values(2)
    ours = interaction_index(values).numpy()
    upper = np.triu_indices(n, 1)
    np.testing.assert_allclose(ours[upper], expected[upper], atol=1e-12)
    np.testing.assert_array_equal(ours, ours.T)
    assert not ours.diagonal().any()


def test_additive_games_have_none():
    values = table(lambda s: sum((0.3, -0.1, 0.7)[i] for i in s), 3)
    assert interaction_index(values).abs().max() < 1e-15


def test_a_unanimous_pair_is_synergy_and_a_repeated_one_redundancy():
    together = interaction_index(table(lambda s: float(s >= {0, 2}), 3))
    either = interaction_index(table(lambda s: float(bool(s & {0, 2})), 3))
    assert together[0, 2] == pytest.approx(1) and either[0, 2] == pytest.approx(-1)
    assert together[0, 1] == together[1, 2] == either[0, 1] == either[1, 2] == 0


def test_leading_dimensions_are_kept():
    values = torch.rand(5, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(interaction_index(values)[3], interaction_index(values[3]))


@pytest.mark.parametrize("count", [2, 6, 2048])
def test_a_wrong_number_of_values_is_named(count):
    with pytest.raises(DataError, match="n from 2 to 10"):
        interaction_index(torch.zeros(count))
