"""A method from outside the package, as CONTRIBUTING shows it: one module, one entry point, one test of three lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from packages import install

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"
MODULE = "somebodys_method"
SHORT = ("-q", "-s", "training.epochs=2", "-s", "measure.bootstrap=20", "-s", "reference=false")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with the guide's method as an installed package, its test, and small data."""
    blocks = re.findall(r"```(python|toml)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (_, method), (_, declared), (_, test) = blocks
    ((group, entries),) = tomllib.loads(declared)["project"]["entry-points"].items()
    points = [f"{name} = {MODULE}:{value.partition(':')[2]}" for name, value in entries.items()]
    install(tmp_path, MODULE, method, "\n".join([f"[{group}]", *points, ""]))
    (tmp_path / "test_late_only.py").write_text(test)
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    one, other = (rng.normal(size=(90, 4)) + 1.5 * np.eye(4)[labels] for _ in range(2))
    np.savez(tmp_path / "own.npz", labels=labels, one=one, other=other)
    return tmp_path


COMMANDS = """
import sys
from equimodal.cli.main import main
for command in {commands}:
    sys.argv = ["equimodal", *command]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""


def run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder that is also on the path; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_method_from_outside_is_one_of_ours(outside: Path) -> None:
    train = ["train", "late_only", "-d", "own.npz", "-o", "run", *SHORT]
    methods = ("-m", "joint", "-m", "late_only")
    compare = ["compare", "-d", "own.npz", *methods, "--seeds", "2", "--workers", "2", "-o", "compared", *SHORT]
    shown = run(outside, "-c", COMMANDS.format(commands=[["list", "methods"], train, compare]))
    assert re.search(r"^  late_only +Only the fused loss, with late fusion", shown, re.MULTILINE)
    assert (outside / "run" / "metrics.json").is_file()
    assert "method" in shown.partition("late_only on ")[2]
    assert len(list((outside / "compared").glob("late_only*/*/metrics.json"))) == 2

    passed = re.search(
        r"(\d+) passed", run(outside, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_late_only.py")
    )
    assert passed is not None and int(passed[1]) >= 20
