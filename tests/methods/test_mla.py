"""MLA against plain PyTorch, the closed form of its projector, and plain alternating training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import ConfigError, Interrupted
from equimodal.methods.mla import narrow
from synthetic import linear_batch, linear_model
from training.runs import assert_same_run, assert_same_weights, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, assert_same, encode, make_method, make_updater, mean_loss, run_updates, twin

NAMES = ("a", "b", "c")


class PlainMLA(Plain):
    """The same step with the head's gradient projected, by NumPy and the inverse instead of the recursion."""

    def __init__(self, model):
        super().__init__(model)
        self.head, self.P = model.fusion.heads["shared"], np.eye(model.width)

    def step_projected(self, loss, r, a):
        r = r.detach().double().numpy()
        P = np.linalg.inv(np.linalg.inv(self.P) + np.outer(r, r) / a)
        self.P = P / np.sqrt((P**2).sum())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.head.weight.grad = (self.head.weight.grad.double() @ torch.from_numpy(self.P)).float()
        torch.nn.utils.clip_grad_norm_([p for p in self.parameters if p.grad is not None], 0.5)
        self.optimiser.step()


@pytest.mark.parametrize(("epoch", "epochs"), [(0, 1), (3, 4)])
def test_each_modality_takes_a_plain_step_with_the_projected_head(epoch, epochs):
    method = make_method("mla")
    method.epoch, method.epochs = epoch, epochs
    model, _ = twin(method)
    plain = PlainMLA(model)
    data = [linear_batch(NAMES, samples=12) for _ in range(4)]
    data.append(data[-1].restrict(("a", "c")))  # "b" wholly absent: no step, and P has not met it
    done = run_updates(method, data)
    for batch in data:
        for m in NAMES:
            here = batch.present[m]
            if here.any():
                z = encode(model, batch, m)
                loss = mean_loss(model.fusion.heads["shared"](z), batch, here)
                plain.step_projected(loss, z[here].mean(0), 0.1 ** (1 + epoch / epochs))
    assert_same(method.model, model, atol=1e-5)
    assert np.allclose(method.projector.numpy(), plain.P, atol=1e-4)
    assert [update.modalities for update, _ in done] == [(m,) for m in NAMES] * 5
    assert [outcome.stepped for _, outcome in done[-3:]] == [True, False, True]


def test_the_numbers_of_one_direction():
    """P = I, r = (3, 0), a = 1: the first entry becomes 1 - 9/10, the second stays, then the norm is one."""
    expected = np.diag([0.1, 1.0]) / np.sqrt(1.01)
    assert np.allclose(narrow(torch.eye(2), torch.tensor([3.0, 0.0]), 1.0).numpy(), expected, atol=1e-6)


def test_the_denominator_is_a_scalar():
    """Divided entry by entry by a + k r^T, P would keep neither its symmetry nor its other directions."""
    P, r, a = torch.diag(torch.tensor([2.0, 1.0, 0.5])), torch.tensor([1.0, -2.0, 0.5]), 0.1
    k = P @ r
    entrywise = P - torch.outer(k, k) / (a + torch.outer(k, r))
    ours = narrow(P, r, a)
    inverse = torch.linalg.inv(torch.linalg.inv(P) + torch.outer(r, r) / a)
    assert torch.allclose(ours, inverse / inverse.norm(), atol=1e-5)
    assert not torch.allclose(ours, entrywise / entrywise.norm(), atol=0.1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), width=st.integers(2, 8), steps=st.integers(1, 300), a=st.floats(0.01, 1))
def test_the_projector_stays_symmetric_positive_and_of_norm_one(seed, width, steps, a):
    torch.manual_seed(seed)
    P, directions = torch.eye(width), 3 * torch.randn(2, width)
    for step in range(steps):
        P = narrow(P, directions[step % 2] + 0.1 * torch.randn(width), a)
    assert torch.equal(P, P.T)
    assert float(P.norm()) == pytest.approx(1, abs=1e-5)
    assert torch.linalg.eigvalsh(P).min() > -1e-5


def test_a_direction_seen_often_is_left_alone_and_the_others_are_not():
    r, other = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 1.0, 0, 0])
    P = torch.eye(4)
    for _ in range(30):
        P = narrow(P, r, 0.1)
    assert (r @ P).norm() < 0.01 and (other @ P).norm() > 0.5


def test_without_projection_it_is_alternating_to_the_bit():
    data = [linear_batch(NAMES, samples=12) for _ in range(5)]
    torch.manual_seed(3)
    ours = make_method("mla", linear_model(NAMES), projection=False)
    torch.manual_seed(3)
    floor = make_method("alternating", linear_model(NAMES))
    assert_same_weights(ours.model.state_dict(), floor.model.state_dict())
    run_updates(ours, data)
    run_updates(floor, data)
    assert_same_weights(ours.model.state_dict(), floor.model.state_dict())


def test_a_whole_run_without_its_parts_is_alternating_to_the_bit(tiny):
    ours = fit_tiny(tiny, "mla:projection=false,pool=equal")
    floor = fit_tiny(tiny, "alternating")
    assert_same_weights(ours.model.state_dict(), floor.model.state_dict())
    assert ours.test.scores == floor.test.scores


def test_the_projection_touches_the_heads_weight_alone():
    """After one step without clipping or momentum, all but the head's weight is where alternating has it."""
    batch = linear_batch(NAMES, probability=1.1)
    ends = []
    for name in ("mla", "alternating"):
        torch.manual_seed(3)
        method = make_method(name, linear_model(NAMES))
        updates = make_updater(method)
        updates.optimiser = torch.optim.SGD(updates.parameters, lr=0.1)
        updates.clip_norm = None
        update = next(method.updates(batch))
        updates.apply(update)
        ends.append(method.model.state_dict())
    same = {key: torch.equal(ends[0][key], ends[1][key]) for key in ends[0]}
    assert [key for key, equal in same.items() if not equal] == ["_fusion.heads.shared.weight"]


def test_inference_weighs_by_certainty_whatever_else_is_in_the_batch():
    method = make_method("mla")
    with torch.no_grad():
        method.fusion.heads["shared"].weight.mul_(4)
    model = method.model.eval()
    batch = linear_batch(NAMES, samples=12)
    each = torch.stack([model.fusion.heads["shared"](encode(model, batch, m)) for m in NAMES])
    here = torch.stack([batch.present[m] for m in NAMES])
    certainty = torch.exp(-torch.distributions.Categorical(logits=each).entropy()) * here
    expected = (certainty[..., None] * each).sum(0) / certainty.sum(0)[:, None]
    some = here.any(0)
    assert some.any() and torch.allclose(model(batch)[some], expected[some], atol=1e-5)
    assert not torch.allclose(certainty[here].std(), torch.zeros(()), atol=1e-2)  # there was something to weigh


def test_a_head_for_each_modality_cannot_be_projected():
    with pytest.raises(ConfigError, match=r"has heads: own\. Use heads: shared, or method\.projection: false"):
        make_method("mla", linear_model(NAMES, fusion_options={"heads": "own"}))
    make_method("mla", linear_model(NAMES, fusion_options={"heads": "own"}), projection=False)


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_going_on_from_anywhere_gives_the_same_bits(tiny, tmp_path, stop):
    fit_tiny(tiny, "mla", tmp_path / "whole")
    with at_batch(stop, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "mla", tmp_path / "stopped")
    fit_tiny(tiny, "mla", tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
