"""Text files and CSV: headers, index columns, separators, missing cells, damaged files."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.data.csv_tables import read_numbers
from equimodal.data.headers import settle
from equimodal.data.text import Entries, read_lines, read_words
from equimodal.errors import DataError


def write(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def column(tmp_path, content, name="labels.csv"):
    return read_words(write(tmp_path, content, name)).values


def table(tmp_path, content, name="face.csv"):
    return read_numbers(write(tmp_path, content, name))


def refuses(call, *parts):
    with pytest.raises(DataError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("labels\nyes\nno\n", ["yes", "no"]),
        ("Label\n3\n4", ["3", "4"]),
        ("emotion\nyes\n", ["emotion", "yes"]),
        ('"a, b"\n c \n"d ""e"""\n', ["a, b", "c", 'd "e"']),
        ('"a;b"\n"c;d"\n', ["a;b", "c;d"]),
        ("a;b\nc\n", ["a;b", "c"]),  # a semicolon in one line is text
        ('label\r\n"x"\r\n', ["x"]),
        ("\ufefflabels\n007\n+5\n1_0\n1e3\n٣\n", ["007", "+5", "1_0", "1e3", "٣"]),
    ],
)
def test_one_column_is_read_as_text(tmp_path, content, expected):
    assert column(tmp_path, content).tolist() == expected


def test_a_line_of_text_may_hold_commas(tmp_path):
    assert column(tmp_path, 'a, b\n"c"\n', "ids.txt").tolist() == ["a, b", "c"]
    assert column(tmp_path, "ids\nx\n", "ids.txt").tolist() == ["x"]


@pytest.mark.parametrize(
    ("content", "number", "line"),
    [
        ("id,label\n1,yes\n2,no\n", 1, "id,label"),
        ("label\nyes\nno,maybe\n", 3, "no,maybe"),
        ("id;label\n1;yes\n", 1, "id;label"),
        ("1\tyes\n\n2\tno\n", 1, "1\tyes"),
        (",emotion\n0,yes\n1,no\n", 1, ",emotion"),  # the index of pandas
    ],
)
def test_two_columns_are_refused(tmp_path, content, number, line):
    message = f"labels.csv: expected one column, got 2: line {number} is {line!r}. Keep the column"
    refuses(lambda: column(tmp_path, content), message, "index=False")


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


@pytest.mark.parametrize("content", ["", "\n", "\n \n\n", b"\xef\xbb\xbf"])
def test_empty_files(tmp_path, content):
    for name, read in {"labels.csv": read_words, "notes.txt": read_lines, "face.csv": read_numbers}.items():
        refuses(lambda: read(write(tmp_path, content, name)), f"{name}: is empty")  # noqa: B023


def test_a_header_alone(tmp_path):
    refuses(lambda: table(tmp_path, "age,height\n"), "face.csv: holds no row below its header")
    refuses(lambda: column(tmp_path, "labels\n"), "labels.csv: holds no entry below its header")


BODY = ["0.5,1,2", "3,4.5,6", "7,8,9.25", "1,1,1"]
VALUES = [[0.5, 1, 2], [3, 4.5, 6], [7, 8, 9.25], [1, 1, 1]]


