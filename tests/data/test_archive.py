"""Columns of labels and names in text files: one entry a line, none of them blank."""

import re

import numpy as np
import pytest

from equimodal.data.archive import read_array
from equimodal.data.own import load_path
from equimodal.errors import DataError


def column(tmp_path, content, name="labels.csv"):
    (tmp_path / name).write_text(content, encoding="utf-8")
    return read_array(tmp_path / name, words=True)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("labels\nyes\nno\n", ["yes", "no"]),
        ("Label\n3\n4", [3, 4]),
        ("emotion\nyes\n", ["emotion", "yes"]),
        ('"a, b"\n c \n"d ""e"""\n', ["a, b", "c", 'd "e"']),
        ('"a;b"\n"c;d"\n', ["a;b", "c;d"]),
        ("a;b\nc\n", ["a;b", "c"]),  # a semicolon in one line is text
        ('label\r\n"x"\r\n', ["x"]),
    ],
)
def test_one_column_is_read(tmp_path, content, expected):
    assert column(tmp_path, content).tolist() == expected


def test_a_line_of_text_may_hold_commas(tmp_path):
    assert column(tmp_path, 'a, b\n"c"\n', "ids.txt").tolist() == ["a, b", "c"]


@pytest.mark.parametrize(
    ("content", "number", "line"),
    [
        ("id,label\n1,yes\n2,no\n", 1, "id,label"),
        ("label\nyes\nno,maybe\n", 3, "no,maybe"),
        ("id;label\n1;yes\n", 1, "id;label"),
        ("1\tyes\n\n2\tno\n", 1, "1\tyes"),
    ],
)
def test_two_columns_are_refused(tmp_path, content, number, line):
    with pytest.raises(DataError) as caught:
        column(tmp_path, content)
    assert f"labels.csv: expected one column, got 2: line {number} is {line!r}. Keep the column" in str(caught.value)


@pytest.mark.parametrize("name", ["labels.csv", "labels.txt", "groups.txt"])
@pytest.mark.parametrize(
    ("content", "rows"),
    [("yes\n\nno\n", "row 1"), ('yes\n  \nno\n""\n', "rows 1, 3"), ("yes\nno\n\n", "row 2"), ("1\n\n2", "row 1")],
)
def test_blank_entries_are_named_by_file_and_row(tmp_path, name, content, rows):
    with pytest.raises(DataError, match=re.escape(f"{name}: blank in {rows}. Fill it in")):
        column(tmp_path, content, name)


def test_rows_are_counted_below_the_header(tmp_path):
    with pytest.raises(DataError, match="blank in row 1"):
        column(tmp_path, "label\nyes\n\nno\n")


def test_mistakes_in_columns_reach_whoever_loads_the_folder(tmp_path):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.ones((3, 2)))
    (tmp_path / "labels.csv").write_text("id,label\n1,x\n2,y\n3,x\n")
    (tmp_path / "groups.txt").write_text("s1\n\ns2\n")
    with pytest.raises(DataError) as caught:
        load_path(tmp_path)
    assert "2 problems" in str(caught.value)
    assert "labels.csv: expected one column, got 2" in str(caught.value)
    assert "groups.txt: blank in row 1" in str(caught.value)
