"""What rebuilds the encoders of a classifier: names and options of ours, classes of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from equimodal.errors import ConfigError, did_you_mean
from equimodal.models.building import module_problems, registered_name
from equimodal.models.encoders.base import Encoder, build_encoder
from equimodal.models.state import base_of


def describe_encoder(encoder: nn.Module) -> dict[str, Any]:
    """Return what rebuilds an encoder but for its trained weights, JSON-safe.

    A module of the user's is named by its class; a frozen base by a checksum, see `base_of`.
    """
    if isinstance(encoder, Encoder):
        what = {"name": registered_name(encoder), "options": encoder.options}
    else:
        what = {"class": type(encoder).__name__}
    base = base_of(encoder)
    return what if base is None else {**what, "base": base}


def encoders_of(described: Mapping[str, Mapping[str, Any]], given: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return an encoder for each modality: the user's, or a new one of ours.

    Args:
        described: by modality, what `describe_encoder` returned.
        given: by modality, the modules of the user's.

    Raises:
        ConfigError: an encoder of the user's is missing, is not a torch module, or belongs to no modality.
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
    return {
        name: given[name] if name in given else build_encoder(entry["name"], name, entry["options"])
        for name, entry in described.items()
    }
