"""The public face: these names and no more, at no cost until one is used."""

import inspect
import subprocess
import sys

import pytest

import equimodal

NAMES = {
    "Batch",
    "Classifier",
    "CrossModalMapping",
    "CrossModalMemory",
    "Dataset",
    "Method",
    "WeakToStrong",
    "compare",
    "diagnose",
    "fit",
    "load",
    "predict",
    "report",
    "shapley",
}
EDIT = (
    "The public names changed. If that is meant: edit _HOMES, __all__ and the TYPE_CHECKING block of "
    "src/equimodal/__init__.py, NAMES in tests/test_public_api.py, docs/architecture.md and CHANGELOG.md."
)


def test_the_names_are_these_and_no_more():
    assert set(equimodal.__all__) == NAMES | {"__version__"}, EDIT
    assert set(equimodal._HOMES) == NAMES, EDIT
    assert set(dir(equimodal)) == NAMES | {"__version__"}, EDIT


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_name_is_there_documented_and_at_home(name):
    thing = getattr(equimodal, name)
    assert thing.__module__ == equimodal._HOMES[name], EDIT
    assert thing.__name__ == name, EDIT
    doc = inspect.getdoc(thing) or ""
    assert ">>>" in doc or "Example" in doc, f"{name} needs a runnable example in its docstring"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'equimodal' has no attribute 'train'"):
        _ = equimodal.train
    assert not hasattr(equimodal, "Fit")


def test_a_star_import_brings_the_same_names():
    scope: dict[str, object] = {}
    exec("from equimodal import *", scope)
    assert set(scope) - {"__builtins__"} == NAMES | {"__version__"}


def test_the_import_costs_nothing():
    code = (
        "import sys; before = set(sys.modules); import equimodal; equimodal.__version__; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['equimodal']"


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert equimodal.__version__ == version("equimodal")
