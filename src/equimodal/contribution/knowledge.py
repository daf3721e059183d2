"""What a modality knows alone, and what it adds to the others: what a measurement can and cannot say about it."""

from __future__ import annotations

from dataclasses import dataclass

from equimodal.contribution.result import Contribution, ends_in_words, shown

WITHIN_NOISE = "within noise"
_LEAST = 0.0005
"""What is shown as 0 is no interaction."""


@dataclass(frozen=True)
class Knowledge:
    """What one modality knows alone, and what it adds to the others.

    Args:
        name: of the modality.
        alone: whether it is better than the prior alone, by more than noise; None: not known.
        last: whether it adds something to all others together, by more than noise; None: not known.
        partner: the modality with which it knows most together beyond what each knows apart (the largest interaction,
            above 0 by more than noise); None: there is none, or interactions are not known.
        twin: the modality that it repeats most (the lowest interaction, below 0); None as above.
    """

    name: str
    alone: bool | None
    last: bool | None
    partner: str | None
    twin: str | None


def knowledge(measured: Contribution, name: str, knows: bool | None = None) -> Knowledge:
    """Return what one modality knows alone in the model measured, and what it adds to the others.

    Both are judged by the bootstrap interval of a paired difference, over rows or whole groups:
    v({m}) - v(empty) and v(all) - v(all without m). Something is known, or added, if the interval lies above 0.

    Args:
        measured: the contributions of a model.
        name: of the modality.
        knows: whether a model trained on this modality alone is better than the prior, where that is known. It decides
            instead of the modality alone in the model measured, which may have left it behind.

    Example:
        >>> import torch
        >>> from equimodal.contribution import contribution, plan
        >>> a, b = torch.randint(2, (2, 400), generator=torch.Generator().manual_seed(0))
        >>> truth = torch.nn.functional.one_hot(a ^ b, 2).float()  # neither tells anything alone
        >>> guess = torch.tensor([0.1, 0.0]).expand(400, 2)
        >>> c = contribution(torch.stack([guess, guess, guess, truth]), plan(2), a ^ b, ["a", "b"])
        >>> found = knowledge(c, "a")
        >>> found.alone, found.last, found.partner, found.twin
        (False, True, 'b', None)

    Source: ours.
    """
    intervals = measured.intervals
    last = shown(intervals and intervals.last, name)
    alone = shown(intervals and intervals.alone, name) if knows is None else knows
    pairs = interactions(measured, name)
    clear = {other: index for other, index in pairs.items() if index > 0 and not _within_noise(measured, name, other)}
    twin = min(pairs, key=lambda other: pairs[other], default=None)
    return Knowledge(
        name,
        alone,
        last,
        max(clear, key=lambda other: clear[other], default=None),
        twin if twin is not None and pairs[twin] < 0 else None,
    )


def interactions(measured: Contribution, name: str) -> dict[str, float]:
    """Return the interaction of a modality with each other one, by the other's name; empty if they are not known."""
    found = {}
    for pair, index in (measured.interactions or {}).items():
        members = pair.split("+")
        if name in members:
            found[members[1 - members.index(name)]] = index
    return found


def pairs_in_words(measured: Contribution) -> dict[str, str]:
    """Return what the interaction of each pair says, by pair; empty if interactions are not known.

    An interaction is "within noise" if its bootstrap interval includes 0. Without intervals any number but 0 is taken
    as it is.

    Example:
        >>> import torch
        >>> from equimodal.contribution import contribution, plan
        >>> pairs_in_words(contribution(torch.tensor([0.0, 0.5, 0.5, 0.7]), plan(2), None, ["a", "b"]))
        {'a+b': 'repeat each other'}
    """
    ends = measured.intervals.interactions if measured.intervals else {}
    words = {}
    for pair, index in (measured.interactions or {}).items():
        low, high = (ends[pair].low, ends[pair].high) if pair in ends else (index, index)
        within = max(low, -high) < _LEAST
        words[pair] = WITHIN_NOISE if within else "know more together" if index > 0 else "repeat each other"
    return words


def _within_noise(measured: Contribution, name: str, other: str) -> bool:
    words = pairs_in_words(measured)
    return words.get(f"{name}+{other}", words.get(f"{other}+{name}")) == WITHIN_NOISE


def hints(measured: Contribution) -> dict[str, str]:
    """Return a sentence, by name, for each modality that alone is no better than the prior in the model measured.

    It says what this model alone can tell. Whether such a modality knows nothing or was left behind, only a model that
    was trained on it alone can tell.
    """
    found = {}
    for name in measured.modalities:
        one = knowledge(measured, name)
        if one.alone is not False:
            continue
        if one.last:
            found[name] = (
                f"{name} alone is no better than the prior, but adds {added(measured, name)} to the others"
                f"{_together(measured, one)}: it counts together with them"
            )
        else:
            nothing = "" if one.last is None else ", and adds nothing to the others beyond noise"
            found[name] = (
                f"{name} alone is no better than the prior in this model{nothing}. Whether it knows nothing or was not "
                f"learnt from, this model cannot tell: train one on {name} alone"
            )
    return found


def added(measured: Contribution, name: str) -> str:
    """Return what a modality adds to all others, with its interval, in words.

    Where coalitions were sampled, the median of the replicates stands for the value.
    """
    ends = measured.intervals.last.get(name) if measured.intervals else None
    if measured.coalition_values is not None:
        others = "+".join(other for other in measured.modalities if other != name)
        amount = measured.value_all - measured.coalition_values[others]
    elif ends is not None:
        amount = ends.median
    else:
        return "an unknown amount"
    return f"{amount:+.3f}{ends_in_words(ends)}"


def _together(measured: Contribution, one: Knowledge) -> str:
    if one.partner is None:
        return ""
    return f" (interaction with {one.partner} {interactions(measured, one.name)[one.partner]:+.3f})"
