import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from equimodal.errors import ConfigError
from research.theory import Setting, closed_form, shrinkage, train

reliability = st.floats(0.1, 0.9)
settings_of = st.builds(Setting, first=reliability, last=reliability, unimodal=st.floats(0, 3), reads=st.booleans())


def expected(w, g, setting):
    """The loss of the last step from the coefficients of the three independent sources of what is left over."""
    noise = {name: 1 / getattr(setting, name) - 1 for name in ("first", "last")}
    h = setting.first  # the first modality's weight, and so the memory's
    fused = (1 - w - g * h) ** 2 + w**2 * noise["last"] + (g * h) ** 2 * noise["first"]
    alone = (1 - w) ** 2 + w**2 * noise["last"]
    return fused, alone


@settings(max_examples=40, deadline=None)
@given(settings_of)
def test_closed_form_is_the_optimum_that_scipy_finds(setting):
    found = closed_form(setting)
    if setting.reads:
        best = minimize(lambda x: sum(np.array([1, setting.unimodal]) * expected(*x, setting)), [0.1, 0.1], tol=1e-12)
        w, g = best.x
    else:
        w = minimize(lambda x: expected(x[0], 0, setting)[1], [0.1], tol=1e-12).x[0]
        g = minimize(lambda x: expected(w, x[0], setting)[0], [0.1], tol=1e-12).x[0]
    assert (found.last, found.memory) == pytest.approx((w, g), abs=1e-5)
    fused, alone = expected(found.last, found.memory, setting)
    assert (found.fused, found.alone[1]) == pytest.approx((1 - fused, 1 - alone), abs=1e-12)
    assert found.fused == pytest.approx(found.alone[1] + (1 - found.last) ** 2 * setting.first, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(settings_of)
def test_training_step_by_step_ends_at_the_closed_form(setting):
    found, exact = train(setting, 20_000), closed_form(setting)
    assert (found.first, found.last, found.memory) == pytest.approx((exact.first, exact.last, exact.memory), abs=1e-12)


def test_samples_say_the_same():
    rng = np.random.default_rng(0)
    y, noise = rng.normal(size=400_000), rng.normal(size=(2, 400_000))
    strong, weak = y + noise[0] * np.sqrt(1 / 0.8 - 1), y + noise[1] * np.sqrt(1 / 0.4 - 1)
    for first, last, setting in (
        (strong, weak, Setting(first=0.8, last=0.4)),
        (weak, strong, Setting(first=0.4, last=0.8)),
    ):
        h = first * (first @ y) / (first @ first)
        (w, g), left, *_ = np.linalg.lstsq(np.stack([last, h], 1), y, rcond=None)
        found = closed_form(setting)
        assert (found.last, found.memory) == pytest.approx((w, g), abs=0.01)
        assert found.fused == pytest.approx(1 - left[0] / (y @ y), abs=0.01)
        assert found.alone[1] == pytest.approx(1 - np.mean((y - w * last) ** 2) / np.mean(y**2), abs=0.01)


@given(reliability, reliability, st.floats(0, 3))
def test_a_better_memory_leaves_less_to_learn_and_a_unimodal_loss_bounds_that(last, memory, unimodal):
    s = shrinkage(last, memory, unimodal)
    assert shrinkage(last, memory + 0.05, unimodal) < s < 1
    assert s > unimodal / (1 + unimodal)
    assert shrinkage(last, memory, unimodal + 0.5) > s
    assert shrinkage(last, 0.0, unimodal) == 1
    assert closed_form(Setting(first=memory, last=last, unimodal=unimodal)).utilisation == pytest.approx(
        (1, s * (2 - s))
    )


@given(reliability, reliability)
def test_order_moves_who_learns_and_not_the_fused_prediction(one, other):
    there, back = closed_form(Setting(first=one, last=other)), closed_form(Setting(first=other, last=one))
    assert there.fused == pytest.approx(back.fused, abs=1e-12)
    assert there.fused == pytest.approx(1 - 1 / (1 + one / (1 - one) + other / (1 - other)), abs=1e-12)
    if one > other + 1e-6:  # the weak loses the larger share of what it can when it is last
        assert there.utilisation[1] < back.utilisation[1]


def test_not_reading_removes_it():
    assert closed_form(Setting(first=0.9, last=0.2, reads=False)).utilisation == pytest.approx((1, 1))


def test_parts_of_their_own_shrink_each_by_its_own_memory():
    """The docs' remark on vectors: independent parts z_k of y, one feature and one memory for each."""
    rng = np.random.default_rng(1)
    last, memory = np.array([0.6, 0.6, 0.3]), np.array([0.9, 0.2, 0.5])
    z = rng.normal(size=(400_000, 3))
    x, h = (z + rng.normal(size=z.shape) * np.sqrt(1 / R - 1) for R in (last, memory))
    weights, *_ = np.linalg.lstsq(np.hstack([x, h]), z.sum(1), rcond=None)
    assert weights[:3] / last == pytest.approx(shrinkage(last, memory), abs=0.02)


def test_mistakes_are_reported_together():
    with pytest.raises(ConfigError) as caught:
        Setting(first=0.0, last=1.0, unimodal=-1)
    assert len(caught.value.problems) == 3
