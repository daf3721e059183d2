"""The packages that decode media, which are an extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from equimodal.errors import ConfigError

PACKAGES = {"PIL": "Pillow", "av": "PyAV", "soundfile": "soundfile"}
"""What each module's package is called."""


def need(module: str) -> ModuleType:
    """Return a module of the extra `media`; imported here, because not everybody has media.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # soundfile raises OSError where its library is missing
        package = PACKAGES[module.partition(".")[0]]
        raise ConfigError(
            f"Decoding these media needs {package}, which cannot be imported ({error}). "
            "Install it: pip install 'equimodal[media]'."
        ) from error
