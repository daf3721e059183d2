"""The verdict of an explanation, in a few plain sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from equimodal.display.html import count
from equimodal.inference.explanation.explain import Explanation
from equimodal.reports.verdict import Verdict
from equimodal.tables.words import number


def explanation_verdict(found: Explanation) -> Verdict:
    """Return what matters most: the weakest class, what misleads, which pair interacts, and calibration."""
    accuracy = found.overall.accuracy
    known = [(part.accuracy.value, part) for part in found.classes if part.accuracy is not None and not part.few]
    headline = f"On {found.split} the accuracy is {number(accuracy.value if accuracy else None)}"
    if len(known) > 1:
        (low, worst), (high, best) = min(known, key=lambda one: one[0]), max(known, key=lambda one: one[0])
        headline += f": from {number(low)} on '{worst.name}' to {number(high)} on '{best.name}'"
    return Verdict(f"{headline}.", tuple(_details(found)))


def _details(found: Explanation) -> Iterator[str]:
    counts = found.misleading.counts
    name, most = max(counts.items(), key=lambda one: one[1].misled)
    if most.misled:
        yield (
            f"'{name}' misleads most: {count(most.misled, 'row is', 'rows are')} wrong with all modalities and right "
            f"without it, of {most.rows}. Without it, {count(most.helped, 'row', 'rows')} that "
            f"{'is' if most.helped == 1 else 'are'} right would be wrong."
        )
    else:
        yield "No modality misleads: no row is wrong with all modalities and right without one of them."
    pairs = found.measured.contribution.interactions or {}
    if pairs:
        pair, index = max(pairs.items(), key=lambda one: abs(one[1]))
        what = "know more together" if index > 0 else "repeat each other"
        if abs(index) > 0.0005:
            names = pair.replace("+", " and ")
            yield f"The strongest interaction is that of {names}, {number(index, sign=True)}: they {what}."
    trust = found.reliability
    if trust.after is not None and trust.temperature is not None:
        sure = "about as sure as it should be"
        if abs(math.log(trust.temperature)) > 0.05:
            sure = "too sure" if trust.temperature > 1 else "not sure enough"
        yield (
            f"ECE {number(trust.before.ece)}; with the temperature {number(trust.temperature, 2)}, fitted on "
            f"validation, {number(trust.after.ece)}: judged by validation, the model is {sure}."
        )
    else:
        yield f"ECE {number(trust.before.ece)}. {trust.note}".rstrip()
    yield from found.notes
