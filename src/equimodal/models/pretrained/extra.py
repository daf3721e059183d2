"""The packages that pretrained encoders need, which are an extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from equimodal.errors import ConfigError


def need(package: str) -> ModuleType:
    """Return a package of the extra `encoders`; imported here, because it takes seconds.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"The encoder 'transformers' needs {package.partition('.')[0]}, which cannot be imported ({error}). "
            "Install it: pip install 'equimodal[encoders]'."
        ) from error
