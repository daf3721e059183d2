"""CMU-MOSI and CMU-MOSEI: small arrays, as the lines in the message about pickles export them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from equimodal.data.archive import write_npz
from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import DataError
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.benchmarks.mosi import EXPORT
from equimodal.preparation.prepare import prepare
from equimodal.preparation.record import check

SCORES = {"train": [-3, 0, 2.6, -0.4, 1], "valid": [0, -1], "test": [3, -2, 0.5]}


def arrays(part: str) -> dict[str, np.ndarray]:
    """Return arrays of a part: sequences with padding before them, a row without audio, and -inf in another."""
    generator = np.random.default_rng(len(part))
    count = len(SCORES[part])
    text = generator.normal(size=(count, 6, 3)).astype(np.float32)
    audio = generator.normal(size=(count, 4, 2)).astype(np.float32)
    text[0, :2] = 0
    audio[1] = 0
    audio[0, 1, 0] = -np.inf
    return {
        "text": text,
        "audio": audio,
        "vision": generator.normal(size=(count, 5)).astype(np.float32),
        "labels": np.array(SCORES[part], np.float32).reshape(count, 1, 1),
        "id": np.array([f"{part}_v{row // 2}$_${row}" for row in range(count)]),
    }


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    root = tmp_path / "mosi"
    root.mkdir()
    for part in SCORES:
        write_npz(root / f"{part}.npz", arrays(part))
    return root


def test_three_files_become_the_official_splits(parts: Path, tmp_path: Path) -> None:
    found = prepare("mosi", tmp_path / "data", root=parts)
    assert found.notes == (
        "10 rows, published are 2199 (2189 fewer).",
        "5 rows of train, published are 1284 (1279 fewer).",
        "2 rows of validation, published are 229 (227 fewer).",
        "3 rows of test, published are 686 (683 fewer).",
        "Numbers of audio that are not finite, taken as 0: 3.",
    )
    data = load_path(tmp_path / "data")
    assert isinstance(data, Splits)
    assert data.train.classes == ("negative", "not negative")
    assert np.asarray(data.train.labels).tolist() == [0, 1, 1, 0, 1]
    assert np.asarray(data.test.labels).tolist() == [1, 0, 1]
    assert data.test.ids is not None and list(data.test.ids) == [f"test_v{row // 2}$_${row}" for row in range(3)]
    assert data.train.present["audio"].tolist() == [True, False, True, True, True]
    given = arrays("train")
    columns = tmp_path / "data" / "columns"
    text, lengths = np.load(columns / "text.npy"), np.load(columns / "text_lengths.npy")
    assert lengths.tolist() == [4, 6, 6, 6, 6, 4, 6, 4, 6, 6]
    np.testing.assert_array_equal(text[0, :4], given["text"][0, 2:])
    assert not text[0, 4:].any()
    np.testing.assert_array_equal(np.load(columns / "video.npy")[:5], given["vision"])
    assert np.load(columns / "audio.npy")[0, 1, 0] == 0
    assert check(tmp_path / "data").rows == 10 and prepare("mosi", tmp_path / "data", root=parts) == found


def test_classes_by_the_sentiment(parts: Path) -> None:
    def labels(*options: str) -> list[str | None]:
        return [each.label for each in read_benchmark("mosi", parts, options).samples]

    assert labels("classes=3")[:5] == ["negative", "neutral", "positive", "negative", "positive"]
    assert labels("classes=7") == ["-3", "0", "3", "0", "1", "0", "-1", "3", "-2", "0"]
    assert labels("zeros=drop") == [
        *("negative", "not negative", "negative", "not negative"),
        *("negative", "not negative", "negative", "not negative"),
    ]
    layout = read_benchmark("mosei", parts, ["zeros=drop"])
    assert "Rows of sentiment 0, left out: 2." in layout.notes and layout.notes[0].endswith("(22846 fewer).")


def test_one_folder_of_arrays_and_a_drawn_split_by_video(tmp_path: Path) -> None:
    for name, values in arrays("train").items():
        np.save(tmp_path / f"{name}.npy", values)
    with pytest.raises(DataError, match=r"train.npz and test.npz, or an array split, were not found.*-s split=drawn"):
        read_benchmark("mosi", tmp_path)
    samples = read_benchmark("mosi", tmp_path, ["split=drawn"]).samples
    assert [each.group for each in samples] == ["train_v0", "train_v0", "train_v1", "train_v1", "train_v2"]
    np.save(tmp_path / "split.npy", np.array(["train", "train", "val", "test", "train"]))
    assert [each.split for each in read_benchmark("mosi", tmp_path).samples] == [
        *("train", "train", "validation", "test", "train"),
    ]


def test_pickles_are_not_loaded_but_the_lines_that_export_them_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pickles"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with Path("mosi_data.pkl").open("wb") as file:
        pickle.dump({part: arrays(part) for part in SCORES}, file)
    with pytest.raises(DataError, match=r"never loaded here") as error:
        prepare("mosi", tmp_path / "data", root=folder)
    said = str(error.value)
    assert "There is mosi_data.pkl." in said
    lines = [line[4:] for line in EXPORT.splitlines() if line.startswith("    ")]
    assert all(line in said for line in lines)
    exec("\n".join(lines).replace("FILE.pkl", "mosi_data.pkl"), {})
    assert len(read_benchmark("mosi", folder).samples) == 10


def test_wrong_arrays_are_all_named(parts: Path, tmp_path: Path) -> None:
    (parts / "test.npz").unlink()
    with pytest.raises(DataError, match=r"arrays test audio, test id, test labels.*were not found\. Files below it: 2"):
        prepare("mosi", tmp_path / "none", root=parts)
    assert not (tmp_path / "none").exists()
    wrong = arrays("test")
    write_npz(parts / "test.npz", {**wrong, "labels": wrong["labels"] * 2, "id": wrong["id"][[0, 0, 1]]})
    with pytest.raises(DataError) as error:
        read_benchmark("mosi", parts)
    assert "rows 7, 8 not within -3 and 3" in str(error.value) and "1 rows have the id" in str(error.value)
    write_npz(parts / "test.npz", {**wrong, "audio": wrong["audio"][:2], "text": wrong["text"][:, :4]})
    with pytest.raises(DataError) as error:
        read_benchmark("mosi", parts)
    assert "test audio: shape (2, 4, 2), expected 3 rows" in str(error.value)
    assert "text: rows of different shapes in its parts: [(4, 3), (6, 3)]" in str(error.value)


def test_what_was_made_of_a_download_may_lie_within_it(parts: Path) -> None:
    found = prepare("mosi", parts / "out", root=parts)
    assert prepare("mosi", parts / "out", root=parts) == found  # its own columns are no arrays of the download
