"""Make the encoders of a classifier: by name, by kind of modality, or from the user's modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from equimodal.errors import ConfigError
from equimodal.models.encoders.base import ENCODERS, Encoder, build_encoder, default_encoder

if TYPE_CHECKING:
    from equimodal.data.dataset import Dataset


def by_modality(encoders: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return encoders by the modality's name, none where none are given.

    Raises:
        ConfigError: they do not come with names.
    """
    if encoders is None:
        return {}
    if not hasattr(encoders, "keys"):  # a ModuleDict is not a Mapping
        raise ConfigError(
            f"encoders: expected a mapping from modalities to encoders, got {type(encoders).__name__}. "
            "Give {name: encoder}."
        )
    return dict(encoders)


def module_problems(encoders: Mapping[str, Any]) -> list[str]:
    """Return one message for each encoder that is not a torch module."""
    return [
        f"encoders: '{name}' should be an instance of torch.nn.Module, got {_type_of(module)}. Give an instance."
        for name, module in encoders.items()
        if not isinstance(module, nn.Module)
    ]


def _type_of(thing: Any) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__


def encoder_for(
    train: Dataset, modality: str, given: nn.Module | str | Mapping[str, Any] | None, width: int
) -> nn.Module:
    """Return a modality's encoder: the one given, or a built-in one that fits the training rows.

    Raises:
        ConfigError: `given` is no encoder, or one for another kind of modality.
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
    spec = train.specs[modality]
    name = name or default_encoder(spec, modality)
    if not isinstance(name, str):
        raise ConfigError(f"model.encoders.{modality}.name: expected an encoder's name, got {name!r}.")
    cls = ENCODERS.get(name)
    if spec.fields is not None or spec.kind not in cls.kinds:
        raise ConfigError(
            f"model.encoders.{modality}: encoder '{name}' serves {', '.join(cls.kinds)}, "
            f"but '{modality}' is of kind {spec.kind}."
        )
    described = {**cls.describe(spec), "width": width}
    given_twice = [key for key in options if key in described]
    if given_twice:
        raise ConfigError(
            f"model.encoders.{modality}: {', '.join(given_twice)} follows from the data and model.width. Leave it out."
        )
    encoder = build_encoder(name, modality, {**described, **options})
    encoder.fit_inputs(train.valid(modality))
    return encoder


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
