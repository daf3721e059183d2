import os
from pathlib import Path

import pytest

from equimodal.board import finding
from equimodal.board.finding import find, inside, look

from .folders import write_comparison, write_run


def places(root: Path) -> dict[str, str]:
    found, whole = find(root)
    assert whole
    return {one.place: one.kind for one in found}


def test_what_is_nested_is_found_by_what_it_is(tmp_path: Path):
    write_run(tmp_path / "mine")
    write_run(tmp_path / "mine" / "reference")
    write_comparison(tmp_path / "study" / "few labels")
    write_run(tmp_path / "study" / "few labels" / "joint" / "seed-0")
    (tmp_path / "tau").mkdir()
    for place in ("study/study.yaml", "study/.lock", "tau/tau-analysis.yaml", "tau/.lock"):
        (tmp_path / place).write_text("")
    (tmp_path / "project").mkdir()
    for recipe in ("config.yaml", "compare.yaml", "study.yaml", "my-analysis.yaml"):
        (tmp_path / "project" / recipe).write_text("a: 1")  # nothing of ours
    write_run(tmp_path / ".hidden")
    assert places(tmp_path) == {
        "mine": "run",
        "mine/reference": "run",
        "study": "study",
        "study/few labels": "comparison",
        "study/few labels/joint/seed-0": "run",
        "tau": "analysis",
    }


def test_the_folder_itself_may_be_a_run(tmp_path: Path):
    write_run(tmp_path)
    assert places(tmp_path) == {"": "run"}
    found = look(tmp_path, "")
    assert found is not None and found.folder == tmp_path


def test_links_are_not_followed_and_depth_is_limited(tmp_path: Path):
    root = tmp_path / "root"
    write_run(root / "a")
    write_run(tmp_path / "elsewhere")
    (root / "circle").symlink_to(root, target_is_directory=True)
    (root / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    write_run(root.joinpath(*"12345678"))
    write_run(root.joinpath(*"123456789"))
    assert places(root) == {"a": "run", "1/2/3/4/5/6/7/8": "run"}


def test_too_many_folders_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding, "MOST_FOLDERS", 3)
    for name in "abcd":
        write_run(tmp_path / name)
    found, whole = find(tmp_path)
    assert [one.place for one in found] == ["a", "b"] and not whole


def test_a_folder_that_vanishes_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    scan = os.scandir

    def vanishing(folder: Path):
        if Path(folder).name == "a":
            raise FileNotFoundError(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert places(tmp_path) == {"b": "run"}


@pytest.mark.parametrize(
    "place",
    ["..", "a/..", "a/../../x", "/etc", "a//b", "./a", "a\\..\\..", "a\0", "out", "out/run", "circle/../out", "a/"],
)
def test_no_place_leads_outside(tmp_path: Path, place: str):
    root = tmp_path / "root"
    write_run(root / "a")
    write_run(tmp_path / "elsewhere" / "run")
    (root / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert inside(root.resolve(), place) is None
    assert look(root.resolve(), place) is None
