"""The model of a source: how large it would be, and its weights."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from equimodal.data.columns.base import checksum_of
from equimodal.errors import ConfigError
from equimodal.extras import need
from equimodal.models.pretrained.families import Architecture
from equimodal.models.pretrained.quiet import quiet
from equimodal.models.pretrained.source import Source, weight_errors


def section_of(source: Source, architecture: Architecture) -> Any:
    """Return the configuration of the part of a model that is used."""
    config = source.config if architecture.part is None else getattr(source.config, architecture.part)
    # Masking inputs and dropping layers at random is for pretraining; short sounds are too short for it.
    for name, value in {"apply_spec_augment": False, "layerdrop": 0.0, "use_cache": False}.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return config


def checksum_of_config(config: Any) -> str:
    """Return a checksum of what a configuration says of the model: the same weights may be read in several ways.

    Its origin, the library's version, precision, implementation and the names of classes are left out, and so are
    defaults.
    """
    return checksum_of([json.dumps(_settings(config.to_diff_dict()), sort_keys=True, default=str)])


def _settings(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    about = ("transformers_version", "architectures", "dtype", "torch_dtype", "id2label", "label2id")
    return {key: _settings(value) for key, value in plain.items() if key not in about and not key.startswith("_")}


def on_meta(source: Source, architecture: Architecture) -> nn.Module:
    """Return the model without weights: its shapes alone, which take no memory."""
    with torch.device("meta"):
        return _made(source, architecture)


def with_weights(source: Source, architecture: Architecture, dtype: torch.dtype) -> nn.Module:
    """Return the model with the weights of its source, or new ones from torch's generator.

    Raises:
        ConfigError: the weights cannot be read, or are not those of this model.
    """
    if source.place is None:
        return _made(source, architecture).to(dtype)
    cls = getattr(need("transformers"), architecture.cls)
    with weight_errors(source), quiet():
        model, info = cls.from_pretrained(
            source.place,
            config=section_of(source, architecture),
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are said below, in words
            **source.reading,
            **_without_pooler(cls),
        )
    # Heads that are not used may be missing: encoders of sentences are often stored without a pooler.
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name and "lm_head" not in name)
    if missing:
        raise ConfigError(
            f"model: {source.name}: its weights lack {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''} "
            f"({len(missing)} tensors of {architecture.cls}). Name a complete model."
        )
    _check_weights(source, model, info)
    return _kept(model, architecture)


def _check_weights(source: Source, model: nn.Module, info: Mapping[str, Any]) -> None:
    """Raise an error if weights that were loaded are not those that the configuration describes.

    Raises:
        ConfigError: a tensor has another shape, there are more layers, or a number is NaN or infinite.
    """
    if sizes := sorted((name, tuple(there), tuple(here)) for name, there, here in info["mismatched_keys"]):
        name, there, here = sizes[0]
        raise ConfigError(
            f"model: {source.name}: its weights cannot be read ({name} should be {here}, and is {there}; {len(sizes)} "
            f"tensors have another shape). {source.remedy}"
        )
    for name in sorted(info["unexpected_keys"]):
        if beyond := _beyond(model, name):
            raise ConfigError(
                f"model: {source.name}: its weights have more layers than config.json says: {name}, where it has "
                f"{beyond}. {source.remedy}"
            )
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise ConfigError(
                f"model: {source.name}: its weights hold NaN or infinite numbers ({name}). {source.remedy}"
            )


def _beyond(model: nn.Module, name: str) -> int | None:
    """Return how many layers a stack of the model has, if a tensor of this name belongs to a further one."""
    parts = name.split(".")
    prefix = len(parts) > 1 and parts[0] == getattr(model, "base_model_prefix", None)
    for place, part in enumerate(parts):
        if not part.isdigit():
            continue
        with suppress(AttributeError):
            stack = model.get_submodule(".".join(parts[int(prefix) : place]))
            if isinstance(stack, nn.ModuleList) and int(part) >= len(stack):
                return len(stack)
    return None


def _made(source: Source, architecture: Architecture) -> nn.Module:
    cls = getattr(need("transformers"), architecture.cls)
    try:
        return _kept(cls(section_of(source, architecture), **_without_pooler(cls)), architecture)
    except Exception as error:  # sizes that do not fit each other end in errors of any class
        where = "config" if source.place is None else f"model: {source.name}: config.json"
        raise ConfigError(f"{where}: {architecture.cls} cannot be made: {' '.join(str(error).split())}") from error


def _without_pooler(cls: type) -> dict[str, bool]:
    """Return the argument that leaves a layer out which would be unused."""
    return {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(cls.__init__).parameters else {}


def _kept(model: nn.Module, architecture: Architecture) -> nn.Module:
    kept = (model if architecture.keep is None else model.get_submodule(architecture.keep)).train()
    for module in kept.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):  # left on the CPU, it would be copied to the device in each step
                delattr(module, name)
                module.register_buffer(name, value, persistent=False)
    return kept
