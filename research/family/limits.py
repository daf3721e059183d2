r"""What can be known and decided at best, in closed form.

Given the features, the bits of the label are independent, so that information adds up over bits and the best decision
decides each bit by itself. A modality of strength r sees a bit with log-odds $2 r x$ and decides it rightly with
probability $\Phi(r)$. Copies add up their log-odds, which is one modality of strength $\sqrt{\sum_m r_m^2}$. A parity
is known with $p = \tfrac12 (1 + \prod_m (2 p_m - 1))$ where every hidden bit is seen, and not at all otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import get_args

import numpy as np
import torch
from scipy.stats import norm

from equimodal.contribution.coalitions import all_coalitions
from equimodal.contribution.interactions import interaction_index
from equimodal.errors import ConfigError
from research.family.design import Bit, Design, Kind

_REACH, _NODES = 8.5, 137
_MOST = 3
"""Hidden bits of a parity whose information is integrated: the grid has `_NODES` to this power."""


def information(strengths: Sequence[float]) -> float:
    r"""Return how much is known of a parity of hidden bits, in bits: with one, of the bit itself.

    $$ I = 1 + E \log_2 p, \qquad 2p - 1 = \prod_m \tanh(r_m x_m), \quad x_m \sim N(r_m, 1), $$

    p the probability of what is true: by symmetry every hidden bit may be taken as +1. With one strength, it is the
    capacity of the Gaussian channel with binary input. The integral is a sum over an even grid; its error is below 1e-6
    up to a strength of 4.

    Args:
        strengths: at which each hidden bit is seen, one to three of them.

    Raises:
        ConfigError: none, or more than three.

    Example:
        >>> round(information([2.0]), 3), round(information([2.0, 2.0]), 3), abs(round(information([2.0, 0.0]), 9))
        (0.913, 0.835, 0.0)
    """
    if not 1 <= len(strengths) <= _MOST:
        raise ConfigError(f"information: expected 1 to {_MOST} strengths, got {len(strengths)}.")
    noise = np.linspace(-_REACH, _REACH, _NODES)
    weight = norm.pdf(noise)
    right, wrong, mass = np.zeros(1), np.full(1, -np.inf), np.ones(1)
    for strength in strengths:
        odds = 2 * strength * (strength + noise)
        yes, no = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)  # log-probabilities of the hidden bit
        right, wrong = (
            np.logaddexp(np.add.outer(right, yes), np.add.outer(wrong, no)).ravel(),
            np.logaddexp(np.add.outer(right, no), np.add.outer(wrong, yes)).ravel(),
        )
        mass = np.multiply.outer(mass, weight / weight.sum()).ravel()
    return float(1 + mass @ right / math.log(2))


def bit_information(design: Design, bit: Bit, coalition: Collection[str]) -> float:
    """Return how much a coalition of modalities knows of a bit, in bits."""
    strengths = [design.strengths[name] for name in bit.by if name in coalition]
    if bit.kind == "interaction":
        return information(strengths) if len(strengths) == len(bit.by) else 0.0
    return information([math.hypot(*strengths)]) if strengths else 0.0


def bit_accuracy(design: Design, bit: Bit, coalition: Collection[str]) -> float:
    """Return how often a coalition of modalities decides a bit rightly at best."""
    strengths = [design.strengths[name] for name in bit.by if name in coalition]
    if bit.kind == "interaction":
        known = len(strengths) == len(bit.by)
        return (1 + math.prod(2 * float(norm.cdf(strength)) - 1 for strength in strengths)) / 2 if known else 0.5
    return float(norm.cdf(math.hypot(*strengths)))


@dataclass(frozen=True)
class Limits:
    """What can be known and decided in a problem, at best.

    Args:
        information: of the label, in bits, by kind of bit: what all modalities together know.
        information_alone: what each modality alone knows of the label, in bits.
        alone: accuracy of each modality alone.
        late: accuracy of the product of unimodal experts. No function of the unimodal posteriors does better: they do
            not depend on what an interaction sees.
        together: accuracy of all modalities together.
        interaction_accuracy: mean over pairs of the Shapley interaction in accuracy, of a perfect model.
        interaction_information: the same in log-likelihood gain, which for a perfect model is what a coalition knows,
            in nats. Above 0 only through interactions, below 0 only through shared bits; a unique bit adds nothing.

    Example:
        >>> from research.family.design import place
        >>> found = limits(place(3, weak=2.0))
        >>> round(found.together, 3), found.late, found.alone
        (0.872, 0.125, {'a': 0.125, 'b': 0.125})
    """

    information: dict[Kind, float]
    information_alone: dict[str, float]
    alone: dict[str, float]
    late: float
    together: float
    interaction_accuracy: float
    interaction_information: float


def limits(design: Design) -> Limits:
    """Return what can be known and decided in a problem, at best."""
    whole = design.modalities
    late = math.prod(0.5 if bit.kind == "interaction" else bit_accuracy(design, bit, whole) for bit in design.bits)
    by_kind: dict[Kind, float] = dict.fromkeys(get_args(Kind), 0.0)
    for bit in design.bits:
        by_kind[bit.kind] += bit_information(design, bit, whole)
    return Limits(
        information=by_kind,
        information_alone={name: known(design, [name]) for name in whole},
        alone={name: accuracy(design, [name]) for name in whole},
        late=late,
        together=accuracy(design, whole),
        interaction_accuracy=_mean_interaction(design, accuracy),
        interaction_information=_mean_interaction(design, known) * math.log(2),
    )


def accuracy(design: Design, coalition: Collection[str]) -> float:
    """Return the accuracy of the best decision by a coalition of modalities."""
    return math.prod(bit_accuracy(design, bit, coalition) for bit in design.bits)


def known(design: Design, coalition: Collection[str]) -> float:
    """Return how much a coalition of modalities knows of the label, in bits."""
    return sum(bit_information(design, bit, coalition) for bit in design.bits)


def _mean_interaction(design: Design, value: Callable[[Design, Collection[str]], float]) -> float:
    names = design.modalities
    coalitions = all_coalitions(len(names)).tolist()
    values = [value(design, [n for n, inside in zip(names, row, strict=True) if inside]) for row in coalitions]
    index = interaction_index(torch.tensor(values, dtype=torch.float64))
    pairs = list(combinations(range(len(names)), 2))
    return float(np.mean([index[i, j] for i, j in pairs]))
