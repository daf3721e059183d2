from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LogisticRegression

from equimodal.errors import ConfigError
from research.theory import TRAININGS, Bits, Trained, at_rest, exact_pool, gradients, learn, pull
from research.theory.residual import CROSSING, EXCLUSIVE_OR, SINGLE

some_bits = st.builds(
    Bits,
    strong=st.floats(0.55, 0.95),
    weak=st.floats(0.55, 0.95),
    redundancy=st.floats(0, 0.9),
    interaction=st.floats(0, 0.95),
)
BITS = Bits(strong=0.9, weak=0.7, redundancy=0.5, interaction=0.6)


def log_odds(bits, rows):
    """Log-odds of y given what `rows` (a key for each of the 32 cases) tells, by Bayes' rule on the table."""
    _, y, p = bits.cells
    return {key: np.log(p[(rows == key) & (y > 0)].sum() / p[(rows == key) & (y < 0)].sum()) for key in np.unique(rows)}


@settings(max_examples=40, deadline=None)
@given(some_bits)
def test_the_table_has_the_log_odds_that_are_said(bits):
    x, y, p = bits.cells
    assert (p > 0).all() and p.sum() == pytest.approx(1) and p @ y == pytest.approx(0)
    everything = x @ [1, 2, 4, 8]
    for key, found in log_odds(bits, everything).items():
        s1, s2, r1, r2 = x[everything == key][0]
        assert found == pytest.approx(bits.posterior @ [s1, s2] + bits.exclusive_or * r1 * r2, abs=1e-9)
    for m in (0, 1):
        assert p[x[:, m] == y].sum() == pytest.approx(bits.reliabilities[m])
        modality = x[:, m] + 4 * x[:, 2 + m]  # both of its bits
        for key, found in log_odds(bits, modality).items():
            assert found == pytest.approx(bits.experts[m] * x[modality == key][0, m], abs=1e-9)
        joint = np.array([[p[(modality == key) & (y == label)].sum() for label in (-1, 1)] for key in set(modality)])
        mutual = stats.entropy(joint.ravel(), np.outer(joint.sum(1), joint.sum(0)).ravel(), base=2)
        assert bits.information[m] == pytest.approx(mutual, abs=1e-9)
    assert p[x[:, 2] * x[:, 3] == y].sum() == pytest.approx((1 + bits.interaction) / 2)


