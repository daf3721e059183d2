from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import ConfigError
from equimodal.methods.schedule import STRATEGIES, WeakToStrong, make_schedule

from .contributions import additive

NAMES = ("a", "b", "c")


def orders(schedule, *measured, **noise):
    found = []
    for phi in measured:
        schedule.update(additive(dict(zip(NAMES, phi, strict=True)), **noise))
        found.append("".join(schedule.order))
    return found


@pytest.mark.parametrize("hysteresis", [0.0, 1.0])
def test_weak_to_strong_ascends_and_strong_to_weak_descends(hysteresis):
    measured = [(0.2, 0.1, 0.3), (0.1, 0.3, 0.2), (0.3, 0.2, -0.1)]
    up = make_schedule("weak_to_strong", NAMES, hysteresis=hysteresis)
    down = make_schedule("strong_to_weak", NAMES, hysteresis=hysteresis)
    assert up.order == NAMES  # the first epoch: as declared
    assert orders(up, *measured) == ["bac", "acb", "cba"]
    assert orders(down, *measured) == ["cab", "bca", "abc"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=6))
def test_ties_break_by_name(sizes):
    names = [f"m{i}" for i in range(len(sizes))][::-1]
    phi = dict(zip(names, (float(size) for size in sizes), strict=True))
    schedule = make_schedule("weak_to_strong", names, hysteresis=0)
    schedule.update(additive(phi))
    shares = additive(phi).shares
    assert shares is not None
    assert schedule.order == tuple(sorted(names, key=lambda m: (shares[m], m)))


def test_shares_that_are_undefined_keep_the_order():
    schedule = make_schedule("weak_to_strong", NAMES)
    assert orders(schedule, (0.3, 0.2, 0.1)) == ["cba"]
    assert orders(schedule, (0.1, 0.2, -0.4), (0.0, 0.0, 0.0)) == ["cba", "cba"]
    assert schedule.state_dict()["smoothed"].tolist() == pytest.approx(
        [3 / 6, 2 / 6, 1 / 6]
    )  # nor do they enter the average


def test_hysteresis_swaps_neighbours_only_beyond_their_noise():
    # shares .36, .34, .30: only a and c differ by more than .05
    schedule = make_schedule("weak_to_strong", NAMES, hysteresis=1.0)
    assert orders(schedule, (0.36, 0.34, 0.30), noise=0.05) == ["abc"]
    # with b far above, c goes before it, and then a and c are neighbours that differ by .06
    assert orders(schedule, (0.36, 0.41, 0.30), noise=0.05) == ["cab"]
    assert orders(schedule, (0.34, 0.36, 0.30), noise=0.05) == ["cab"]
    twice = make_schedule("weak_to_strong", NAMES, hysteresis=2.0)
    assert orders(twice, (0.36, 0.41, 0.30), noise=0.05) == ["acb"]
    plain = make_schedule("weak_to_strong", NAMES, hysteresis=0)
    assert orders(plain, (0.36, 0.34, 0.30), noise=0.05) == ["cba"]


def test_hysteresis_stops_an_order_from_flipping():
    near = [(0.30, 0.31, 0.5), (0.31, 0.30, 0.5)] * 3
    assert len(set(orders(make_schedule("weak_to_strong", NAMES), *near, noise=0.03))) == 1
    assert len(set(orders(make_schedule("weak_to_strong", NAMES, hysteresis=0), *near, noise=0.03))) == 2


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(5)), st.lists(st.floats(0.01, 1), min_size=5, max_size=5), st.floats(0.0, 0.2))
def test_no_neighbours_are_left_that_ought_to_swap(start, sizes, noise):
    names = [f"m{i}" for i in range(5)]
    schedule = make_schedule("weak_to_strong", names, initial=[names[i] for i in start])
    measured = additive(dict(zip(names, sizes, strict=True)), noise=noise)
    schedule.update(measured)
    assert sorted(schedule.order) == names and measured.shares is not None
    for first, second in itertools.pairwise(schedule.order):
        assert measured.shares[first] - measured.shares[second] <= noise + 1e-12


