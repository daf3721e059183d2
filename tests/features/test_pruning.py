"""Listing a cache, and removing what is not needed and nothing else."""

from __future__ import annotations

import io
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from equimodal.cli.main import main
from equimodal.features.cache import FeatureCache
from equimodal.features.entry import remove
from equimodal.features.listing import Listed, contents
from equimodal.features.manifest import FILE, read_manifest
from equimodal.features.place import entries, lock_of
from equimodal.features.pruning import DAY, Rule, prune
from equimodal.locks import taking_turns
from features.toy import Doubling, cache_at, expected, values_of, vectors
from programs import Program, program

NOW = 1_000_000_000.0


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return program("equimodal", main, monkeypatch, capsys)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A cache of three columns, last used 1, 10 and 100 days ago, the last by an earlier revision of the first's."""
    for revision, seed, days in (("2f9c", 0, 1), ("2f9c", 1, 10), ("1e0b", 0, 100)):
        before = set(entries(tmp_path)) if tmp_path.exists() else set()
        FeatureCache(tmp_path).column(Doubling(revision), vectors(seed=seed), np.arange(15), f"sound{days}")
        (entry,) = set(entries(tmp_path)) - before
        os.utime(entry / FILE, (time.time() - days * DAY,) * 2)
        content = (entry / FILE).read_text()
        created = "1999" if revision == "1e0b" else "2025"
        start = content.index('"created": "') + 12
        (entry / FILE).write_text(content[:start] + created + content[start + 4 :])
        os.utime(entry / FILE, (time.time() - days * DAY,) * 2)
    return tmp_path


def days_left(folder: Path) -> list[str]:
    return [each.manifest.modality.removeprefix("sound") for each in contents(folder) if each.manifest]


def test_the_list_says_what_there_is(three: Path, run: Program):
    code, out, err = run("features", "ls", three)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if "doubling" in line]
    key = vectors().fingerprint()[:8]
    assert lines[0][:9] == ["doubling", "2f9c", "sound1", key, "15", "of", "20", "3", "float32"]
    assert [("stale" in out_line) for out_line in out.splitlines() if "doubling" in out_line] == [False, False, True]
    size = sum(path.stat().st_size for path in three.rglob("*") if path.parent.parent == three and path.is_file())
    size -= sum(path.stat().st_size for path in (three / "locks").iterdir())
    assert out.splitlines()[-1] == f"3 columns, {size / 1000:.1f} kB"


def test_a_model_in_a_folder_is_called_by_the_folders_name_and_known_by_its_weights(tmp_path: Path, run: Program):
    part = Doubling()
    part.identity = lambda: {"name": "transformers", "place": str(tmp_path / "minilm"), "weights": "5c8e21b09fd4abcd"}
    FeatureCache(tmp_path / "kept").column(part, vectors(), np.arange(7), "a")
    _, out, _ = run("features", "ls", tmp_path / "kept")
    assert [line.split()[:4] for line in out.splitlines() if "minilm" in line] == [
        ["transformers", "minilm", "5c8e21b09fd4", "a"]
    ]
    assert str(tmp_path / "minilm") not in out


def test_unfinished_features_are_said_to_be_so(tmp_path: Path, run: Program):
    part = Doubling()
    part.encode = lambda column, rows: 1 / 0  # pyright: ignore
    with pytest.raises(ZeroDivisionError):
        FeatureCache(tmp_path).column(part, vectors(), np.arange(7), "a")
    assert "7 rows missing" in run("features", "ls", tmp_path)[1]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--older-than", "50"], ["1", "10"]),
        (["--older-than", "5"], ["1"]),
        (["--stale"], ["1", "10"]),
        (["--older-than", "50", "--keep-size", "0"], []),
        (["--keep-size", "1"], ["1", "10", "100"]),
        (["--all"], []),
    ],
)
def test_what_is_asked_for_is_removed(three: Path, run: Program, options: list[str], left: list[str]):
    code, _, err = run("features", "prune", three, *options, "--yes")
    assert (code, err, days_left(three)) == (0, "", left)
    part = Doubling("2f9c")
    found = cache_at(three).column(part, vectors(), np.arange(15), "a")  # it can be used as before
    assert values_of(found, [14]) == expected(vectors(), [14])
    assert (part.seen == []) == ("1" in left)


