"""A download as the hub's cache keeps it, and what is said of one that is not whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equimodal.cli.main import main
from equimodal.errors import ConfigError
from equimodal.preparation.huggingface.choice import Choice
from equimodal.preparation.huggingface.dataset import read_dataset
from equimodal.preparation.huggingface.recognition import is_dataset
from equimodal.preparation.prepare import prepare
from preparation.huggingface.trees import SCHEMA, SPLITS, hub, saved, table
from preparation.own_media import content

COLUMNS = ("text", "label")
REVISION = "0a" * 20
SHARD = "data/test-00000-of-00002.parquet"
_CLASSES = SCHEMA["label"][1]["names"]


def cached(folder: Path, columns: tuple[str, ...] = COLUMNS) -> Path:
    """Write a repository as the hub's cache has it, and return its snapshot: links to blobs that have no ending."""
    repository = folder / "datasets--some--clips"
    snapshot = repository / "snapshots" / REVISION
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(REVISION)
    for path in sorted(hub(folder / "plain", columns).rglob("*")):
        if path.is_file():
            blob = repository / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
            path.replace(blob)
            link = snapshot / path.relative_to(folder / "plain")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def test_a_snapshot_and_its_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(hub(tmp_path / "in", COLUMNS), tmp_path / "out", workers=1)
    expected = content(tmp_path / "out")
    snapshot = cached(tmp_path / "cache")
    repository = snapshot.parent.parent
    (tmp_path / "link").symlink_to(repository)
    for number, source in enumerate((snapshot, repository, tmp_path / "link")):
        prepare(source, tmp_path / f"out{number}", workers=1)
        assert content(tmp_path / f"out{number}") == expected
    monkeypatch.chdir(repository)
    assert len(read_dataset(Path()).samples) == sum(SPLITS.values())
    assert len(read_dataset(snapshot / "data", Choice()).samples) == sum(SPLITS.values())
    older = snapshot.with_name("0b" * 20)
    shutil.copytree(snapshot, older, symlinks=True)
    assert len(read_dataset(repository / "snapshots").samples) == sum(SPLITS.values())
    with pytest.raises(ConfigError, match="lies within"):
        prepare(repository, repository / "out", workers=1)


