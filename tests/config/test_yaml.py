"""Nested mappings from YAML and from dotted keys, and how they are merged."""

import json

from hypothesis import given
from hypothesis import strategies as st

from equimodal.config.yaml import merge, nest, read_yaml, split_assignments


def test_the_same_key_in_two_mappings_and_over_an_anchor_is_no_mistake():
    text = "a: &base {x: 1, y: 2}\nb: {<<: *base, x: 3}\nc: [{x: 4}, {x: 5}]\n"
    assert read_yaml(text, "here") == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": [{"x": 4}, {"x": 5}]}


KEYS = st.text("ab", min_size=1, max_size=2)
NESTED = st.recursive(
    st.dictionaries(KEYS, st.integers(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | st.integers(), min_size=1, max_size=3),
    max_leaves=6,
)


def flatten(nested, prefix=""):
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@given(NESTED)
def test_nesting_undoes_flattening(nested):
    flat = dict(flatten(nested))
    assert dict(flatten(nest(flat))) == flat
    assert split_assignments([f"{key}={value}" for key, value in flat.items()], "here") == flat


@given(NESTED, NESTED)
def test_merging_takes_the_upper_value_where_there_is_one(base, over):
    before = json.dumps(base)
    merged = merge(base, over)
    assert json.dumps(base) == before
    lower, upper = dict(flatten(base)), dict(flatten(over))
    hidden = {key for key in lower for u in upper if f"{key}.".startswith(f"{u}.") or f"{u}.".startswith(f"{key}.")}
    assert dict(flatten(merged)) == {**{key: lower[key] for key in lower if key not in hidden}, **upper}
    assert merge(base, {}) == base
