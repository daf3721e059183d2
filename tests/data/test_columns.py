"""Columns: every source gives the rows that plain NumPy gives, whatever is selected, joined, pickled or chunked."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.data.columns import base
from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.fields import FieldsColumn
from equimodal.data.columns.joined import JoinedColumn, join
from equimodal.data.columns.media import MediaColumn
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.columns.text import TextColumn
from equimodal.data.columns.trimmed import TrimmedColumn
from equimodal.errors import DataError
from features.toy import Doubling, cache_at

N = 23


def array():
    values = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    return ArrayColumn(values, "vector"), list(values)


def mapped(folder):
    values = np.arange(N * 4, dtype=np.int16).reshape(N, 2, 2)
    np.save(folder / "mapped.npy", values)
    return ArrayColumn(np.lib.format.open_memmap(folder / "mapped.npy", mode="r"), "image"), list(values)


def ragged():
    rows = [np.arange(2 * (row % 5), dtype=float).reshape(-1, 2) + row for row in range(N)]
    return RaggedColumn.from_rows(rows, "sequence"), rows


def text():
    rows = ["" if row % 7 == 0 else "ä" * row + "🙂" for row in range(N)]
    return TextColumn(rows), rows


def fields():
    ids, mask = np.arange(N * 3).reshape(N, 3), np.arange(N) % 2 == 0
    return FieldsColumn({"ids": ids, "mask": mask}), [{"ids": ids[row], "mask": mask[row]} for row in range(N)]


def media(folder):
    rows = [np.full((1 + row % 3, 2), row, np.float32) for row in range(N)]
    for number, row in enumerate(rows):
        np.save(folder / f"{number}.npy", row)
    return MediaColumn([folder / f"{number}.npy" for number in range(N)], np.load, varies=True), rows


def trimmed():
    values, lengths = np.arange(N * 8.0).reshape(N, 4, 2), np.arange(N) % 5
    rows = [row[:steps] for row, steps in zip(values, lengths, strict=True)]
    return TrimmedColumn(ArrayColumn(values, "sequence"), lengths), rows


def features(folder, column, rows):
    cached = cache_at(folder, rows=3).column(Doubling(), column, np.arange(N), "m")
    return cached, [{"features": (2 * row).astype(np.float32)} for row in rows]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    cached = [features(folder / "cache", *made) for made in (array(), ragged())]
    return [array(), mapped(folder), ragged(), text(), fields(), media(folder), trimmed(), *cached]


KINDS = range(9)


def rows_of(values):
    """Return what was read as a list of rows."""
    if isinstance(values, dict):
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return list(values)


def assert_rows(values, expected):
    found = rows_of(values)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        if isinstance(wanted, dict):
            assert all(np.array_equal(row[key], wanted[key]) for key in wanted)
        else:
            assert np.array_equal(row, wanted)


rows = st.lists(st.integers(0, N - 1), max_size=30)


@pytest.mark.parametrize("number", KINDS)
@settings(max_examples=30, deadline=None)
@given(first=rows, second=st.data(), start=st.integers(0, N), stop=st.integers(0, N))
def test_rows_are_those_of_a_list(sources, number, first, second, start, stop):
    column, expected = sources[number]
    assert_rows(column.take(np.array(first, int)), [expected[row] for row in first])
    assert_rows(column.take(slice(start, stop)), expected[start:stop])
    chosen = column.select(np.array(first, int))
    assert len(chosen) == len(first)
    assert chosen.spec == column.spec
    if first:
        again = second.draw(st.lists(st.integers(0, len(first) - 1), max_size=30))
        assert_rows(chosen.select(np.array(again, int)).take(slice(0, len(again))), [expected[first[a]] for a in again])


@pytest.mark.parametrize("number", KINDS)
@settings(max_examples=30, deadline=None)
@given(first=rows, second=rows, third=st.data())
def test_joined_columns_are_joined_lists(sources, number, first, second, third):
    column, expected = sources[number]
    wanted = [expected[row] for row in [*first, *second]]
    parts = [column.select(np.array(part, int)) for part in (first, second)]
    for joined in (join("m", parts), JoinedColumn(parts)):
        assert joined.spec == column.spec
        assert len(joined) == len(wanted)
        assert_rows(joined.take(slice(0, len(wanted))), wanted)
        order = third.draw(st.lists(st.integers(0, len(wanted) - 1), max_size=30)) if wanted else []
        assert_rows(joined.take(np.array(order, int)), [wanted[row] for row in order])


@pytest.mark.parametrize("number", KINDS)
@settings(max_examples=30, deadline=None)
@given(chosen=st.none() | rows, limit=st.integers(1, 60), most=st.none() | st.integers(1, 9))
def test_pieces_cover_all_rows_in_order_and_are_small(sources, number, chosen, limit, most):
    column, expected = sources[number]
    chosen = None if chosen is None else np.array(chosen, int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK", limit)
        pieces = [column.take(piece) for piece in column.ranges(chosen, most=most)]
    wanted = expected if chosen is None else [expected[row] for row in chosen]
    assert_rows([row for piece in pieces for row in rows_of(piece)], wanted)
    for piece in map(rows_of, pieces):
        values = sum(sum(map(np.size, row.values())) if isinstance(row, dict) else np.size(row) for row in piece)
        values = sum(map(len, piece)) if isinstance(column, TextColumn) else values
        assert len(piece) == 1 or isinstance(column, MediaColumn) or values <= limit
        assert most is None or len(piece) <= most


@pytest.mark.parametrize("number", KINDS)
def test_a_column_travels_to_another_process(sources, number):
    column, expected = sources[number]
    again = pickle.loads(pickle.dumps(column.select(np.arange(N)[::-1])))
    assert_rows(again.take(slice(0, N)), expected[::-1])
    assert again.fingerprint() == column.select(np.arange(N)[::-1]).fingerprint()


@pytest.mark.parametrize("number", KINDS)
def test_fingerprints_name_the_content(sources, number, tmp_path):
    column, _ = sources[number]
    assert column.fingerprint() == column.fingerprint()
    orders = [np.arange(N), np.arange(N)[::-1], np.arange(N - 1)]
    prints = {column.fingerprint(), *(column.select(order).fingerprint() for order in orders)}
    assert len(prints) == 4


def test_content_that_differs_little_has_another_fingerprint(tmp_path):
    values = np.zeros((4, 2))
    other = values.copy()
    other[3, 1] = 1e-300
    columns = [
        ArrayColumn(values, "vector"),
        ArrayColumn(other, "vector"),
        ArrayColumn(values.astype(np.float32), "vector"),
        ArrayColumn(values.reshape(4, 1, 2), "sequence"),
        TextColumn(["ab", "c"]),
        TextColumn(["a", "bc"]),
        TextColumn(["abc"]),
        RaggedColumn(values, np.array([0, 2, 4]), "sequence"),
        RaggedColumn(values, np.array([0, 1, 4]), "sequence"),
        FieldsColumn({"a": values}),
        FieldsColumn({"b": values}),
    ]
    assert len({column.fingerprint() for column in columns}) == len(columns)


def test_a_memory_map_travels_by_its_path(tmp_path):
    values = np.zeros((1000, 1000))
    np.save(tmp_path / "a.npy", values)
    column = ArrayColumn(np.lib.format.open_memmap(tmp_path / "a.npy", mode="r"), "vector")
    sent = pickle.dumps(column.select(np.array([1, 999])))
    assert len(sent) < 10_000
    assert isinstance(pickle.loads(sent).source.array, np.memmap)
    part = ArrayColumn(column.array[500:502], "vector")  # its offset is not that of the file
    assert np.array_equal(pickle.loads(pickle.dumps(part)).array, values[500:502])


def test_parts_that_do_not_fit_are_not_joined():
    with pytest.raises(DataError, match=r"m: the parts' rows differ in shape: \(2, 3\), \(2, 4\)"):
        join("m", [ArrayColumn(np.ones((2, 3)), "vector"), ArrayColumn(np.ones((2, 4)), "vector")])
    with pytest.raises(DataError, match=r"m\[a\]: the parts' rows differ in shape"):
        join("m", [FieldsColumn({"a": np.ones((2, 3))}), FieldsColumn({"a": np.ones((2, 4))})])


def test_a_joined_column_has_one_type():
    parts = [ArrayColumn(np.ones((2, 3), np.uint8), "vector"), ArrayColumn(np.ones((2, 3), np.float32), "vector")]
    assert join("m", parts).take(np.array([0])).dtype == join("m", parts).spec.dtype == np.float32


class TestMedia:
    def test_errors_name_the_file(self, tmp_path):
        np.save(tmp_path / "good.npy", np.ones((2, 3)))
        np.save(tmp_path / "other.npy", np.ones((2, 4)))
        np.save(tmp_path / "nan.npy", np.full((2, 3), np.nan))
        (tmp_path / "bad.npy").write_text("no array")
        paths = [tmp_path / f"{name}.npy" for name in ("good", "other", "nan", "bad")]
        column = MediaColumn([*paths, None], np.load)
        assert column.absent.tolist() == [False] * 4 + [True]
        for row, message in enumerate(
            [None, r"other\.npy: holds shape \(2, 4\)", r"nan\.npy: holds NaN", r"bad\.npy: cannot be decoded", "row 4"]
        ):
            if message is not None:
                with pytest.raises(DataError, match=message):
                    column.take(np.array([row]))
        assert column.take(np.array([0, 0])).shape == (2, 2, 3)
        paths[0].unlink()
        with pytest.raises(DataError, match=r"good\.npy: cannot be decoded \(FileNotFoundError"):
            column.take(np.array([0]))

    def test_missing_files_are_found_before_anything_is_decoded(self, tmp_path):
        with pytest.raises(DataError, match=r"2 of 2 files are missing, the first is a\.wav"):
            MediaColumn(["a.wav", "b.wav"], np.load)
        with pytest.raises(DataError, match="no row has a file"):
            MediaColumn([None], np.load)
