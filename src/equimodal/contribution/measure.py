"""From the outputs of coalitions to a Contribution with intervals, without another forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from equimodal.contribution.answers import are_probabilities
from equimodal.contribution.bootstrap import (
    Groups,
    Interval,
    bootstrap_weights,
    multinomial_counts,
    percentile_intervals,
)
from equimodal.contribution.coalitions import MAX_EXACT, bit_masks, coalition_name
from equimodal.contribution.equilibrium import (
    Target,
    deviation,
    equilibrium_deviation,
    noise_floor,
    shares,
    target_vector,
)
from equimodal.contribution.interactions import interaction_index
from equimodal.contribution.result import Contribution, Intervals
from equimodal.contribution.shapley import Plan, plan
from equimodal.contribution.units import FEWEST_UNITS, Units, units_of
from equimodal.contribution.values import OF_LOGITS, ValueFunction, value_function
from equimodal.errors import ConfigError, DataError


def contribution(
    outputs: Tensor | np.ndarray,
    coalitions: Plan | Tensor,
    targets: Tensor | np.ndarray | None,
    modalities: Sequence[str],
    *,
    value: str | ValueFunction = "accuracy",
    target: Target = None,
    bootstrap: int = 200,
    seed: int = 0,
    split: str | None = None,
    groups: Groups | None = None,
    confidence: float = 0.95,
) -> Contribution:
    """Measure how much each modality contributes to `value`.

    The bootstrap resamples rows, or whole groups if given, by weighting the stored outputs. Where coalitions were
    sampled it resamples the antithetic pairs too, so that intervals and standard errors cover both sources of
    chance. A game that can only return values (K,) gets no intervals.

    Fewer than three groups (or rows) give no interval and no noise floor, and a note says why. The standard errors
    of the shares, which a schedule needs, then resample rows: they are a lower bound.

    Args:
        outputs: logits or predictions (K, N, C), one table per coalition; or values (K,), which `value` only
            names.
        coalitions: the plan that the outputs follow, or the table of all coalitions, bool (2**n, n), in any
            order.
        targets: what `value` compares with, (N,) or (N, C); None for values (K,).
        modalities: n names, in the order of the coalitions' columns.
        value: a name in `equimodal.contribution.VALUES`, or a value function.
        target: the shares that count as equilibrium, positive, of sum 1: None for 1/n each, by name, or in
            order.
        bootstrap: replicates; 0 for no intervals.
        seed: of the bootstrap.
        split: name of the data, for provenance.
        groups: one label per row (a subject, a recording): the bootstrap then draws whole groups, because rows
            of one group resemble each other.
        confidence: of the percentile intervals.

    Raises:
        ConfigError: unknown value function, impossible target, bootstrap or confidence.
        DataError: outputs, coalitions, targets, names or groups that do not fit together, or are not finite.

    Example:
        >>> from equimodal.contribution import all_coalitions
        >>> targets = torch.tensor([0, 1, 1])
        >>> nothing, a = torch.zeros(3, 2), torch.eye(2)[targets]
        >>> c = contribution(torch.stack([nothing, a, nothing, a]), all_coalitions(2), targets, ["a", "b"])
        >>> c.shares, c.edm, c.minor
        ({'a': 1.0, 'b': 0.0}, 1.0, ('b',))

    Source: shares, deviation and EDM from the paper; intervals, noise floor and interactions are ours.
    """
    names = _checked_names(modalities)
    eta = target_vector(target, names)
    if not isinstance(bootstrap, Integral) or bootstrap < 0 or not 0 < confidence < 1:
        raise ConfigError(
            "Expected bootstrap >= 0, a whole number, and confidence between 0 and 1, "
            f"got {bootstrap} and {confidence}."
        )
    bootstrap, outputs = int(bootstrap), _tensor("outputs", outputs)
    scheme, outputs = _follow(coalitions, outputs, names)
    generator = torch.Generator().manual_seed(seed)
    notes: list[str] = []
    units: Units | None = None
    if outputs.ndim == 1:
        value_name = value if isinstance(value, str) else value_function(value)[0]
        values, bootstrap = outputs.double().unsqueeze(0), 0
        notes.append("the game returns values only: there is no interval")
    else:
        value_name, function = value_function(value)
        targets = _checked_samples(outputs, targets, scheme, names)
        if value_name in OF_LOGITS and are_probabilities(outputs):
            raise DataError(
                f"outputs: every row holds probabilities, but '{value_name}' is computed from logits. Pass the "
                "logits, or the logarithms of the probabilities."
            )
        units = units_of(groups, len(targets))
        if len(targets) < FEWEST_UNITS:
            bootstrap = 0
        if bootstrap or not units.enough:
            notes += units.notes()
        parts = bootstrap_weights(len(targets), bootstrap, generator, units.drawn)
        values = torch.cat([function(outputs, targets, part).double() for part in parts])
    _check_values(values, scheme, names, value_name, bootstrap)

    phi = scheme.shapley(values)
    if not scheme.exact and bootstrap:
        pairs = scheme.pair_contributions(values[1:])
        drawn = multinomial_counts(bootstrap, pairs.shape[-2], generator)
        phi[1:] = torch.einsum("rp,rpn->rn", drawn, pairs) / pairs.shape[-2]
    psi = shares(phi)
    whole = values[0]
    defined = not bool(psi[0].isnan().any())
    drift = deviation(psi[0], eta)
    replicates = psi[1:][~psi[1:].isnan().any(-1)]
    undefined = bootstrap - len(replicates)

    negative = [name for name, amount in zip(names, phi[0].tolist(), strict=True) if amount < 0]
    if negative and defined:
        notes.append(f"negative contribution of {', '.join(negative)}: EDM is unbounded")
    if undefined and defined:
        notes.append(
            f"{undefined} of {bootstrap} bootstrap replicates are no better than the prior and have no "
            "shares: sum phi is near 0, shares have heavy tails, read medians"
        )
    reason = None
    if not defined:
        reason = (
            f"all modalities together score {whole[-1]:.4g}, no better than the prior's {whole[0]:.4g} "
            "(sum phi <= 0): there is nothing to share"
        )

    def named(numbers: Tensor) -> dict[str, float]:
        return dict(zip(names, numbers.tolist(), strict=True))

    pairs = _by_pair(values, names) if scheme.exact else {}
    spread = defined and len(replicates) >= 2
    intervals = noise = errors = None
    if bootstrap and units is not None and units.enough:
        errors = _by_coalition(values[1:].std(0), scheme, names) if scheme.exact else None
        intervals = _intervals(phi[1:], replicates if spread else None, eta, names, confidence)
        intervals = replace(intervals, **_gain_intervals(values[1:], scheme, names, confidence))
        of_pairs = {pair: percentile_intervals(index[1:].unsqueeze(-1), confidence)[0] for pair, index in pairs.items()}
        intervals = replace(intervals, interactions=of_pairs)
        noise = float(noise_floor(replicates, psi[0])) if spread else None
    return Contribution(
        modalities=names,
        value=value_name,
        phi=named(phi[0]),
        shares=named(psi[0]) if defined else None,
        target=named(eta),
        deviation=named(drift) if defined else None,
        edm=float(equilibrium_deviation(psi[0], eta)) if defined else None,
        minor=_beyond(names, -drift),
        dominant=_beyond(names, drift),
        value_empty=float(whole[0]),
        value_all=float(whole[-1]),
        coalition_values=_by_coalition(whole, scheme, names) if scheme.exact else None,
        interactions={pair: float(index[0]) for pair, index in pairs.items()} if scheme.exact else None,
        intervals=intervals,
        share_covariance=tuple(map(tuple, torch.cov(replicates.T).tolist())) if spread else None,
        noise_floor=noise,
        undefined_replicates=undefined,
        reason=reason,
        notes=tuple(notes),
        exact=scheme.exact,
        coalitions=len(scheme.coalitions),
        budget=scheme.budget,
        sampling_seed=scheme.seed,
        sampling_errors=None if scheme.exact else named(scheme.sampling_errors(whole)),
        seed=seed,
        bootstrap=bootstrap,
        confidence=confidence,
        samples=None if units is None else units.samples,
        groups=None if units is None else units.groups,
        coalition_errors=errors,
        resampled=None if units is None or not bootstrap else units.resampled,
        split=split,
    )


def _tensor(name: str, values: object) -> Tensor:
    """Return a tensor on the CPU, without gradient, of what is a tensor or becomes one."""
    try:
        return (values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))).detach().cpu()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: expected a tensor or an array of numbers, got {type(values).__name__}.") from error


def _checked_names(modalities: Sequence[str]) -> tuple[str, ...]:
    names = tuple(modalities)
    if len(names) < 2:
        raise DataError(f"Contributions compare modalities: expected at least 2 names, got {list(names)}.")
    if len(set(names)) < len(names) or any(not name or "+" in name for name in names):
        raise DataError(
            f"Expected distinct modality names, not empty and without '+' (it joins names), got {list(names)}."
        )
    return names


def _follow(coalitions: Plan | Tensor, outputs: Tensor, names: tuple[str, ...]) -> tuple[Plan, Tensor]:
    """Return the plan of the coalitions, and the outputs in the plan's order."""
    table = coalitions.coalitions if isinstance(coalitions, Plan) else coalitions.bool().cpu()
    if table.ndim != 2 or table.shape[1] != len(names):
        raise DataError(f"coalitions: expected a column for each of {', '.join(names)}, got {tuple(table.shape)}.")
    if outputs.ndim not in (1, 3) or len(outputs) != len(table):
        raise DataError(
            f"outputs: expected ({len(table)}, samples, classes) or values ({len(table)},) for {len(table)} "
            f"coalitions, got {tuple(outputs.shape)}."
        )
    if isinstance(coalitions, Plan):
        return coalitions, outputs
    n = len(names)
    order = bit_masks(table).argsort() if n <= MAX_EXACT else table.new_empty(0).long()
    if n > MAX_EXACT or not torch.equal(bit_masks(table)[order], torch.arange(2**n)):
        raise DataError(
            f"coalitions: a table must hold each of the 2**{n} coalitions once (n <= {MAX_EXACT}), got "
            f"{len(table)} rows. To measure with fewer, evaluate and pass plan(n, budget=...)."
        )
    in_order = torch.equal(order, torch.arange(2**n))
    return plan(n), outputs if in_order else outputs[order]


