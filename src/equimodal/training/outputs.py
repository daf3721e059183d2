"""What a classifier answers on some rows: for each coalition that is measured, each modality alone, and all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from equimodal.contribution.shapley import Plan
from equimodal.errors import NOT_FINITE, Diverged
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded, coalition_outputs
from equimodal.models.fusions.base import Fusion


@dataclass(frozen=True, eq=False)
class Outputs:
    """Logits of every coalition of a plan, of each modality alone and of all together, on the CPU.

    Args:
        plan: which coalitions, K of them.
        coalitions: logits (K, N, C).
        alone: logits (n, N, C) where one modality is present.
        full: logits (N, C) where everything is present that a row has.
        labels: class numbers (N,).
        present: which modalities each row has, bool (N, n).
        groups: group numbers (N,); None where rows stand alone.
    """

    plan: Plan
    coalitions: Tensor
    alone: Tensor
    full: Tensor
    labels: Tensor
    present: Tensor
    groups: Tensor | None = None


@dataclass
class _Noted:
    """What is kept of encodings that pass by."""

    present: list[Tensor] = field(default_factory=list)
    groups: list[Tensor] = field(default_factory=list)

    def passing(self, encoded: Iterable[Encoded], fusion: Fusion) -> Iterator[Encoded]:
        for part in encoded:
            self.present.append(fusion.stacked(part.present).T.cpu())
            if part.groups is not None:
                self.groups.append(part.groups)
            yield part


def outputs_of(model: Classifier, encoded: Iterable[Encoded], plan: Plan, split: str) -> Outputs:
    """Return what a classifier answers for every coalition of a plan; its encoders do not run again.

    Args:
        model: the classifier.
        encoded: its encodings of the data, see `equimodal.models.encoded.encode_all`.
        plan: which coalitions.
        split: name of the part, for messages.

    Raises:
        Diverged: an output of the model is infinite or NaN.
        DataError: there are no rows.
    """
    n, K = len(model.modalities), len(plan.coalitions)
    wanted = torch.cat([plan.coalitions, torch.eye(n, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)])
    noted = _Noted()
    logits, labels = coalition_outputs(model, noted.passing(encoded, model.fusion), wanted)
    if not bool(logits.isfinite().all()):
        raise Diverged(f"On {split}, some outputs of the model became infinite or NaN. {NOT_FINITE}")
    return Outputs(
        plan=plan,
        coalitions=logits[:K],
        alone=logits[K : K + n],
        full=logits[-1],
        labels=labels,
        present=torch.cat(noted.present),
        groups=torch.cat(noted.groups) if noted.groups else None,
    )


def label_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the log probability of the label: (K, N, C), (N,) -> float64 (K, N).

    Each coalition in turn: at once, the copy in double precision would hold K x N x C numbers.
    """
    rows = labels.unsqueeze(-1)
    return torch.stack([table.double().log_softmax(-1).gather(-1, rows).squeeze(-1) for table in logits])
