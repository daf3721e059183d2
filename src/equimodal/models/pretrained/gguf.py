"""GGUF files, converted once to safetensors."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from equimodal.errors import ConfigError, RunError
from equimodal.extras import need
from equimodal.locks import taking_turns
from equimodal.models.pretrained.memory import available
from equimodal.models.pretrained.quiet import quiet
from equimodal.tables.words import size_in_words

_MAGIC = b"GGUF"
_COPIES = 3
"""Of the weights in float32, in memory while a file is converted; measured, see docs/encoders/weights.md."""


def place() -> Path:
    """Return the folder of converted models: `EQUIMODAL_MODELS`, or the user's cache."""
    from platformdirs import user_cache_path

    named = os.environ.get("EQUIMODAL_MODELS")
    return Path(named) if named else user_cache_path("equimodal") / "models"


def converted(path: Path) -> Path:
    """Return a folder with the model of a GGUF file as config.json, safetensors and tokenizer.

    It is made once, under a checksum of the file. Quantised weights become float32.

    Args:
        path: the file.

    Raises:
        ConfigError: there is no such file, it is no GGUF file, or transformers does not know its architecture.
        RunError: the folder cannot be written.
    """
    if not path.is_file():
        raise ConfigError(f"model: {path.absolute()}: no such file. Name a .gguf file.")
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ConfigError(f"model: {path}: is no GGUF file, though its name ends so. Get the file again.")
        file.seek(0)
        name = hashlib.file_digest(file, "sha256").hexdigest()
    folder = place() / name
    if folder.is_dir():
        return folder
    with taking_turns(place() / f"{name}.lock", "a converted model"):
        if not folder.is_dir():  # another process made it meanwhile
            _convert(path, folder)
    return folder


def _convert(path: Path, folder: Path) -> None:
    from safetensors import SafetensorError

    _check_memory(path)
    model, tokeniser = _read(path)
    temporary = folder.with_name(f".converting-{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed: the lock is ours
    try:
        with quiet():
            model.save_pretrained(temporary)
            tokeniser.save_pretrained(temporary)
        temporary.rename(folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(
            f"{folder.parent}: the converted model cannot be written there ({reason}). Free some space, or name "
            "another folder in EQUIMODAL_MODELS."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_memory(path: Path) -> None:
    """Raise an error if the weights do not fit while they are converted; damage is said when they are read.

    Raises:
        ConfigError: they do not.
    """
    tensors: list[Any] = []
    with suppress(Exception):  # its reader raises errors of any class
        tensors = need("gguf").GGUFReader(path).tensors
    needed, left = _COPIES * 4 * sum(int(tensor.n_elements) for tensor in tensors), available()
    if left is not None and needed > left:
        raise ConfigError(
            f"model: {path}: converting it needs about {size_in_words(needed)} of memory, and {size_in_words(left)} "
            "are available. Convert it on another machine and copy its EQUIMODAL_MODELS, or take a smaller model."
        )


def _read(path: Path) -> tuple[Any, Any]:
    """Return the model of a GGUF file, its weights in float32, and its tokeniser."""
    import torch

    transformers = need("transformers")
    need("gguf")
    where = {"pretrained_model_name_or_path": str(path.absolute().parent), "gguf_file": path.name}
    try:
        with quiet():
            model = transformers.AutoModel.from_pretrained(
                **where, dtype=torch.float32, quantization_config=transformers.GgufConfig(dequantize=True)
            )
        model.config.quantization_config = None
        del model.config.quantization_config
        return model.requires_grad_(False), transformers.AutoTokenizer.from_pretrained(**where)
    except Exception as error:  # its readers raise errors of any class
        raise ConfigError(
            f"model: {path}: cannot be converted ({type(error).__name__}: {error}). If the file is damaged, get it "
            "again. Its architecture must be one that transformers reads from GGUF."
        ) from error
