"""A table as a value: its rows, its marks, and how it is folded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.tables.table import Cell, Column, Table, best_notes, table_of_records

from .made_up import table


def test_rows_are_labels_with_their_cells():
    made = table({"a": ["1 x", "2", "3"], "b": ["4", "5", "6"]})
    assert made.rows() == [
        ("joint", (Cell("1", "x"), Cell("4"))),
        ("first", (Cell("2"), Cell("5"))),
        ("a longer name", (Cell("3"), Cell("6"))),
    ]
    assert [str(cell) for cell in made.columns[0].cells] == ["1 x", "2", "3"]


def test_what_the_marks_mean_is_said_once_and_only_where_there_are_some():
    marked = table(best=("accuracy", 1))
    assert best_notes([table(), table()]) == []
    assert best_notes([marked, table(), marked]) == ["the highest mean"]
    assert best_notes([marked, replace(marked, best="the lowest mean")]) == ["the highest mean", "the lowest mean"]


@pytest.mark.parametrize("marked", [False, True])
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(20, 80))
def test_folding_keeps_every_column_in_order_and_the_width(marked, widths, width):
    columns = tuple(Column("h" * (w % 7 + 1), (Cell("x" * w, best=marked),)) for w in widths)
    pieces = Table("T", "n", ("method",), columns).fold(width, 10)
    assert tuple(column for piece in pieces for column in piece.columns) == columns
    for piece in pieces:
        texts = [(column.header + "  " * marked, column.cells[0].text + " *" * marked) for column in piece.columns]
        need = len("method") + sum(2 + max(map(len, pair)) for pair in texts)
        assert need <= width or len(piece.columns) == 1
    assert [piece.title for piece in pieces] == ["T", *["T, continued"] * (len(pieces) - 1)]


def test_a_table_without_columns_has_rows_all_the_same():
    assert table({}).rows() == [(label, ()) for label in ("joint", "first", "a longer name")]
    assert table({}).fold(20, 10) == [table({})]


def test_records_of_other_keys_share_a_table():
    made = table_of_records("Runs", [{"run": 1, "edm": 0.1 + 0.2}, {"run": 2, "kept": None, "loss": -1e-9}])
    assert (made.row_header, made.labels) == ("run", ("1", "2"))
    assert {column.header: [cell.text for cell in column.cells] for column in made.columns} == {
        "edm": ["0.30000000000000004", ""],
        "kept": ["", ""],
        "loss": ["", "-1e-09"],
    }
