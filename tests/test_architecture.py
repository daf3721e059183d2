"""The map of `docs/architecture.md` holds: imports go down the layers, and no modules import in a circle."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="import-linter comes with the extra 'lint'")

ROOT = Path(__file__).parents[1]
LINT = Path(sys.executable).parent / "lint-imports"
LAYERS = "Imports go down the layers"


def lint(folder: Path) -> tuple[int, str]:
    """Run the contracts of a copy (or of the repository itself) on the sources beside it."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"}
    done = subprocess.run(
        [LINT, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold() -> None:
    code, said = lint(ROOT)
    assert code == 0, said
    assert " 0 broken" in said


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.npz", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


LATE = "\n\ndef _late():\n    {}\n"
TYPES = "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}\n"


@pytest.mark.parametrize(
    ("module", "form", "imported", "contract"),
    [
        ("statistics/estimates", "\n{}\n", "import equimodal.training.fit", LAYERS),
        ("data/dataset", LATE, "from equimodal.models.classifier import Classifier", LAYERS),
        ("training/run", TYPES, "from equimodal.comparison.compare import compare", LAYERS),
        ("tables/text", LATE, "from equimodal.comparison.comparison import Comparison", LAYERS),
        ("testing/data", LATE, "from equimodal.comparison.comparison import Comparison", LAYERS),
        ("config/method", LATE, "from equimodal.registry import Registry", "The configuration imports no registry"),
        ("config/section", LATE, "import torch", "The configuration imports no registry"),
        ("contribution/values", TYPES, "from equimodal.registry import Registry", "Measuring imports batch, errors"),
        ("statistics/ranks", LATE, "import sklearn.metrics", "Statistics are NumPy and SciPy only"),
        ("models/mapping", LATE, "from equimodal.models.classifier import Classifier", "No import circle"),
        ("attic", "\n{}\n", "import equimodal.errors", LAYERS),  # a room that is on no map
    ],
)
def test_a_broken_layer_is_found(copy: Path, module: str, form: str, imported: str, contract: str) -> None:
    path = copy / "src" / "equimodal" / f"{module}.py"
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text((before or "") + form.format(imported), encoding="utf-8")
    try:
        code, said = lint(copy)
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    assert code == 1, said
    broken = re.findall(r"^(.*) BROKEN", said, flags=re.MULTILINE)
    assert any(name.startswith(contract) for name in broken), said


def test_no_module_imports_in_a_circle() -> None:
    """Imports within functions and for type checkers count too."""
    graph = grimp.build_graph("equimodal", cache_dir=None)
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        for module in free:
            del left[module]
    circles = {module: sorted(imported & left.keys()) for module, imported in left.items()}
    assert not circles, "these import each other, or what does"
