import re
import subprocess
import sys
from pathlib import Path

import pytest

import equimodal.contribution as package

PAGE = Path(__file__).parents[2] / "docs" / "contribution.md"


def test_every_public_name_is_there():
    assert all(getattr(package, name).__doc__ or name in ("VALUES", "Game") for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


def test_the_import_is_light_and_stays_within_its_bounds():
    code = (
        "import sys, equimodal.contribution; "
        "print([m for m in sys.modules if m.split('.')[0] in ('torchmetrics', 'sklearn', 'pydantic')]"
        " + [m for m in sys.modules if m.startswith('equimodal.') and m.split('.')[1] not in "
        "('contribution', 'batch', 'errors', 'known', 'modes', '_version')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_page_runs_as_printed(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    scope = {}
    for block in blocks:
        exec(block, scope)
    printed = re.search(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert printed is not None and capsys.readouterr().out.strip() == printed[1].strip()
