"""The tables as Markdown, read back by a parser of our own."""

from __future__ import annotations

import re

import pytest

from comparison.made_up import comparison
from equimodal.comparison.blocks import blocks
from equimodal.comparison.reading import reading
from equimodal.tables.markdown import as_markdown
from reports.made_up import make_comparison


def tables(text):
    """The cells of every table; a bar that is escaped does not part cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            found.append(rows)
            rows = []
    return found


@pytest.mark.parametrize("names", [["image", "text"], ["a|b", "*c*", "d_e_f"]])
def test_every_block_is_a_table_with_all_its_cells(names):
    made = make_comparison(["joint", "x|y", "`z`"], names)
    found = tables(as_markdown(made))
    assert len(found) == len(blocks(made)) == 5
    for (header, rule, *rows), block in zip(found, blocks(made), strict=True):
        assert rule == [":--", *["--:"] * len(block.columns)]
        assert [re.sub(r"\\(.)", r"\1", cell) for cell in header] == ["method", *(c.header for c in block.columns)]
        for row, (method, cells) in zip(rows, block.rows(), strict=True):
            assert re.sub(r"\\(.)", r"\1", row[0]) == method
            assert [cell.replace("**", "") for cell in row[1:]] == [str(cell) for cell in cells]


def test_only_the_best_that_can_be_told_is_bold():
    made = comparison({"joint": [0.5, 0.52, 0.54], "first": [0.70, 0.74, 0.72]})
    text = as_markdown(made)
    assert tables(text)[0][3][:2] == ["first", "**0.720** ± 0.079"]
    assert "- Bold: the best mean" in text
    level = as_markdown(comparison({"joint": [0.5, 0.52, 0.54], "first": [0.5, 0.52, 0.55]}))
    assert "Bold" not in level
    assert all("**" not in cell for table in tables(level) for row in table for cell in row)


def test_how_to_read_it_is_a_list_below():
    made = make_comparison()
    assert [line[2:] for line in as_markdown(made).splitlines() if line.startswith("- ")][:3] == reading(made)[:3]
