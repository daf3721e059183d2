"""Numerical checks of what the method claims: the order of modalities (Theorem 1), free-riding on the memory, and
the residual loss.

Pure NumPy, from the bottom up: quadratic (the model, run step by step), order (its closed forms), sweeps (random
problems), free_riding and residual (each a model of its own), summary (what `python -m research.theory` prints),
figures. Nothing here trains a network. (residual takes SciPy's minimum for one of its cases.)
"""

from research.theory.free_riding import Learnt, Setting, closed_form, shrinkage, train
from research.theory.order import (
    critical_ratio,
    difference,
    excess_at_rest,
    fixed_points,
    gains,
    gains_at_rest,
    isotropic_gain,
    leading_gains,
    leading_gains_at_rest,
)
from research.theory.quadratic import WEAKNESSES, Cycle, Problems, State, fusion_loss, losses, run_cycle, simulate
from research.theory.residual import TRAININGS, Bits, Trained, at_rest, exact_pool, gradients, learn, pull
from research.theory.sweeps import Outcome, outcome, random_problems, sweep

__all__ = [
    "TRAININGS",
    "WEAKNESSES",
    "Bits",
    "Cycle",
    "Learnt",
    "Outcome",
    "Problems",
    "Setting",
    "State",
    "Trained",
    "at_rest",
    "closed_form",
    "critical_ratio",
    "difference",
    "exact_pool",
    "excess_at_rest",
    "fixed_points",
    "fusion_loss",
    "gains",
    "gains_at_rest",
    "gradients",
    "isotropic_gain",
    "leading_gains",
    "leading_gains_at_rest",
    "learn",
    "losses",
    "outcome",
    "pull",
    "random_problems",
    "run_cycle",
    "shrinkage",
    "simulate",
    "sweep",
    "train",
]
