"""What the threshold of the mapping keeps of the correlations between samples of a training batch."""

from __future__ import annotations

from typing import Any

import torch

from equimodal.data.dataset import Dataset
from equimodal.models.classifier import Classifier
from equimodal.models.fusions.chain import ChainFusion
from equimodal.models.mapping import alignment_weights
from equimodal.seeds import permutation


@torch.no_grad()
def kept_correlations(
    model: Classifier, fusion: ChainFusion, train: Dataset, batch_size: int, seed: int
) -> dict[str, Any]:
    """Return what the threshold of the mapping keeps of the correlations between samples of a training batch.

    Encoders are in evaluation mode. Batches are drawn as those of an epoch are.

    Args:
        model: the classifier.
        fusion: the model's.
        train: the training part, in the form that the encoders take.
        batch_size: as in training, since the correlations are those within a batch.
        seed: of the draw of batches.

    Returns:
        `kept`, the share of pairs of different samples, both with this modality and one before it, whose correlation
        reaches tau; `kept.<m>`, the same of one modality (None where it always comes first); `mixed`, the mean
        weight that a row gives to other rows.
    """
    pairs, stay, rows, weight = (dict.fromkeys(model.modalities, 0.0) for _ in range(4))
    tau = fusion.mapping.tau
    for batch in train.batches(batch_size, permutation(len(train), seed, "order", "kept").numpy()):
        encodings = model.encode(batch)
        chain = fusion.start(len(batch))
        for name in fusion.order:
            present = batch.present[name]
            if chain.previous is not None and chain.seen is not None:
                valid = present & chain.seen
                weights = alignment_weights(chain.previous, fusion.mapping.map(name, encodings[name]), tau, valid)
                others = weights - torch.diag(weights.diagonal())
                count = int(valid.sum())
                pairs[name] += count * (count - 1)
                stay[name] += float((others > 0).sum())
                rows[name] += count
                weight[name] += float(others.sum())
            chain = fusion.advance(name, encodings[name], present, chain)

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    each = {f"kept.{name}": share(stay[name], pairs[name]) for name in model.modalities}
    return {
        "kept": share(sum(stay.values()), sum(pairs.values())),
        **each,
        "mixed": share(sum(weight.values()), sum(rows.values())),
    }
