"""Several processes at one cache, and killed ones."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from equimodal.features.entry import Entry
from equimodal.features.manifest import read_manifest
from equimodal.features.place import entries, lock_of
from equimodal.locks import free
from features.toy import Doubling, cache_at, expected, values_of, vectors

ROWS = np.arange(20)

WRITER = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from features.toy import Doubling, cache_at, vectors
import equimodal.features.filling as filling
filling.ROWS_AT_ONCE = 1
folder, stop = Path(sys.argv[1]), int(sys.argv[2])
part = Doubling()
def before(row):
    if row == stop:
        print("there", flush=True)
        time.sleep(60)
    if stop < 0:
        time.sleep(0.001)
part.before = before
print("ready", flush=True)
sys.stdin.readline()
found = cache_at(folder).column(part, vectors(), np.arange(20), "a")
print(len(part.seen), "torch" in sys.modules, flush=True)
"""


def start(folder: Path, stop: int = -1) -> subprocess.Popen[str]:
    """Start a process that fills the cache, and stops at a row; it begins when it is given a line."""
    path = [str(Path(__file__).parents[1]), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(stop)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(path), "PATH": ""},
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def begin(process: subprocess.Popen[str]) -> None:
    assert said(process) == "ready"
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_after_a_kill_finished_shards_are_kept_and_the_rest_is_done(tmp_path: Path):
    process = start(tmp_path, stop=14)
    begin(process)
    assert said(process) == "there"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (entry,) = entries(tmp_path)
    manifest = read_manifest(entry)
    assert manifest is not None
    assert (manifest.rows, manifest.missing) == (12, 8)
    part, column = Doubling(), vectors()
    found = cache_at(tmp_path).column(part, column, ROWS, "a")
    assert part.seen == list(range(12, 20))
    assert values_of(found, ROWS) == expected(column, ROWS)


def test_two_processes_at_once_encode_each_row_once(tmp_path: Path):
    both = [start(tmp_path), start(tmp_path)]
    for process in both:
        begin(process)
    ended = [process.communicate(timeout=60)[0].split() for process in both]
    assert sorted(int(seen) for seen, _ in ended) == [0, 20]
    assert [torch for _, torch in ended] == ["False", "False"]  # a cache is cheap to import
    part, column = Doubling(), vectors()
    assert values_of(cache_at(tmp_path).column(part, column, ROWS, "a"), ROWS) == expected(column, ROWS)
    assert part.seen == []


def test_threads_take_turns_too(tmp_path: Path):
    column, parts = vectors(), [Doubling() for _ in range(4)]
    rows = [np.arange(8), np.arange(4, 16), ROWS, np.arange(10, 20)]
    found: dict[int, object] = {}

    def work(number: int) -> None:
        found[number] = values_of(cache_at(tmp_path).column(parts[number], column, rows[number], "a"), rows[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found == {number: expected(column, rows[number]) for number in range(4)}
    assert sorted(row for part in parts for row in part.seen) == ROWS.tolist()


@pytest.mark.parametrize("at", range(3))
def test_a_kill_between_any_two_writes_loses_no_finished_shard(tmp_path: Path, monkeypatch, at: int):
    """What a kill leaves: the files of a shard, one after the other, and no manifest that names it."""
    column, written = vectors(), Entry.add
    names = ("rows", "features", "offsets")[:at]

    def stop(entry: Entry, rows: np.ndarray, values: list[np.ndarray]) -> None:
        if rows[0] >= 8:
            for name in names:
                (entry.folder / f"shard-00000000000{at}.{name}.npy").write_bytes(b"\x93NUMPY half")
            raise SystemExit
        written(entry, rows, values)

    monkeypatch.setattr(Entry, "add", stop)
    with pytest.raises(SystemExit):
        cache_at(tmp_path).column(Doubling(), column, ROWS, "a")
    monkeypatch.undo()
    part = Doubling()
    assert values_of(cache_at(tmp_path).column(part, column, ROWS, "a"), ROWS) == expected(column, ROWS)
    assert part.seen == list(range(8, 20))


def test_a_complete_cache_needs_no_lock(tmp_path: Path):
    column = vectors()
    cache_at(tmp_path).column(Doubling(), column, ROWS, "a")
    (entry,) = entries(tmp_path)
    with free(lock_of(entry)) as held:
        assert held
        found = cache_at(tmp_path).column(Doubling(), column, ROWS, "a")
    assert values_of(found, ROWS) == expected(column, ROWS)
