"""What rebuilds the encoders of a classifier: names and options, or the class of a module that the user gives again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from equimodal.errors import ConfigError, did_you_mean
from equimodal.models.building import module_problems, registered_name
from equimodal.models.encoders.base import Encoder, build_encoder
from equimodal.models.imported import Origin, check_trust, encoder_class, is_imported, make
from equimodal.models.state import base_of


def describe_encoder(encoder: nn.Module, origin: Origin | None = None) -> dict[str, Any]:
    """Return what rebuilds an encoder but for its trained weights, JSON-safe.

    A module that the user gave is named by its class, which rebuilds nothing; a frozen base by a checksum, see
    `base_of`, and what its files say, see `Encoder.files`.

    Args:
        encoder: the module.
        origin: what it was made of, where its class was imported by name.
    """
    if origin is not None:
        what = {"name": origin.name, "options": origin.options}
    elif isinstance(encoder, Encoder):
        what = {"name": registered_name(encoder), "options": encoder.options}
    else:
        what = {"class": type(encoder).__name__}
    read_again = {"base": base_of(encoder), "files": encoder.files() if isinstance(encoder, Encoder) else None}
    return what | {key: value for key, value in read_again.items() if value}


def encoders_of(
    described: Mapping[str, Mapping[str, Any]], given: Mapping[str, nn.Module], trust: Collection[str] = ()
) -> tuple[dict[str, nn.Module], dict[str, Origin]]:
    """Return an encoder for each modality, given or new, and the origin of those whose class was imported.

    Args:
        described: by modality, what `describe_encoder` returned.
        given: by modality, the modules of the user's.
        trust: modules that may be imported.

    Raises:
        ConfigError: an encoder of the user's is missing, is not a torch module, or belongs to no modality; or a class
            is of a module that is not trusted, or cannot be imported or made.
    """
    problems = module_problems(given) + [
        f"encoders: the model has no modality '{name}'.{did_you_mean(name, described)}"
        for name in given
        if name not in described
    ]
    if problems:
        raise ConfigError(problems)
    missing = [name for name, entry in described.items() if "class" in entry and name not in given]
    if missing:
        raise ConfigError(
            f"The model was trained with encoders of your own for {', '.join(missing)}: "
            "pass them, equimodal.load(folder, encoders={name: module})."
        )
    new = {name: entry for name, entry in described.items() if name not in given}
    imported = {name: entry for name, entry in new.items() if is_imported(entry["name"])}
    check_trust({name: entry["name"] for name, entry in imported.items()}, trust)
    made = {name: _made(name, entry["name"], entry["options"]) for name, entry in new.items()}
    origins = {name: Origin(entry["name"], entry["options"]) for name, entry in imported.items()}
    return {name: made[name] if name in made else given[name] for name in described}, origins


def _made(modality: str, name: str, options: dict[str, Any]) -> nn.Module:
    cls = encoder_class(name)
    if issubclass(cls, Encoder):
        return build_encoder(name, modality, options, cls)
    return make(cls, name, modality, options)
