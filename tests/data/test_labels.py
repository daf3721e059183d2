"""Labels: numbers, text and objects as they are meant; every other form refused with the remedy."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from equimodal.data.labels import class_names, encode_labels
from equimodal.errors import DataError


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([2, 10, 2], ("2", "10")),  # by size, not by letter
        (np.array([2, 10, 2], dtype=object), ("2", "10")),
        (torch.tensor([2, 10, 2]), ("2", "10")),
        (pd.Series([2, 10, 2], dtype="Int64"), ("2", "10")),
        ([np.int8(2), 10, np.uint16(2)], ("2", "10")),
        (["b", "a ", "b "], ("a", "b")),
        (np.array(["b", "a ", "b "], dtype="U7"), ("a", "b")),
        (np.array([b"b", b"a", b"b"]), ("a", "b")),
        (pd.Categorical(["b", "a", "b"]), ("a", "b")),
        ([True, False, True], ("False", "True")),
        (np.array([True, False, True], dtype=object), ("False", "True")),
        (["007", "7", "007"], ("007", "7")),
    ],
    ids=str,
)
def test_labels_of_every_form(labels, names):
    numbers, found = encode_labels(labels, None)
    assert found == names
    assert numbers.dtype == np.int64 and numbers[0] == numbers[2] != numbers[1]


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([1, 0, 1], ["no", "yes"], [1, 0, 1]),  # positions
        ([1, 0, 1], ["1", "0"], [0, 1, 0]),  # names go before positions
        ([5, 2, 5], [5, 2], [0, 1, 0]),
        (["5", "2", "5"], [np.int64(5), 2], [0, 1, 0]),
        ([True, False], ["False", "True"], [1, 0]),
        ([True, False], ["no", "yes"], [1, 0]),
        ([True, False], [False, True], [1, 0]),
        ([True, False], [0, 1], [1, 0]),
        (["a ", "b"], ["b", " a"], [1, 0]),
        (["007"], ["7", "007"], [1]),
    ],
)
def test_labels_counted_in_classes(labels, classes, expected):
    assert encode_labels(labels, classes)[0].tolist() == expected


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 1), int), "shape (3, 1). Give labels[:, 0]."),
        ([[1], [0], [1]], "shape (3, 1). Give labels[:, 0]."),
        (np.eye(3), "They look one-hot: give labels.argmax(1)."),
        (np.eye(3, dtype=bool), "They look one-hot: give labels.argmax(1)."),
        (np.ones((3, 2)), "Give the class of each row."),
        (["a", None, "b"], "labels: row 1 is None: row 1 has no label."),
        (["a", float("nan"), "b"], "labels: row 1 is nan: row 1 has no label."),
        ([0, None, 1, None], "rows 1, 3 have no label"),
        (np.array([0, np.nan, 1]), "row 1 has no label"),
        (np.ma.array([0, -999, 1], mask=[0, 1, 0]), "row 1 has no label"),
        (pd.Series([1, None, 2], dtype="Int64"), "row 1 has no label"),
        (np.array([0.0, 1.0]), "expected whole numbers or strings, got float64"),
        ([0, "a"], "row 1 is 'a', row 0 is 0. Give whole numbers, or strings throughout."),
        ([object(), 1], "Give whole numbers, or strings throughout."),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_other_forms_are_refused_with_the_remedy(labels, message):
    with pytest.raises(DataError, match=re.escape(message)):
        encode_labels(labels, None)


def test_class_names():
    assert class_names([0, True, np.int64(3), np.str_("a "), 1.0]) == ("0", "True", "3", "a", "1")
    for classes, message in (
        (["a", None], "entry 1 is None"),
        (["a", " "], "entry 1 is ' '"),
        (["a", "a "], "names must differ"),
        ([1, "1"], "names must differ"),
    ):
        with pytest.raises(DataError, match=message):
            class_names(classes)


def test_one_class_is_enough_where_a_model_is_measured():
    with pytest.raises(DataError, match="only one class"):
        encode_labels(["a", "a"], None)
    assert encode_labels(["a", "a"], None, fewest=1) == (pytest.approx([0, 0]), ("a",))
