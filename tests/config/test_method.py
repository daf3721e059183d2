"""The ways to write a method, and the options that they give."""

import pytest

from equimodal.config.method import MethodSpec, parse_method
from equimodal.errors import ConfigError
from equimodal.training.names import NAMES


def test_a_method_can_be_written_in_three_ways():
    as_text = parse_method("equilibrium:order=random,memory.encoders=true")
    as_mapping = parse_method({"name": "equilibrium", "order": "random", "memory": {"encoders": True}})
    assert as_text.options == as_mapping.options == {"order": "random", "memory": {"encoders": True}}
    assert (as_text.label, as_mapping.label) == ("equilibrium:order=random,memory.encoders=true", "equilibrium")
    assert parse_method({"name": "joint", "label": "mine"}).label == "mine"
    assert parse_method(as_text) == as_text
    with pytest.raises(ConfigError, match=r"Unknown key 'method\.p'"):
        parse_method(MethodSpec(name="joint", options={"p": 1}), names=NAMES)


def test_lists_in_a_methods_text():
    found = parse_method("equilibrium:order=[a, b],memory.encoders=true,initial=[b,a]").options
    assert found == {"order": ["a", "b"], "memory": {"encoders": True}, "initial": ["b", "a"]}
