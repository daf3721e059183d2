"""Data sets of Hugging Face: the same columns as from files of their own, and one message for what is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from equimodal.cli.main import app
from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.settings import MediaSettings
from equimodal.preparation.embedded import Embedded
from equimodal.preparation.huggingface.choice import Choice
from equimodal.preparation.huggingface.dataset import read_dataset
from equimodal.preparation.prepare import prepare
from preparation.huggingface.trees import SPLITS, hub, row, rows_of, save_split, saved, table
from preparation.own_media import content

SETTINGS = MediaSettings(image_size=8, sampling_rate=8000, seconds=0.5)
MEDIA = ("image", "audio", "text", "label")
ARRAYS = ("vector", "pulse", "grid", "label")


def columns(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in content(folder).items() if name.startswith("columns/")}


def manifest(folder: Path) -> Path:
    """Write the rows of the trees as files of their own."""
    folder.mkdir()
    lines = [["id", "label", "split", "image", "audio", "text"]]
    for split, rows in rows_of(MEDIA).items():
        for number, each in enumerate(rows):
            names = []
            for medium in ("image", "audio"):
                entry = each[medium]
                names.append("" if entry is None else f"{split}{entry['path']}")
                if entry is not None:
                    (folder / names[-1]).write_bytes(entry["bytes"])
            label = ("cat", "dog", "no")[each["label"]]
            lines.append([f"{split}/{number}", label, split, *names, each["text"] or ""])
    with (folder / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder / "all.csv"


def test_columns_are_those_of_the_same_files(tmp_path: Path) -> None:
    record = prepare(manifest(tmp_path / "files"), tmp_path / "by_files", SETTINGS, workers=1)
    expected = columns(tmp_path / "by_files")
    for folder in (hub(tmp_path / "hub", MEDIA), saved(tmp_path / "saved", MEDIA)):
        found = prepare(folder, tmp_path / f"by_{folder.name}", SETTINGS, workers=1)
        assert columns(tmp_path / f"by_{folder.name}") == expected
        assert (found.modalities, found.duplicates, found.notes) == (record.modalities, record.duplicates, ())
        assert found.modalities["image"]["present"] == found.modalities["text"]["present"] == sum(SPLITS.values()) - 1


def test_numbers_in_lists_are_arrays(tmp_path: Path) -> None:
    prepare(saved(tmp_path / "in", ARRAYS), tmp_path / "out", workers=1)
    found = load_path(tmp_path / "out")
    assert isinstance(found, Splits)
    train = found.parts()["train"]
    batch = train.batch(np.arange(12))
    assert np.array_equal(batch.inputs["vector"][5], [5, 1, 2]) and (batch.inputs["grid"][7] == 7).all()
    assert batch.lengths["pulse"].tolist() == [n % 4 + 1 for n in range(12)]
    assert batch.inputs["pulse"][3, :, 0].tolist() == [0, 1, 2, 3]


def test_damaged_and_missing_bytes_are_counted(tmp_path: Path) -> None:
    rows = [row(number, "a") for number in range(6)]
    rows = [{name: each[name] for name in MEDIA} for each in rows]
    rows[0]["image"] = {"bytes": b"no picture", "path": "0.png"}
    rows[1]["audio"]["bytes"] = rows[1]["audio"]["bytes"][:-300]
    rows[4]["image"] = {"bytes": None, "path": "elsewhere.png"}
    rows[5]["image"] = {"bytes": b"", "path": None}
    folder = save_split(tmp_path / "in", rows, shards=2)
    with pytest.raises(DataError, match=r"4 files are unreadable .*data-00000-of-00002.arrow \[row 0, image\] is no"):
        prepare(folder, tmp_path / "out", SETTINGS, workers=1)
    record = prepare(folder, tmp_path / "out", SETTINGS, workers=1, on_error="missing")
    assert record.unreadable == {"image": {"damaged": 1, "empty": 1, "missing": 1}, "audio": {"cut short": 1}}
    assert record.modalities["image"]["present"] == 2 and record.rows == 6
    with (tmp_path / "out/unreadable.csv").open(newline="") as file:
        assert [line["file"] for line in csv.DictReader(file) if line["cause"] == "missing"] == [
            "data-00001-of-00002.arrow [row 1, image]"
        ]


def test_what_the_table_does_not_declare_the_card_does(tmp_path: Path) -> None:
    layout = read_dataset(hub(tmp_path, MEDIA, declared=False))
    assert layout.media == {"image": "image", "audio": "audio", "text": "text"}
    assert layout.classes == ("cat", "dog", "no") and layout.samples[1].label == "dog"
    (tmp_path / "README.md").unlink()
    layout = read_dataset(tmp_path)
    assert layout.classes is None and layout.samples[1].label == "1" and len(layout.samples) == sum(SPLITS.values())


@pytest.mark.parametrize("order", [range(40), reversed(range(40)), np.random.default_rng(0).permutation(40)])
def test_rows_in_any_order(tmp_path: Path, order: list[int]) -> None:
    for path in (tmp_path / "a.parquet", tmp_path / "a.arrow"):
        values = pa.table({"x": pa.array([b"%d" % number for number in range(40)])})
        if path.suffix == ".parquet":
            pq.write_table(values, path, row_group_size=23)
        else:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, values.schema) as stream:
                stream.write_table(values, max_chunksize=7)
        for number in map(int, order):
            loaded = Embedded(path, number, "x").load()
            assert loaded is not None and loaded.data == b"%d" % number


def test_memory_is_that_of_some_rows(tmp_path: Path) -> None:
    """A group of 64 MB in pages of 2 MB: never is more than a few of them in memory."""
    data = [np.random.default_rng(number).bytes(250_000) for number in range(256)]
    pq.write_table(pa.table({"x": data}), tmp_path / "a.parquet", write_batch_size=8, compression="none")
    before, most, total = pa.total_allocated_bytes(), 0, 0
    for number in range(256):
        loaded = Embedded(tmp_path / "a.parquet", number, "x").load()
        assert loaded is not None and loaded.data == data[number]
        most, total = max(most, pa.total_allocated_bytes() - before), total + len(loaded.data)
    assert total == 64_000_000 and 0 < most < 20_000_000


TEXTS = ("text", "label", "speaker")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(), "'speaker': holds texts. If it is a modality"),
        (Choice(label="labels"), "--label: there is no column 'labels'. Did you mean 'label'"),
        (Choice(group="talker"), "--group: there is no column 'talker'. Did you mean"),
        (Choice(columns=("texts",)), "--column: there is no column 'texts'. Did you mean 'text'"),
        (Choice(columns=("text:image",)), "'text' holds texts, expected text, got image"),
        (Choice(ignore=("speakr",)), "--ignore: there is no column 'speakr'. Did you mean 'speaker'"),
        (
            Choice(ignore=("label", "speaker"), label=None),
            "There is no column 'label'. Say which one holds the classes",
        ),
        (Choice(config="small", ignore=("speaker",)), "no configuration 'small'"),
        (Choice(splits=("training",), ignore=("speaker",)), "no split 'training'"),
        (Choice(splits=("train", "test=exam"), ignore=("speaker",)), "'test' cannot become 'exam'"),
        (Choice(splits=("train", "validation"), ignore=("speaker",)), "no split is test"),
        (Choice(splits=("train=test", "test"), ignore=("speaker",)), "no split is train"),
    ],
)
def test_a_choice_that_does_not_fit(tmp_path: Path, choice: Choice, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_dataset(hub(tmp_path, TEXTS), choice)
    assert message in str(caught.value)


def test_what_is_chosen(tmp_path: Path) -> None:
    folder = hub(tmp_path, TEXTS)
    layout = read_dataset(folder, Choice(group="speaker", splits=("train", "test")))
    assert {each.split for each in layout.samples} == {"train", "validation", "test"}
    assert {each.group for each in layout.samples if each.split == "test"} == {"test 0", "test 1", "test 2"}
    assert any("left out: validation" in note for note in layout.notes)
    layout = read_dataset(folder, Choice(label="none", columns=("text", "speaker")))
    assert {(each.label, each.split) for each in layout.samples} == {(None, None)} and list(layout.media) == [
        "text",
        "speaker",
    ]
    assert {each.split for each in read_dataset(folder, Choice(columns=("text",), splits=("drawn",))).samples} == {None}


def _lose(folder: Path) -> None:
    (folder / "data/train-00001-of-00003.parquet").unlink()


def _cut(folder: Path) -> None:
    path = folder / "data/test-00000-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:-40])


def _pointer(folder: Path) -> None:
    (folder / "data/test-00000-of-00002.parquet").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    )


def _outside(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("data/test-*", "../test-*"))


def _empty(folder: Path) -> None:
    for path in folder.glob("data/*"):
        path.unlink()


def _other_columns(folder: Path) -> None:
    path = folder / "data/test-00000-of-00002.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["label"]), path)


def _untold(folder: Path) -> None:
    path = folder / "data/test-00000-of-00002.parquet"
    pq.write_table(table([{**each, "label": -1} for each in pq.read_table(path).to_pylist()]), path)


def _strange(folder: Path) -> None:
    path = folder / "data/test-00000-of-00002.parquet"
    pq.write_table(table([{**each, "label": 7} for each in pq.read_table(path).to_pylist()]), path)


def _several(folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(
        card.read_text().replace("- config_name: default", "- config_name: b\n  data_files: x\n- config_name: a")
    )


def _unknown_feature(folder: Path) -> None:
    for path in folder.glob("data/*"):
        pq.write_table(
            pq.read_table(path).append_column("when", pa.array([[{"a": "b"}]] * pq.read_metadata(path).num_rows)), path
        )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_lose, "shards are missing: train-00001-of-00003 (there: 2). Download it again"),
        (_cut, "test-00000-of-00002.parquet: cannot be read"),
        (_pointer, "git lfs pull"),
        (_outside, "'../test-*', which leads out of the folder"),
        (_empty, "names data/train-*, and no such file is there"),
        (
            _other_columns,
            "not so in data/test-00000-of-00002.parquet ('label' none, expected int64 of the classes cat, dog, no)",
        ),
        (_untold, "Column 'label': no class in test row 0, test row 1"),
        (
            _strange,
            "expected a class from 0 to 2, as its features name them, or -1 for none, but not so in test row 0",
        ),
        (_several, "several configurations. Say which: --config. Known: b, a"),
        (_unknown_feature, "Column 'when': holds list<"),
    ],
)
def test_a_download_that_is_not_whole(tmp_path: Path, spoil, message: str) -> None:
    folder = hub(tmp_path / "in", ("text", "label"))
    spoil(folder)
    with pytest.raises((DataError, ConfigError)) as caught:
        prepare(folder, tmp_path / "out", workers=1)
    assert message in str(caught.value) and not (tmp_path / "out").exists()


def test_a_saved_folder_that_is_not_whole(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in", ("text", "label"))
    shard = folder / "train/data-00000-of-00003.arrow"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-8])
    with pytest.raises(DataError, match="cut short"):
        read_dataset(folder)
    shard.unlink()
    with pytest.raises(DataError, match=r"no such file: train/data-00000-of-00003\.arrow"):
        read_dataset(folder)
    shard.write_bytes(whole)
    state = folder / "train/state.json"
    state.write_text(json.dumps({"_data_files": [{"filename": "../test/data-00000-of-00002.arrow"}]}))
    with pytest.raises(DataError, match="names no shards"):
        read_dataset(folder)
    state.unlink()
    with pytest.raises(DataError, match=r"state\.json: is missing"):
        read_dataset(folder)


def test_damaged_offsets_do_not_end_the_process(tmp_path: Path) -> None:
    """In a stream of Arrow that is whole: where an entry begins is far behind its end."""
    rows = [{"text": f"words {number}", "label": number} for number in range(3)]
    path = save_split(tmp_path / "in", rows) / "data-00000-of-00001.arrow"
    offsets = np.array([0, 7, 14], "<i4").tobytes()
    assert path.read_bytes().count(offsets) == 1
    path.write_bytes(path.read_bytes().replace(offsets, np.array([0, 2**30, 14], "<i4").tobytes()))
    with pytest.raises(DataError, match=r"arrow: cannot be read .*Copy or download it again"):
        read_dataset(tmp_path / "in")


def test_names_of_files_say_the_split(tmp_path: Path) -> None:
    rows = rows_of(("text", "label"))
    names = {"a": "a/{}/0000.parquet", "b": "my_{}_file.parquet"}
    for kind, pattern in names.items():
        for split in SPLITS:
            path = tmp_path / kind / pattern.format("dev" if split == "validation" and kind == "b" else split)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table(rows[split]), path)
        layout = read_dataset(tmp_path / kind)
        assert [each.split for each in layout.samples] == [split for split in SPLITS for _ in rows[split]]


def test_on_the_command_line(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in", TEXTS)
    words = ["prepare", str(folder), "--out", str(tmp_path / "out"), "--group", "speaker", "--workers", "1", "-q"]
    done = CliRunner().invoke(app, [*words, "--split", "train", "--split", "test", "--column", "text"])
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out/columns").iterdir()} >= {"text.txt", "groups.npy", "split.npy"}
    with pytest.raises(ConfigError, match="--group is for data sets of Hugging Face"):
        prepare(manifest(tmp_path / "m"), tmp_path / "other", choice=Choice(group="speaker"))