def test_smoothing_is_an_exponential_average():
    schedule = make_schedule("weak_to_strong", NAMES, hysteresis=0, smoothing=0.75)
    measured = [(0.5, 0.3, 0.2)] + [(0.1, 0.35, 0.55)] * 4
    average, expected = measured[0], []
    for phi in measured:
        average = [0.75 * past + 0.25 * now for past, now in zip(average, phi, strict=True)]
        expected.append("".join(sorted(NAMES, key=lambda m, now=tuple(average): now[NAMES.index(m)])))
    assert orders(schedule, *measured) == expected
    assert expected[0] == "cba" and expected[1] == "cba" and expected[-1] == "abc"  # it follows, and slowly
    assert schedule.state_dict()["smoothed"].tolist() == pytest.approx(average)


def test_random_orders_come_from_the_seed_alone():
    def sequence(seed, count=12):
        return orders(make_schedule("random", NAMES, seed=seed), *[(0.1, 0.2, 0.3)] * count)

    assert sequence(0) == sequence(0) != sequence(1)
    assert len(set(sequence(0, 60))) == 6
    unmeasured = make_schedule("random", NAMES)
    unmeasured.update(additive({"a": 0.0, "b": 0.0, "c": 0.0}))  # undefined shares do not stop it
    assert "".join(unmeasured.order) == sequence(0)[0]


def test_a_fixed_order_stays():
    schedule = make_schedule("fixed", NAMES, initial=["b", "c", "a"])
    assert orders(schedule, (0.1, 0.2, 0.3), (0.3, 0.2, 0.1)) == ["bca", "bca"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_schedule_goes_on_where_it_was_saved(strategy):
    def new():
        return make_schedule(strategy, NAMES, initial=["c", "a", "b"], smoothing=0.5, seed=3)

    first = new()
    orders(first, (0.3, 0.1, 0.2), (0.2, 0.3, 0.1))
    second = new()
    second.load_state_dict(first.state_dict())
    assert second.order == first.order
    later = [(0.1, 0.2, 0.3), (0.3, 0.2, 0.1), (0.2, 0.1, 0.3)]
    assert orders(second, *later) == orders(first, *later)


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match=r"unknown strategy 'weak_to_stron'\. Did you mean 'weak_to_strong'"):
        make_schedule("weak_to_stron", NAMES)
    for wrong in (["a", "b"], ["a", "b", "b"], ["a", "b", "d"]):
        with pytest.raises(ConfigError, match="name each modality once: expected some order of a, b, c; got a, b"):
            WeakToStrong(NAMES, initial=wrong)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_name_given_twice(strategy):
    with pytest.raises(ConfigError, match=r"modalities that differ in name, got a, b, a\."):
        make_schedule(strategy, ("a", "b", "a"))


@pytest.mark.parametrize("wrong", [-0.5, float("nan"), float("inf"), "much", None])
def test_hysteresis_out_of_its_range(wrong):
    with pytest.raises(ConfigError, match=r"^hysteresis: expected a number from 0 up \(standard errors\), got "):
        WeakToStrong(NAMES, hysteresis=wrong)


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5, float("nan"), "much"])
def test_smoothing_out_of_its_range(wrong):
    with pytest.raises(ConfigError, match=r"^smoothing: expected a number from 0 to below 1"):
        make_schedule("strong_to_weak", NAMES, smoothing=wrong)


def test_ranges_hold_their_ends_and_mistakes_come_together():
    assert WeakToStrong(NAMES, hysteresis=0, smoothing=0.25).order == NAMES
    with pytest.raises(ConfigError, match="2 problems") as caught:
        WeakToStrong(NAMES, hysteresis=-1, smoothing=1)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("names", ["ab", "abcd", "abx"])
@pytest.mark.parametrize("size", [0.1, 0.0])  # with shares, and without
def test_the_contribution_of_another_model_is_refused(names, size):
    schedule = WeakToStrong(NAMES)
    with pytest.raises(ConfigError) as caught:
        schedule.update(additive({name: size * (1 + i) for i, name in enumerate(names)}))
    listed = ", ".join(names)
    assert f"The schedule orders a, b, c, but the contribution is of {listed}." in str(caught.value)
    assert schedule.order == NAMES and schedule.smoothed.isnan().all()
    schedule.update(additive({"c": 0.1, "b": 0.3, "a": 0.2}))  # another order of the names is none
    assert schedule.order == ("c", "a", "b")
