"""Hooks of mkdocs: all pages of `docs/methods` enter the navigation; formulas become MathML, without scripts."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

SECTION = "Methods"
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_config(config: Any) -> Any:
    """List every page of the section's folder after those that are listed already."""
    for entry in config.nav:
        if SECTION in entry:
            docs = Path(config.docs_dir)
            pages = [path.relative_to(docs).as_posix() for path in sorted((docs / SECTION.lower()).glob("*.md"))]
            entry[SECTION] += [page for page in pages if page not in entry[SECTION]]
    return config


def on_page_content(content: str, **_: Any) -> str:
    """Turn the formulas of a page, its docstrings' included, into MathML, which browsers show by themselves."""
    content = BLOCK.sub(lambda found: _as_mathml(found[1], "block"), content)
    return INLINE.sub(lambda found: _as_mathml(found[1], "inline"), content)


def _as_mathml(latex: str, display: Any) -> str:
    from latex2mathml.converter import convert

    return convert(html.unescape(latex).strip(), display=display)
