"""A second way to the same numbers: the posterior by the sum over all hidden bits, from simulated features."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

import numpy as np
from scipy.special import logsumexp

from research.family import Design
from research.family.sample import mixing


def latent(design: Design, features: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Undo the compression and the rotation."""
    return np.sinh(features[name].astype(np.float64)) @ mixing(design, name)


def log_posterior(design: Design, features: dict[str, np.ndarray], coalition: Collection[str]) -> np.ndarray:
    """Return log p(class | the coalition's features), (N, classes): Bayes' rule over every state of what is hidden."""
    means = {name: latent(design, features, name) for name in coalition}
    rows = len(next(iter(features.values())))
    terms: dict[int, list[np.ndarray]] = {label: [] for label in range(design.classes)}
    # What each modality sees of each bit is one of the states below; states of one class are equally likely.
    states = [_states(bit.kind, bit.by) for bit in design.bits]
    for state in product(*states):
        label = sum(value << number for number, (value, _) in enumerate(state))
        log = np.zeros(rows)
        for number, (_, parts) in enumerate(state):
            for name, part in parts.items():
                if name in coalition:
                    seen = means[name][:, design.seen(name).index(number)]
                    log -= (seen - design.strengths[name] * (2 * part - 1)) ** 2 / 2
        terms[label].append(log)
    joint = np.stack([logsumexp(terms[label], axis=0) - np.log(len(terms[label])) for label in terms], axis=1)
    return joint - logsumexp(joint, axis=1, keepdims=True)


def _states(kind: str, by: tuple[str, ...]) -> list[tuple[int, dict[str, int]]]:
    if kind != "interaction":
        return [(value, dict.fromkeys(by, value)) for value in (0, 1)]
    return [(sum(parts) % 2, dict(zip(by, parts, strict=True))) for parts in product((0, 1), repeat=len(by))]
