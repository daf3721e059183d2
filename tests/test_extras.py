"""Packages that not everybody needs: the words for a missing one, and that they are imported in one way only."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from equimodal.errors import ConfigError
from equimodal.extras import PACKAGES, need

ROOT = Path(__file__).parents[1]
ALSO_CALLED = {"Pillow": "pillow", "PyAV": "av", "Ray": "ray", "Starlette": "starlette", "Uvicorn": "uvicorn"}
"""What some of them are called on the package index."""


def test_a_module_that_is_there_is_imported():
    assert need("PIL.Image") is sys.modules["PIL.Image"]


def test_a_missing_one_is_one_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"Decoding .* needs PyAV, which .*: pip install 'equimodal\[media\]'\.$"):
        need("av")
    with pytest.raises(ConfigError, match=r"^this\.ogg needs PyAV, .*'equimodal\[media\]', or save it as \.wav\.$"):
        need("av", "this.ogg", "save it as .wav")


@pytest.mark.parametrize("module", PACKAGES)
def test_what_a_message_says_to_install_brings_the_package(module: str):
    package = PACKAGES[module]
    name = ALSO_CALLED.get(package.name, package.name)
    extra = re.fullmatch(r"equimodal\[(\w+)\]", package.install)
    if extra is None:
        assert package.install == name
        return
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert name in [re.split(r"[<>=]", requirement)[0] for requirement in extras[extra[1]]]


def test_no_module_imports_one_by_hand():
    by_hand = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            by_hand += [f"{path}:{name}" for name in names if name.partition(".")[0] in PACKAGES]
    assert by_hand == []
