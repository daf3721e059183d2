"""A comparison as tables: what stands in them, how to read them, and each form they are written in."""

from equimodal.evaluate.tables.blocks import BEST, Block, Cell, Column, blocks
from equimodal.evaluate.tables.latex import as_latex
from equimodal.evaluate.tables.markdown import as_markdown
from equimodal.evaluate.tables.reading import findings, notes, reading
from equimodal.evaluate.tables.text import as_text

__all__ = [
    "BEST",
    "Block",
    "Cell",
    "Column",
    "as_latex",
    "as_markdown",
    "as_text",
    "blocks",
    "findings",
    "notes",
    "reading",
]
