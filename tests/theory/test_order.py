from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, root
from scipy.stats import ortho_group

from research.theory import (
    Cycle,
    Problems,
    critical_ratio,
    difference,
    excess_at_rest,
    fixed_points,
    gains,
    gains_at_rest,
    isotropic_gain,
    leading_gains,
    leading_gains_at_rest,
    random_problems,
    simulate,
)

from .autograd import one_cycle
from .strategies import cycles, light, problems

ORDERS = ("weak_to_strong", "strong_to_weak")
FORMS = pytest.mark.parametrize("form", [gains, gains_at_rest, leading_gains, leading_gains_at_rest])


@settings(max_examples=60, deadline=None)
@given(problems, cycles)
def test_one_cycle_closed_form_is_simulation_is_autograd(drawn, cycle):
    found = gains(drawn, cycle)
    weak_first, strong_first = (simulate(drawn, cycle, order)[1] for order in ORDERS)
    assert difference(found, cycle) == pytest.approx(weak_first - strong_first, abs=1e-12)
    for row in range(4):
        first, second = (one_cycle(drawn, cycle, order, row, drawn.start[row])[1] for order in ORDERS)
        assert found[row] == pytest.approx([first[0] - second[0], second[1] - first[1]], abs=1e-12)


@pytest.mark.parametrize("weak", ["light", "slow", "flat"])
@pytest.mark.parametrize(("in_step", "in_loss"), [(True, True), (True, False), (False, True)])
def test_at_rest_closed_form_is_what_a_solver_and_patience_find(weak, in_step, in_loss):
    drawn = random_problems(5, seed=2)
    cycle = Cycle(ratio=0.4, step=0.5, transfer=0.8, weak=weak, in_step=in_step, in_loss=in_loss)
    found = gains_at_rest(drawn, cycle)
    patient = [simulate(drawn, cycle, order, 3000)[-1] for order in ORDERS]
    assert difference(found, cycle) == pytest.approx(patient[0] - patient[1], abs=1e-12)
    for row in range(5):
        ends = []
        for order in ORDERS:
            solved = root(
                lambda at, row=row, order=order: one_cycle(drawn, cycle, order, row, at)[0] - at, np.zeros(4), tol=1e-14
            )
            assert fixed_points(drawn, cycle, order)[row] == pytest.approx(solved.x, abs=1e-9)
            ends.append(one_cycle(drawn, cycle, order, row, solved.x)[1])
        assert found[row] == pytest.approx([ends[0][0] - ends[1][0], ends[1][1] - ends[0][1]], abs=1e-9)


def test_cycles_that_diverge_have_no_rest_in_either_order():
    drawn = random_problems(50, seed=3)
    cycle = Cycle(ratio=0.5, step=1.5, transfer=2.0)
    lost = [np.isnan(fixed_points(drawn, cycle, order)).any(-1) for order in ORDERS]
    with np.errstate(all="ignore"):
        grown = simulate(drawn, cycle, "weak_to_strong", 2000)[-1]
    assert 0 < lost[0].sum() < 50
    assert (lost[0] == lost[1]).all()
    assert ((~np.isfinite(grown) | (grown > 1e3)) == lost[0]).all()
    assert (np.isnan(gains_at_rest(drawn, cycle)).all(-1) == lost[0]).all()


