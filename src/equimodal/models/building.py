"""Making the encoders of a classifier: by name, by kind of modality, or from modules of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError, DataError
from equimodal.models.encoders.base import ENCODERS, Encoder, build_encoder, call_encoder, default_encoder

if TYPE_CHECKING:
    from equimodal.data.dataset import Dataset


def encoder_for(
    train: Dataset, modality: str, given: nn.Module | str | Mapping[str, Any] | None, width: int
) -> nn.Module:
    """Return a modality's encoder: the one given, or a built-in one that fits the training rows.

    Raises:
        ConfigError: ``given`` is no encoder, or one for another kind of modality.
        DataError: no built-in encoder serves the modality's kind.
    """
    if isinstance(given, nn.Module):
        return given
    if given is not None and not isinstance(given, (str, Mapping)):
        raise ConfigError(
            f"model.encoders.{modality}: expected a torch module, a name or a mapping with 'name', "
            f"got {type(given).__name__}."
        )
    options = {} if given is None or isinstance(given, str) else dict(given)
    name = given if isinstance(given, str) else options.pop("name", None)
    name = name or default_encoder(train.kinds[modality], modality)
    values = train.arrays[modality]
    if not isinstance(name, str):
        raise ConfigError(f"model.encoders.{modality}.name: expected an encoder's name, got {name!r}.")
    cls = ENCODERS.get(name)
    if isinstance(values, dict) or train.kinds[modality] not in cls.kinds:
        raise ConfigError(
            f"model.encoders.{modality}: encoder '{name}' serves {', '.join(cls.kinds)}, "
            f"but '{modality}' is of kind {train.kinds[modality]}."
        )
    described = {**cls.describe(values), "width": width}
    given_twice = [key for key in options if key in described]
    if given_twice:
        raise ConfigError(
            f"model.encoders.{modality}: {', '.join(given_twice)} follows from the data and model.width. Leave it out."
        )
    encoder = build_encoder(name, modality, {**described, **options})
    rows = np.flatnonzero(train.present[modality])
    lengths = train.lengths.get(modality)
    whole = len(rows) == len(values)
    encoder.fit_inputs(values if whole else values[rows], lengths if whole or lengths is None else lengths[rows])
    return encoder


def probe_width(train: Dataset, modality: str, encoder: nn.Module) -> int:
    """Return the size of a foreign encoder's encodings by running it on two training rows."""
    rows = np.flatnonzero(train.present[modality])[:2]
    batch = train.batch(rows)
    was_training = encoder.training
    encoder.eval()
    with torch.no_grad():
        out = call_encoder(encoder, batch.inputs[modality], batch.lengths.get(modality))
    encoder.train(was_training)
    if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(rows):
        came = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise DataError(
            f"Your encoder for '{modality}' should return a tensor (B, D); for B = {len(rows)} it returned {came}."
        )
    return out.shape[1]


def registered_name(encoder: Encoder) -> str:
    """Return the name under which an encoder's class is registered.

    Raises:
        ConfigError: it is not.
    """
    name = next((name for name, cls in ENCODERS.items() if cls is type(encoder)), None)
    if name is None:
        raise ConfigError(
            f"Encoder {type(encoder).__name__} is not registered, so a saved model could not name it: "
            "decorate its class with @ENCODERS.register('its_name')."
        )
    return name
