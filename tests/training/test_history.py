"""The history: a line an epoch, none doubled, none lost, none half-written."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.errors import RunError
from equimodal.training.history import History, history_so_far, read_history
from training.runs import largest_file

LINES = [{"epoch": i, "é": [0.1 * i, None, True]} for i in range(1, 6)]


def write(path, lines):
    history = History(path)
    offsets = [0]
    for line in lines:
        history.append(line)
        offsets.append(history.offset)
    return history, offsets


def test_lines_are_appended_and_read(tmp_path):
    path = tmp_path / "run" / "history.jsonl"
    history, offsets = write(path, LINES)
    assert [json.loads(line) for line in path.read_text().splitlines()] == LINES
    assert read_history(path) == history.lines == LINES
    assert offsets[-1] == path.stat().st_size


@given(kept=st.integers(0, 5), torn=st.integers(0, 12))
def test_going_on_cuts_what_the_checkpoint_had_not_seen(tmp_path_factory, kept, torn):
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    _, offsets = write(path, LINES)
    with path.open("a") as file:
        file.write('{"epoch": 6,'[:torn])
    history = History(path)
    history.resume(offsets[kept])
    assert history.lines == LINES[:kept]
    for line in LINES[kept:]:
        history.append(line)
    assert read_history(path) == history.lines == LINES
    assert history.offset == path.stat().st_size


def test_in_memory_lines_are_as_they_would_be_read(tmp_path):
    history = History(None)
    history.append({"order": ("a", "b")})
    history.resume(7)
    assert history.lines == [{"order": ["a", "b"]}]


def test_a_history_shorter_than_the_checkpoint_says(tmp_path):
    path = tmp_path / "history.jsonl"
    _, offsets = write(path, LINES[:2])
    with pytest.raises(RunError, match=re.escape(f"holds {offsets[-1]} bytes, but the checkpoint had seen 999")):
        History(path).resume(999)
    assert read_history(path) == LINES[:2]


def test_a_disk_that_fills_leaves_no_half_line(tmp_path):
    path = tmp_path / "history.jsonl"
    history, offsets = write(path, LINES[:2])
    before = path.read_bytes()
    with largest_file(offsets[-1] + 5), pytest.raises(RunError, match=r"history\.jsonl: could not be written \(File"):
        history.append(LINES[2])
    assert path.read_bytes() == before
    assert history.lines == LINES[:2] and history.offset == offsets[-1]
    history.append(LINES[2])
    assert read_history(path) == LINES[:3]


def test_a_history_that_is_being_written_is_read_up_to_its_last_whole_line(tmp_path):
    path = tmp_path / "history.jsonl"
    assert history_so_far(path) == []
    text = "".join(json.dumps(line) + "\n" for line in LINES).encode()
    ends = [place for place, letter in enumerate(text) if letter == ord("\n")]
    for end in range(len(text) + 1):
        path.write_bytes(text[:end])
        assert history_so_far(path) == LINES[: sum(each <= end for each in ends)], end
    path.write_bytes(text[: ends[0]] + b"\n[1]\n" + text)
    assert history_so_far(path) == LINES[:1]
