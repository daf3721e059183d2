"""Make the encoders of a classifier: by name, by kind of modality, or from the user's modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn

from equimodal.errors import ConfigError, did_you_mean
from equimodal.models.encoders.base import ENCODERS, Encoder, build_encoder, default_encoder
from equimodal.models.imported import Origin, arguments_for, encoder_class, is_imported, make
from equimodal.models.user_modules import probe
from equimodal.seeds import seeded

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


def unknown_modalities(where: str, given: Iterable[str], modalities: Sequence[str]) -> list[str]:
    """Return a message for each name that no modality has.

    Example:
        >>> unknown_modalities("model.encoders", ["txt"], ["image", "text"])
        ["model.encoders: no modality is called 'txt'. Did you mean 'text'? Known: image, text."]
    """
    return [
        f"{where}: no modality is called '{name}'.{did_you_mean(name, modalities)}"
        for name in given
        if name not in modalities
    ]


def module_problems(encoders: Mapping[str, Any]) -> list[str]:
    """Return one message for each encoder that is not a torch module."""
    return [
        f"encoders: '{name}' should be an instance of torch.nn.Module, got {_type_of(module)}. Give an instance."
        for name, module in encoders.items()
        if not isinstance(module, nn.Module)
    ]


def _type_of(thing: Any) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__


def encoders_for(
    train: Dataset, given: Mapping[str, nn.Module | str | Mapping[str, Any]], width: int, seed: int
) -> tuple[dict[str, nn.Module], dict[str, Origin], dict[str, int]]:
    """Return an encoder for each modality, the origins of imported ones, and the widths of those that are not ours.

    Args:
        train: the training rows.
        given: for some modalities a module, a name, or a mapping with `name` and options.
        width: size of the encodings that the fusion sees.
        seed: of the initial weights.

    Raises:
        ConfigError: see `encoder_for` and `probe`; or a modality is unknown.
        DataError: no built-in encoder serves a modality's kind.
    """
    if problems := unknown_modalities("model.encoders", given, train.modalities):
        raise ConfigError(problems)
    built: dict[str, nn.Module] = {}
    origins: dict[str, Origin] = {}
    widths: dict[str, int] = {}
    for name in train.modalities:
        with seeded(seed, "encoder", name):  # by name: the order of the modalities changes no weight
            built[name], origin = encoder_for(train, name, given.get(name), width)
            if origin is not None:
                origins[name] = origin
            if not isinstance(built[name], Encoder):
                widths[name] = probe(built[name], train, name)
    return built, origins, widths


def encoder_for(
    train: Dataset, modality: str, given: nn.Module | str | Mapping[str, Any] | None, width: int
) -> tuple[nn.Module, Origin | None]:
    """Return a modality's encoder, the one given or a new one that fits the training rows, and its class's origin.

    The origin is None for a module that was given, and for an encoder of a registered class.

    Raises:
        ConfigError: `given` is no encoder, or one for another kind of modality, or cannot be imported or made.
        DataError: no built-in encoder serves the modality's kind.
    """
    if isinstance(given, nn.Module):
        return given, None
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
    with _at(modality):
        cls = encoder_class(name)
    if not issubclass(cls, Encoder):
        arguments = arguments_for(cls, name, modality, spec, width, options)
        return make(cls, name, modality, arguments), Origin(name, arguments)
    if spec.fields is not None or spec.kind not in cls.kinds:
        raise ConfigError(
            f"model.encoders.{modality}: encoder '{name}' serves {', '.join(cls.kinds)}, "
            f"but '{modality}' is of kind {spec.kind}.{_declare(spec.kind, cls.kinds)}"
        )
    described = {**cls.describe(spec), "width": width}
    given_twice = [key for key in options if key in described]
    if given_twice:
        raise ConfigError(
            f"model.encoders.{modality}: {', '.join(given_twice)} follows from the data and model.width. Leave it out."
        )
    encoder = build_encoder(name, modality, {**described, **options}, cls)
    encoder.fit_inputs(train.valid(modality))
    return encoder, Origin(name, encoder.options) if is_imported(name) else None


def _declare(kind: str, served: tuple[str, ...]) -> str:
    """Return what to do about a spectrogram that was taken for a sequence."""
    if kind != "sequence" or "image" not in served:
        return ""
    return " Where rows are pictures, spectrograms for instance, declare kind 'image'."


@contextmanager
def _at(modality: str) -> Iterator[None]:
    """Say in the messages of errors which modality they are about."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError([f"model.encoders.{modality}: {problem}" for problem in error.problems]) from error


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
