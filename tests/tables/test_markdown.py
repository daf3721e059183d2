"""Tables as Markdown, read back by a parser of our own."""

from __future__ import annotations

import re

import pytest

from equimodal.tables.markdown import as_markdown, markdown_section

from .made_up import LABELS, table


def tables(text):
    """The cells of every table; a bar that is escaped does not separate cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            found.append(rows)
            rows = []
    return found


@pytest.mark.parametrize("names", [["image", "text"], ["a|b", "*c*"], ["d_e_f", "1e5"], ["`z`", "<b>"]])
def test_every_cell_is_read_back(names):
    made = table({name: ["0.5 ± 0.1", "\u22121e5", "007"] for name in names}, ["joint", "x|y", names[0]])
    ((header, rule, *rows),) = tables(markdown_section(made))
    assert [re.fullmatch(":-+|-+:", cell) is not None for cell in rule] == [True] * 3
    assert [cell[0] for cell in rule] == [":", "-", "-"]
    assert [re.sub(r"\\(.)", r"\1", cell) for cell in header] == ["method", *names]
    for row, (label, cells) in zip(rows, made.rows(), strict=True):
        assert re.sub(r"\\(.)", r"\1", row[0]) == label
        assert row[1:] == [str(cell) for cell in cells]


def test_markup_in_names_is_text():
    header, *_ = tables(markdown_section(table({"a_b _c_ |d <e>": ["1", "2", "3"]})))[0]
    assert header[1] == r"a_b \_c\_ \|d \<e>"


def test_the_best_is_bold():
    text = as_markdown([table(best=("accuracy", 1))], ["How to read it."])
    assert tables(text)[0][3] == ["first", "**0.72** ± 0.07"]
    assert text.endswith("\n\n- How to read it.\n- Bold: the highest mean.\n")
    assert "**" not in tables(as_markdown([table()]))[0][3]


def test_tables_and_a_list_of_sentences():
    text = as_markdown([table(), table(title="Cost", note="Of a|b.", row_header="seed")], ["One.", "Two."])
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**Accuracy.** On test.",
        r"**Cost.** Of a\|b.",
    ]
    assert [rows[0][0] for rows in tables(text)] == ["method", "seed"]
    assert [row[0] for row in tables(text)[0][2:]] == list(LABELS)
    assert text.endswith("\n\n- One.\n- Two.\n")