def _checked_samples(outputs: Tensor, targets: object, scheme: Plan, names: tuple[str, ...]) -> Tensor:
    if targets is None:
        raise DataError("targets: outputs (coalitions, samples, classes) need targets, got None.")
    targets = _tensor("targets", targets)
    if targets.ndim == 0 or len(targets) != outputs.shape[1] or len(targets) == 0:
        raise DataError(
            f"targets: expected one for each of the {outputs.shape[1]} samples (at least 1), got "
            f"{tuple(targets.shape)}."
        )
    if outputs.isnan().any():
        row, sample, column = outputs.isnan().nonzero()[0].tolist()
        who = coalition_name(scheme.coalitions[row], names) or "nothing"
        raise DataError(f"outputs: NaN with {who} present, sample {sample}, column {column}.")
    return targets


def _check_values(values: Tensor, scheme: Plan, names: tuple[str, ...], value: str, bootstrap: int) -> None:
    expected = (bootstrap + 1, len(scheme.coalitions))
    if values.shape != expected:
        raise DataError(
            f"value '{value}': expected values (R, K) = {expected} for weights (R, N), got {tuple(values.shape)}."
        )
    if not values.isfinite().all():
        column = int((~values.isfinite()).nonzero()[0, 1])
        who = coalition_name(scheme.coalitions[column], names) or "nothing"
        raise DataError(
            f"value '{value}': {values[:, column][~values[:, column].isfinite()][0]:g} with {who} present. "
            "Look for infinite outputs, or probabilities of 0 where logits are expected."
        )