def test_a_folder_of_several_data_sets(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    """Whatever they hold: none is read as a class, and no two as one data set."""
    cached(tmp_path / "hub")
    shutil.rmtree(tmp_path / "hub/plain")
    found = "expected one data set of Hugging Face, got a folder that holds"
    assert f"{found} one: datasets--some--clips. Give one of them" in refused(tmp_path / "hub")
    (tmp_path / "hub/datasets--some--list/snapshots/0b").mkdir(parents=True)
    (tmp_path / "hub/datasets--some--list/snapshots/0b/all.csv").write_text("a,b\n")
    (tmp_path / "hub/models--some--encoder/snapshots").mkdir(parents=True)
    (tmp_path / "hub/version.txt").write_text("1")
    both = "2: datasets--some--clips, datasets--some--list. Give one"
    assert f"{found} {both}" in refused(tmp_path / "hub")
    assert f"{found} 2: hub/datasets--some--clips, hub/datasets" in refused(tmp_path)
    shutil.rmtree(tmp_path / "hub/datasets--some--clips")
    assert f"{found} one: datasets--some--list. Give one of them" in refused(tmp_path / "hub")

    for name in ("a", "b"):
        saved(tmp_path / "saved" / name, COLUMNS)
        hub(tmp_path / "local" / name, COLUMNS)
    assert f"{found} 2: a, b. Give one of them, for instance {tmp_path / 'saved/a'}" in refused(tmp_path / "saved")
    assert f"{found} 2: a, b. Give one of them, for instance {tmp_path / 'local/a'}" in refused(tmp_path / "local")
    (tmp_path / "saved/a/dataset_dict.json").unlink()
    assert "holds splits (test, train, validation), but no dataset_dict.json" in refused(tmp_path / "saved/a")


def test_arrow_files_of_no_known_layout(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    (tmp_path / "in/some___clips/default").mkdir(parents=True)
    (tmp_path / "in/some___clips/default/clips-train.arrow").write_bytes(b"ARROW1")
    assert "holds no .parquet. Expected a data set as it is downloaded" in refused(tmp_path / "in")


def _main_names_another(snapshot: Path) -> None:
    (snapshot.parent.parent / "refs/main").write_text("../../elsewhere")


def _no_main(snapshot: Path) -> None:
    (snapshot.parent.parent / "refs/main").unlink()


def _no_snapshot(snapshot: Path) -> None:
    shutil.rmtree(snapshot.parent)


def _half_a_blob(snapshot: Path) -> None:
    link = snapshot / SHARD
    blob = link.resolve()
    blob.rename(blob.with_name(f"{blob.name}.incomplete"))
    link.unlink()


def _dangling(snapshot: Path) -> None:
    (snapshot / SHARD).resolve().unlink()


def _dangling_card(snapshot: Path) -> None:
    (snapshot / "README.md").resolve().unlink()


def _link_out(snapshot: Path) -> None:
    link = snapshot / SHARD
    shutil.copy(link.resolve(), snapshot.parents[4] / "elsewhere")
    link.unlink()
    link.symlink_to(snapshot.parents[4] / "elsewhere")


def _folder_link_out(snapshot: Path) -> None:
    shutil.copytree(snapshot / "data", snapshot.parents[4] / "elsewhere")
    shutil.rmtree(snapshot / "data")
    (snapshot / "data").symlink_to(snapshot.parents[4] / "elsewhere")


def _other_repository(snapshot: Path) -> None:
    link = snapshot / SHARD
    other = snapshot.parents[3] / "datasets--some--other/blobs"
    other.mkdir(parents=True)
    shutil.copy(link.resolve(), other / "0")
    link.unlink()
    link.symlink_to(other / "0")


def _card_out(snapshot: Path) -> None:
    card = snapshot / "README.md"
    (snapshot.parents[4] / "secret.md").write_text("---\npassword: 1\n---\n")
    card.unlink()
    card.symlink_to(snapshot.parents[4] / "secret.md")


def _loop(snapshot: Path) -> None:
    (snapshot / SHARD).unlink()
    (snapshot / SHARD).symlink_to(snapshot / SHARD)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_main_names_another, f"expected refs/main to name a snapshot, but it names '../../elsewhere'.*{REVISION}"),
        (
            _no_main,
            f"to name a snapshot, but it is not there.*or give one of those in snapshots: {REVISION}",
        ),
        (_no_snapshot, "names '0a0a.*Download the data set again"),
        (_half_a_blob, r"1 file is downloaded only in part: \w+\.incomplete\. Start the same download again"),
        (_dangling, f"Split 'test': no such file: {SHARD}.*download it again"),
        (_dangling_card, "README.md is a link to a file that is not there. Start the download again"),
        (_link_out, f"links lead out of it: {SHARD}"),
        (_folder_link_out, "links lead out of it: data/train-00000-of-00003.parquet, data"),
        (_other_repository, f"links lead out of it: {SHARD}"),
        (_card_out, "links lead out of it: README.md"),
        (_loop, f"{SHARD}"),
    ],
)
def test_a_repository_that_is_not_whole(
    tmp_path: Path, spoil: Callable[[Path], None], message: str, refused: Callable[[Path], str]
) -> None:
    snapshot = cached(tmp_path / "one/cache")
    spoil(snapshot)
    assert re.search(message, refused(snapshot.parent.parent))


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that prepares a data set which is refused, and returns the message."""

    def refuse(source: Path, *options: str) -> str:
        out = tmp_path / "out"
        words = ["equimodal", "prepare", str(source), "--out", str(out), "--workers", "1", "-q", *options]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr().err
        assert caught.value.code == 2 and not out.exists() and said.startswith("error: ") and "Traceback" not in said
        return " ".join(said.split())

    return refuse


def test_a_local_download_that_is_half_done(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    """Also where no table is there yet, or the folder would be one of classes."""
    for folder in (hub(tmp_path / "in", COLUMNS), tmp_path / "begun"):
        part = folder / ".cache/huggingface/download/data/abc=.0f.incomplete"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"PAR1")
        assert "1 file is downloaded only in part: abc=.0f.incomplete. Start the same" in refused(folder)


def test_a_split_that_is_not_there_at_all(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    """The card names no files; how many rows each split has, it does say."""
    folder = hub(tmp_path / "in", COLUMNS)
    card = folder / "README.md"
    card.write_text(card.read_text().split("configs:")[0] + "---\n")
    assert len(read_dataset(folder).samples) == sum(SPLITS.values())
    for path in folder.glob("data/test-*"):
        path.unlink()
    said = refused(folder)
    assert "expected files of train, validation, test, as README.md tells, but there is none of test. Finish" in said


@pytest.mark.parametrize("older", ["train-00000-of-00001.parquet", "train-00000-of-00003-0123456789abcdef.parquet"])
def test_two_downloads_in_one_folder(tmp_path: Path, refused: Callable[[Path], str], older: str) -> None:
    folder = hub(tmp_path / "in", COLUMNS)
    shutil.copy(folder / "data/train-00000-of-00003.parquet", folder / "data" / older)
    assert "expected the shards of one download, but train-...-of-0000" in refused(folder)


def test_one_of_four_shards_is_missing(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    """Also where a folder of another configuration has a shard of that name."""
    rows = pq.read_table(hub(tmp_path / "plain", COLUMNS) / SHARD)
    for name in ("a", "b"):
        for number in range(4):
            path = tmp_path / "in" / name / f"train-{number:05d}-of-00004.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, path)
    (tmp_path / "in/a/train-00002-of-00004.parquet").unlink()
    (tmp_path / "in/README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: '*/train-*'\n---\n")
    assert "shards are missing: train-00002-of-00004 (there: 7). Download it again" in refused(tmp_path / "in")


def test_all_shards_that_are_cut_off_are_named(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    folder = hub(tmp_path / "in", COLUMNS)
    paths = sorted(folder.glob("data/t*"))
    for path, length in zip(paths, (0, 3, 200, -1, -9), strict=True):
        path.write_bytes(path.read_bytes()[:length])
    said = refused(folder)
    assert said.startswith("error: 5 problems in") and all(f"{path}: cannot be read" in said for path in paths)


def _numbers(values: list[object]) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: rows.set_column(rows.schema.names.index("label"), "label", pa.array(values))


def _with(name: str, values: list[object], feature: dict[str, object]) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        features = json.loads(rows.schema.metadata[b"huggingface"])["info"]["features"]
        metadata = json.dumps({"info": {"features": features | {name: feature}}})
        return rows.append_column(name, pa.array(values)).replace_schema_metadata({"huggingface": metadata})

    return change


def _other_order(rows: pa.Table) -> pa.Table:
    metadata = rows.schema.metadata[b"huggingface"].replace(b'"cat", "dog"', b'"dog", "cat"')
    return rows.replace_schema_metadata({"huggingface": metadata})


_TWO = {"bytes": b"%PDF", "path": "a.pdf"}
_COLUMNS = "expected the columns of the first shard in all of them, but not so in data/test-00000-of-00002.parquet"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_numbers([None, 1]), "Column 'label': no class in test row 0. Name the splits that have classes"),
        (_numbers([3, 1]), "'label': expected a class from 0 to 2, as its features name them, .* test row 0 \\(3\\)"),
        (_numbers([-2, 99]), "not so in test row 0 \\(-2\\), test row 1 \\(99\\). Download the data set again"),
        (_other_order, f"{_COLUMNS} .*int64 of the classes dog, cat, no, expected int64 of the classes cat, dog, no"),
        (_with("more", ["a", "b"], {"_type": "Value"}), f"{_COLUMNS} .'more' string, expected none.*--ignore"),
    ],
)
def test_a_split_unlike_the_others(
    tmp_path: Path, refused: Callable[[Path], str], change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    folder = hub(tmp_path / "in", COLUMNS)
    pq.write_table(change(pq.read_table(folder / SHARD)), folder / SHARD)
    assert re.search(message, refused(folder))


@pytest.mark.parametrize(
    ("values", "feature", "words"),
    [
        ([_TWO, _TWO], {"_type": "Pdf"}, "Pdf"),
        ([[_TWO], []], {"feature": {"_type": "Image"}, "_type": "List"}, "List"),
        ([{"en": "a"}, {"en": "b"}], {"languages": ["en"], "_type": "Translation"}, "Translation"),
        ([None, None], {"dtype": "null", "_type": "Value"}, "null"),
    ],
)
def test_a_feature_that_is_not_supported(
    tmp_path: Path, refused: Callable[..., str], values: list[object], feature: dict[str, object], words: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = _with("other", values, feature)(table([{"text": "a", "label": 0}, {"text": "b", "label": 1}]))
    pq.write_table(rows, folder / "train.parquet")
    said = refused(folder)
    assert f"Column 'other': holds {words}, which cannot become a modality: leave it out with --ignore other" in said
    assert list(read_dataset(folder, Choice(ignore=("other",))).media) == ["text"]


def test_what_may_differ_between_shards(tmp_path: Path) -> None:
    """Columns that are ignored, and features that only some shards declare; classes may be stored as floats."""
    folder = hub(tmp_path / "in", COLUMNS)
    rows = _with("more", ["a", "b"], {"_type": "Value"})(pq.read_table(folder / SHARD))
    pq.write_table(rows.replace_schema_metadata(None), folder / SHARD)
    layout = read_dataset(folder, Choice(ignore=("more",)))
    assert [each.label for each in layout.samples if each.split == "test"] == [
        _CLASSES[number % 3] for number in range(15, 19)
    ]
    for path in folder.glob("data/*"):
        rows = pq.read_table(path)
        pq.write_table(rows.set_column(1, "label", rows["label"].cast(pa.float64())), path)
    assert read_dataset(folder, Choice(ignore=("more",))).samples == layout.samples


def test_a_saved_folder_has_no_link_out(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    folder = saved(tmp_path / "in", COLUMNS)
    assert is_dataset(folder)
    (folder / "train").rename(tmp_path / "elsewhere")
    (folder / "train").symlink_to(tmp_path / "elsewhere")
    assert "links lead out of it: train/state.json. Put the files in their place" in refused(folder)
    (folder / "train").unlink()
    (tmp_path / "elsewhere").rename(folder / "other")
    (folder / "train").symlink_to("other")
    assert len(read_dataset(folder).samples) == sum(SPLITS.values())
