"""The tables of options in docs/methods say what the code says: every option, by its name, with its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from equimodal.methods.base import METHODS, MethodConfig

DOCS = Path(__file__).parents[2] / "docs" / "methods"
PAGES = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "index")

NONE = "\N{EN DASH}"
"""What stands where a method has no such option."""

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the source distribution comes without the docs")


def tables(page: str) -> Iterator[list[dict[str, str]]]:
    """Yield the rows of each table of a page, by header, without code marks."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8").replace("`", "")
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        header, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines())
        yield [dict(zip(header, row, strict=True)) for row in rows]


def options(page: str) -> list[dict[str, str]]:
    (found,) = (rows for rows in tables(page) if "option" in rows[0])
    return found


def written(value: Any) -> str:
    """Return a default as the pages write it: .5, 1, true, kept; an order that is not given is `as declared`."""
    if value is None or isinstance(value, bool):
        return {None: "as declared", True: "true", False: "false"}[value]
    return f"{value:g}".replace("0.", ".") if isinstance(value, float) else str(value)


def defaults(config: MethodConfig, prefix: str = "") -> dict[str, str]:
    found = {}
    for name in type(config).model_fields:
        value = getattr(config, name)
        found |= defaults(value, f"{name}.") if isinstance(value, MethodConfig) else {prefix + name: written(value)}
    return found


def of(method: str) -> dict[str, str]:
    return defaults(METHODS.get(method).Config())


@pytest.mark.parametrize("method", PAGES)
def test_a_method_with_a_page(method: str):
    """What follows a default, as in `.9 (the paper's best)`, is about it."""
    assert {row["option"]: row["default"].split(" ")[0] for row in options(method)} == of(method)


def test_the_two_methods_with_a_memory():
    rows = options("index")
    for method, other in (("equilibrium", "paper"), ("paper", "equilibrium")):
        said = {row["option"]: row[other] if row[method] == "the same" else row[method] for row in rows}
        assert {name: default for name, default in said.items() if default != NONE} == of(method)


def test_the_list_of_methods():
    """Where a default is given it is the right one; a method without a page names all of its options there."""
    (rows,) = (rows for rows in tables("index") if "method" in rows[0])
    named = {re.sub(r"\[(.*)\].*", r"\1", row["method"]): row["options"] for row in rows}
    assert set(named) == set(METHODS.names())
    for method, text in named.items():
        if text == "below":
            continue
        said = dict((f"{each} ").split(" ", 1) for each in text.split(", ") if each)
        found = of(method)
        assert set(said) <= set(found), method
        assert all(default.strip() in ("", found[name]) for name, default in said.items()), method
        assert method in PAGES or set(said) == set(found), method


@pytest.mark.parametrize("method", PAGES)
def test_the_fusions_of_a_page_are_all_of_them(method: str):
    """A page need not name them; if it does, the first is the method's own."""
    text = (DOCS / f"{method}.md").read_text(encoding="utf-8")
    for said in re.findall(r"Fusions: ([^.]+)\.", text):
        assert re.findall(r"\w+", said.replace("(default)", "")) == list(METHODS.get(method).fusions)
