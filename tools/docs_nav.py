"""A hook of mkdocs: the pages of ``docs/methods`` enter the navigation by being there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SECTION = "Methods"


def on_config(config: Any) -> Any:
    """List every page of the section's folder after those that are listed already."""
    for entry in config.nav:
        if SECTION in entry:
            docs = Path(config.docs_dir)
            pages = [path.relative_to(docs).as_posix() for path in sorted((docs / SECTION.lower()).glob("*.md"))]
            entry[SECTION] += [page for page in pages if page not in entry[SECTION]]
    return config
