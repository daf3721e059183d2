"""A comparison as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from equimodal.comparison.blocks import BEST, Block, Cell, blocks
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.reading import reading


def as_markdown(comparison: Comparison) -> str:
    """Return the blocks as Markdown tables, and how to read them."""
    made = blocks(comparison)
    sentences = reading(comparison)
    if any(block.has_best for block in made):
        sentences.append(f"Bold: {BEST}.")
    return "\n\n".join([*map(section, made), bullets(sentences)]) + "\n"


def section(block: Block) -> str:
    """Return a block as a table below its heading."""
    lines = [
        ["method", *(_escaped(column.header) for column in block.columns)],
        [":--", *["--:"] * len(block.columns)],
        *([_escaped(method), *map(_cell, cells)] for method, cells in block.rows()),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{block.title}.** {_escaped(block.note)}\n\n{table}"


def bullets(sentences: Sequence[str]) -> str:
    """Return sentences as a list."""
    return "\n".join(f"- {_escaped(sentence)}" for sentence in sentences)


def _cell(cell: Cell) -> str:
    return f"**{cell.text}** {cell.spread}".rstrip() if cell.best else str(cell)


def _escaped(text: str) -> str:
    """Return the text with what Markdown would take for markup set apart; between letters it leaves "_" alone."""
    return re.sub(r"([\\`*|<]|\b_|_\b)", r"\\\1", " ".join(text.split()))
