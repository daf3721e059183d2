import pytest
from torch import nn

from equimodal.modes import evaluating


def model():
    whole = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    whole[1][0].eval()
    return whole


def flags(module):
    return [each.training for each in module.modules()]


def test_every_submodule_gets_its_own_mode_back():
    one, other = model(), model().eval()
    before = flags(one), flags(other)
    with evaluating(one, other):
        assert not any(flags(one) + flags(other))
    assert (flags(one), flags(other)) == before and len(set(before[0])) == 2


def test_modes_are_restored_after_an_error():
    one = model()
    before = flags(one)
    with pytest.raises(RuntimeError), evaluating(one):
        raise RuntimeError
    assert flags(one) == before


def test_a_module_given_twice_and_one_inside_another_keep_their_modes():
    one = model()
    before = flags(one)
    with evaluating(one, one[1], one), evaluating(one):
        pass
    assert flags(one) == before
