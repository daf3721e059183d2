from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import entropy, norm

from equimodal.errors import ConfigError
from family.exact import log_posterior
from research.family import Bit, Design, draw, limits, place
from research.family.limits import accuracy, information, known

ROWS = 20_000
DESIGNS = [
    place(0, weak=0.75),
    place(2, weak=1.25),
    place(1, weak=0.75, rest="shared"),
    place(1, weak=1.25, bits=2, modalities=3),
    Design(
        (Bit("interaction", ("a", "c")), Bit("shared", ("b", "c")), Bit("unique", ("b",))),
        {"a": 1.5, "b": 0.5, "c": 1.0},
        dimension=4,
    ),
]


def coalitions(design):
    names = design.modalities
    return [chosen for size in range(1, len(names) + 1) for chosen in combinations(names, size)]


@pytest.mark.parametrize("design", DESIGNS)
def test_closed_forms_are_what_the_exact_posterior_of_simulated_rows_gives(design):
    features, labels = draw(design, ROWS, seed=5)
    rows = np.arange(ROWS)
    for coalition in coalitions(design):
        log = log_posterior(design, features, coalition)
        found = np.mean(log.argmax(1) == labels)
        # 4.5 standard errors; where classes tie, the lowest is taken, which is right as often as any
        assert found == pytest.approx(accuracy(design, coalition), abs=4.5 * 0.5 / ROWS**0.5)
        bits = np.log2(design.classes) + log[rows, labels] / np.log(2)
        assert bits.mean() == pytest.approx(known(design, coalition), abs=4.5 * bits.std() / ROWS**0.5 + 1e-9)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_product_of_unimodal_experts_reaches_the_limit_of_late_fusion(design):
    features, labels = draw(design, ROWS, seed=6)
    experts = [log_posterior(design, features, [name]) for name in design.modalities]
    found = np.mean(np.round(sum(experts), 9).argmax(1) == labels)
    assert found == pytest.approx(limits(design).late, abs=4.5 * 0.5 / ROWS**0.5)


def test_unimodal_posteriors_do_not_depend_on_an_interaction():
    design = place(2, weak=1.25)
    features, _ = draw(design, 100, seed=0)
    for name in design.modalities:
        p = np.exp(log_posterior(design, features, [name])).reshape(100, 2, 2, 2)  # bits from the last to the first
        assert p == pytest.approx(np.broadcast_to(p[:, :1, :1], p.shape), abs=1e-9)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 2.0, 4.0])
def test_information_of_one_bit_is_the_capacity_of_the_binary_gaussian_channel(strength):
    def density(x):
        return (norm.pdf(x, strength) + norm.pdf(x, -strength)) / 2

    received, _ = integrate.quad(lambda x: -density(x) * np.log2(density(x)), -12 - strength, 12 + strength, limit=200)
    assert information([strength]) == pytest.approx(received - np.log2(2 * np.pi * np.e) / 2, abs=1e-6)


def test_information_of_a_parity_is_what_its_posterior_leaves_unknown():
    x = np.linspace(-9, 9, 1201)
    of_x, of_y = ((norm.pdf(x, strength) + norm.pdf(x, -strength)) / 2 for strength in (1.5, 0.8))
    q = np.outer(np.tanh(1.5 * x), np.tanh(0.8 * x))
    unknown = entropy([(1 + q) / 2, (1 - q) / 2], base=2, axis=0)
    lost = integrate.simpson(integrate.simpson(unknown * of_y, x=x) * of_x, x=x)
    assert information([1.5, 0.8]) == pytest.approx(1 - lost, abs=1e-6)


@given(st.floats(0, 3), st.floats(0, 3))
def test_an_interaction_adds_what_a_shared_bit_repeats(one, other):
    # Both hidden bits together are known as well as apart: by the chain rule, first their parity, then one of them
    # given the parity, which is then a copy seen twice.
    repeated = information([one]) + information([other]) - information([np.hypot(one, other)])
    assert information([one, other]) == pytest.approx(repeated, abs=1e-6)


def test_a_parity_of_three_with_one_hidden_bit_known_is_one_of_two():
    assert information([1.5, 0.8, 6.0]) == pytest.approx(information([1.5, 0.8]), abs=1e-6)


@given(st.lists(st.floats(0, 3), min_size=2, max_size=2), st.floats(0, 1))
def test_a_parity_is_known_less_than_each_hidden_bit_and_more_with_more_strength(strengths, more):
    whole = information(strengths)
    assert -1e-9 <= whole <= min(information([strength]) for strength in strengths) + 1e-9
    assert whole == pytest.approx(information(strengths[::-1]), abs=1e-9)
    assert information([strengths[0] + more, *strengths[1:]]) >= whole - 1e-9


def test_the_interaction_in_information_tells_the_kinds_apart_and_that_in_accuracy_does_not():
    unique, shared, interaction = (
        limits(place(0, 1.25)), limits(place(0, 1.25, rest="shared")), limits(place(3, 1.25)),
    )  # fmt: skip
    assert unique.interaction_information == pytest.approx(0, abs=1e-9)
    assert shared.interaction_information < -0.5
    assert interaction.interaction_information == pytest.approx(interaction.information["interaction"] * np.log(2))
    assert unique.interaction_accuracy > 0.2  # although there is no interaction


def test_without_interactions_nothing_is_lost_by_late_fusion():
    for rest in ("unique", "shared"):
        found = limits(place(0, weak=0.75, rest=rest))
        assert found.late == pytest.approx(found.together)
    assert limits(place(3, weak=2.0)).late == pytest.approx(1 / 8)


def test_as_many_hidden_bits_as_can_be_integrated():
    with pytest.raises(ConfigError, match="1 to 3 strengths, got 4"):
        information([1.0] * 4)
