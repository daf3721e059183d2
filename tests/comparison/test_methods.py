"""Methods of the user's in a comparison: classes, registered or not."""

from __future__ import annotations

from typing import Any, cast

import pytest

import equimodal as eq
from equimodal.comparison.comparison import load_comparison
from equimodal.errors import ConfigError
from equimodal.methods.joint import Joint
from equimodal.methods.uniform import Uniform

from .test_compare import QUICK, make_data, numbers


class Mine(Uniform):
    """Uniform under another name."""


@pytest.fixture(scope="module")
def data():
    return make_data()


def without_names(comparison: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in result.items() if key != "method"} for result in numbers(comparison)]


def test_a_class_is_compared_like_the_method_of_its_name(data):
    by_name = eq.compare(data, ["joint", "uniform:weight=0.5"], seeds=1, **QUICK)
    methods: list[Any] = [Joint, {"name": Uniform, "weight": 0.5, "label": "half"}]
    by_class = eq.compare(data, methods, seeds=1, **QUICK)
    assert by_class.methods == ("joint", "half")
    assert without_names(by_class) == without_names(by_name)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_class_that_is_not_registered_has_its_own_name(workers, data, tmp_path):
    known = eq.compare(data, ["joint", "uniform:weight=0.5"], seeds=1, **QUICK)
    methods: list[Any] = ["joint", {"name": Mine, "weight": 0.5}]
    found = eq.compare(data, methods, seeds=1, out=tmp_path, workers=workers, **QUICK)
    assert found.methods == ("joint", "Mine")
    if workers == 1:
        assert without_names(found) == without_names(known)
    again = eq.compare(data, methods, seeds=1, out=tmp_path, **QUICK)  # finished runs are kept
    assert again.to_dict() == found.to_dict() == load_comparison(tmp_path).to_dict()
    other = eq.compare(data, ["joint"], seeds=2, out=tmp_path, **QUICK)  # without the class, too
    assert other.results["joint"][0] == found.results["joint"][0]


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ([lambda data: Joint], "expected a name or a mapping"),
        ([dict], "got the class dict"),
        ([Mine, type("Mine", (Uniform,), {})], "two classes are called Mine"),
        ([type("joint", (Uniform,), {})], "is not registered, and another method has its name"),
        ([{"name": Mine, "wieght": 1}], "Did you mean 'weight'"),
    ],
)
def test_what_is_not_a_method_is_refused(methods, message, data):
    with pytest.raises(ConfigError, match=message):
        eq.compare(data, cast(Any, methods), seeds=1, **QUICK)


def test_an_instance_is_refused_for_each_run_has_a_model_of_its_own(data):
    made = Joint(eq.Classifier.for_data(data), Joint.Config(), 0)
    with pytest.raises(
        ConfigError, match=r"this Joint was made for one model, and each run has its own.*Give the class"
    ):
        eq.compare(data, cast(Any, [made]), seeds=1, **QUICK)
