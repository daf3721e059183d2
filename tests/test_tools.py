"""What the scripts under `tools/` share; they are no package, so they are imported by their path."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.mark.skipif(not TOOLS.is_dir(), reason="the source distribution comes without tools/")
def test_a_file_that_cannot_be_written_is_one_message(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import building  # pyright: ignore[reportMissingImports]

    (tmp_path / "set.npz").mkdir()
    monkeypatch.setattr(sys, "argv", ["build_set.py", "--write"])
    data_set = SimpleNamespace(title="a set", checksum="", path=lambda: tmp_path / "set.npz")
    with pytest.raises(SystemExit) as stop:
        building.build(data_set, lambda folder: {"a": np.arange(3)})
    assert "choose another name, for a folder has this one, then write it again." in str(stop.value.code)
