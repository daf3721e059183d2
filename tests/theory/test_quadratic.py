import numpy as np
import pytest
from hypothesis import given, settings

from equimodal.errors import ConfigError, DataError
from research.theory import Cycle, Problems, fusion_loss, losses, random_problems, run_cycle, simulate

from .autograd import one_cycle
from .strategies import cycles, problems

ORDERS = ("weak_to_strong", "strong_to_weak")


@settings(max_examples=40, deadline=None)
@given(problems, cycles)
def test_a_cycle_is_what_autograd_makes_of_it(drawn, cycle):
    for order in ORDERS:
        state = run_cycle(drawn, cycle, order, drawn.start + 0.3)
        for row in range(4):
            end, each = one_cycle(drawn, cycle, order, row, drawn.start[row] + 0.3)
            assert state.points[row] == pytest.approx(end, abs=1e-12)
            assert losses(drawn, cycle, state)[row] == pytest.approx(each, abs=1e-12)
            assert fusion_loss(drawn, cycle, state)[row] == pytest.approx(cycle.ratio * each[0] + each[1], abs=1e-12)


def test_cycles_follow_one_another_with_memory_emptied_between():
    drawn, cycle = random_problems(3, seed=1), Cycle(ratio=0.3, step=0.4, transfer=0.7)
    found = simulate(drawn, cycle, "strong_to_weak", 3)
    point = drawn.start[0]
    for i in range(1, 4):
        point, each = one_cycle(drawn, cycle, "strong_to_weak", 0, point)
        assert found[i, 0] == pytest.approx(0.3 * each[0] + each[1], abs=1e-12)


def test_the_first_modality_reads_no_memory():
    drawn, cycle = random_problems(3), Cycle(ratio=0.3, step=0.4, transfer=0.7)
    assert not run_cycle(drawn, cycle, "weak_to_strong", drawn.start).memory[:, 0].any()
    assert not run_cycle(drawn, cycle, "strong_to_weak", drawn.start).memory[:, 1].any()


def test_mistakes_of_a_cycle_are_reported_together():
    with pytest.raises(ConfigError) as caught:
        Cycle(ratio=0, step=-1, transfer=float("nan"), weak="lite")  # pyright: ignore[reportArgumentType]
    assert len(caught.value.problems) == 4
    assert "Did you mean 'light'?" in str(caught.value)


def test_an_order_that_is_not_known():
    with pytest.raises(ConfigError, match="Did you mean 'weak_to_strong'"):
        simulate(random_problems(1), Cycle(ratio=1, step=1), "weak_to_strog")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": np.zeros((2, 3))}, "(2, 3)"),
        ({"start": np.zeros(2)}, "(2,)"),
        ({"optima": np.array([[[0, np.nan], [0, 0]]])}, "optima: expected finite"),
        ({"curvatures": np.array([[[[1.0, 1], [0, 1]], [[1, 0], [0, 1]]]])}, "symmetric"),
        ({"curvatures": np.array([[[[1.0, 0], [0, 1]], [[1, 0], [0, -2]]]])}, "got -2 in problem 0, modality 1"),
    ],
)
def test_problems_that_are_none(change, words):
    sound = {"curvatures": np.tile(np.eye(2), (1, 2, 1, 1)), "optima": np.zeros((1, 2, 2)), "start": np.zeros((1, 2))}
    with pytest.raises(DataError) as caught:
        Problems(**{**sound, **change})
    assert words in str(caught.value)
