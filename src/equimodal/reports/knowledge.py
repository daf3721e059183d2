"""What a run's modalities know alone, and what they add to the others, in sentences for the verdict."""

from __future__ import annotations

from equimodal.contribution.knowledge import added, hints, interactions, knowledge
from equimodal.tables.words import VALUE_WORDS, join_names, number
from equimodal.training.measure import Measurement

MOST = 3
"""Modalities named one by one, of each kind."""


LITTLE = 0.25
"""Share of what a modality does alone that it may add to the others, at most, if it is said to repeat them (ours)."""


def knowledge_sentences(test: Measurement, under_used: float) -> list[str]:
    """Return a sentence for each modality that knows nothing alone, and one for those that repeat others.

    A modality that knows nothing alone may know something together with others. So the sentence says what it adds to
    them, and that it can be left out is never said: a model may not have learnt what modalities know together.

    Without a reference only what the model itself shows is said, see `equimodal.contribution.knowledge.hints`.

    Args:
        test: the measurement.
        under_used: utilisation below which a modality is not said to repeat others: its share may lack for training.
    """
    if test.ability is None:
        return _few([f"{hint}." for hint in hints(test.contribution).values()], "modalities like that")
    nothing = [_nothing_alone(test, name) for name in test.ability.unknowing]
    return [*_few(nothing, "modalities know nothing alone"), *_repeated(test, under_used)]


def _few(sentences: list[str], what: str) -> list[str]:
    more = len(sentences) - MOST
    return sentences if more <= 0 else [*sentences[:MOST], f"{more} more {what}."]


def _nothing_alone(test: Measurement, name: str) -> str:
    measured = test.contribution
    one = knowledge(measured, name, knows=False)
    unit = VALUE_WORDS.get(measured.value, measured.value)
    reached = (
        f"a model trained on it alone has {'' if test.ability is None else number(test.ability[name])} {unit} on test, "
        f"not above the label prior's {number(measured.value_empty)} by more than noise"
    )
    if knowledge(measured, name).alone:
        return (
            f"What {name} knows alone is open: {reached}. But in this model it has "
            f"{number(test.alone[name])} alone, which is above it: the other may have trained for too few epochs."
        )
    text = f"{name} knows nothing alone: {reached}"
    if one.last:
        with_whom = ""
        if one.partner is not None:
            index = interactions(measured, name)[one.partner]
            with_whom = f", with {one.partner} above all (interaction {number(index, sign=True)})"
        return f"{text}. Together with the others it adds {added(measured, name)}{with_whom}: keep it."
    if one.last is None:
        return f"{text}. Whether it adds something to the others is not known."
    return (
        f"{text}. What it adds to the others is within noise, too ({added(measured, name)}): it is noise, or "
        "knows only together with others what this model has not learnt."
    )


def _repeats(test: Measurement, name: str, under_used: float) -> bool:
    one, intervals = knowledge(test.contribution, name), test.contribution.intervals
    used = (test.utilisation or {}).get(name)
    if intervals is None or not one.alone or one.last is not False or one.twin is None:
        return False
    if test.knows(name) is False or (used is not None and used < under_used):
        return False
    # An interval that includes 0 may still be wide: what is added at most must be little beside what is known alone.
    return intervals.last[name].high <= LITTLE * intervals.alone[name].median


def _repeated(test: Measurement, under_used: float) -> list[str]:
    measured = test.contribution
    names = [name for name in measured.modalities if _repeats(test, name, under_used)]
    if not names:
        return []
    each = ", ".join(f"{name} {added(measured, name)}" for name in names[:MOST])
    if len(names) == 1:
        return [f"{names[0]} repeats what others know: what it adds to them is within noise ({each})."]
    return [
        f"{join_names(names)} repeat what others know: what one of them adds to all others is within noise ({each}). "
        "That holds for leaving out one of them, not all."
    ]
