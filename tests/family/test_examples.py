"""Examples in the docstrings run, and print what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["design", "limits", "sample"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"research.family.{name}"), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0
