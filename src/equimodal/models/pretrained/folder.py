"""The folder of a model, looked at before transformers reads it."""

from __future__ import annotations

import json
from pathlib import Path

from equimodal.errors import PICKLE, ConfigError
from equimodal.models.pretrained.families import architecture_of

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt")
_ADAPTERS = "adapter_config.json"


def check_folder(folder: Path) -> None:
    """Raise an error if a folder holds no model that can be read.

    transformers would go on: it looks for the base of adapters elsewhere, and offers to run code of the model's.

    Raises:
        ConfigError: the configuration or the weights are missing or of another form, or the folder holds adapters.
    """
    if (folder / _ADAPTERS).is_file():
        raise ConfigError(
            f"model: {folder}: holds adapters ({_ADAPTERS}), which change another model. Merge them into it once: "
            f"peft.PeftModel.from_pretrained(base, {str(folder)!r}).merge_and_unload().save_pretrained(new)."
        )
    if not (folder / CONFIG).is_file():
        raise ConfigError(
            f"model: {folder}: there is no config.json in this folder. Save a model: save_pretrained(folder)."
        )
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise ConfigError(f"model: {folder}: {_without_weights(folder)}")
    _check_model_type(folder / CONFIG)


def _without_weights(folder: Path) -> str:
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        return (
            f"expected model.safetensors, or model.safetensors.index.json and its parts, got {others[0]}. Copy the "
            "file that is missing; one that holds all weights is called model.safetensors."
        )
    if pickles:
        return (
            f"{pickles[0]} {PICKLE} If you trust it, convert it once: "
            f"AutoModel.from_pretrained({str(folder)!r}).save_pretrained(new)."
        )
    return "there is no .safetensors file in this folder. Copy the weights there."


def _check_model_type(path: Path) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"model: {path}: cannot be read ({error}). Get the file again.") from error
    if not isinstance(content, dict) or not isinstance(content.get("model_type"), str):
        raise ConfigError(
            f"model: {path}: expected a mapping with model_type, a text that says which model it is. Get the file of "
            "a model of transformers."
        )
    try:
        architecture_of(content["model_type"])
    except ConfigError as error:
        raise ConfigError(f"model: {path}: {error}") from error