def _beyond(names: tuple[str, ...], drift: Tensor) -> tuple[str, ...]:
    """Names whose deviation is above 0 by more than rounding, the largest first; ties by name."""
    beyond = [(-amount, name) for name, amount in zip(names, drift.tolist(), strict=True) if amount > 1e-9]
    return tuple(name for _, name in sorted(beyond))


def _by_coalition(values: Tensor, scheme: Plan, names: tuple[str, ...]) -> dict[str, float]:
    return {coalition_name(row, names): value for row, value in zip(scheme.coalitions, values.tolist(), strict=True)}


def _by_pair(values: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the interaction of each pair in each row of coalition values, (R,)."""
    index = interaction_index(values)
    return {f"{names[i]}+{names[j]}": index[:, i, j] for i, j in combinations(range(len(names)), 2)}


def _intervals(phi: Tensor, psi: Tensor | None, eta: Tensor, names: tuple[str, ...], confidence: float) -> Intervals:
    of_phi = dict(zip(names, percentile_intervals(phi, confidence), strict=True))
    if psi is None:
        return Intervals(of_phi, None, None)
    of_shares = dict(zip(names, percentile_intervals(psi, confidence), strict=True))
    edm = equilibrium_deviation(psi, eta).unsqueeze(-1)
    return Intervals(of_phi, of_shares, percentile_intervals(edm, confidence)[0])


def _gain_intervals(
    values: Tensor, scheme: Plan, names: tuple[str, ...], confidence: float
) -> dict[str, dict[str, Interval]]:
    """Return the intervals of what each modality adds to nothing and to all others, as far as they were evaluated.

    Both values of a difference come from the same replicates: the differences are paired.
    """
    found: dict[str, dict[str, Interval]] = {"alone": {}, "last": {}}
    for i, name in enumerate(names):
        member = torch.arange(len(names)) == i
        for what, coalition in (("alone", member), ("last", ~member)):
            rows = (scheme.coalitions == coalition).all(-1).nonzero().flatten()
            if len(rows):
                column = values[:, rows[0]]
                gain = column - values[:, 0] if what == "alone" else values[:, -1] - column
                found[what][name] = percentile_intervals(gain.unsqueeze(-1), confidence)[0]
    return found
