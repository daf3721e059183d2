import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equimodal.contribution import (
    deviation,
    equilibrium_deviation,
    noise_floor,
    shares,
    target_vector,
    utilisation,
)
from equimodal.errors import ConfigError


def double(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def test_shares_and_deviations_of_a_plain_case():
    psi = shares(double(0.3, 0.1, 0.1))
    assert psi.tolist() == pytest.approx([0.6, 0.2, 0.2])
    eta = double(0.5, 0.25, 0.25)
    assert deviation(psi, eta).tolist() == pytest.approx([0.1, -0.05, -0.05])
    assert equilibrium_deviation(psi, eta).item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    "phi", [(0.0, 0.0), (-0.1, -0.2), (0.2, -0.2), (0.2, -0.3), (0.1 + 0.2, -0.3), (1e-17, -1e-17)]
)
def test_without_a_positive_sum_shares_and_edm_are_undefined(phi):
    psi = shares(double(*phi))
    assert psi.isnan().all()
    assert equilibrium_deviation(psi, double(0.5, 0.5)).isnan()


def test_an_undefined_row_leaves_the_others_alone():
    psi = shares(torch.stack([double(0.1, -0.1), double(0.1, 0.3)]))
    assert psi[0].isnan().all() and psi[1].tolist() == pytest.approx([0.25, 0.75])


def test_tiny_contributions_are_contributions():
    assert shares(double(3e-14, 1e-14)).tolist() == pytest.approx([0.75, 0.25])


def test_a_negative_contribution_makes_edm_unbounded():
    edm = [equilibrium_deviation(shares(double(1.0, -1 + gap)), double(0.5, 0.5)).item() for gap in (0.1, 1e-3)]
    assert edm == pytest.approx([2 * (1 / 0.1 - 0.5), 2 * (1 / 1e-3 - 0.5)])


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=6), st.data())
def test_edm_is_between_0_and_its_maximum(phi, data):
    weights = double(*data.draw(st.lists(st.floats(0.05, 1), min_size=len(phi), max_size=len(phi))))
    eta = weights / weights.sum()
    edm = equilibrium_deviation(shares(double(*phi)), eta)
    assert -1e-12 <= edm <= 2 * (1 - eta.min()) + 1e-12
    assert equilibrium_deviation(eta, eta) == 0


def test_the_maximum_is_attained_when_the_least_expected_does_it_all():
    assert equilibrium_deviation(double(0, 1, 0), double(0.5, 0.2, 0.3)).item() == pytest.approx(2 * (1 - 0.2))


def test_with_two_modalities_edm_is_the_unimodal_gap():
    from equimodal.contribution import shapley

    empty, one, two, both = 0.2, 0.7, 0.45, 0.8
    edm = equilibrium_deviation(shares(shapley(double(empty, one, two, both))), double(0.5, 0.5))
    assert edm.item() == pytest.approx(abs(one - two) / (both - empty))


def test_utilisation_and_its_undefined_case():
    u = utilisation(double(0.6, 0.2, 0.5), double(0.8, 0.6, 0.2), 0.2)
    assert u[:2].tolist() == pytest.approx([2 / 3, 0.0]) and u[2].isnan()
    assert utilisation(double(0.1), double(0.6), 0.2).item() == pytest.approx(-0.25)


def test_noise_floor_of_gaussian_shares():
    """Two shares that vary by sigma against each other: E(2 |N(0, sigma)|) = 2 sigma sqrt(2 / pi)."""
    sigma = 0.04
    noise = sigma * torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    replicates = torch.stack([0.7 + noise, 0.3 - noise], dim=-1)
    replicates[0] = torch.nan
    floor = noise_floor(replicates, double(0.7, 0.3)).item()
    assert floor == pytest.approx(2 * sigma * (2 / torch.pi) ** 0.5, rel=0.02)


def test_targets():
    names = ["image", "text"]
    assert target_vector(None, names).tolist() == [0.5, 0.5]
    assert target_vector({"text": 0.3, "image": 0.7}, names).tolist() == [0.7, 0.3]
    assert target_vector(double(0.4, 0.6), names).tolist() == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize(
    ("target", "messages"),
    [
        ({"image": 1.0}, ["no share for modality 'text'"]),
        ({"image": 0.5, "txt": 0.5}, ["no share for modality 'text'", "'txt' is not a modality"]),
        ([1.0], ["expected 2 shares, one each for image, text, got 1"]),
        ([0.0, 1.0], ["share of 'image' must be above 0, got 0"]),
        ([-0.5, 1.0], ["share of 'image' must be above 0, got -0.5", "must sum to 1, got 0.5"]),
        ([float("nan"), 0.5], ["share of 'image' must be above 0, got nan", "must sum to 1"]),
    ],
)
def test_impossible_targets_are_named(target, messages):
    with pytest.raises(ConfigError) as raised:
        target_vector(target, ["image", "text"])
    assert len(raised.value.problems) == len(messages)
    for message, problem in zip(messages, raised.value.problems, strict=True):
        assert message in problem
