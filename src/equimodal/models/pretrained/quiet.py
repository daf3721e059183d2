"""What transformers and the hub write to the terminal while they load."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from equimodal.extras import need


@contextmanager
def quiet() -> Iterator[None]:
    """Keep bars of progress, tries to reach the hub, and the table of unused weights, which is expected, out of it."""
    words, hub = need("transformers.utils.logging"), logging.getLogger("huggingface_hub")
    level, bars, hub_level = words.get_verbosity(), words.is_progress_bar_enabled(), hub.level
    words.set_verbosity_error()
    words.disable_progress_bar()
    hub.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        words.set_verbosity(level)
        hub.setLevel(hub_level)
        if bars:
            words.enable_progress_bar()
