"""What users hold: masked arrays, pandas, tensors of all sorts, text of any length, and columns themselves."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch

from equimodal.data.columns.base import Spec
from equimodal.data.columns.media import MediaColumn
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.dataset import Dataset
from equimodal.data.rows import concatenate
from equimodal.errors import DataError

N = 12
LABELS = np.arange(N) % 3
B = np.ones((N, 2))


def fails(message, *arguments, **options):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        Dataset(*arguments, **options)
    assert "problems" not in str(caught.value)


def masked(values, *entries):
    values = np.ma.array(values, copy=True)
    for entry in entries:
        values[entry] = np.ma.masked
    return values


class TestMasks:
    SEQUENCES = np.full((N, 4, 2), -999.0)

    @pytest.mark.parametrize(
        "values",
        [
            masked(np.full((N, 3), -999.0), 2, 5),
            masked(np.full((N, 3), -999), 2, 5),
            masked(np.full((N, 4, 4, 3), 7, np.uint8), 2, 5),
            masked(SEQUENCES, 2, 5),
            masked(np.array(["word"] * N), 2, 5),
            masked(np.array(["word"] * N, object), 2, 5),
            [np.ma.masked if row in (2, 5) else np.ones(3) for row in range(N)],
            [masked(np.ones((2 + row % 3, 2)), *([slice(None)] if row in (2, 5) else [])) for row in range(N)],
            {"ids": masked(np.ones((N, 3), int), 2, 5), "more": np.ones((N, 2), int)},
        ],
        ids=["float", "int", "image", "sequence", "text", "objects", "list", "ragged", "fields"],
    )
    def test_a_masked_row_is_absent(self, values):
        data = Dataset({"a": values, "b": B}, LABELS)
        assert np.flatnonzero(~data.present["a"]).tolist() == [2, 5]
        inputs = data.batch(np.arange(N)).inputs["a"]
        for part in inputs.values() if isinstance(inputs, dict) else [inputs]:
            hidden = np.asarray(part)[[2, 5]]
            assert isinstance(inputs, dict) or not hidden.any() or hidden.dtype.kind == "T"

    @pytest.mark.parametrize("dtype", [float, int, np.uint8, np.float32])
    def test_masked_cells_are_the_error_of_nan_in_places(self, dtype):
        fails(
            "a: rows 2, 5 hold masked, NaN or infinite values among others (the first at index (2, 1))",
            {"a": masked(np.ones((N, 3), dtype), (2, 1), (5, 0)), "b": B},
            LABELS,
        )

    def test_a_masked_column_is_named(self):
        message = "a: column 1 is masked or NaN in every row"
        fails(message, {"a": masked(np.ones((N, 3)), (slice(None), 1)), "b": B}, LABELS)

    def test_masks_beyond_lengths_and_in_absent_rows_do_not_matter(self):
        values = masked(self.SEQUENCES, (slice(None), slice(3, None)), (4, 0, 1))
        data = Dataset({"a": values, "b": B}, LABELS, lengths={"a": np.full(N, 3)}, present={"a": np.arange(N) != 4})
        assert np.flatnonzero(~data.present["a"]).tolist() == [4]
        fails("a: rows 0, 1, 2", {"a": values, "b": B}, LABELS)

    def test_masked_cells_in_a_list_of_arrays(self):
        rows = [masked(np.ones((2 + row % 3, 2)), *([(0, 1)] if row == 7 else [])) for row in range(N)]
        fails("a: row 7 is masked in places", {"a": rows, "b": B}, LABELS)

    @pytest.mark.parametrize("option", ["labels", "ids", "groups", "split"])
    @pytest.mark.parametrize("form", [lambda values: masked(values, 3, 4), lambda values: [*values[:3], np.ma.masked]])
    def test_masked_labels_and_the_like_name_their_rows(self, option, form):
        with pytest.raises(DataError, match=rf"{option}: rows? 3(, 4)? (is|are) masked\. Fill it in"):
            Dataset({"a": B, "b": B}, **{"labels": LABELS, option: form(np.arange(N) % 3)})

    @pytest.mark.parametrize("option", ["lengths", "present"])
    def test_masked_lengths_and_presence_name_their_rows(self, option):
        with pytest.raises(DataError, match=f"{option} of a: row 3 is masked"):
            Dataset({"a": self.SEQUENCES, "b": B}, LABELS, **{option: {"a": masked(np.ones(N, int), 3)}})


class TestPandas:
    def test_missing_text_is_absent(self):
        words = ["word", None, np.nan, pd.NA, ""] + ["word"] * 7
        for column in (words, pd.Series(words), pd.Series(words, dtype="string"), pd.Series(words, dtype="str")):
            data = Dataset({"a": column, "b": B}, LABELS)
            assert np.flatnonzero(~data.present["a"]).tolist() == [1, 2, 3, 4]

    def test_strings_of_numpy_with_a_missing_value(self):
        words = np.array(["word", None] * 6, np.dtypes.StringDType(na_object=None))
        assert Dataset({"a": words, "b": B}, LABELS).present["a"].tolist() == [True, False] * 6

    def test_a_table_with_missing_numbers(self):
        frame = pd.DataFrame({"x": pd.array([1, 2, None] * 4, "Int64"), "y": pd.array([1, 2, None] * 4, "Float64")})
        data = Dataset({"a": frame, "b": B}, LABELS)
        assert data.present["a"].tolist() == [True, True, False] * 4
        assert data.batch([1]).inputs["a"].tolist() == [[2, 2]]
        frame.loc[0, "y"] = pd.NA
        fails("a: row 0 holds NaN or infinite values among others", {"a": frame, "b": B}, LABELS)


class TestTensors:
    def test_nested_and_sparse_tensors(self):
        rows = [torch.ones(2 + row % 3, 2) for row in range(N)]
        data = Dataset({"a": torch.nested.nested_tensor(rows), "b": torch.eye(N).to_sparse()}, LABELS)
        assert data.lengths["a"].tolist() == [2, 3, 4] * 4
        assert data.batch([3]).inputs["b"].tolist() == torch.eye(N)[[3]].tolist()

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float16])
    def test_types_that_numpy_lacks(self, dtype):
        data = Dataset({"a": torch.ones(N, 2).to(dtype), "b": B}, LABELS)
        assert data.batch([0]).inputs["a"].tolist() == [[1, 1]]

    def test_a_tensor_that_asks_for_a_gradient(self):
        assert Dataset({"a": torch.ones(N, 2, requires_grad=True), "b": B}, LABELS).batch([0]).inputs["a"].sum() == 2


class TestRagged:
    ROWS = [np.full((1 + row % 5, 2), float(row)) for row in range(N)]

    def test_nothing_is_padded_before_the_batch(self):
        data = Dataset({"a": self.ROWS, "b": B}, LABELS)
        assert data.specs["a"] == Spec("sequence", (None, 2), np.dtype(float))
        assert isinstance(data.column("a"), RaggedColumn)
        assert "a: sequence (T, 2)" in repr(data)
        batch = data.batch([0, 6])
        assert batch.inputs["a"].shape == (2, 2, 2)
        assert batch.lengths["a"].tolist() == [1, 2]
        assert batch.inputs["a"].tolist() == [[[0, 0], [0, 0]], [[6, 6], [6, 6]]]

    def test_one_long_row_does_not_lengthen_the_others(self):
        rows = [np.ones((1, 8), np.float32)] * 5000 + [np.ones((5000, 8), np.float32)]
        tracemalloc.start()
        data = Dataset({"a": rows, "b": np.ones((5001, 1))}, np.arange(5001) % 2)
        data.subset(np.arange(0, 5001, 3)).split().redraw(1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40 * 2**20  # padded it would be 800 MB; importing pyarrow counts too

    def test_absent_rows_and_flaws(self):
        rows = [None if row == 3 else row_values for row, row_values in enumerate(self.ROWS)]
        rows[4] = np.full((3, 2), np.nan)
        data = Dataset({"a": rows, "b": B}, LABELS)
        assert np.flatnonzero(~data.present["a"]).tolist() == [3, 4]
        assert data.lengths["a"][[3, 4]].tolist() == [1, 1]
        assert not data.batch([2, 3]).inputs["a"][1].any()
        rows[9] = np.array([[1, 2], [np.inf, 2]])
        fails(
            "a: row 9 holds NaN or infinite values among others (the first at index (9, 1, 0))",
            {"a": rows, "b": B},
            LABELS,
        )
        rows[9] = [row if row is None else row * [1, np.nan] for row in rows][9]
        fails(
            "a: column 1 is NaN in every row",
            {"a": [None if row is None else row * [1, np.nan] for row in rows], "b": B},
            LABELS,
        )

    def test_lengths_may_cut_rows_short_but_not_lengthen_them(self):
        data = Dataset({"a": self.ROWS, "b": B}, LABELS, lengths={"a": [1] * N})
        assert data.batch([4]).inputs["a"][0].any(1).tolist() == [True, False, False, False, False]
        fails("a: lengths must lie between 1 and the row's time steps", {"a": self.ROWS, "b": B}, LABELS,
              lengths={"a": [2] * N})  # fmt: skip

    def test_a_column_of_ones_own_values_and_offsets(self):
        column = RaggedColumn(np.arange(24.0).reshape(N, 2), np.arange(N + 1), "sequence")
        data = Dataset({"a": column, "b": B}, LABELS)
        assert data.lengths["a"].tolist() == [1] * N
        assert data.batch([3]).inputs["a"].tolist() == [[[6, 7]]]
        fails("a: its column is of kind 'sequence', not 'tensor'", {"a": column, "b": B}, LABELS,
              kinds={"a": "tensor"})  # fmt: skip

    def test_parts_go_together_again(self):
        data = Dataset({"a": self.ROWS, "b": B}, LABELS)
        other = Dataset({"a": [row + 100 for row in self.ROWS], "b": B}, LABELS)
        both = concatenate([data, other])
        assert both.batch([0, N]).inputs["a"][:, 0, 0].tolist() == [0, 100]
        assert both.lengths["a"].tolist() == [*data.lengths["a"], *other.lengths["a"]]


def test_one_long_text_does_not_widen_the_others():
    texts = [f"text number {row}" for row in range(100_000)]
    texts[77] = "x" * 100_000
    tracemalloc.start()
    data = Dataset({"a": texts, "b": np.ones((100_000, 1), np.float32)}, np.arange(100_000) % 2)
    part = data.subset(np.arange(0, 100_000, 2))
    batch = part.batch(slice(0, 64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batch.inputs["a"].tolist()[1] == "text number 2"
    assert peak < 40 * 2**20  # with a fixed width it would be 40 GB


class TestMedia:
    def test_files_are_decoded_for_the_batch(self, tmp_path):
        for row in range(N):
            np.save(tmp_path / f"{row}.npy", np.full((1 + row % 3, 2), float(row)))
        paths = [None if row == 4 else tmp_path / f"{row}.npy" for row in range(N)]
        read = []

        def decode(path):
            read.append(path.stem)
            return np.load(path)

        data = Dataset({"a": MediaColumn(paths, decode, varies=True), "b": B}, LABELS)
        assert read == ["0"]  # to see what the files hold
        assert np.flatnonzero(~data.present["a"]).tolist() == [4]
        batch = data.batch([4, 5])
        assert read == ["0", "5"]
        assert batch.lengths["a"].tolist() == [1, 3]
        assert batch.inputs["a"].tolist() == [[[0, 0]] * 3, [[5, 5]] * 3]
        data.restrict(["b"]).batch([1, 2])
        data.split().redraw(3)
        assert read == ["0", "5"]

    def test_pictures_need_one_size(self, tmp_path):
        np.save(tmp_path / "a.npy", np.ones((4, 4, 3), np.uint8))
        column = MediaColumn([tmp_path / "a.npy"] * N, np.load, varies=True)
        fails("a: rows of kind 'image' need one shape, got (T, 4, 3)", {"a": column, "b": B}, LABELS)


class TestChannelsFirst:
    def test_pictures_with_channels_first_are_refused_with_the_remedy(self):
        fails(
            "a: kind 'image' needs channels last, (N, H, W, C), got shape (12, 3, 8, 8). If these are pictures with "
            "channels first, move the channels last: array.transpose(0, 2, 3, 1).",
            {"a": np.ones((N, 3, 8, 8)), "b": B},
            LABELS,
            kinds={"a": "image"},
        )
        assert Dataset({"a": np.ones((N, 3, 8, 3)), "b": B}, LABELS, kinds={"a": "image"}).kinds["a"] == "image"
