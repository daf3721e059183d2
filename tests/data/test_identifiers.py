"""Ids and groups stay text, from whatever they are given in; what is missing is named by its rows."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equimodal.data.dataset import Dataset
from equimodal.data.identifiers import as_text, numbered, sorting, whole_numbers
from equimodal.errors import DataError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["007", "1_11", "11_1", "1_0", "1e3", "+5", "٣"], ["007", "1_11", "11_1", "1_0", "1e3", "+5", "٣"]),
        (["P1", "P1 ", " P1", "P1\t"], ["P1"] * 4),
        (np.array(["P1", "P1 "], dtype="U9"), ["P1"] * 2),
        (np.array([b"P1", b"P1 "]), ["P1"] * 2),
        ([7, "7", 7.0, np.int8(7), np.float32(7)], ["7"] * 5),
        ([1, 1.5, True, "a"], ["1", "1.5", "True", "a"]),
        (np.array([3, 10]), ["3", "10"]),
        (np.array([3.0, 2.0**60, 0.1]), ["3", "1.152921504606847e+18", "0.1"]),
        (torch.tensor([3, 10]), ["3", "10"]),
        (pd.Series(["a", "b "]), ["a", "b"]),
        (pd.Series([1, 2], dtype="Int64"), ["1", "2"]),
        (pd.Categorical(["x", "y"]), ["x", "y"]),
        (np.array(["2020-01-02", "2020-01-03"], dtype="datetime64[D]"), ["2020-01-02", "2020-01-03"]),
        ([datetime.date(2020, 1, 2)], ["2020-01-02"]),
        (np.array([True, False]), ["True", "False"]),
        ([], []),
    ],
    ids=str,
)
def test_identifiers_become_text(given, expected):
    found = as_text("groups", given)
    assert found.tolist() == expected and found.dtype.kind == "U"


@pytest.mark.parametrize(
    "given",
    [
        ["a", None, "b", float("nan")],
        ["a", "", "b", "  "],
        np.array([1.0, np.nan, 2.0, np.nan]),
        np.array(["2020-01-02", "NaT", "2020-01-03", "NaT"], dtype="datetime64[D]"),
        np.ma.array([1, 2, 3, 4], mask=[0, 1, 0, 1]),
        np.ma.array(["a", "b", "c", "d"], mask=[0, 1, 0, 1]),
        pd.Series(["a", None, "b", pd.NA]),
        pd.Series([1, None, 2, None], dtype="Int64"),
        pd.Series([pd.Timestamp("2020"), pd.NaT, pd.Timestamp("2021"), pd.NaT]),
        [1, np.datetime64("NaT"), 2, pd.NaT],
    ],
    ids=str,
)
def test_missing_entries_name_their_rows(given):
    with pytest.raises(DataError, match="groups: rows 1, 3 have none"):
        as_text("groups", given)
    arrays = {"a": np.ones((4, 2)), "b": np.ones((4, 2))}
    for column in ("groups", "ids"):
        with pytest.raises(DataError, match=f"{column}: rows 1, 3 (have none|are masked)"):
            Dataset(arrays, [0, 1, 0, 1], **{column: given})


@given(st.lists(st.text(alphabet="0123456789-+_ e.", max_size=4), min_size=1))
def test_numbers_only_where_writing_them_back_gives_the_text(words):
    numbers = whole_numbers(np.array(words))
    if numbers is None:
        assert not all(word.removeprefix("-").isdigit() and str(int(word)) == word for word in words)
    else:
        assert numbers.astype(str).tolist() == words


def test_numbers_too_large_for_int64_stay_text():
    assert whole_numbers(np.array(["9223372036854775808"])) is None


@given(st.lists(st.integers(-999, 999), min_size=1))
def test_whole_numbers_are_ordered_by_size(values):
    words = as_text("ids", values)
    assert numbered(words).tolist() == np.unique(values, return_inverse=True)[1].tolist()
    assert sorting(words).tolist() == np.argsort(values, kind="stable").tolist()


def test_one_group_is_never_two():
    rows = 60
    arrays = {"a": np.ones((rows, 2)), "b": np.ones((rows, 2))}
    names = [f"P{row // 6}" + " " * (row % 3) for row in range(rows)]
    for groups in (names, np.array(names), np.array(names, dtype=object)):
        splits = Dataset(arrays, np.arange(rows) % 2, groups=groups).split(seed=0)
        assert splits.provenance["groups"] == 10
        parts = [set(part.groups) for part in splits.parts().values()]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    apart = Dataset(arrays, np.arange(rows) % 2, groups=["1_11", "11_1", "1111"] * 20).split(seed=0)
    assert apart.provenance["groups"] == 3
