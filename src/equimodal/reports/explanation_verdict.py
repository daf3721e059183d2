"""The verdict of an explanation, in a few plain sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from equimodal.contribution.knowledge import WITHIN_NOISE, pairs_in_words
from equimodal.contribution.result import Contribution
from equimodal.display.html import count
from equimodal.inference.explanation.explain import Explanation
from equimodal.reports.verdict import Verdict
from equimodal.tables.words import interval, number


def explanation_verdict(found: Explanation) -> Verdict:
    """Return what matters most: the weakest class, what misleads, which pair interacts, and calibration."""
    accuracy = found.overall.accuracy
    known = [(part.accuracy.value, part) for part in found.classes if part.accuracy is not None and not part.few]
    headline = f"On {found.split} the accuracy is {number(accuracy.value if accuracy else None)}"
    if len({value for value, _ in known}) > 1:
        (low, worst), (high, best) = min(known, key=lambda one: one[0]), max(known, key=lambda one: one[0])
        headline += f": from {number(low)} on '{worst.name}' to {number(high)} on '{best.name}'"
    return Verdict(f"{headline}.", tuple(_details(found)))


def _details(found: Explanation) -> Iterator[str]:
    yield _misleading(found)
    yield from _interaction(found.measured.contribution)
    trust = found.reliability
    if trust.after is not None and trust.temperature is not None:
        sure = "about as sure as it should be"
        if abs(math.log(trust.temperature)) > 0.05:
            sure = "too sure" if trust.temperature > 1 else "not sure enough"
            if trust.after.loss > trust.before.loss:
                sure += f", which {found.split} does not confirm (the loss rises)"
        yield (
            f"ECE {number(trust.before.ece)}; with the temperature {number(trust.temperature, 2)}, fitted on "
            f"validation, {number(trust.after.ece)}: judged by validation, the model is {sure}."
        )
    else:
        yield f"ECE {number(trust.before.ece)}. {trust.note}".rstrip()
    yield from found.notes


def _interaction(measured: Contribution) -> Iterator[str]:
    """Yield which pair interacts most of those whose interaction is not within noise."""
    words, pairs = pairs_in_words(measured), measured.interactions or {}
    beyond = [pair for pair in pairs if words[pair] != WITHIN_NOISE]
    if beyond:
        pair = max(beyond, key=lambda pair: abs(pairs[pair]))
        ends = measured.intervals.interactions.get(pair) if measured.intervals else None
        sure = "" if ends is None else f" {interval(ends.low, ends.high, sign=True)}"
        index = number(pairs[pair], sign=True)
        yield f"The strongest interaction is that of {pair.replace('+', ' and ')}, {index}{sure}: they {words[pair]}."
    elif words:
        yield "No two modalities interact beyond noise."


def _misleading(found: Explanation) -> str:
    """Return which modality misleads most beside what it helps, and whether it misleads more than it helps."""
    counts = {name: one for name, one in found.misleading.counts.items() if one.misled}
    if not counts:
        return "No modality misleads: no row is wrong with all modalities and right without one of them."
    name, most = max(counts.items(), key=lambda one: (one[1].misled - one[1].helped, one[1].misled))
    text = (
        f"{count(most.misled, 'row is', 'rows are')} wrong with all modalities and right without '{name}', of "
        f"{most.rows}; {count(most.helped, 'row', 'rows')} that {'is' if most.helped == 1 else 'are'} right would be "
        "wrong without it."
    )
    if most.misled > most.helped:
        return f"'{name}' misleads more than it helps: {text}"
    return f"No modality misleads more than it helps: {text}"
