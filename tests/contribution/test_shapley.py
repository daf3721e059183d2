import itertools
import math

import numpy as np
import pytest
import shapiq
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.contribution import plan, sample_permutations, shapley, shapley_operator
from equimodal.contribution.coalitions import all_coalitions, bit_masks
from equimodal.errors import ConfigError, DataError


def permutation_shapley(values, n):
    """Shapley values straight from the definition over all n! orders; values by frozenset of players."""
    phi = [0.0] * n
    for order in itertools.permutations(range(n)):
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            phi[player] += values[before | {player}] - values[before]
    return [total / math.factorial(n) for total in phi]


def table(v, n):
    """Values of a set function on all coalitions, in the order of bit masks."""
    return torch.tensor(
        [v(frozenset(i for i in range(n) if mask >> i & 1)) for mask in range(2**n)], dtype=torch.float64
    )


def random_table(n, seed):
    return torch.rand(2**n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


games = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.floats(-10, 10, width=32), min_size=2**n, max_size=2**n).map(
        lambda v: torch.tensor(v, dtype=torch.float64)
    )
)


def close(a, b, tolerance=1e-9):
    return torch.allclose(a, b, rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", range(2, 9))
def test_agrees_with_shapiq(n):
    values = random_table(n, seed=n)

    def game(rows):
        return values[bit_masks(torch.from_numpy(np.asarray(rows, dtype=bool)))].numpy()

    expected = shapiq.ExactComputer(game, n_players=n)("SV").get_n_order_values(1)
    np.testing.assert_allclose(shapley(values).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_agrees_with_the_mean_over_all_orders(n):
    values = random_table(n, seed=20 + n)
    by_set = {
        frozenset(i for i in range(n) if row[i]): value
        for row, value in zip(all_coalitions(n).tolist(), values.tolist(), strict=True)
    }
    assert close(shapley(values), torch.tensor(permutation_shapley(by_set, n), dtype=torch.float64))


@given(games)
def test_efficiency(values):
    assert close(shapley(values).sum(), values[-1] - values[0])


@given(games, st.data())
def test_symmetry(values, data):
    """Players who may be exchanged in every coalition receive the same."""
    n = len(values).bit_length() - 1
    i, j = data.draw(st.permutations(range(n)))[:2]
    members = all_coalitions(n)
    order = list(range(n))
    order[i], order[j] = j, i
    symmetric = (values + values[bit_masks(members[:, order])]) / 2
    phi = shapley(symmetric)
    assert close(phi[i], phi[j])


@given(games, st.data())
def test_dummy(values, data):
    """A player who adds the same amount to every coalition receives that amount."""
    n = len(values).bit_length() - 1
    player = data.draw(st.integers(0, n - 1))
    amount = data.draw(st.floats(-5, 5, width=32))
    members = all_coalitions(n)
    without = members.clone()
    without[:, player] = False
    game = values[bit_masks(without)] + amount * members[:, player]
    assert close(shapley(game)[player], torch.tensor(amount, dtype=torch.float64))


@given(games, st.integers(0, 1000), st.floats(-3, 3))
def test_additivity(values, seed, factor):
    other = random_table(len(values).bit_length() - 1, seed)
    assert close(shapley(values + factor * other), shapley(values) + factor * shapley(other))


def test_an_additive_game_gives_everyone_their_own():
    worth = torch.tensor([0.1, -0.2, 0.7], dtype=torch.float64)
    assert close(shapley(all_coalitions(3).double() @ worth + 5), worth)


def test_the_majority_game_is_shared_equally():
    assert close(shapley(table(lambda s: float(len(s) >= 3), 5)), torch.full((5,), 0.2, dtype=torch.float64))


def test_the_glove_game():
    """One left glove (player 0) and two right ones: the left is worth 2/3, each right 1/6."""
    phi = shapley(table(lambda s: float(0 in s and bool(s & {1, 2})), 3))
    assert close(phi, torch.tensor([4, 1, 1], dtype=torch.float64) / 6)


def test_a_unanimity_game_is_shared_by_its_carrier():
    phi = shapley(table(lambda s: float({1, 3} <= s), 4))
    assert close(phi, torch.tensor([0, 0.5, 0, 0.5], dtype=torch.float64))


def test_leading_dimensions_are_kept():
    values = torch.stack([random_table(3, seed) for seed in range(4)]).view(2, 2, 8)
    assert close(shapley(values)[1, 0], shapley(values[1, 0]))
    assert shapley(values).shape == (2, 2, 3)


@pytest.mark.parametrize("level", [0.1, 1 / 3, 1e6 / 3])
def test_a_constant_game_contributes_exactly_nothing(level):
    values = torch.full((16,), level, dtype=torch.float64)
    values[1::3] *= 1 + 2e-16  # as rounding would
    assert shapley(values).tolist() == [0.0] * 4


@pytest.mark.parametrize("shape", [(6,), (2048,), (), (3, 1)])
def test_a_wrong_number_of_values_is_named(shape):
    with pytest.raises(DataError, match=r"2\*\*n coalitions, n from 1 to 10.*plan\(n"):
        shapley(torch.zeros(shape))


def test_operator_rows_sum_to_nothing():
    assert shapley_operator(10).sum(-1).abs().max() < 1e-12


def test_plan_is_exact_where_that_is_affordable():
    exact = plan(6)
    assert exact.exact and exact.budget == 64 and exact.seed is None
    values = random_table(6, 1)
    assert close(exact.shapley(values), shapley(values))
    assert not plan(6, budget=63).exact
    assert not plan(11).exact and len(plan(11).coalitions) <= 1024


@pytest.mark.parametrize(
    ("n", "budget", "message"),
    [(12, 45, "needs at least 46"), (3, 7, "give 8"), (2, 3, "give 4"), (1, None, "at least 2 are needed")],
)
def test_a_budget_too_small_is_named(n, budget, message):
    with pytest.raises(ConfigError, match=message):
        plan(n, budget=budget)


@pytest.mark.parametrize("n", [4, 12, 70])
def test_sampled_coalitions_are_distinct_and_within_budget(n):
    sampled = sample_permutations(n, 5 * n, seed=3)
    assert len({tuple(row) for row in sampled.coalitions.tolist()}) == len(sampled.coalitions) <= 5 * n
    assert not sampled.coalitions[0].any() and sampled.coalitions[-1].all()


def interacting(coalitions):
    """A game of 12 whose Shapley values are known: the sum of unanimity games, in pairs and threes."""
    members = coalitions.double()
    total = members @ torch.arange(12).double()
    for weight, carrier in ((9.0, [0, 1]), (-6.0, [2, 3, 4]), (12.0, [0, 5, 6, 7])):
        total = total + weight * members[:, carrier].prod(-1)
    return total


def interacting_phi():
    phi = torch.arange(12).double()
    for weight, carrier in ((9.0, [0, 1]), (-6.0, [2, 3, 4]), (12.0, [0, 5, 6, 7])):
        phi[carrier] += weight / len(carrier)
    return phi


@settings(max_examples=25)
@given(st.integers(3, 12), st.integers(0, 10**6))
def test_efficiency_of_estimates(n, seed):
    sampled = sample_permutations(n, 8 * n, seed)
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(sampled.coalitions), generator=generator, dtype=torch.float64)
    assert close(sampled.shapley(values).sum(), values[-1] - values[0], 1e-12)
    assert close(sampled.pair_contributions(values).mean(0), sampled.shapley(values), 1e-12)


def test_estimates_are_unbiased_and_their_errors_honest():
    estimates, errors = [], []
    for seed in range(300):
        sampled = sample_permutations(12, 150, seed)
        values = interacting(sampled.coalitions)
        estimates.append(sampled.shapley(values))
        errors.append(sampled.sampling_errors(values))
    spread = torch.stack(estimates).std(0)
    error = torch.stack(errors).square().mean(0).sqrt()
    varies = spread > 1e-9  # players in no more than pairs are estimated without error by antithetic orders
    assert varies.tolist() == [i in (0, 2, 3, 4, 5, 6, 7) for i in range(12)]
    assert (error[~varies] < 1e-9).all()
    assert ((error / spread)[varies] - 1).abs().max() < 0.2
    z = (torch.stack(estimates).mean(0) - interacting_phi())[varies] / (spread[varies] / math.sqrt(300))
    assert z.abs().max() < 3.5


def test_an_estimate_with_every_order_in_it_is_near_the_exact_value():
    values = random_table(4, 9)
    sampled = sample_permutations(4, 20_000, seed=0)
    phi = sampled.shapley(values[bit_masks(sampled.coalitions)])
    assert close(phi, shapley(values), 0.02)


def test_plans_refuse_what_is_not_theirs():
    with pytest.raises(DataError, match=r"one value for each of the 8 coalitions.*got \(7,\)"):
        plan(3).shapley(torch.zeros(7))
    with pytest.raises(DataError, match="no sampling error"):
        plan(3).sampling_errors(torch.zeros(8))
