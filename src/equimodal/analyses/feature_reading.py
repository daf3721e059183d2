"""What is read from the encodings that a run kept: measures of every epoch, and points for figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from equimodal.analyses.feature_measures import (
    calinski_harabasz,
    davies_bouldin,
    linear_cka,
    modality_gap,
    silhouette,
)
from equimodal.analyses.projections import on_grid, project, turned
from equimodal.errors import RunError
from equimodal.seeds import some_rows
from equimodal.training.encodings import KeptEncodings, read_encodings
from equimodal.training.run import Run

FUSED, LOGITS = "fused", "logits"
"""Names of what is made of all modalities: what the fusion's last layer reads, and what it answers."""
SHOWN = 5
"""Most epochs of which the points are shown."""
BY_CLASS = {"silhouette": silhouette, "davies_bouldin": davies_bouldin, "calinski_harabasz": calinski_harabasz}
OF_PAIRS = {"cka": linear_cka, "gap": modality_gap}


class Space(NamedTuple):
    """Encodings of some rows in one space.

    Args:
        points: (N, D); rows that lack the modality mean nothing.
        here: bool (N,): which rows count.
    """

    points: np.ndarray
    here: np.ndarray


def read_features(run: Run, projections: Sequence[str] = (), most: int = 0) -> dict[str, Any]:
    """Return the measures of every epoch whose encodings a run kept, and points of some of them.

    Args:
        run: with a folder.
        projections: names, see `equimodal.analyses.projections.WORDS`.
        most: points of all figures together; each has as many as the others.

    Returns:
        Numbers: `silhouette.<s>.<e>`, `davies_bouldin.<s>.<e>` and `calinski_harabasz.<s>.<e>` of space s (a modality,
        `fused` where the fusion has a representation, `logits`) after epoch e; `cka.<m>+<k>.<e>` and `gap.<m>+<k>.<e>`
        of two modalities, of the rows that have both; `cka.<s>.<e>-<f>` of two epochs. None where undefined. And
        `kept`: `epochs`, those that the run `reached`, `spaces`, `rows`, and `points`, see `points_of`.

    Raises:
        RunError: the encodings of an epoch are missing or damaged.
    """
    if run.folder is None:
        raise RunError("Encodings are kept in the folder of a run, and this one has none.")
    epochs = run.config.measure.encodings.epochs
    trained = sum(not line["trial"] for line in run.history)
    reached = [epoch for epoch in epochs if epoch <= trained]  # training may have ended before: patience
    kept = {epoch: read_encodings(Path(run.folder), epoch) for epoch in reached}
    each = {epoch: spaces_of(found) for epoch, found in kept.items()}
    labels = next(iter(kept.values())).labels.numpy() if kept else np.zeros(0, int)
    names = list(next(iter(each.values()))) if each else [*run.model.modalities, LOGITS]
    numbers: dict[str, Any] = {}
    for epoch in epochs:
        numbers |= _numbers(each.get(epoch), names, run.model.modalities, labels, epoch)
    for one, other in combinations(epochs, 2):
        for name in names:
            pair = [each[e][name] for e in (one, other) if e in each]
            numbers[f"cka.{name}.{one}-{other}"] = _of_pair(linear_cka, *pair) if len(pair) == 2 else None
    about = {"epochs": epochs, "reached": reached, "spaces": names, "rows": len(labels)}
    points = points_of(each, labels, run.model.classes, projections, most, run.config.seed) if kept else None
    return {**numbers, "kept": {**about, "points": points}}


def spaces_of(kept: KeptEncodings) -> dict[str, Space]:
    """Return the spaces of one epoch by name: each modality, the fused representation if there is one, the logits."""
    anything = torch.stack(list(kept.present.values())).any(0)
    found = {name: _space(points, kept.present[name]) for name, points in kept.encodings.items()}
    if kept.representation is not None:
        found[FUSED] = _space(kept.representation, anything)
    return {**found, LOGITS: _space(kept.logits, anything)}


def _space(points: Tensor, here: Tensor) -> Space:
    return Space(points.double().numpy(), here.numpy())


def _numbers(
    spaces: dict[str, Space] | None, names: Sequence[str], modalities: Sequence[str], labels: np.ndarray, epoch: int
) -> dict[str, float | None]:
    """Return the measures of one epoch; None each where the run did not reach it."""
    found: dict[str, float | None] = {}
    for key, by_class in BY_CLASS.items():
        for name in names:
            space = None if spaces is None else spaces[name]
            value = None if space is None else by_class(space.points[space.here], labels[space.here])
            found[f"{key}.{name}.{epoch}"] = value
    for key, of_pair in OF_PAIRS.items():
        for one, other in combinations(modalities, 2):
            value = None if spaces is None else _of_pair(of_pair, spaces[one], spaces[other])
            found[f"{key}.{one}+{other}.{epoch}"] = value
    return found


def _of_pair(measure: Any, one: Space, other: Space) -> float | None:
    both = one.here & other.here
    return measure(one.points[both], other.points[both])


def points_of(
    each: dict[int, dict[str, Space]],
    labels: np.ndarray,
    classes: Sequence[str],
    projections: Sequence[str],
    most: int,
    seed: int,
) -> dict[str, Any] | None:
    """Return the points of figures: the same rows in every panel, turned to agree with the epoch before.

    Args:
        each: the spaces of each epoch.
        labels: class numbers (N,).
        classes: names.
        projections: names of projections; none: there are no points.
        most: points of all panels together; a panel has 100 at least, where there are as many.
        seed: of the draw of rows, and of the projections.

    Returns:
        `classes`, the names; `labels` by space, a class number per point; and `at` by projection, space and epoch (as
        text), the coordinates x and y as whole numbers from 0 to 1000.
    """
    if not projections:
        return None
    epochs, names = _evenly(list(each)), list(next(iter(each.values())))
    count = max(100, most // (len(projections) * len(epochs) * len(names)))
    rows = some_rows(len(labels), count, seed, "points").numpy()
    of_space, at = {}, {kind: {name: {} for name in names} for kind in projections}
    for name in names:
        here = rows[each[epochs[0]][name].here[rows]]
        of_space[name] = labels[here].tolist()
        for kind in projections:
            before = None
            for epoch in epochs:
                placed = project(kind, each[epoch][name].points[here], seed)
                before = placed if before is None or not len(placed) else turned(placed, before)
                at[kind][name][str(epoch)] = on_grid(before)
    return {"classes": list(classes), "labels": of_space, "at": at}


def _evenly(epochs: Sequence[int]) -> list[int]:
    """Return at most `SHOWN` epochs, the first and the last among them.

    Example:
        >>> _evenly(range(9))
        [0, 2, 4, 6, 8]
    """
    count = min(SHOWN, len(epochs))
    return [epochs[i] for i in np.linspace(0, len(epochs) - 1, count).round().astype(int).tolist()]
