"""GGUF files, converted once to safetensors."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from equimodal.errors import ConfigError
from equimodal.locks import taking_turns
from equimodal.models.pretrained.extra import need
from equimodal.models.pretrained.quiet import quiet

_MAGIC = b"GGUF"


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
            raise ConfigError(f"model: {path}: is no GGUF file, though its name ends so.")
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
    import torch

    transformers = need("transformers")
    need("gguf")
    temporary = Path(tempfile.mkdtemp(prefix=".converting-", dir=folder.parent))
    where = {"pretrained_model_name_or_path": str(path.absolute().parent), "gguf_file": path.name}
    try:
        try:
            with quiet():
                model = transformers.AutoModel.from_pretrained(
                    **where, dtype=torch.float32, quantization_config=transformers.GgufConfig(dequantize=True)
                )
            model.config.quantization_config = None
            del model.config.quantization_config
            tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        except ConfigError:
            raise
        except Exception as error:  # its readers raise errors of any class
            raise ConfigError(
                f"model: {path}: cannot be converted ({type(error).__name__}: {error}). Its architecture must be one "
                "that transformers reads from GGUF."
            ) from error
        for tensor in model.parameters():
            tensor.requires_grad_(False)
        with quiet():
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