@pytest.mark.parametrize("training", TRAININGS)
def test_gradients_are_those_of_autograd(training):
    x, y, p = (torch.tensor(part, dtype=torch.float64) for part in BITS.cells)
    random = np.random.default_rng(0)
    reads_all = training in ("residual memory", "joint, memory reads all")
    memory = random.normal(size=16) * (1 if reads_all else CROSSING)
    state = Trained(BITS, random.normal(size=2), memory, np.array([0.7, 1.4]))
    w, V = (torch.tensor(part, requires_grad=True) for part in (state.heads, state.memory))
    each = w * x[:, :2]
    pooled = (each * torch.tensor(state.pool)).sum(1)
    h = torch.tensor(BITS.products, dtype=torch.float64)
    own = sum((p * torch.nn.functional.softplus(-y * each[:, m])).sum() for m in (0, 1))
    fused = (
        p * torch.nn.functional.softplus(-y * ((pooled.detach() if training[:3] == "res" else pooled) + h @ V))
    ).sum()
    (fused if training.startswith("joint") else fused + own).backward()
    by_heads, by_memory = gradients(BITS, training, state)
    assert np.allclose(w.grad, by_heads, atol=1e-12)
    assert np.allclose(V.grad.numpy() * (1 if reads_all else CROSSING), by_memory, atol=1e-12)  # pyright: ignore


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("bits", [BITS, Bits(strong=0.8, weak=0.75, redundancy=0.2, interaction=0.3)])
def test_training_step_by_step_ends_where_it_is_said(training, bits):
    found, rest = learn(bits, training, 3000), at_rest(bits, training)
    assert found.heads == pytest.approx(rest.heads, abs=1e-6)
    assert found.memory == pytest.approx(rest.memory, abs=1e-6)
    assert found.fused == pytest.approx(rest.fused, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(some_bits)
def test_the_memory_has_nothing_to_learn_where_nothing_interacts(bits):
    alone = replace(bits, interaction=0.0)
    assert np.abs(pull(alone, exact_pool(alone))).max() < 1e-12
    found = pull(bits, exact_pool(bits))
    p = 1 / (1 + np.exp(-bits.cells[0][:, :2] @ bits.posterior))  # of y = 1, by s1 and s2
    assert found[EXCLUSIVE_OR] == pytest.approx(-2 * bits.interaction * (bits.cells[2] @ (p * (1 - p))), abs=1e-12)
    assert np.abs(found[list(SINGLE)]).max() < 1e-12


@settings(max_examples=10, deadline=None)
@given(some_bits, st.floats(0, 0.95), st.floats(0.2, 2))
def test_heads_learn_the_same_whatever_the_memory_has_to_learn(bits, interaction, weight):
    other = replace(bits, interaction=interaction)
    found = learn(bits, "residual memory", 30)
    same = learn(other, "residual memory", 30, pool=np.array([weight, 1.0]))
    assert found.heads == pytest.approx(same.heads, rel=1e-12)
    disturbed = replace(found, memory=found.memory + 5.0)
    by_heads = (gradients(bits, "residual memory", state)[0] for state in (found, disturbed))
    assert np.array_equal(*by_heads)


@settings(max_examples=40, deadline=None)
@given(some_bits, st.floats(0.2, 2))
def test_residual_training_ends_at_experts_and_at_the_posterior_whatever_the_pool(bits, weight):
    found = at_rest(bits, "residual memory", np.array([weight, 1.0]))
    assert found.utilisation == pytest.approx(1)
    assert found.fused == pytest.approx(at_rest(bits, "joint").fused)
    assert all(np.abs(part).max() < 1e-12 for part in gradients(bits, "residual memory", found))


@settings(max_examples=40, deadline=None)
@given(some_bits)
def test_joint_training_never_leaves_a_head_better_alone(bits):
    for training in TRAININGS[:2]:
        assert (at_rest(bits, training).alone <= bits.information + 1e-12).all()
    half, whole = at_rest(bits, "joint, memory reads all"), at_rest(bits, "joint")
    assert half.fused == pytest.approx(whole.fused)  # nobody notices while both are there
    assert half.heads == pytest.approx(bits.posterior / 2)


def test_an_interaction_that_explains_the_label_starves_the_heads_of_joint_training():
    weak = [
        learn(Bits(strong=0.9, weak=0.7, interaction=strength), "joint", 20).alone[1]
        for strength in (0.0, 0.3, 0.6, 0.9, 0.99)
    ]
    assert weak == sorted(weak, reverse=True) and weak[0] - weak[-1] > 0.01


def test_uniform_losses_end_at_the_experts_where_the_memory_can_take_the_difference():
    heads, memory = BITS.experts, np.zeros(16)
    memory[list(SINGLE)], memory[EXCLUSIVE_OR] = BITS.posterior - heads, BITS.exclusive_or
    state = Trained(BITS, heads, memory, np.ones(2))
    assert np.abs(gradients(BITS, "uniform losses", state)[0]).max() < 1e-12
    assert state.fused == pytest.approx(at_rest(BITS, "joint").fused)
    between = at_rest(BITS, "uniform losses")  # where it cannot
    assert BITS.posterior[1] < between.heads[1] < BITS.experts[1]


def test_samples_say_the_same():
    x, y, p = BITS.cells
    rows = np.random.default_rng(0).choice(32, 400_000, p=p)
    s, xor, labels = x[rows, :2], x[rows, 2] * x[rows, 3], y[rows]
    plain = LogisticRegression(C=np.inf, fit_intercept=False)
    alone = [plain.fit(s[:, [m]], labels).coef_[0, 0] for m in (0, 1)]
    assert alone == pytest.approx(BITS.experts, abs=0.03)
    joint = plain.fit(np.column_stack([s, xor]), labels).coef_[0]
    assert joint == pytest.approx([*BITS.posterior, BITS.exclusive_or], abs=0.04)
    pooled = 1 / (1 + np.exp(-s @ BITS.posterior))
    each = (pooled - (labels > 0))[:, None] * BITS.products[rows]
    error = each.std(0) / np.sqrt(len(rows))
    assert (np.abs(each.mean(0) - pull(BITS, exact_pool(BITS))) < 4.5 * error).all()


def test_mistakes_are_reported_together():
    with pytest.raises(ConfigError) as caught:
        Bits(strong=1.0, weak=0.5, redundancy=-1, interaction=1)
    assert len(caught.value.problems) == 4