@pytest.mark.parametrize(
    ("head", "end"),
    [
        ([], "\n"),
        ([], "\r\n"),
        (["a,b,c"], "\n"),
        (['"a","b, too","c"'], "\n"),
        (["age,2001,2002"], "\n"),  # a word among years is a header
        (["age,,height"], "\n"),
    ],
)
@pytest.mark.parametrize("tail", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_of_numbers(tmp_path, head, end, tail, mark):
    content = mark + (end.join([*head, *BODY]) + tail.replace("\n", end)).encode()
    found = table(tmp_path, content)
    np.testing.assert_array_equal(found.values, VALUES)
    assert not found.heads


@pytest.mark.parametrize("head", [",a,b,c", '"",a,b,c', "Unnamed: 0,a,b,c", ",0,1,2", ",2001,2002,2003"])
@pytest.mark.parametrize("index", [range(4), range(1, 5), [7, 2, 9, 4], ["s1", "s2", "s3", "s4"]])
def test_the_index_of_pandas_is_left_out(tmp_path, head, index):
    rows = [f"{number},{row}" for number, row in zip(index, BODY, strict=True)]
    np.testing.assert_array_equal(table(tmp_path, "\n".join([head, *rows]) + "\n").values, VALUES)


def test_an_index_of_two_levels_is_left_out(tmp_path):
    rows = [f"s{number // 2},{number % 2},{row}" for number, row in enumerate(BODY)]
    np.testing.assert_array_equal(table(tmp_path, "\n".join([",,a,b,c", *rows])).values, VALUES)


def test_a_first_column_without_a_name_that_is_no_index(tmp_path):
    refuses(lambda: table(tmp_path, ",a\n1,2\n1,3\n2,4\n"), "the first column has no name", "index=False")


@pytest.mark.parametrize("head", ["", "id,a,b,c\n", "index,a,b,c\n", "time,a,b,c\n"])
@pytest.mark.parametrize("first", [0, 1, 2001])
def test_a_column_that_counts_the_rows_is_refused(tmp_path, head, first):
    content = head + "\n".join(f"{first + number},{row}" for number, row in enumerate(BODY))
    refuses(lambda: table(tmp_path, content), "face.csv: column 0", "counts the rows", "index=False", ".npy")
    other = head + "\n".join(f"{first + 2 * number},{row}" for number, row in enumerate(BODY))
    assert table(tmp_path, other).values.shape == (4, 4)


def test_an_index_behind_the_others(tmp_path):
    refuses(lambda: table(tmp_path, "a,Index\n5,0\n7,1\n6,2\n"), "column 1 ('Index') counts the rows")
    assert table(tmp_path, "a,b\n5,0\n7,1\n6,2\n").values.shape == (3, 2)


@pytest.mark.parametrize("head", ["0,1,2", "1,2,3", "2001,2002,2003", "400,410,420", " 0, 1, 2"])
def test_a_header_of_numbers_is_decided_by_the_other_files(tmp_path, head):
    found = table(tmp_path, "\n".join([head, *BODY]) + "\n")
    assert found.heads and len(found.values) == 5

    def beside(rows):
        entries, problems = settle({"face": found, "labels": Entries(tmp_path / "labels.npy", np.zeros(rows))})
        return entries["face"].values, problems

    np.testing.assert_array_equal(beside(4)[0], VALUES)
    assert beside(4)[1] == beside(5)[1] == []
    assert len(beside(5)[0]) == 5
    (message,) = settle({"face": found})[1]
    assert "may be a header of numbers or a sample" in message and "name the columns" in message


@pytest.mark.parametrize(
    "rows",
    [
        ["0.0,1.0,2.0", *BODY],  # written as values
        ["0,1,5", *BODY],
        ["3,2,1", *BODY],
        ["0,1", "1,0", "0,1", "1,0"],  # one-hot
        ["0,1,2", "4,5,6", "8,9,10"],  # rows alike
    ],
)
def test_a_first_row_like_the_others_is_a_sample(tmp_path, rows):
    found = table(tmp_path, "\n".join(rows))
    assert not found.heads and len(found.values) == len(rows)


def test_a_column_of_pandas_without_a_name(tmp_path):
    for read, name in ((read_numbers, "age.csv"), (read_words, "labels.csv")):
        assert read(write(tmp_path, "0\n3\n1\n2\n", name)).heads
        assert not read(write(tmp_path, "1\n3\n1\n2\n", name)).heads


def test_one_row_more_than_the_others(tmp_path):
    words = read_words(write(tmp_path, "emotion\nyes\nno\n", "labels.csv"))
    lines = read_lines(write(tmp_path, "text\na dog\na cat\n", "notes.txt"))
    numbers = Entries(tmp_path / "a.npy", np.zeros((2, 3)))
    _, problems = settle({"labels": words, "notes": lines, "a": numbers})
    assert [problem.split(": ")[0].rsplit("/", 1)[-1] for problem in problems] == ["labels.csv", "notes.txt"]
    assert "has 3 rows, one more than the other files (2). Is its first line, 'emotion', a header?" in problems[0]
    assert settle({"labels": words, "b": Entries(tmp_path / "b.npy", np.zeros((9, 3)))})[1] == []  # not by one
    assert settle({"a": numbers, "b": Entries(tmp_path / "b.npy", np.zeros((3, 3)))})[1] == []  # no text file


def test_empty_lines_at_the_end_count_where_the_others_have_as_many(tmp_path):
    notes = read_lines(write(tmp_path, "a dog\na cat\n\n\n", "notes.txt"))
    age = table(tmp_path, "age\n3\n\n5\n\n", "age.csv")
    np.testing.assert_array_equal(age.values[:, 0], [3, np.nan, 5, np.nan])
    for count, expected in ((2, 2), (3, 3), (4, 4)):
        entries, problems = settle({"notes": notes, "a": Entries(tmp_path / "a.npy", np.zeros(count))})
        assert len(entries["notes"].values) == expected and not problems
    entries, _ = settle({"age": age, "a": Entries(tmp_path / "a.npy", np.zeros(3))})
    assert len(entries["age"].values) == 3


def test_empty_cells_and_lines_are_missing(tmp_path):
    found = table(tmp_path, 'a,b\n1,2\n,\nNA, nan\n"",3\n\n4,5\n').values
    np.testing.assert_array_equal(found, [[1, 2], [np.nan] * 2, [np.nan] * 2, [np.nan, 3], [np.nan] * 2, [4, 5]])
    one = table(tmp_path, 'age\n1\n""\n\n2\n').values
    np.testing.assert_array_equal(one[:, 0], [1, np.nan, np.nan, 2])
    assert table(tmp_path, "\n1\n2\n").values.shape == (3, 1)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("1,2\n3\n", ["ragged rows: row 1 has 1 cells, row 0 has 2"]),
        ("a,b\n1,2\n3,4,5\n", ["ragged rows: row 1 has 3 cells, a header has 2", "index=False"]),
        ("a,b\n1,2\n3,many\n", ["row 1, column 1 is 'many', not a number. Put text into a .txt"]),
        ("a;b\n1;2\n3;4\n", ["separated by semicolons, expected commas", "sep=';'", "decimal=','"]),
        ("a;b\n1,5;2,5\n3,0;4,5\n", ["separated by semicolons"]),
        ("a\tb\n1\t2\n", ["separated by tabs", r"sep='\t'"]),
        ("1 2 3\n4 5 6\n", ["separated by spaces"]),
        ('"1,5","2,5"\n"3,0","4,5"\n', ["row 0, column 0 is '1,5', not a number. Write decimals with a point"]),
        ("1,2\n3,1_000\n", ["row 1, column 1 is '1_000', not a number"]),
        ("1,2\n3,٣\n", ["row 1, column 1 is '٣', not a number"]),
        (b"1,2\n\xff\n", ["not UTF-8 text"]),
        ("a,b\n1,2\n".encode("utf-16"), ["not UTF-8 text"]),
        ("\na,b\n1,2\n", ["begins with an empty line"]),
    ],
)
def test_tables_that_are_not_numbers(tmp_path, content, parts):
    refuses(lambda: table(tmp_path, content), "face.csv: ", *parts)


@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_numbers_come_back_as_they_were_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text("a,b,c\n" + "\n".join(",".join(map(repr, row)) for row in rows))
    np.testing.assert_allclose(read_numbers(path).values, rows, rtol=1e-15)
