"""The same cycle a second time, for one problem: every gradient by torch's autograd, no formula of ours."""

from __future__ import annotations

import numpy as np
import torch

from research.theory import Cycle, Problems


def _losses(problems: Problems, cycle: Cycle, row: int):
    flat = cycle.ratio if cycle.weak == "flat" else 1.0
    Q = [torch.tensor(problems.curvatures[row, 0]) * flat, torch.tensor(problems.curvatures[row, 1])]
    t = torch.tensor(problems.optima[row])
    return [lambda point, m=m: 0.5 * (point - t[m]) @ Q[m] @ (point - t[m]) for m in (0, 1)]


def one_cycle(problems: Problems, cycle: Cycle, order: str, row: int, start: np.ndarray):
    """Return where the cycle ends and both unweighted losses there."""
    loss = _losses(problems, cycle, row)
    first, last = (0, 1) if order == "weak_to_strong" else (1, 0)
    scale = [cycle.ratio if cycle.weak == "slow" else 1.0, 1.0]

    point = torch.tensor(start, requires_grad=True)
    (scale[first] * loss[first](point)).backward()  # "slow": on the weighted loss
    learnt = -cycle.step * point.grad  # pyright: ignore[reportOptionalOperand]
    memory = cycle.transfer * learnt

    point = (torch.tensor(start) + learnt).requires_grad_()
    met = memory if cycle.in_step else torch.zeros_like(memory)
    (scale[last] * loss[last](point + met)).backward()
    end = (point - cycle.step * point.grad).detach()  # pyright: ignore[reportOptionalOperand]
    read = memory if cycle.in_loss else torch.zeros_like(memory)
    found = np.empty(2)
    found[first], found[last] = float(loss[first](end)), float(loss[last](end + read))
    return end.numpy(), found
