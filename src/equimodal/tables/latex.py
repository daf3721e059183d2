r"""Tables as LaTeX, for `\input`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tabulate import tabulate

from equimodal.files import safe_name
from equimodal.tables.table import Cell, Table
from equimodal.tables.text import LABEL_WIDTH, WIDTH

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


def as_latex(tables: Sequence[Table], caption: Callable[[Table], str], subject: str) -> str:
    r"""Return tables as `table*` floats with booktabs rules.

    A table with many columns is folded into several floats, and one wider than the text is scaled to it.

    Args:
        tables: what is written.
        caption: returns the caption of a table, or of a piece of one; plain text, escaped here.
        subject: what the tables are about, the first part of their labels (`tab:subject-title`).
    """
    lines = [
        r"% Needs \usepackage[T1]{fontenc} and \usepackage{booktabs,graphicx}; input the whole file: \input{table.tex}",
        *(_float(piece, caption(piece), subject) for table in tables for piece in table.fold(WIDTH, LABEL_WIDTH)),
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


def _float(table: Table, caption: str, subject: str) -> str:
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{_key(subject)}-{_key(table.title)}}}",
            r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
            f"{_tabular(table)}}}",
            r"\end{table*}",
        ]
    )


def _tabular(table: Table) -> str:
    text = tabulate(
        [[_label(label), *map(_cell, cells)] for label, cells in table.rows()],
        headers=[escaped(header) for header in (table.row_header, *(column.header for column in table.columns))],
        tablefmt="latex_raw",  # its booktabs form would escape our own markup too
        colalign=("left", *["right"] * len(table.columns)),
        disable_numparse=True,
    )
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        text = text.replace(r"\hline", rule, 1)
    return text


def _label(label: str) -> str:
    shown = escaped(label)
    return "{}" + shown if shown.startswith(("[", "*")) else shown  # or it would be read as an option of the row above


def _cell(cell: Cell) -> str:
    shown = rf"\textbf{{{escaped(cell.text)}}}" if cell.best else escaped(cell.text)
    return f"{shown} {escaped(cell.spread)}".rstrip()


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", safe_name(text).lower()).strip("-")
