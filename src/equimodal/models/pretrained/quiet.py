"""What transformers writes to the terminal while it loads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from equimodal.extras import need


@contextmanager
def quiet() -> Iterator[None]:
    """Keep bars of progress, and the library's table of unused weights, which is expected, out of the terminal."""
    words = need("transformers.utils.logging")
    level, bars = words.get_verbosity(), words.is_progress_bar_enabled()
    words.set_verbosity_error()
    words.disable_progress_bar()
    try:
        yield
    finally:
        words.set_verbosity(level)
        if bars:
            words.enable_progress_bar()
