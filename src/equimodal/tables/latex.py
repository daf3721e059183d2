r"""A comparison as LaTeX, for ``\input``."""

from __future__ import annotations

import re

from equimodal.comparison.blocks import BEST, Block, Cell, blocks
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.reading import intervals
from equimodal.files import safe_name
from equimodal.tables.text import LABELS, WIDTH

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "\u2212": r"$-$",
    "\u2013": r"\textendash{}",
    "±": r"$\pm$",
    "\u00d7": r"$\times$",
}


def as_latex(comparison: Comparison) -> str:
    r"""Return the blocks as ``table*`` floats with booktabs rules, each with a caption that says how to read it.

    A table wider than the text is scaled to it. The best mean of a column is bold only where it can be told from the
    runner-up, see :data:`~equimodal.comparison.blocks.BEST`.
    """
    data = str(comparison.provenance.get("data", "data"))
    lines = [
        r"% Needs \usepackage[T1]{fontenc} and \usepackage{booktabs,graphicx}; give it whole: \input{table.tex}",
        *(_float(piece, data, comparison) for block in blocks(comparison) for piece in block.fold(WIDTH, LABELS)),
    ]
    return "\n\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    Example:
        >>> print(escaped("paper:order=strong_to_weak & 5%"))
        paper:order=strong\_to\_weak \& 5\%
    """
    printed = "".join(_ESCAPES.get(character, character) for character in " ".join(text.split()))
    return printed.replace("--", "-{}-")  # two hyphens would join


def _float(block: Block, data: str, comparison: Comparison) -> str:
    caption = f"{block.title} on {data}. {block.note}"
    if len(comparison.seeds) == 1 or any(cell.spread for column in block.columns for cell in column.cells):
        caption += f" {intervals(comparison)}"
    if block.has_best:
        caption += f" Bold: {BEST}."
    rows = [" & ".join([_label(method), *map(_cell, cells)]) + r" \\" for method, cells in block.rows()]
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{_key(data)}-{_key(block.title)}}}",
            r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * len(block.columns)}}}",
            r"\toprule",
            " & ".join(["method", *(escaped(column.header) for column in block.columns)]) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
        ]
    )


def _label(method: str) -> str:
    shown = escaped(method)
    return "{}" + shown if shown.startswith(("[", "*")) else shown  # the row's end before would take them for its own


def _cell(cell: Cell) -> str:
    mean = rf"\textbf{{{escaped(cell.text)}}}" if cell.best else escaped(cell.text)
    return f"{mean} {escaped(cell.spread)}".rstrip()


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", safe_name(text).lower()).strip("-")
