"""Configurations: what they may say, how they are read and laid on each other, and what is wrong with them."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from equimodal.config import (
    RunConfig,
    build_config,
    load_config,
    merge,
    parse_method,
)
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS
from equimodal.recipes import read_recipe, recipe_names
from equimodal.yaml_text import nest, split_assignments

CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "reference": st.booleans(),
        "data": st.fixed_dictionaries({"name": st.text("abc/.", min_size=1)}, optional={"labels": st.integers(2, 999)}),
        "model": st.fixed_dictionaries(
            {"width": st.integers(1, 99), "encoders": st.just({"a": {"name": "mlp", "hidden": [3, 4]}, "b": "gru"})},
            optional={"fusion": st.sampled_from(["late", "gated"])},
        ),
        "training": st.fixed_dictionaries(
            {"learning_rate": st.floats(1e-6, 1.0), "clip_norm": st.none() | st.floats(0.1, 9)},
            optional={"optimiser": st.sampled_from(["adamw", "sgd"]), "warmup": st.floats(0, 0.9)},
        ),
        "measure": st.fixed_dictionaries({"probe": st.none() | st.integers(2, 99), "target": st.just({"a": 0.25})}),
        "method": st.sampled_from(
            [
                "joint",
                "paper",
                "modality_dropout:p=0.5",
                {"name": "equilibrium", "memory": {"in_steps": True}, "label": "mine"},
                "equilibrium:order=[b,a],memory.dropout=0",
            ]
        ),
        "compare": st.fixed_dictionaries({"methods": st.just(["joint", {"name": "paper", "smoothing": 0.5}, "paper"])}),
    },
)


def problems(content):
    with pytest.raises(ConfigError) as caught:
        build_config(content)
    return caught.value.problems


# Round trips


@given(CONTENT)
def test_a_configuration_survives_yaml(content):
    config = build_config(content)
    written = yaml.safe_dump(config.to_dict(), sort_keys=False)
    again = build_config(yaml.safe_load(written))
    assert again == config
    assert again.hash() == config.hash()
    json.dumps(config.to_dict(), allow_nan=False)


def test_the_hash_is_stable_and_of_everything_but_the_comparison():
    one = build_config({"seed": 3, "training": {"epochs": 5, "patience": 2}})
    same = build_config({"training": {"patience": 2, "epochs": 5}, "seed": 3, "compare": {"seeds": 9}})
    assert one.hash() == same.hash()
    others = [
        {"seed": 4},
        {"training": {"epochs": 6}},
        {"method": "joint"},
        {"method": "equilibrium:smoothing=0.1"},
        {"data": {"labels": 400}},
        {"measure": {"probe": None}},
        {"model": {"width": 65}},
        {"reference": False},
    ]
    base = {"seed": 3, "training": {"epochs": 5, "patience": 2}}
    assert len({one.hash()} | {build_config(merge(base, other)).hash() for other in others}) == 1 + len(others)


# Mistakes


def test_all_mistakes_are_told_at_once():
    found = problems(
        {
            "trainin": {},
            "training": {"epoch": 3, "batch_size": 0, "warmup": 1.0},
            "method": {"name": "equilibrium", "memory": {"in_step": True, "dropout": 2}},
            "compare": {"methods": ["jiont", "joint"], "sedes": 3},
            "measure": {"value": "acuracy"},
        }
    )
    expected = (
        "Unknown key 'method.memory.in_step'. Did you mean 'in_steps'?",
        "method.memory.dropout: input should be less than 1, got 2.",
        "Unknown method 'jiont'. Did you mean 'joint'?",
        "Unknown key 'training.epoch'. Did you mean 'epochs'?",
        "training.batch_size: input should be greater than or equal to 1, got 0.",
        "training.warmup: input should be less than 1, got 1.0.",
        "measure.value: input should be 'accuracy', 'macro_f1', ",
        "Unknown key 'compare.sedes'. Did you mean 'seeds'?",
        "Unknown key 'trainin'. Did you mean 'training'?",
    )
    for start in expected:
        assert sum(problem.startswith(start) for problem in found) == 1, start
    assert len(found) == len(expected)


def test_the_message_of_several_mistakes_lists_them():
    with pytest.raises(ConfigError, match=r"2 problems in the configuration:\n  - .*\n  - "):
        build_config({"seed": -1, "trainin": {}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"training": 3}, "training: input should be a valid dictionary"),
        ({"training": None}, "training: input should be a valid dictionary"),
        ({1: 2}, "1: keys should be strings"),
        ({"compare": []}, "compare: input should be"),
        ({"compare": {"methods": "joint"}}, "compare.methods: input should be a valid list"),
        ({"method": 3}, "method: expected a name or a mapping, got int"),
        ({"method": {"order": "fixed"}}, "method: expected a name, or a mapping with 'name'"),
        ({"method": {"name": ["joint"]}}, "method: expected a name, or a mapping with 'name'"),
        ({"method": "joint:p=1"}, "Unknown key 'method.p'"),
        ({"method": "modality_dropout:p=1"}, "method.p: input should be less than 1"),
        ({"method": "modality_dropout:p"}, "method 'modality_dropout:p': expected key=value, got 'p'"),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate: input should be a finite number"),
        ({"training": {"precision": "16"}}, "training.precision: input should be '32-true' or 'bf16-mixed'"),
        ({"seed": 2**32}, "seed: input should be less than 4294967296"),
        ({"data": {"labels": 1}}, "data.labels: input should be greater than or equal to 2"),
        ({"method": {"name": "equilibrium", "fusion_step": {"enabled": False}}}, "method: nothing would train the mem"),
        ({"method": "emoji"}, "Unknown method 'emoji'"),  # a recipe without a method
    ],
)
def test_one_mistake_is_one_message(content, message):
    (found,) = problems(content)
    assert found.startswith(message)


# Methods


def test_a_method_can_be_written_in_three_ways():
    as_text = parse_method("equilibrium:order=random,memory.in_steps=true")
    as_mapping = parse_method({"name": "equilibrium", "order": "random", "memory": {"in_steps": True}})
    assert as_text.options == as_mapping.options == {"order": "random", "memory": {"in_steps": True}}
    assert (as_text.label, as_mapping.label) == ("equilibrium:order=random,memory.in_steps=true", "equilibrium")
    assert parse_method({"name": "joint", "label": "mine"}).label == "mine"
    assert parse_method(as_text) is as_text


def test_lists_in_a_methods_text():
    found = parse_method("equilibrium:order=[a, b],memory.in_steps=true,initial=[b,a]").options
    assert found == {"order": ["a", "b"], "memory": {"in_steps": True}, "initial": ["b", "a"]}


def test_a_recipe_stands_for_its_method():
    paper = read_recipe("paper")["method"]
    found = parse_method("paper:memory.dropout=0.25")
    assert (found.name, found.label) == ("equilibrium", "paper:memory.dropout=0.25")
    assert found.options == {
        **{key: value for key, value in paper.items() if key != "name"},
        "memory": {**paper["memory"], "dropout": 0.25},
    }
    assert parse_method("paper").label == "paper"


# Sources and overrides


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_a_configuration_and_says_what_it_is_for(name):
    assert read_recipe(name)["about"].strip().endswith(".")
    config = load_config(name)
    assert all(method.name in METHODS.names() for method in [config.method, *config.compare.methods])


def test_sources_are_laid_on_each_other(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training: {epochs: 7, batch_size: 8}\nmethod: {name: paper, smoothing: 0.5}\n")
    config = load_config(path, ["training.epochs=9", "method.memory.dropout=0"], {"seed": 4, "training": {"epochs": 8}})
    assert (config.training.epochs, config.training.batch_size, config.seed) == (9, 8, 4)
    assert config.method.options["smoothing"] == 0.5
    assert config.method.options["memory"] == {"in_steps": True, "dropout": 0}
    assert load_config(None) == RunConfig()
    assert load_config("joint").method.name == "joint"
    assert load_config("modality_dropout:p=0.5").method.options == {"p": 0.5}


def test_another_method_drops_the_options_of_the_one_before():
    assert load_config("paper", ["method=joint"]).method.options == {}
    assert load_config("paper", ["method.name=joint"]).method.options == {}
    assert load_config(None, ["method.order=random"]).method.options == {"order": "random"}


def test_values_are_read_as_yaml_and_small_numbers_too():
    config = load_config(
        None, ["training.learning_rate=1e-4", "training.patience=null", "reference=no", "data.name=a=b"]
    )
    assert config.training.learning_rate == 1e-4
    assert config.training.patience is None
    assert config.reference is False
    assert config.data.name == "a=b"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epochs"], "-s: expected key=value, got 'training.epochs'"),
        (["=3"], "-s: expected key=value, got '=3'"),
        (["training.epochs={"], "-s: the value of 'training.epochs' is not valid YAML"),
        (["training=4", "training.epochs=3"], "'training' is given a value and keys at once"),
        (["training.epochs=3", "training=4"], "'training': it is given a value and keys at once"),
        (["training.epochs.x=3"], "training.epochs: input should be a valid integer"),
        (["tranining.epochs=3"], "Unknown key 'tranining'. Did you mean 'training'?"),
    ],
)
def test_wrong_overrides(overrides, message):
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides)
    assert message in str(caught.value)


def test_wrong_sources(tmp_path):
    for source, content, message in (
        ("none.yaml", None, "no such file"),
        ("list.yaml", b"- 1\n- 2\n", "expected a mapping (key: value lines), got list"),
        ("broken.yaml", b"training: {epochs: 3", "not valid YAML"),
        ("binary.yml", b"\xff\xfe\x00\x01", "cannot be read as a text file"),
        ("tag.yaml", b"a: !!python/object/apply:os.getcwd []", "not valid YAML"),  # nothing is loaded as code
    ):
        path = tmp_path / source
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert str(path) in str(caught.value) and message in str(caught.value)
    (tmp_path / "empty.yaml").write_text("")
    assert load_config(tmp_path / "empty.yaml") == RunConfig()
    with pytest.raises(ConfigError, match=r"Unknown recipe or method 'emojy'\. Did you mean 'emoji'\? Known: .*joint"):
        load_config("emojy")


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
