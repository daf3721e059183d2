"""A comparison as plain text."""

from __future__ import annotations

import textwrap

from equimodal.comparison.blocks import BEST, Block, blocks
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.reading import reading

WIDTH = 110
"""Widest line, as far as names allow."""
LABELS = 36
"""Longest label that stands beside its numbers; a longer one has a line of its own above them."""


def as_text(comparison: Comparison) -> str:
    """Return the blocks, aligned, one below the other, and a few sentences on how to read them."""
    made = blocks(comparison)
    parts = [section(block) for block in made]
    sentences = reading(comparison)
    if any(block.has_best for block in made):
        sentences.append(f"*: {BEST}.")
    return "\n\n".join([*parts, "\n".join(textwrap.fill(line, WIDTH) for line in sentences)])


def section(block: Block) -> str:
    """Return a block with its heading, aligned, in pieces no wider than a line."""
    heading = textwrap.fill(f"{block.title}. {block.note}", WIDTH)
    return "\n".join([heading, *(_aligned(piece) for piece in block.fold(WIDTH, LABELS))])


def _aligned(block: Block) -> str:
    """Lay out a block: labels to the left, numbers to the right."""
    columns = []
    for column in block.columns:
        marks = [" *" if cell.best else "  " for cell in column.cells] if any(c.best for c in column.cells) else []
        cells = [f"{cell}{mark}" for cell, mark in zip(column.cells, marks or [""] * len(column.cells), strict=True)]
        width = max(map(len, (column.header, *cells)))
        columns.append([(column.header + "  " * bool(marks)).rjust(width), *(cell.rjust(width) for cell in cells)])
    first = max(len(label) for label in ("method", *block.methods) if len(label) <= LABELS)
    lines = []
    for label, *cells in zip(("method", *block.methods), *columns, strict=True):
        if len(label) > LABELS:
            lines.append(label)
            label = ""
        lines.append("  ".join([label.ljust(first), *cells]).rstrip())
    return "\n".join(lines)