def test_the_longest_unused_go_until_the_rest_fits():
    def listed(name: str, used: float, size: int) -> Listed:
        return Listed(Path(name), None, used, size, stale=False)

    some = [listed("new", 30, 10**9), listed("old", 10, 3 * 10**9), listed("middle", 20, 2 * 10**9)]

    def chosen(**rule: float) -> list[str]:
        return [each.folder.name for each in Rule(**rule).chosen(some, NOW)]  # pyright: ignore[reportArgumentType]

    assert chosen(keep_size=6) == []
    assert chosen(keep_size=5.9) == chosen(keep_size=3) == ["old"]
    assert chosen(keep_size=2.9) == ["old", "middle"]
    assert chosen(keep_size=0) == ["new", "old", "middle"]
    assert chosen(older_than=(NOW - 15) / DAY) == ["old"]


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("yes\n", 0), ("n\n", 3), ("\n", 3)])
def test_it_asks_first(three: Path, run: Program, monkeypatch: pytest.MonkeyPatch, answer: str, left: int):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    code, out, _ = run("features", "prune", three, "--all")
    assert (code, len(days_left(three))) == (0, left)
    assert ("Nothing was removed" in out) == (left == 3)


def test_nobody_to_ask_is_an_error(three: Path, run: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, _, err = run("features", "prune", three, "--all")
    assert (code, len(days_left(three))) == (2, 3)
    assert "--yes" in err


def test_mistakes_are_reported(tmp_path: Path, run: Program, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "thesis.tex").write_text("text")
    for command in (["ls"], ["prune", "--all", "--yes"]):
        code, _, err = run("features", command[0], tmp_path, *command[1:])
        assert code == 2
        assert "not a cache of features" in err
    assert run("features", "ls", tmp_path / "none")[0] == 2
    FeatureCache(tmp_path / "cache")
    code, _, err = run("features", "prune", tmp_path / "cache")
    assert code == 2
    assert "Say what to remove" in err
    code, _, err = run("features", "prune", tmp_path / "cache", "--older-than", "-1", "--keep-size", "nan")
    assert code == 2
    assert "--older-than: expected a number from 0, got -1" in err
    assert "--keep-size: expected a number from 0, got nan" in err
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert "There is no cache" in run("features", "ls")[1]


def test_nothing_of_others_is_removed(three: Path, run: Program):
    entry = next(entries(three))
    (entry / "notes.txt").write_text("mine")
    (entry / "shard-mine.npy").write_text("mine")
    (three / "notes.txt").write_text("mine")
    (three / ("a" * 63)).mkdir()
    outside = three.parent / f"{three.name}-outside"
    outside.mkdir()
    (outside / FILE).write_text("mine")
    (three / ("b" * 64)).symlink_to(outside)
    assert run("features", "prune", three, "--all", "--yes")[0] == 0
    assert sorted(path.name for path in entry.iterdir()) == ["notes.txt", "shard-mine.npy"]
    assert (three / "notes.txt").exists()
    assert (three / ("a" * 63)).exists()
    assert (outside / FILE).exists()


def test_what_is_being_written_stays(three: Path, run: Program):
    busy = contents(three)[1]
    with taking_turns(lock_of(busy.folder), "features"):
        code, out, _ = run("features", "prune", three, "--all", "--yes")
    assert code == 0
    assert "1 of 3 stay: a process is writing them" in out
    assert days_left(three) == ["10"]


def test_what_the_system_keeps_is_not_said_to_be_removed(three: Path, run: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("equimodal.features.entry.remove_files", lambda folder, names: None)
    _, out, _ = run("features", "prune", three, "--all", "--yes")
    assert "Removed 0 B." in out and "3 of 3 stay: a process is writing them, or they may not be removed" in out


def test_another_process_that_removes_them_just_now_is_no_error(three: Path, monkeypatch: pytest.MonkeyPatch):
    listed = contents(three)
    shutil.rmtree(listed[0].folder)
    assert prune(listed[:2]) == []
    assert [each.folder for each in contents(three)] == [listed[2].folder]

    def gone(folder: Path):
        found = read_manifest(folder)
        shutil.rmtree(folder)
        return found

    monkeypatch.setattr("equimodal.features.listing.read_manifest", gone)
    assert contents(three) == []


def test_features_that_are_removed_while_they_are_read_can_be_read_on(tmp_path: Path):
    column = vectors()
    found = cache_at(tmp_path).column(Doubling(), column, np.arange(20), "a")
    remove(next(entries(tmp_path)))
    assert values_of(found, np.arange(20)) == expected(column, np.arange(20))
