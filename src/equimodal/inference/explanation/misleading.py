"""Rows that a modality misleads: all modalities together are wrong, and without that one they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from equimodal.training.outputs import Outputs, label_log_probabilities


@dataclass(frozen=True)
class Misled:
    """A row that a modality misleads.

    Args:
        row: its number among the rows measured.
        modality: the one that misleads.
        gain: log p(label) without the modality, less that with all, in nats.
    """

    row: int
    modality: str
    gain: float


@dataclass(frozen=True)
class LeftOut:
    """What leaving out one modality does to the rows that have it and one more at least.

    Args:
        rows: how many such rows there are.
        misled: of them, those that are wrong with all modalities and right without this one.
        helped: those that are right with all and wrong without it.
    """

    rows: int
    misled: int
    helped: int


@dataclass(frozen=True)
class Misleading:
    """Which rows each modality misleads.

    Args:
        counts: by modality.
        rows: each misled row with the modality that misleads it, the strongest first. A row that two modalities
            mislead is there twice.
    """

    counts: dict[str, LeftOut]
    rows: tuple[Misled, ...]


def misleading(outputs: Outputs, without: Tensor, modalities: Sequence[str]) -> Misleading:
    r"""Return the rows that are wrong with all modalities and right without one.

    A row $x$ of label $y$ is misled by modality $m$ if $\arg\max_c p(c \mid x) \ne y$ and
    $\arg\max_c p(c \mid x_{-m}) = y$. Its strength is $\log p(y \mid x_{-m}) - \log p(y \mid x)$, in nats. Only
    rows count that have $m$ and another modality: what is left of the others is the label prior, no decision.

    Args:
        outputs: of the model, see `equimodal.training.outputs.outputs_of`.
        without: logits where one modality is left out (n, N, C), in the model's order.
        modalities: names, in the model's order.

    Source: ours.
    """
    labels = outputs.labels
    both = outputs.present & (outputs.present.sum(-1, keepdim=True) > 1)
    right = outputs.full.argmax(-1) == labels
    gains = label_log_probabilities(without, labels) - label_log_probabilities(outputs.full[None], labels)
    counts: dict[str, LeftOut] = {}
    rows: list[Misled] = []
    for i, name in enumerate(modalities):
        counted, right_without = both[:, i], without[i].argmax(-1) == labels
        misled = counted & ~right & right_without
        counts[name] = LeftOut(int(counted.sum()), int(misled.sum()), int((counted & right & ~right_without).sum()))
        rows += [Misled(row, name, float(gains[i, row])) for row in misled.nonzero().flatten().tolist()]
    return Misleading(counts, tuple(sorted(rows, key=lambda each: (-each.gain, each.row))))
