"""Whether a run is better without some of its modalities."""

from __future__ import annotations

import math

from equimodal.tables.words import join_names
from equimodal.training.measure import Measurement
from equimodal.training.run import Run


def leaving_out(run: Run) -> str | None:
    """Return a sentence on the subset of modalities that is more accurate than all of them, or None.

    The subset is the most accurate one on validation, of those with the same accuracy the largest. Test has no part in
    the choice, so that the difference on test is what leaving the others out gains. It is reported only beyond noise:
    with one modality left out, where the bootstrap's interval of what that one adds lies below 0; otherwise beyond two
    standard errors of a difference of independent accuracies, which is cautious, since rows are the same (ours).

    Args:
        run: a finished run.
    """
    names = run.test.contribution.modalities
    chosen = _best(run.validation, names)
    if len(chosen) == len(names):
        return None
    without = tuple(name for name in names if name not in chosen)
    kept, together = run.test.subsets.get("+".join(chosen)), run.test.accuracy
    if kept is None or kept <= together or not _beyond_noise(run.test, chosen, without, kept):
        return None
    those = f"{chosen[0]} alone reaches" if len(chosen) == 1 else f"{join_names(chosen)} reach"
    return (
        f"It is better without {join_names(without)}: {those} {kept:.3f} accuracy on test, all modalities together "
        f"{together:.3f} (chosen on validation, beyond noise on test). Predict with --present {','.join(chosen)}, or "
        f"train without {join_names(without)}."
    )


def _best(validation: Measurement, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the members of the most accurate subset."""
    members = {key: tuple(key.split("+")) for key in validation.subsets if key}
    best = max(members, key=lambda key: (validation.subsets[key], len(members[key])))
    return tuple(name for name in names if name in members[best])


def _beyond_noise(test: Measurement, chosen: tuple[str, ...], without: tuple[str, ...], kept: float) -> bool:
    measured = test.contribution
    if len(without) == 1 and measured.value == "accuracy" and measured.intervals is not None:
        interval = measured.intervals.last.get(without[0])
        if interval is not None:
            return interval.high < 0
    if measured.groups is not None:  # rows of a group resemble each other: only the bootstrap knows the noise
        errors = measured.coalition_errors
        if measured.value != "accuracy" or errors is None:
            return False
        return kept - test.accuracy > 2 * math.hypot(errors["+".join(chosen)], errors["+".join(measured.modalities)])
    together = test.accuracy
    return kept - together > 2 * math.sqrt((kept * (1 - kept) + together * (1 - together)) / test.samples)
