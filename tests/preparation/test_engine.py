"""The engine: the same bytes whatever happens on the way, and no sample lost or doubled."""

from __future__ import annotations

import csv
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import DataError, Interrupted, RunError
from equimodal.locks import locked
from equimodal.media.forms import Form
from equimodal.media.settings import MediaSettings
from equimodal.preparation import prepare as module
from equimodal.preparation.arrays import Target
from equimodal.preparation.decoding import Work
from equimodal.preparation.prepare import prepare
from equimodal.preparation.record import WORK, check
from equimodal.preparation.running import decode_all
from preparation.own_media import Deadly, Stuck, content, write_arrays, write_torn


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting workers takes a second: tests that need some say so."""
    monkeypatch.setattr(module, "cpu_count", lambda: 1)


def parts_of(folder: Path) -> Splits:
    found = load_path(folder)
    assert isinstance(found, Splits)
    return found


def test_rows_are_what_the_files_hold(tmp_path: Path) -> None:
    manifest = write_arrays(tmp_path / "in")
    record = prepare(manifest, tmp_path / "out")
    assert (record.rows, record.given, record.dropped, record.unreadable) == (40, 40, {}, {})
    parts = parts_of(tmp_path / "out")
    assert [len(part) for part in parts.parts().values()] == [20, 10, 10]
    for part in parts.parts().values():
        batch = part.batch(np.arange(len(part)))
        for place, name in enumerate(part.ids.tolist()):
            number = int(name.removeprefix("s"))
            touch, path = (np.load(tmp_path / f"in/{what}{number}.npy") for what in ("touch", "path"))
            assert np.array_equal(batch.inputs["touch"][place], touch)
            assert batch.present["path"][place] == bool(number % 5)
            if number % 5:
                assert batch.lengths["path"][place] == len(path)
                assert np.allclose(batch.inputs["path"][place, : len(path)], path)
            assert batch.inputs["text"][place] == f"words of {number}"
            assert part.classes[batch.labels[place]] == "ab"[number % 2] and part.groups[place] == f"g{number}"
    assert content(tmp_path / "out") and not (tmp_path / "out" / WORK).exists()


@pytest.mark.slow
def test_workers_do_not_matter(tmp_path: Path) -> None:
    manifest = write_arrays(tmp_path / "in")
    prepare(manifest, tmp_path / "one", workers=1)
    prepare(manifest, tmp_path / "two", workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.slow
def test_a_file_that_ends_the_process_is_found(tmp_path: Path) -> None:
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.array([666.0 if number == 3 else number]))
    form = Form("array", "vector", (1,), "<f8")
    target = Deadly(tmp_path / "rows", form, 4)
    target.create()
    pieces = [range(2), range(2, 4)]

    def files(piece: range) -> list[tuple[int, dict[str, Path]]]:
        return [(row, {"a": tmp_path / f"{row}.npy"}) for row in piece]

    done = list(decode_all(Work({"a": target}, {"a": form}, MediaSettings()), pieces, files, workers=2))
    causes = {row: cells["a"].cause for piece in done for row, cells in piece.outcomes.items()}
    assert causes == {row: "crash" if row == 3 else None for row in range(4)}
    assert np.load(tmp_path / "rows")[:, 0].tolist() == [0, 1, 2, 0]


@pytest.mark.slow
def test_a_decoder_that_hangs_is_stopped(tmp_path: Path) -> None:
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.array([float(number)]))
    form = Form("array", "vector", (1,), "<f8")
    target = Target(tmp_path / "rows", form, 4)
    target.create()
    paths = [tmp_path / "0.npy", tmp_path / "1.npy", tmp_path / "2.npy", Stuck(tmp_path / "3.npy")]
    work = Work({"a": target}, {"a": form}, MediaSettings(max_decode=1))
    pieces = [range(2), range(2, 4)]
    done = list(decode_all(work, pieces, lambda piece: [(row, {"a": paths[row]}) for row in piece], workers=2))
    found = {row: cells["a"] for piece in done for row, cells in piece.outcomes.items()}
    assert {row: each.cause for row, each in found.items()} == {0: None, 1: None, 2: None, 3: "took too long"}
    assert found[3].reason == "took more than --max-decode 1 seconds to decode"
    assert np.load(tmp_path / "rows")[:, 0].tolist() == [0, 1, 2, 0]


def test_again_is_nothing_to_do_and_other_options_are_refused(tmp_path: Path) -> None:
    manifest = write_arrays(tmp_path / "in", 4)
    first = prepare(manifest, tmp_path / "out")
    before = content(tmp_path / "out")
    assert prepare(manifest, tmp_path / "out") == first and content(tmp_path / "out") == before
    assert prepare(manifest, tmp_path / "out", on_error="drop") == first  # no file is unreadable
    with pytest.raises(RunError, match="from another manifest or with other options"):
        prepare(manifest, tmp_path / "out", MediaSettings(encoding="latin-1"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds other files \('thesis.txt'\)"):
        prepare(manifest, tmp_path / "other")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    manifest = write_arrays(tmp_path / "in", 4)
    with locked(tmp_path / "out", "prepared data"), pytest.raises(RunError, match="another process is writing"):
        prepare(manifest, tmp_path / "out")


def test_check_finds_every_change(tmp_path: Path) -> None:
    prepare(write_arrays(tmp_path / "in", 8), tmp_path / "out")
    assert check(tmp_path / "out").rows == 8
    touch = tmp_path / "out/columns/touch.npy"
    whole = touch.read_bytes()
    touch.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (tmp_path / "out/columns/text.txt").write_text("short")
    (tmp_path / "out/columns/ids.npy").unlink()
    with pytest.raises(DataError) as error:
        check(tmp_path / "out")
    for part in ("ids.npy is missing", "text.txt has 5 bytes", "touch.npy is not what was written"):
        assert part in str(error.value)
    with pytest.raises(DataError, match="is no prepared folder"):
        check(tmp_path / "in")


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    return write_torn(tmp_path / "in")


def test_check_of_the_description_and_of_what_was_not_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(write_arrays(tmp_path / "in", 8), out)
    description = (out / "data.yaml").read_text()
    (out / "data.yaml").write_text(description[:-9])
    with pytest.raises(DataError, match=r"data\.yaml has \d+ bytes, expected"):
        check(out)
    (out / "data.yaml").unlink()
    with pytest.raises(DataError) as error:
        check(out)
    assert str(error.value) == (
        f"{out}: its preparation was not finished: start the same command again, which continues it."
    )
    (out / ".preparing").mkdir()
    (out / "prepared.json").unlink()
    with pytest.raises(DataError, match="its preparation was not finished: start the same command again"):
        check(out)


@pytest.mark.parametrize("name", ["data.yaml", "columns/mine.npy", "thesis.txt"])
def test_a_folder_that_holds_files_of_the_user(tmp_path: Path, name: str) -> None:
    """Also those that are called as ours are: they are never replaced."""
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(RunError, match=rf"holds other files \('{name.split('/')[0]}'\)"):
        prepare(write_arrays(tmp_path / "in", 4), tmp_path / "out")
    assert (tmp_path / "out" / name).read_text() == "mine"


def test_a_file_that_changed_since(tmp_path: Path) -> None:
    """What was made of it is not taken for what it is now."""
    manifest = write_arrays(tmp_path / "in", 4)
    prepare(manifest, tmp_path / "out")
    later = (tmp_path / "out/prepared.json").stat().st_mtime + 1
    os.utime(tmp_path / "in/touch2.npy", (later, later))
    with pytest.raises(RunError, match=r"changed, or copied anew, since: touch2\.npy\. Choose another folder"):
        prepare(manifest, tmp_path / "out")


def test_what_is_prepared_already(tmp_path: Path) -> None:
    """It is no source; within a source it is passed over."""
    for label in ("a", "b"):
        (tmp_path / "in" / label).mkdir(parents=True)
        (tmp_path / "in" / label / "1.txt").write_text(label)
    prepare(write_arrays(tmp_path / "other", 4), tmp_path / "in/made")
    found = prepare(tmp_path / "in", tmp_path / "out")
    assert found.rows == 2 and found.notes[0] == "Prepared folders are passed over: made."
    with pytest.raises(DataError, match=r"out: is prepared already\. Take it as it is: equimodal train --data"):
        prepare(tmp_path / "out", tmp_path / "again")


def test_stop_reads_everything_once_and_then_says_what_is_wrong(
    tmp_path: Path, torn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"No such file below .*line 24 \(path: 'path22.npy'\)"):
        prepare(torn, tmp_path / "out")
    np.save(tmp_path / "in/path22.npy", np.full((2, 3), np.nan))
    with pytest.raises(
        DataError, match=r"3 files are unreadable \(path not finite: 1, touch damaged: 1, touch empty: 1\)"
    ):
        prepare(torn, tmp_path / "out")
    with (tmp_path / "out/unreadable.csv").open(newline="") as file:
        assert [row[:4] for row in csv.reader(file)] == [
            ["id", "modality", "file", "cause"],
            ["s3", "touch", "touch3.npy", "empty"],
            ["s21", "touch", "touch21.npy", "damaged"],
            ["s22", "path", "path22.npy", "not finite"],
        ]
    assert not (tmp_path / "out/data.yaml").exists()
    monkeypatch.setattr(module, "decode_all", lambda work, pieces, *rest: iter([]) if not pieces else 1 / 0)
    record = prepare(torn, tmp_path / "out", on_error="missing")  # nothing is decoded again
    assert record.unreadable == {"touch": {"damaged": 1, "empty": 1}, "path": {"not finite": 1}}


@pytest.mark.parametrize("on_error", ["missing", "drop"])
def test_unreadable_files_are_missing_or_samples_dropped(tmp_path: Path, torn: Path, on_error: str) -> None:
    record = prepare(torn, tmp_path / "out", on_error=on_error)  # pyright: ignore[reportArgumentType]
    assert record.unreadable == {"touch": {"damaged": 1, "empty": 1}, "path": {"missing": 1}}
    rows = {
        str(name): (part, row)
        for part in parts_of(tmp_path / "out").parts().values()
        for row, name in enumerate(part.ids)
    }
    if on_error == "drop":
        assert record.dropped == {"damaged": 1, "empty": 1, "missing": 1}
        assert set(rows) == {f"s{n}" for n in range(40)} - {"s3", "s21", "s22"}
    else:
        assert record.dropped == {} and len(rows) == 40
        for name, modality in (("s3", "touch"), ("s21", "touch"), ("s22", "path")):
            part, row = rows[name]
            assert not part.present[modality][row]
    for name, (part, row) in rows.items():  # nothing else moved
        if part.present["touch"][row]:
            expected = np.load(tmp_path / f"in/touch{name.removeprefix('s')}.npy")
            assert np.array_equal(part.batch([row]).inputs["touch"][0], expected)
    check(tmp_path / "out")


def test_a_modality_that_nothing_is_left_of(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"")
    (tmp_path / "m.csv").write_text("touch,text\na.npy,one\n")
    with pytest.raises(DataError, match="not one file of touch could be read"):
        prepare(tmp_path / "m.csv", tmp_path / "out", on_error="missing")


def test_changed_files_are_read_again(tmp_path: Path, torn: Path) -> None:
    with pytest.raises(DataError):
        prepare(torn, tmp_path / "out")
    (tmp_path / "in/path22.npy").write_bytes((tmp_path / "in/path1.npy").read_bytes())
    for number in (3, 21):
        np.save(tmp_path / f"in/touch{number}.npy", np.full(5, 7, np.float32))
    assert prepare(torn, tmp_path / "out").unreadable == {}


def test_rows_that_a_kill_spoiled_are_decoded_again(tmp_path: Path, torn: Path) -> None:
    with pytest.raises(DataError):
        np.save(tmp_path / "in/path22.npy", np.ones((2, 3)))
        prepare(torn, tmp_path / "out")
    prepare(torn, tmp_path / "straight", on_error="missing")
    rows = tmp_path / "out" / WORK / "touch.npy"
    rows.write_bytes(rows.read_bytes()[:-40] + bytes(40))
    journal = tmp_path / "out" / WORK / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    prepare(torn, tmp_path / "out", on_error="missing")
    assert content(tmp_path / "out") == content(tmp_path / "straight")


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_arrays(tmp_path / "in", 20)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(RunError, match="kB are needed, and 100 B are free"):
        prepare(manifest, tmp_path / "out")


@pytest.mark.parametrize("most", [100, 3000, 4500])
def test_a_disk_that_gets_full(tmp_path: Path, most: int) -> None:
    """No file may be larger than `most` bytes: rows, the journal or a list cannot be written."""
    manifest = write_arrays(tmp_path / "in")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        try:
            prepare(manifest, tmp_path / "out")
        except RunError as error:
            os._exit(7 if "could not be written (File too large)" in str(error) else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    prepare(manifest, tmp_path / "out")
    prepare(manifest, tmp_path / "straight")
    assert content(tmp_path / "out") == content(tmp_path / "straight")


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_arrays(tmp_path / "in")
    real = module.decode_all

    def interrupted(*arguments):
        yield next(iter(real(*arguments)))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "decode_all", interrupted)
    with pytest.raises(Interrupted, match="the same command continues"):
        prepare(manifest, tmp_path / "out", workers=1)
    seen = []
    monkeypatch.setattr(
        module, "decode_all", lambda work, pieces, *rest: seen.extend(pieces) or real(work, pieces, *rest)
    )
    prepare(manifest, tmp_path / "out", workers=1)
    assert [piece.start for piece in seen] == [16, 32]
