"""Encoders that are classes in the current folder, from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cli.test_mistakes import SHORT, refuses
from data.own_data import write_own_data
from equimodal.cli.main import main
from programs import program

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, features, hidden: int = 8):
        super().__init__()
        self.layer = nn.Linear(features, hidden)

    def forward(self, x):
        return self.layer(x).relu()
"""
MODULE = "nets_of_the_command_line"


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Call the program in a folder that holds a module, as if nothing of it had been imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    (tmp_path / f"{MODULE}.py").write_text(NET)
    call = program("equimodal", main, monkeypatch, capsys)

    def fresh(*arguments: str | Path) -> tuple[int, str, str]:
        sys.modules.pop(MODULE, None)
        return call(*arguments)

    yield fresh
    sys.modules.pop(MODULE, None)


def test_a_class_in_the_current_folder_is_trained_measured_and_used(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    own = write_own_data(tmp_path / "own", samples=96)
    encoder = {"name": f"{MODULE}:Net", "hidden": 5}
    recipe = {"data": {"name": "own"}, "model": {"encoders": {"physio": encoder}}, "method": "joint"}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    code, _, err = run("train", "r.yaml", *SHORT, "-s", "reference=false", "-o", "out")
    assert code == 0, err
    config = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert config["model"]["encoders"]["physio"] == encoder
    assert config["provenance"]["model"]["encoders"]["physio"]["options"]["hidden"] == 5

    before = (tmp_path / "out" / "report.html").read_bytes()
    for command in (["evaluate", "out"], ["predict", "out", own, "-o", "p.csv"], ["report", "out"]):
        refuses(run(*command), f"{MODULE}:Net", "encoder of 'physio'", f"--trust {MODULE}")
        refuses(run(*command, "--trust", "another"), f"--trust {MODULE}")
        assert MODULE not in sys.modules
    assert not (tmp_path / "p.csv").exists() and (tmp_path / "out" / "report.html").read_bytes() == before

    for command in (["evaluate", "out"], ["predict", "out", own, "-o", "p.csv"], ["report", "out"]):
        code, out, err = run(*command, "--trust", "another", "--trust", MODULE)
        assert code == 0 and out, err
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 97


def test_a_module_that_is_not_there_is_one_message_before_anything_is_written(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    own = write_own_data(tmp_path / "own", samples=96)
    before = set(tmp_path.rglob("*"))
    wrong = ["-s", "model.encoders.physio=no_such_nets:Net", "-s", "training.epochs=0"]
    result = run("train", "joint", "-d", own, *wrong, "-o", "out")
    refuses(result, "2 problems", "model.encoders.physio: There is no module 'no_such_nets'", "the current folder")
    refuses(run("train", "joint", "-d", own, "-s", f"model.encoders.physio={MODULE}:Nett"), "Did you mean 'Net'?")
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before


def test_a_file_in_the_current_folder_takes_no_installed_packages_place(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "yaml.py").write_text("raise RuntimeError('this is not PyYAML')")
    assert run("list", "recipes")[0] == 0
    assert sys.path[-1] == "" and sys.path.count("") == 1
