import pytest
import torch

from equimodal.contribution.coalitions import (
    all_coalitions,
    antithetic_permutations,
    bit_masks,
    coalition_name,
    prefixes,
)
from equimodal.errors import ConfigError


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_rows_are_bit_masks(n):
    rows = all_coalitions(n).tolist()
    assert rows == [[bit == "1" for bit in reversed(f"{mask:0{n}b}")] for mask in range(2**n)]
    assert bit_masks(all_coalitions(n)).tolist() == list(range(2**n))


@pytest.mark.parametrize("n", [0, 11])
def test_the_exact_table_has_limits(n):
    with pytest.raises(ConfigError, match=rf"1 to 10 modalities, got {n}.*plan\(n, budget"):
        all_coalitions(n)


def test_names_join_members_in_order():
    names = ["text", "audio"]
    assert [coalition_name(row, names) for row in all_coalitions(2)] == ["", "text", "audio", "text+audio"]


def test_each_order_comes_with_its_reverse_and_the_seed_repeats_it():
    orders = antithetic_permutations(5, 40, seed=1)
    assert (orders.sort(-1).values == torch.arange(5)).all()
    assert torch.equal(orders[:, 1], orders[:, 0].flip(-1))
    assert torch.equal(orders, antithetic_permutations(5, 40, seed=1))
    assert not torch.equal(orders, antithetic_permutations(5, 40, seed=2))


def test_prefixes_grow_by_the_next_of_the_order():
    order = [2, 0, 3, 1]
    sets = [{i for i, inside in enumerate(row) if inside} for row in prefixes(torch.tensor(order)).tolist()]
    assert sets == [set(order[:size]) for size in range(5)]