@FORMS
@settings(max_examples=25, deadline=None)
@given(drawn=problems, cycle=light)
def test_with_equal_weights_the_names_do_not_matter(form, drawn, cycle):
    cycle = replace(cycle, ratio=1.0)
    swapped = Problems(drawn.curvatures[:, ::-1], drawn.optima[:, ::-1], drawn.start)
    assert form(swapped, cycle) == pytest.approx(form(drawn, cycle)[:, ::-1], abs=1e-12)
    away = difference(form(drawn, cycle), cycle)
    assert difference(form(swapped, cycle), cycle) == pytest.approx(-away, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(problems, cycles)
def test_two_modalities_that_are_one_do_not_care(drawn, cycle):
    twins = Problems(drawn.curvatures[:, [0, 0]], drawn.optima[:, [0, 0]], drawn.start)
    assert difference(gains(twins, replace(cycle, ratio=1.0)), replace(cycle, ratio=1.0)) == pytest.approx(0, abs=1e-12)
    assert gains_at_rest(twins, cycle) == pytest.approx(0, abs=1e-12)


@FORMS
@settings(max_examples=20, deadline=None)
@given(drawn=problems, cycle=cycles, scale=st.floats(0.1, 3))
def test_only_the_geometry_counts(form, drawn, cycle, scale):
    d = drawn.start.shape[1]
    turn, shift = ortho_group.rvs(d, random_state=0), np.linspace(-1, 1, d)
    plain = form(drawn, cycle)
    turned = Problems(
        turn @ drawn.curvatures @ turn.T, scale * drawn.optima @ turn.T + shift, scale * drawn.start @ turn.T + shift
    )
    assert form(turned, cycle) == pytest.approx(scale**2 * plain, rel=1e-6, abs=1e-11)
    steeper = Problems(scale * drawn.curvatures, drawn.optima, drawn.start)
    assert form(steeper, replace(cycle, step=cycle.step / scale)) == pytest.approx(scale * plain, rel=1e-6, abs=1e-11)


@settings(max_examples=25, deadline=None)
@given(problems, cycles)
def test_without_shared_parameters_order_does_nothing(drawn, cycle):
    d = drawn.start.shape[1]
    curvatures, optima = np.zeros((4, 2, 2 * d, 2 * d)), np.zeros((4, 2, 2 * d))
    for m, own in ((0, slice(d)), (1, slice(d, None))):
        curvatures[:, m, own, own] = drawn.curvatures[:, m]
        optima[:, m, own] = drawn.optima[:, m]
    apart = Problems(curvatures, optima, np.zeros((4, 2 * d)))
    assert gains(apart, cycle) == pytest.approx(0, abs=1e-13)
    weak_first, strong_first = (simulate(apart, cycle, order, 20)[-1] for order in ORDERS)
    assert weak_first == pytest.approx(strong_first, abs=1e-13)


@pytest.mark.parametrize("weak", ["light", "slow", "flat"])
@pytest.mark.parametrize(
    ("full", "leading", "changes", "power"),
    [
        (gains, leading_gains, {"transfer": 1.0}, 2),
        (gains, leading_gains, {"transfer": 1.0, "in_loss": False}, 3),
        (gains_at_rest, leading_gains_at_rest, {"transfer": 1.0}, 2),
    ],
)
def test_what_the_leading_part_leaves_out_is_of_the_next_order(weak, full, leading, changes, power):
    drawn = random_problems(5, seed=4)
    rest = []
    for step in (1e-3, 5e-4):
        cycle = Cycle(ratio=0.5, step=step, weak=weak, **changes)
        rest.append(np.abs(full(drawn, cycle) - leading(drawn, cycle)).max())
    assert np.log2(rest[0] / rest[1]) == pytest.approx(power, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(problems, light)
def test_below_the_critical_ratio_weak_to_strong_wins_and_above_it_loses(drawn, cycle):
    found = gains(drawn, cycle)
    critical = critical_ratio(found)
    for row in np.flatnonzero(found[:, 1] > 1e-9):
        for factor, wins in ((0.9, True), (1.1, False)):
            if 0 < factor * critical[row] <= 1:
                each = replace(cycle, ratio=factor * critical[row])
                ends = [simulate(drawn, each, order)[1, row] for order in ORDERS]
                assert (ends[0] < ends[1]) == wins
    for row in np.flatnonzero(found[:, 1] < -1e-9):
        each = replace(cycle, ratio=1e-12)
        assert critical[row] == 0
        assert simulate(drawn, each, ORDERS[0])[1, row] > simulate(drawn, each, ORDERS[1])[1, row]


@settings(max_examples=40, deadline=None)
@given(problems, light)
def test_at_rest_weak_to_strong_wins_below_the_bound_of_the_docs(drawn, cycle):
    values = np.linalg.eigvalsh(drawn.curvatures)
    assume(np.linalg.norm(drawn.optima[:, 0] - drawn.optima[:, 1], axis=-1).min() > 1e-3)
    assert (gains_at_rest(drawn, cycle) > 0).all()  # all curvatures are at most 1, so eta lambda < 2
    bound = (2 - cycle.step * values[:, 1].max()) / (2 - cycle.step * values[:, 0].min())
    below = replace(cycle, ratio=0.999 * min(bound, 1.0))
    assert (difference(gains_at_rest(drawn, below), below) < 0).all()


@settings(max_examples=20, deadline=None)
@given(problems, light)
def test_the_least_fusion_loss_is_the_one_that_scipy_finds(drawn, cycle):
    for order in ORDERS:
        point = fixed_points(drawn, cycle, order)[0]
        rest = float(one_cycle(drawn, cycle, order, 0, point)[1] @ [cycle.ratio, 1])

        def fusion(at):
            away = at - drawn.optima[0]
            each = 0.5 * np.einsum("mi,mij,mj->m", away, drawn.curvatures[0], away)
            return cycle.ratio * each[0] + each[1]

        least = minimize(fusion, point, method="BFGS", options={"gtol": 1e-9}).fun
        assert excess_at_rest(drawn, cycle, order)[0] == pytest.approx(rest - least, abs=1e-8)


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(0, 3))
def test_the_isotropic_gain_is_that_of_such_a_problem(agreement, step, transfer):
    ways = np.array([[[1, 0], [agreement, np.sqrt(1 - agreement**2)]]])
    one = Problems(np.tile(np.eye(2), (1, 2, 1, 1)), ways, np.zeros((1, 2)))
    expected = isotropic_gain(agreement, step, transfer)
    assert gains(one, Cycle(ratio=0.5, step=step, transfer=transfer))[0] == pytest.approx([expected] * 2, abs=1e-12)
