"""Tables as CSV, read back by the standard library and by pandas where it is installed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.tables.csv import as_csv
from equimodal.tables.table import table_of_records

RECORDS = [
    {"method": "joint", "seed": 0, "edm": 0.1 + 0.2, "order": "a > b"},
    {"method": 'a, "b"', "seed": 1, "edm": None, "other": -1e-300},
]


def test_every_value_is_read_back():
    rows = list(csv.DictReader(io.StringIO(as_csv(table_of_records("Runs", RECORDS)))))
    assert [row["method"] for row in rows] == ["joint", 'a, "b"']
    assert [float(rows[0]["edm"]), rows[1]["edm"]] == [0.1 + 0.2, ""]
    assert (rows[0]["other"], float(rows[1]["other"]), rows[1]["order"]) == ("", -1e-300, "")


def test_pandas_reads_the_same():
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.StringIO(as_csv(table_of_records("Runs", RECORDS))), dtype={"method": str})
    assert frame["edm"][0] == 0.1 + 0.2 and frame["edm"].isna().tolist() == [False, True]
    assert frame["method"].tolist() == ["joint", 'a, "b"']


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"], include_characters="\n\t"))


@given(st.lists(TEXT, min_size=1), st.floats(allow_nan=False))
def test_any_label_and_any_float_is_read_back(labels, value):
    text = as_csv(table_of_records("T", [{"label": label, "value": value} for label in labels]))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["label", "value"]
    assert [row[0] for row in rows[1:]] == labels
    assert all(float(row[1]) == value for row in rows[1:])
