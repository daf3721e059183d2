"""Encodings of some validation rows, kept in a run's folder while it trains: `encodings/epoch-5.safetensors`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equimodal.config.run import EncodingsConfig
from equimodal.data.dataset import Dataset
from equimodal.errors import RunError
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded, joined
from equimodal.modes import evaluating
from equimodal.seeds import some_rows
from equimodal.training.checkpoint import load_tensors, save_tensors, under_prefix, with_prefix

FOLDER = "encodings"


@dataclass(frozen=True, eq=False)
class KeptEncodings:
    """What a model makes of N validation rows after one epoch, in evaluation mode.

    Args:
        epoch: after which; 0: before the first.
        ids: what identifies each row (N,), as text.
        labels: class numbers (N,).
        encodings: by modality (N, D); zeros where a row lacks it.
        present: by modality bool (N,).
        logits: of all modalities that a row has (N, C).
        representation: what the fusion's last layer reads (N, F), see
            `equimodal.models.fusions.base.Fusion.representation`; None where there is no such layer.
    """

    epoch: int
    ids: tuple[str, ...]
    labels: Tensor
    encodings: dict[str, Tensor]
    present: dict[str, Tensor]
    logits: Tensor
    representation: Tensor | None = None


class EncodingsKeeper:
    """Writes the encodings of the same rows after each epoch that the configuration names.

    Args:
        config: which epochs, and how many rows.
        probe: the validation rows that are measured after each epoch.
        seed: of the draw of rows.
        folder: of the run; None: nothing is written.
    """

    def __init__(self, config: EncodingsConfig, probe: Dataset, seed: int, folder: Path | None) -> None:
        self.epochs = frozenset() if folder is None else frozenset(config.epochs)
        self.folder = folder
        self.probe, self.most, self.seed = probe, config.rows, seed

    @torch.no_grad()
    def keep(self, epoch: int, model: Classifier, encoded: Iterable[Encoded]) -> None:
        """Write the encodings of one epoch, whole or not at all, if it is one of those that are kept.

        Args:
            epoch: finished epochs of training, trials left out.
            model: the classifier.
            encoded: what it made of the probe, see `equimodal.models.encoded.encode_all`.

        Raises:
            RunError: the disk is full or not writable.
        """
        if self.folder is None or epoch not in self.epochs:
            return
        whole = joined(encoded)
        drawn = some_rows(len(self.probe), self.most, self.seed, "encodings")
        ids = [str(name) for name in self.probe.ids[drawn.numpy()].tolist()]
        rows = drawn.to(whole.labels.device)
        encodings = {name: tensor[rows] for name, tensor in whole.encodings.items()}
        present = {name: mask[rows] for name, mask in whole.present.items()}
        with evaluating(model):
            logits = model.fuse(encodings, present)
            representation = model.fusion.representation(encodings, present)
        tensors = with_prefix("encoding", {name: tensor.float() for name, tensor in encodings.items()})
        tensors |= with_prefix("present", present)
        tensors |= {"labels": whole.labels[rows], "logits": logits.float()}
        if representation is not None:
            tensors["representation"] = representation.float()
        save_tensors(encodings_file(self.folder, epoch), tensors, {"epoch": epoch, "ids": ids})


def encodings_file(folder: Path, epoch: int) -> Path:
    """Return where a run keeps the encodings of an epoch."""
    return folder / FOLDER / f"epoch-{epoch}.safetensors"


def read_encodings(folder: Path, epoch: int) -> KeptEncodings:
    """Return what a run kept of an epoch.

    Args:
        folder: of the run.
        epoch: one of `measure.encodings.epochs` that the run has finished.

    Raises:
        RunError: nothing was kept, or the file is damaged.

    Example:
        >>> import tempfile, numpy as np, equimodal as eq
        >>> y = np.arange(60) % 2
        >>> data = eq.Dataset({"a": y[:, None] + np.zeros((60, 2)), "b": np.ones((60, 3))}, y).split(seed=0)
        >>> model = eq.Classifier.for_data(data, width=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = eq.fit(model, data, "joint", epochs=2, out=f"{folder}/run", quiet=True, reference=False,
        ...                measure={"encodings": {"epochs": [0, 2], "rows": 5}})
        ...     kept = read_encodings(Path(folder) / "run", epoch=2)
        >>> kept.encodings["a"].shape, kept.logits.shape, kept.representation.shape
        (torch.Size([5, 8]), torch.Size([5, 2]), torch.Size([5, 16]))
    """
    path = encodings_file(folder, epoch)
    if not path.is_file():
        raise RunError(
            f"{path}: no such file. The run kept no encodings of epoch {epoch}, or they were deleted. Train it again "
            f"in another folder, with {epoch} in measure.encodings.epochs."
        )
    tensors, about = load_tensors(path)
    try:
        return KeptEncodings(
            epoch=about["epoch"],
            ids=tuple(about["ids"]),
            labels=tensors["labels"],
            encodings=under_prefix("encoding", tensors),
            present=under_prefix("present", tensors),
            logits=tensors["logits"],
            representation=tensors.get("representation"),
        )
    except KeyError as error:
        raise RunError(f"{path}: holds no encodings ({error} is missing), though equimodal wrote it.") from error
