import re

import numpy as np
import pytest

from equimodal.errors import ConfigError
from family.exact import latent
from research.family import Bit, Design, draw, place, splits
from research.family.sample import mixing


def test_a_modality_shows_its_bits_and_noise_and_nothing_else():
    design = place(1, weak=0.75)  # bits: unique to a, unique to b, interaction
    features, labels = draw(design, 50_000, seed=0)
    sign = {number: 2 * ((labels >> number) & 1) - 1 for number in range(3)}
    a, b = (latent(design, features, name) for name in "ab")
    error = 4.5 / 50_000**0.5
    assert (a[:, 0] * sign[0]).mean() == pytest.approx(2.0, abs=error)
    assert (b[:, 0] * sign[1]).mean() == pytest.approx(0.75, abs=error)
    # Of the interaction each sees a hidden bit that says nothing by itself; XOR: -1 where the two agree.
    assert (a[:, 1] * sign[2]).mean() == pytest.approx(0, abs=error * 5**0.5)
    assert (b[:, 1] * sign[2]).mean() == pytest.approx(0, abs=error * 2)
    assert -(a[:, 1] * b[:, 1] * sign[2]).mean() == pytest.approx(2.0 * 0.75, abs=error * 3)
    assert a.std(0)[2:] == pytest.approx(1, abs=0.02)
    assert np.abs(np.corrcoef(a[:, 2:].T, sign[0])[-1, :-1]).max() < error


def test_a_shared_bit_is_seen_through_noise_of_each_modalitys_own():
    design = place(0, weak=1.25, rest="shared", modalities=3)
    features, labels = draw(design, 20_000, seed=1)
    sign = 2 * (labels & 1) - 1
    seen = [latent(design, features, name)[:, 0] - design.strengths[name] * sign for name in "abc"]
    assert np.corrcoef(seen) == pytest.approx(np.eye(3), abs=4.5 / 20_000**0.5)


def test_any_two_of_three_modalities_know_nothing_of_an_interaction_of_three():
    design = place(1, weak=2.0, bits=1, modalities=3)
    features, labels = draw(design, 50_000, seed=2)
    sign = 2 * labels - 1
    a, b, c = (latent(design, features, name)[:, 0] for name in "abc")
    assert (a * b * sign).mean() == pytest.approx(0, abs=4.5 * 5 / 50_000**0.5)
    assert (a * b * c * sign).mean() == pytest.approx(8, abs=4.5 * 5**1.5 / 50_000**0.5)


def test_the_rotation_is_one_and_the_rows_are_new_for_each_seed():
    design = place(1, weak=0.75)
    turn = mixing(design, "a")
    assert turn @ turn.T == pytest.approx(np.eye(24), abs=1e-12)
    assert not np.allclose(turn, mixing(design, "b"))
    (one, labels), (same, again), (other, _) = draw(design, 50, 0), draw(design, 50, 0), draw(design, 50, 1)
    assert (one["a"] == same["a"]).all() and (labels == again).all()
    assert not np.isin(one["a"], other["a"]).any()


def test_splits_have_the_sizes_and_all_classes():
    data = splits(place(2, weak=0.75), seed=3, sizes=(60, 20, 30))
    assert [len(part) for part in data.parts().values()] == [60, 20, 30]
    assert data.train.classes == tuple(map(str, range(8)))
    with pytest.raises(ConfigError, match="three numbers of rows"):
        splits(place(2, weak=0.75), seed=3, sizes=(60, 20))


def test_mistakes_in_a_design_are_reported_together():
    with pytest.raises(ConfigError) as caught:
        Design((Bit("unique", ("c",)), Bit("unique", ("a",))), {"a": float("nan"), "b": 1.0}, dimension=0)
    assert len(caught.value.problems) == 3
    with pytest.raises(ConfigError, match="bits: expected at least one"):
        Design((), {"a": 1.0})


@pytest.mark.parametrize(
    ("kind", "by", "message"),
    [
        ("unique", ("a", "b"), "expected one modality"),
        ("shared", ("a",), "two or more different modalities"),
        ("interaction", ("a", "a"), "two or more different modalities"),
        ("uniqe", ("a",), "no kind is called 'uniqe'. Did you mean 'unique'?"),
    ],
)
def test_a_bit_that_cannot_be(kind, by, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Bit(kind, by)


@pytest.mark.parametrize("wrong", [{"interactions": 4}, {"bits": 0}, {"modalities": 4}, {"rest": "other"}])
def test_a_place_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        place(**{"interactions": 0, "weak": 1.0} | wrong)
