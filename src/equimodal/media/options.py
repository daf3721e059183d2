"""Settings of media from what a user wrote."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from equimodal.config.problems import problems_of
from equimodal.errors import ConfigError
from equimodal.media.settings import MediaSettings

DEFAULTS = MediaSettings()


def settings_of(base: MediaSettings = DEFAULTS, **given: Any) -> MediaSettings:
    """Return the settings; those that are None keep the value that they have in `base`.

    Raises:
        ConfigError: a value does not fit; all of them together, by the names of the command's options.

    Example:
        >>> settings_of(frames=8, fit=None).fit
        'crop'
    """
    try:
        return MediaSettings(**{**base.model_dump(), **{name: v for name, v in given.items() if v is not None}})
    except ValidationError as error:
        raise ConfigError([_as_option(problem) for problem in problems_of(error, MediaSettings)]) from error


def _as_option(problem: str) -> str:
    name, colon, rest = problem.partition(":")
    return f"--{name.replace('_', '-')}{colon}{rest}"
