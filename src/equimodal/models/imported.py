"""Encoders that are classes of the user's, named in a configuration: `module:Class`."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import sysconfig
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from equimodal.config.arguments import check_arguments
from equimodal.data.columns.base import Spec
from equimodal.errors import ConfigError, did_you_mean
from equimodal.models.encoders.base import ENCODERS
from equimodal.tables.words import join_names

_AXES = {
    "vector": ("features",),
    "sequence": ("steps", "features"),
    "image": ("height", "width_pixels", "channels"),
    "video": ("steps", "height", "width_pixels", "channels"),
}
"""By kind what the axes of a row are called, as arguments of a constructor."""


@dataclass(frozen=True)
class Origin:
    """What an encoder of an imported class was made of, which is what rebuilds it.

    Args:
        name: `module:Class`.
        options: the constructor's arguments.
    """

    name: str
    options: dict[str, Any]


def is_imported(name: str) -> bool:
    """Return whether a name stands for a class to import, not for a registered encoder.

    Example:
        >>> is_imported("mypackage.nets:AudioNet"), is_imported("cnn")
        (True, False)
    """
    return ":" in name


def modules_named(encoders: Mapping[str, Any]) -> list[str]:
    """Return the modules that the encoders of a configuration are imported from.

    Args:
        encoders: by modality, a name or a mapping with `name`.

    Example:
        >>> modules_named({"a": "mlp", "b": {"name": "mypackage.nets:Net", "hidden": 3}, "c": {"hidden": 3}})
        ['mypackage.nets']
    """
    names = [given if isinstance(given, str) else given.get("name") for given in encoders.values()]
    return [name.partition(":")[0] for name in names if isinstance(name, str) and is_imported(name)]


def encoder_class(name: str) -> type[nn.Module]:
    """Return the class that a name stands for: a registered encoder, or `module:Class`, which is imported.

    Importing runs the module's code: see `check_trust` for names that the user has not written.

    Raises:
        ConfigError: there is no such encoder, module or class, the module cannot be imported, or the class is no torch
            module.

    Example:
        >>> encoder_class("torch.nn:Flatten").__name__
        'Flatten'
    """
    if not is_imported(name):
        return ENCODERS.get(name)
    where, _, called = name.partition(":")
    if not all(part.isidentifier() for part in [*where.split("."), called]):
        raise ConfigError(f"'{name}': expected module:Class, for instance mypackage.nets:AudioNet.")
    module = _import(where)
    found = getattr(module, called, None)
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    file = getattr(module, "__file__", None) or "built in"
    if found is None:
        known = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, nn.Module)]
        hint = did_you_mean(called, known)
        raise ConfigError(f"'{name}': the module '{where}' ({file}) has no class '{called}'.{hint}")
    what = f"the class {called} is not a torch.nn.Module" if isinstance(found, type) else f"{called} is not a class"
    raise ConfigError(f"'{name}': {what} ({file}). Name a subclass of torch.nn.Module.")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _not_imported(name, error) from error  # another one that it needs is missing
        paths = sysconfig.get_paths()
        own = {paths["stdlib"], paths["platstdlib"], str(Path(paths["platstdlib"]) / "lib-dynload")}
        folders = [folder or "the current folder" for folder in sys.path if folder not in own and ".zip" not in folder]
        listed = ", ".join(dict.fromkeys(folders))
        missing = name if error.name == name else f"{error.name}' of '{name}"
        raise ConfigError(
            f"There is no module '{missing}' (looked for in {listed}). Install it, or start in its folder."
        ) from error
    except Exception as error:  # the user's code, which may raise anything
        raise _not_imported(name, error) from error


def _not_imported(name: str, error: Exception) -> ConfigError:
    return ConfigError(f"The module '{name}' cannot be imported: {type(error).__name__}: {error}. Mend it.")


def arguments_for(
    cls: type[nn.Module], name: str, modality: str, spec: Spec, width: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments with which a class of the user's is made.

    These are the options, and of what follows from the data those that the constructor names: `features` of a vector,
    `steps` and `features` of a sequence, `height`, `width_pixels` and `channels` of an image, these and `steps` of a
    video, `shape` of a row of any kind, and `width`, the size of encodings. `steps` are not given where rows differ in
    them. An option goes before what follows from the data.

    Args:
        cls: the class.
        name: its name in the configuration.
        modality: whose encoder it becomes.
        spec: of the modality.
        width: size of the encodings.
        options: as the user wrote them.

    Raises:
        ConfigError: an option is unknown, of a wrong type, or no plain value.
    """
    where = f"model.encoders.{modality}"
    try:
        plain = json.loads(json.dumps(options, allow_nan=False))  # as they come back when a run is loaded
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{where}: options of '{name}' must be numbers, texts, booleans, lists or mappings of these, because they "
            f"are saved with the run ({error}). Give the module itself from Python."
        ) from error
    checked = check_arguments(cls, plain, where, f"encoder '{name}'")
    follows: dict[str, Any] = {"width": width} if spec.fields else {"width": width, "shape": list(spec.shape)}
    if spec.fields is None and spec.kind in _AXES:
        sizes = (*spec.shape, 1)[: len(_AXES[spec.kind])]  # 1: an image without a channel axis
        follows |= {axis: size for axis, size in zip(_AXES[spec.kind], sizes, strict=True) if size is not None}
    return {key: value for key, value in follows.items() if key in _named(cls)} | checked


def make(cls: type[nn.Module], name: str, modality: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return a new module of a class of the user's.

    Raises:
        ConfigError: its constructor raises an error.
    """
    try:
        return cls(**arguments)
    except Exception as error:  # the user's code, which may raise anything
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ConfigError(
            f"model.encoders.{modality}: {name.partition(':')[2]}({given}) cannot be made: {type(error).__name__}: "
            f"{error}. Its arguments are the options, and of what follows from the data those that it names."
        ) from error


def check_trust(names: Mapping[str, str], trust: Collection[str]) -> None:
    """Raise an error if a saved model names a module that the user does not trust.

    Args:
        names: by modality the name of its encoder, where that is imported.
        trust: modules whose code may run.

    Raises:
        ConfigError: one is not trusted; nothing has been imported.
    """
    if isinstance(trust, str):
        raise ConfigError(f"trust: expected a list of modules, got '{trust}'. Write trust=['{trust}'].")
    modules = {modality: name.partition(":")[0] for modality, name in names.items()}
    unknown = sorted({module for module in modules.values() if module not in trust})
    if not unknown:
        return
    listed = join_names([f"{name} (encoder of '{modality}')" for modality, name in names.items()])
    flags = " ".join(f"--trust {module}" for module in unknown)
    raise ConfigError(
        f"The model was trained with {listed}. Loading it imports {join_names(unknown)}, and so runs code that "
        f"the run's folder chooses. If you know that code, allow it: {flags}, or in Python equimodal.load(folder, "
        f"trust={sorted(set(modules.values()))})."
    )


def _named(cls: type[nn.Module]) -> set[str]:
    """Return the arguments that a constructor names."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name for name, parameter in inspect.signature(cls).parameters.items() if parameter.kind in kinds}
