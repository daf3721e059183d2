"""Packages that not everybody needs: imported where they are used, and what is said where one is not there."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from shlex import quote
from types import ModuleType

from equimodal.errors import ConfigError


@dataclass(frozen=True)
class Package:
    """A package that is not among the dependencies.

    Args:
        name: what it is called.
        install: what pip is given.
        purpose: what needs it, at the beginning of a sentence.
    """

    name: str
    install: str
    purpose: str


_ENCODER, _ENCODERS, _MEDIA = "The encoder 'transformers'", "equimodal[encoders]", "equimodal[media]"

PACKAGES = {
    "transformers": Package("transformers", _ENCODERS, _ENCODER),
    "tokenizers": Package("tokenizers", _ENCODERS, _ENCODER),
    "peft": Package("peft", _ENCODERS, "The mode 'lora' of the encoder 'transformers'"),
    "gguf": Package("gguf", _ENCODERS, "Reading a model from a .gguf file"),
    "PIL": Package("Pillow", _MEDIA, "Reading pictures"),
    "av": Package("PyAV", _MEDIA, "Decoding sounds and videos"),
    "soundfile": Package("soundfile", _MEDIA, "Decoding sounds"),
    "pyarrow": Package("pyarrow", "equimodal[parquet]", "Reading Parquet"),
    "starlette": Package("Starlette", "equimodal[board]", "The live view"),
    "uvicorn": Package("Uvicorn", "equimodal[board]", "The live view"),
    "umap": Package("umap-learn", "equimodal[umap]", "The projection 'umap'"),
    "ray": Package("Ray", "equimodal[ray]", "Running jobs with workers: ray"),
}
"""By the name under which it is imported."""


def need(module: str, purpose: str | None = None, instead: str | None = None) -> ModuleType:
    """Return a module of a package in `PACKAGES`; imported here, because that may take seconds.

    Args:
        module: of the package, for instance `PIL.Image`.
        purpose: what needs it; None: the usual words.
        instead: what the user can do without the package.

    Raises:
        ConfigError: it is not installed, or a library that it needs is not.

    Example:
        >>> need("PIL.Image").__name__  # doctest: +SKIP
        'PIL.Image'
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # soundfile raises OSError where its library is missing
        package = PACKAGES[module.partition(".")[0]]
        otherwise = "" if instead is None else f", or {instead}"
        raise ConfigError(
            f"{purpose or package.purpose} needs {package.name}, which cannot be imported ({error}). "
            f"Install it: pip install {quote(package.install)}{otherwise}."
        ) from error
