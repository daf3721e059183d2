"""Errors that a user can cause, each with one message: what was expected, what came, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class EquimodalError(Exception):
    """Base of every error that the user can correct; the command line prints it and exits with code 2."""


class DataError(EquimodalError, ValueError):
    """The data (an array, a file, a split) is not what was expected."""


class ConfigError(EquimodalError, ValueError):
    """A configuration, recipe or option is wrong.

    Args:
        problems: one message per mistake; all mistakes are reported together.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        if len(self.problems) == 1:
            super().__init__(self.problems[0])
        else:
            lines = "\n".join(f"  - {problem}" for problem in self.problems)
            super().__init__(f"{len(self.problems)} problems in the configuration:\n{lines}")


class RunError(EquimodalError, RuntimeError):
    """A run cannot continue, or its folder cannot be used."""


class Diverged(RunError):
    """A loss, a weight or an output became infinite or NaN; a comparison finishes without the run."""


NOT_FINITE = (
    "Start again, in another folder, with a smaller training.learning_rate or training.clip_norm, or look for extreme "
    "values in the data."
)
"""What to do about a run that diverged."""


PICKLE = "is a pickle, which is never loaded: reading one can run any code."
"""What is said of a file that `torch.save` or the like wrote."""


class Interrupted(RunError):
    """The run was asked to stop (Ctrl-C); it wrote a checkpoint from which it can be resumed."""


MALFORMED = (OSError, ValueError, LookupError, TypeError, AttributeError)
"""What reading a file raises that is not as this library wrote it: cut short, changed by hand, or another one."""


def damage(error: Exception) -> str:
    """Return in words what is wrong with a file that is not as this library wrote it, without Python's own words.

    Example:
        >>> damage(KeyError("test")), damage(TypeError("'int' object is not iterable")), damage(ValueError("no number"))
        ("it lacks 'test'", 'its content is of another form', 'no number')
    """
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, (LookupError, TypeError, AttributeError)):
        return "its content is of another form"
    return str(error)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the part of an error message that suggests the nearest known name; empty where none is near.

    Example:
        >>> nearest("jiont", ["joint", "alternating"]), nearest("A", ["a"]), nearest("x", ["joint"])
        (" Did you mean 'joint'?", " Did you mean 'a'?", '')
    """
    written = {each.lower(): each for each in sorted(known)}
    close = difflib.get_close_matches(name.lower(), list(written), n=1, cutoff=0.5)
    return f" Did you mean '{written[close[0]]}'?" if close else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the nearest known name, then all of them.

    Example:
        >>> did_you_mean("jiont", ["joint", "alternating"])
        " Did you mean 'joint'? Known: alternating, joint."
    """
    names = sorted(known)
    return f"{nearest(name, names)} Known: {', '.join(names) or 'none'}."
