"""What the YAMLs of the accuracy benchmarks say of their data, which are not in the repository."""

import subprocess
from pathlib import Path

import pytest

from equimodal.data.columns.base import KINDS
from equimodal.data.description import describe

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "accuracy" / "data"
YAMLS = sorted(FOLDER.glob("*.yaml"))

pytestmark = pytest.mark.skipif(not YAMLS, reason="the source distribution comes without the benchmarks")


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_a_yaml_says_all_that_is_needed(path):
    description, folder, name = describe(path)
    assert (folder, name) == (FOLDER, path.stem)
    assert len(description.arrays) > 1
    assert description.labels is not None
    sources = [*description.arrays.values(), description.labels]
    assert len({source.file for source in sources}) == 1
    assert all(source.kind in KINDS for source in description.arrays.values())
    text = path.read_text(encoding="utf-8")
    comment = text[: text.index("name:")]
    assert description.labels.file in comment
    for source in sources:
        assert source.key is not None and source.key in comment


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_the_readme_names_its_file(path):
    description, _, _ = describe(path)
    assert description.labels is not None
    row = next(line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if path.name in line)
    assert description.labels.file in row
    assert all(modality in row for modality in description.arrays)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_data_files_are_ignored():
    files = {str(FOLDER / describe(path)[0].labels.file) for path in YAMLS}
    ignored = subprocess.run(["git", "check-ignore", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert set(ignored.stdout.split()) == files
