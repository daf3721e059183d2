"""A pretrained model of the transformers library as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast, get_args

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.batch import Input
from equimodal.data.columns.base import Column, Spec
from equimodal.errors import ConfigError, did_you_mean
from equimodal.features.part import FEATURES, PLACE, FrozenPart
from equimodal.files import user_path
from equimodal.models.encoders.base import ENCODERS, Encoder
from equimodal.models.encoders.pixels import Pixels, pixels_of
from equimodal.models.pretrained.families import SENSES, architecture_of, sense_problem, width_of
from equimodal.models.pretrained.loading import checksum_of_config, on_meta, section_of, with_weights
from equimodal.models.pretrained.memory import check_memory, estimate
from equimodal.models.pretrained.modes import Mode, added_by_lora, apply_mode, save_memory, train_last
from equimodal.models.pretrained.part import FrozenFeatures
from equimodal.models.pretrained.pooling import AttentionPool, Pooling, pool
from equimodal.models.pretrained.processed import ProcessedColumn, collate
from equimodal.models.pretrained.processing import process_for
from equimodal.models.pretrained.running import MASK, tokens_of
from equimodal.models.pretrained.source import open_source
from equimodal.models.state import checksum, named_tensors
from equimodal.modes import evaluating

_EXAMPLES = {
    "text": "a",
    "image": np.zeros((32, 32, 3), np.uint8),
    "video": np.zeros((2, 32, 32, 3), np.uint8),
    "audio": np.zeros(1600, np.float32),
}
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@ENCODERS.register("transformers")
class Transformers(Encoder):
    """A pretrained model of transformers: its tokens pooled, normalised, and mapped to the width.

    Rows are made into the model's inputs by the model's own processor, when they are read. A frozen model runs row by
    row on a CPU, so that its features are the same to the bit in any batch, and with a cache of features as without.

    Args:
        kind: kind of the modality.
        pixels: how the training pictures were stored; None: the data are no pictures.
        width: size of the encoding.
        model: a folder (config.json and safetensors), a `.gguf` file, or a name on the hub.
        revision: of the hub: a branch, a tag or a commit.
        config: in place of `model`: the configuration of a model with new weights, with `model_type`.
        mode: what trains beside the map to the width: "frozen" nothing, "lora" low-rank adapters, "last" the last
            layers, "full" all.
        layers: how many last layers, for "last".
        rank: of the adapters, for "lora".
        alpha: scale of the adapters times `rank`; None: twice the rank.
        pooling: "mean" of the tokens, "cls" the first, "last" the last one, "attention" a learnt mean; None: the
            usual one of the model.
        dtype: "float32", or "bfloat16" for less memory.
        gradient_checkpointing: compute twice what is not frozen, in place of keeping it in memory.
        prompt: what a multimodal language model is told about the modality.
        sampling_rate: of sound, in Hz.
        seconds: of sound that are read at most.
        frames: of a video that are read.
        tokens: of a text that are read at most.

    Raises:
        ConfigError: an option, the model or its files are not what is expected; the model does not read such data, or
            does not fit into memory.

    Example:
        >>> tiny = {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        ...         "intermediate_size": 32, "image_size": 16, "patch_size": 8}
        >>> encoder = Transformers("image", "uint8", width=8, config=tiny)  # doctest: +SKIP
        >>> encoder(torch.zeros(2, 20, 20, 3, dtype=torch.uint8)).shape  # doctest: +SKIP
        torch.Size([2, 8])
    """

    kinds = ("text", "image", "video", "vector", "sequence", "tensor")
    without_padding = True
    compiles = False  # inputs by name, and rows one by one where it is frozen

    def __init__(
        self,
        kind: str,
        pixels: Pixels | None = None,
        width: int = 64,
        model: str | None = None,
        revision: str | None = None,
        config: dict[str, Any] | None = None,
        mode: str = "frozen",
        layers: int = 1,
        rank: int = 8,
        alpha: float | None = None,
        pooling: str | None = None,
        dtype: str = "float32",
        gradient_checkpointing: bool = False,
        prompt: str = "Describe this.",
        sampling_rate: int | None = None,
        seconds: float = 30.0,
        frames: int = 8,
        tokens: int = 512,
    ) -> None:
        model = _absolute(model)
        super().__init__(
            kind=kind, pixels=pixels, width=width, model=model, revision=revision, config=config, mode=mode,
            layers=layers, rank=rank, alpha=alpha, pooling=pooling, dtype=dtype,
            gradient_checkpointing=gradient_checkpointing, prompt=prompt, sampling_rate=sampling_rate,
            seconds=seconds, frames=frames, tokens=tokens,
        )  # fmt: skip
        _check_words(self.options)
        origin = open_source(model, revision, config)
        architecture = architecture_of(origin.config.model_type)
        if problem := sense_problem(kind, origin.config.model_type):
            raise ConfigError(problem)
        section = section_of(origin, architecture)
        self.architecture, self.mode, self.sense = architecture, cast(Mode, mode), SENSES[kind]
        self.pooling: Pooling = cast(Pooling, pooling or architecture.pooling)
        if self.pooling == "cls" and not architecture.class_token:
            raise ConfigError(
                f"pooling: {section.model_type} has no first token that stands for the whole. Take 'mean'."
            )
        self.source, self._is_local = origin.model or f"new {section.model_type}", origin.is_local
        self._settings = checksum_of_config(section)
        self.revision = revision or getattr(origin.config, "_commit_hash", None)
        self.process = process_for(
            origin, section, architecture, self.sense, prompt=prompt, sampling_rate=sampling_rate, seconds=seconds,
            frames=frames, tokens=tokens,
        )  # fmt: skip
        stored = _DTYPES[dtype] if mode in ("frozen", "lora") else torch.float32
        self.mixed = dtype == "bfloat16" and mode in ("last", "full")
        shapes = on_meta(origin, architecture)
        shapes.requires_grad_(mode == "full")
        if mode == "last":
            train_last(shapes, architecture, layers)
        check_memory(estimate(shapes, stored, added_by_lora(shapes, rank) if mode == "lora" else 0), self.source, mode)
        base = with_weights(origin, architecture, stored)
        self.base = apply_mode(
            base, architecture, self.mode, layers=layers, rank=rank, alpha=2 * rank if alpha is None else alpha
        )
        if mode == "frozen":
            self.base.eval()
        elif gradient_checkpointing:
            save_memory(self.base)
        self._size = width_of(section)
        self.attention = AttentionPool(self._size) if self.pooling == "attention" else None
        self.norm = nn.LayerNorm(self._size)
        self.project = nn.Linear(self._size, width)
        self._checksum: tuple[int, str] | None = None
        self._try()

    def _try(self) -> None:
        """Run the model on one row of nothing: processor and sizes that do not fit show here, not in training."""
        try:
            with torch.no_grad(), evaluating(self.base):
                tokens_of(self.base, self.architecture, self._collated([_EXAMPLES[self.sense]]))
        except ConfigError:
            raise
        except Exception as error:  # sizes that do not fit each other end in errors of any class
            raise ConfigError(
                f"{self.source} cannot encode a row ({type(error).__name__}: {' '.join(str(error).split())[:300]}). "
                "Its sizes do not fit each other, or those of its processor."
            ) from error

    @classmethod
    def describe(cls, spec: Spec) -> dict[str, Any]:
        """Return the kind of the rows, and how pictures are stored."""
        pictures = spec.kind in ("image", "video")
        return {"kind": spec.kind, "pixels": pixels_of(spec.dtype) if pictures else None}

    @property
    def names_base(self) -> bool:
        """Whether a run names the frozen weights, which are loaded from their source again."""
        return self.options["model"] is not None

    @property
    def size(self) -> int:
        """Size of a vector of the model."""
        return self._size

    @property
    def keeps_tokens(self) -> bool:
        """Whether what the model returns is one vector a token, because the pooling trains."""
        return self.attention is not None

    def prepare(self, column: Column) -> Column:
        """Return a column whose rows are made into the model's inputs when they are read."""
        return column if column.spec.fields is not None else ProcessedColumn(column, self.process)

    def frozen_part(self) -> FrozenPart | None:
        """Return the model and its processing, if nothing of the model trains."""
        return FrozenFeatures(self) if self.mode == "frozen" else None

    def base_identity(self) -> dict[str, Any]:
        """Return everything that decides the features, JSON-safe."""
        return {
            "name": "transformers",
            (PLACE if self._is_local else "model"): self.source,
            **({} if self.revision is None else {"revision": self.revision}),
            "weights": self._base_checksum(),
            "preprocessing": self._settings_of_files(),
            "dtype": self.options["dtype"],
            "pooling": "tokens" if self.keeps_tokens else self.pooling,
        }

    def files(self) -> dict[str, Any]:
        """Return what the model's configuration, tokeniser and processor say; of a new model, nothing."""
        return self._settings_of_files() if self.names_base else {}

    def _settings_of_files(self) -> dict[str, Any]:
        return {"config.json": self._settings, **self.process.identity()}

    def _base_checksum(self) -> str:
        """Return the checksum of the model's tensors, which takes time; made again where they were written to."""
        tensors = named_tensors(self.base)
        version = sum(tensor._version for tensor in tensors.values())
        if self._checksum is None or self._checksum[0] != version:
            self._checksum = version, checksum(tensors)
        return self._checksum[1]

    def features_of_rows(self, rows: list[Any]) -> list[Tensor]:
        """Return what the model returns for stored rows: (size,) each, or (tokens, size)."""
        features, mask = self.features(self._collated(rows))
        return list(features) if mask is None else [one[valid] for one, valid in zip(features, mask, strict=True)]

    def features(self, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return pooled vectors (B, size) and None; or tokens (B, T, size) in float32 and which are valid (B, T).

        Args:
            x: a batch of the model's inputs.
        """
        if self.mode != "frozen":
            with _precision(self.norm.weight.device.type, torch.bfloat16 if self.mixed else None):
                return self._pooled(x)
        device = self.norm.weight.device.type
        with torch.no_grad(), evaluating(self.base), _precision(device, torch.float32):
            if device != "cpu":
                return self._pooled(x)
            found = [_valid_tokens(*self._pooled(row)) for row in _rows(x, self.process.ragged)]
        if not self.keeps_tokens:
            return torch.stack(found), None
        steps = torch.tensor([len(tokens) for tokens in found])
        padded = nn.utils.rnn.pad_sequence(found, batch_first=True)
        return padded, torch.arange(padded.shape[1]) < steps[:, None]

    def _pooled(self, x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        tokens, mask = tokens_of(self.base, self.architecture, x)
        if self.keeps_tokens:
            if mask is None:
                mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
            return tokens.float(), mask
        return pool(tokens, mask, self.pooling).float(), None

    def forward(self, x: Input, lengths: Tensor | None = None) -> Tensor:
        """Return encodings (B, width) of stored rows, of the model's inputs, or of features that were kept."""
        if not isinstance(x, dict):
            x = self._collated(_valid(x, lengths))
        if FEATURES in x:
            features, mask = x[FEATURES], None
            if self.keeps_tokens and lengths is not None:
                mask = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
        else:
            features, mask = self.features(x)
        pooled = features if self.attention is None else self.attention(features, mask)
        return self.project(self.norm(pooled))

    def _collated(self, rows: list[Any]) -> dict[str, Tensor]:
        return collate(self.process(rows), self.norm.weight.device)


def _precision(device: str, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """Return a context in which a device computes in a precision; None: that of the training."""
    if dtype is None or not torch.amp.is_autocast_available(device):
        return nullcontext()
    return torch.autocast(device, dtype, enabled=dtype != torch.float32)


def _valid_tokens(found: Tensor, mask: Tensor | None) -> Tensor:
    """Return what a batch of one row holds: its vector, or its tokens without those of padding."""
    return found[0] if mask is None else found[0][mask[0]]


def _valid(x: Tensor | np.ndarray, lengths: Tensor | None) -> list[Any]:
    rows = list(x.cpu().numpy()) if isinstance(x, Tensor) else list(x)
    return rows if lengths is None else [row[:steps] for row, steps in zip(rows, lengths.tolist(), strict=True)]


def _rows(x: Mapping[str, Tensor], ragged: frozenset[str]) -> list[dict[str, Tensor]]:
    """Return each row as a batch of its own, without padding on either side."""
    count = len(next(iter(x.values())))
    rows = [{name: value[i : i + 1] for name, value in x.items()} for i in range(count)]
    if MASK in x:
        for row in rows:
            valid = row[MASK][0].bool()
            row |= {name: value[:, valid] for name, value in row.items() if name in ragged}
    return rows


def _absolute(model: str | None) -> str | None:
    """Return where a local model is, so that a run finds it again from another folder."""
    if model is None or not model.strip():
        return model
    path = user_path(model)
    return str(path.resolve()) if path.exists() else model


def _check_words(options: Mapping[str, Any]) -> None:
    known = {"mode": get_args(Mode), "pooling": (None, *get_args(Pooling)), "dtype": tuple(_DTYPES)}
    problems = [
        f"{key}: unknown '{options[key]}'.{did_you_mean(str(options[key]), [word for word in words if word])}"
        for key, words in known.items()
        if options[key] not in words
    ]
    positive = ("layers", "rank", "frames", "tokens", "seconds", "sampling_rate", "alpha")
    problems += [
        f"{key}: expected a number above 0, got {options[key]}."
        for key in positive
        if options[key] is not None and options[key] <= 0
    ]
    if problems:
        raise ConfigError(problems)
