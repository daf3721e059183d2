"""Every example in a docstring runs, and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import equimodal

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(equimodal.__path__, "equimodal.")
    if not module.name.startswith("equimodal.cli")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0, f"run: python -m doctest -o ELLIPSIS, or see the output above ({name})"


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(tests) >= 40
