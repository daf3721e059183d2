"""`--help` and `--version` answer at once: what a command needs is imported when it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import equimodal

HEAVY = ("torch", "numpy", "scipy", "pandas", "sklearn", "matplotlib", "torchmetrics", "lightning_fabric")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["analyse", "tau", "--help"],
        ["prepare", "--help"],
        ["board", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from equimodal.cli.main import main
sys.argv = ["equimodal", *{arguments}]
try:
    main()
finally:
    print("imported:", *sorted(set({HEAVY}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "imported:"


def test_a_configuration_is_read_without_the_library_that_it_configures() -> None:
    code = """
import sys
from equimodal.config.load import load_config
load_config("emoji", ["training.epochs=3"])
print("imported:", *sorted({"torch", "numpy", "pandas", "scipy", "equimodal.registry"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "imported:"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "equimodal", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["equimodal", equimodal.__version__]
