"""A headless Chromium, driven through Playwright; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser that is installed; its tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="make test-browser installs playwright")
    binary = next((found for name in NAMES if (found := shutil.which(name))), None)
    if binary is None:
        pytest.skip(f"no browser ({', '.join(NAMES)}) is installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which finds faults of accessibility; in the file that AXE names."""
    path = os.environ.get("AXE", "")
    if not path or not Path(path).is_file():
        pytest.skip("axe-core is not there: make test-browser gets it with npm")
    return Path(path).read_text(encoding="utf-8")
