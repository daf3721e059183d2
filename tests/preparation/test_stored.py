"""Rows that are arrays already: their padding, and what a killed call leaves behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from equimodal.data.own import load_as_it_is
from equimodal.media.settings import MediaSettings
from equimodal.preparation.layout import Sample
from equimodal.preparation.stored import StoredLayout, moved_to_front, store, stored_plan


def test_padding_goes_to_the_end_as_a_loop_does_it() -> None:
    generator = np.random.default_rng(3)
    block = generator.normal(size=(40, 7, 2)) * (generator.random((40, 7, 1)) < 0.4)
    block[5] = 0
    rows, steps = moved_to_front(block)
    for given, row, count in zip(block, rows, steps, strict=True):
        filled = np.flatnonzero(np.abs(given).sum(axis=1))
        expected = given[filled[0] : filled[-1] + 1] if len(filled) else given[:0]
        assert count == len(expected)
        np.testing.assert_array_equal(row[:count], expected)
        assert not row[count:].any()


def test_more_rows_than_one_block_and_what_a_killed_call_left(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    values = {"touch": generator.normal(size=(600, 3)), "sound": generator.integers(1, 9, (600, 5, 2))}
    values["touch"][[7, 300]] = 0
    samples = [Sample(f"{row:03}", dict.fromkeys(values, tmp_path), "xy"[row % 2]) for row in range(600)]
    layout = StoredLayout(dict.fromkeys(values, "array"), samples, tmp_path, values=values)
    plan = stored_plan(layout, MediaSettings())
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "touch.npy").write_bytes(b"half of it")
    record = store(layout, plan, tmp_path, tmp_path / "work")
    assert record.modalities["touch"]["present"] == 598 and record.duplicates == {}
    data = load_as_it_is(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "columns" / "touch.npy"), values["touch"].astype(np.float32))
    np.testing.assert_array_equal(np.load(tmp_path / "columns" / "sound.npy"), values["sound"])
    assert np.flatnonzero(~np.asarray(data.present["touch"])).tolist() == [7, 300]
    assert data.specs["sound"].kind == "sequence" and data.specs["touch"].kind == "vector"
