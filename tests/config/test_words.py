"""What YAML, Python and pydantic would take for a number, a boolean or a name that nobody wrote."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from equimodal.config.arguments import check_arguments
from equimodal.config.load import load_config
from equimodal.config.run import build_config
from equimodal.config.section import Section
from equimodal.config.yaml import read_yaml, split_assignments, write_yaml
from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS
from equimodal.models.encoders.base import build_encoder
from equimodal.models.fusions.base import build_fusion
from equimodal.training.names import NAMES


def refused(content):
    with pytest.raises(ConfigError) as caught:
        build_config(content, NAMES)
    return caught.value.problems


# Booleans, numbers and words


@pytest.mark.parametrize(
    "path",
    [
        "training.epochs",
        "training.batch_size",
        "training.learning_rate",
        "training.clip_norm",
        "training.patience",
        "model.width",
        "data.labels",
        "data.split_seed",
        "measure.probe",
        "measure.bootstrap",
        "compare.seeds",
        "seed",
        "method.memory.dropout",
        "method.hysteresis",
    ],
)
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_not_a_number(path, value):
    content = value
    for key in reversed(path.split(".")):
        content = {key: content}
    (problem,) = refused(content)
    assert problem.startswith(f"{path}: input should be a valid ")
    assert problem.endswith(f"got {value}.")


def test_booleans_within_lists_and_mappings_of_numbers_are_found_where_they_are():
    (problem,) = refused({"measure": {"target": {"a": True, "b": 0.5}}})
    assert problem == "measure.target.a: input should be a valid number, got True."
    (problem,) = refused({"method": "uniform:weight=true"})
    assert problem == "method.weight: input should be a valid number, got True."


def fields(method):
    return METHODS.get(method).Config.model_fields


@pytest.mark.parametrize("method", METHODS.names())
def test_no_option_of_any_method_takes_a_boolean_for_a_number(method):
    numbers = [name for name, field in fields(method).items() if field.annotation in (int, float)]
    for name in numbers:
        (problem,) = refused({"method": {"name": method, name: True}})
        assert problem.startswith(f"method.{name}: input should be a valid ")


class Mixed(Section):
    either: bool | int = 0
    several: list[int | str] = []
    pair: tuple[int, bool] = (0, False)
    anything: dict[str, object] = {}


def test_a_boolean_stays_one_where_it_is_meant():
    found = Mixed.model_validate({"either": True, "pair": (1, True), "anything": {"a": True}})
    assert found.either is True and found.pair == (1, True) and found.anything["a"] is True
    with pytest.raises(ValueError, match=r"several\.0"):
        Mixed.model_validate({"several": [True]})
    with pytest.raises(ValueError, match=r"pair\.0"):
        Mixed.model_validate({"pair": [True, True]})


@pytest.mark.parametrize(
    ("key", "text", "start"),
    [
        ("data.labels", "yes", "data.labels: input should be a valid integer"),
        ("training.epochs", "1.5", "training.epochs: input should be a valid integer"),
        ("training.epochs", "1:30", "training.epochs: input should be a valid integer"),  # 90 in YAML 1.1
        ("training.learning_rate", ".nan", "training.learning_rate: input should be a finite number"),
        ("training.learning_rate", "nan", "training.learning_rate: input should be a finite number"),
        ("training.learning_rate", "-.inf", "training.learning_rate: input should be a finite number"),
        ("reference", "2", "reference: input should be a valid boolean"),
        ("reference", "maybe", "reference: input should be a valid boolean"),
        (
            "data.name",
            "true",
            "data.name: input should be a valid string, got True. If it is a name, put it in quotes.",
        ),
        ("data.name", "7", "data.name: input should be a valid string, got 7. If it is a name, put it in quotes."),
        ("method", "true", "method: expected a name or a mapping, got bool. If it is a name, put it in quotes."),
        ("method", "no", "Unknown method 'no'."),
        ("compare.methods", "[joint, off]", "compare.methods.1 (off): Unknown method 'off'."),
    ],
)
def test_words_that_are_something_else_elsewhere(key, text, start):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"{key}={text}"], names=NAMES)
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("training.batch_size", "16.0", 16),
        ("seed", "010", 10),  # 8 in YAML 1.1
        ("training.learning_rate", "1e-3", 0.001),
        ("training.learning_rate", "'1e-3'", 0.001),
        ("training.learning_rate", "1", 1.0),
        ("reference", "no", False),
        ("reference", "off", False),
        ("data.name", "010", "010"),
        ("data.name", "2020-01-01", "2020-01-01"),
        ("data.name", "yes", "yes"),
    ],
)
def test_what_is_written_is_what_is_read(key, text, value):
    found = load_config(None, [f"{key}={text}"]).to_dict()
    for part in key.split("."):
        found = found[part]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("value", [np.True_, np.False_])
def test_a_boolean_of_numpys_is_not_a_number_either(value):
    assert list(refused({"training": {"epochs": value, "learning_rate": value}})) == [
        f"training.epochs: input should be a valid integer, got {value!r}.",
        f"training.learning_rate: input should be a valid number, got {value!r}.",
    ]
    assert build_config({"seed": np.int64(3), "training": {"learning_rate": np.float32(0.5)}}).seed == 3


# YAML


def test_keys_are_text_as_they_are_written():
    found = read_yaml("on: {1: a, 007: b, no: c, ~: d, 1.50: e}\n", "here")
    assert found == {"on": {"1": "a", "007": "b", "no": "c", "~": "d", "1.50": "e"}}
    with pytest.raises(ConfigError, match="the key '1' is there already, at line 1"):
        read_yaml("1: a\n'1': b\n", "here")


def test_a_modality_may_be_called_on_or_1(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model: {encoders: {on: mlp, 1: cnn, no: {hidden: 3}}}\n")
    assert load_config(path).model.encoders == {"on": "mlp", "1": "cnn", "no": {"hidden": 3}}


WORDS = [
    "no",
    "on",
    "true",
    "null",
    "~",
    "",
    "1e-3",
    "1e5",
    "010",
    "0x1f",
    "1:30",
    "1_0",
    ".5",
    "=",
    "<<",
    "2020-01-01",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("01e-+._:nos~#[]{} \n", max_size=6)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a1e-3.", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abno01", min_size=1, max_size=3), VALUES, max_size=4))
def test_what_is_written_reads_the_same_here_and_with_any_reader(content):
    written = write_yaml(content)
    assert read_yaml(written, "here") == content
    assert yaml.safe_load(written) == content


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_numbers(number):
    (value,) = split_assignments([f"a={number!r}"], "here").values()
    assert value == number and type(value) is type(number)


# Constructors


def make(
    hidden: int = 64,
    rate: float = 0.1,
    sizes: tuple[int, ...] | list[int] = (1,),
    kind: str = "a",
    flag: bool = False,
    other: NotThere | None = None,  # noqa: F821 # pyright: ignore
): ...


def plain(hidden: int = 64, rate: float = 0.1, sizes: tuple[int, ...] | list[int] = (1,), kind: str = "a", **more): ...


def test_arguments_are_checked_by_their_annotations():
    given = {"hidden": True, "rate": float("nan"), "sizes": [8, False], "kind": 3, "more": object()}
    with pytest.raises(ConfigError) as caught:
        check_arguments(plain, given, "here", "encoder 'x'")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "here.hidden",
        "here.rate",
        "here.sizes.1",
        "here.kind",
    ]
    given = {"hidden": "8", "rate": 0, "sizes": [8], "kind": "b", "free": 1}
    assert check_arguments(plain, given, "here", "encoder 'x'") == {**given, "hidden": 8}
    # Annotations that cannot be read are no reason to refuse anything.
    assert check_arguments(make, {"hidden": 3}, "here", "encoder 'x'") == {"hidden": 3}
    with pytest.raises(ConfigError, match=r"encoder 'x' has no option 'hiden'\. Did you mean 'hidden'"):
        check_arguments(make, {"hiden": 3}, "here", "encoder 'x'")


def test_options_of_encoders_and_fusions_are_checked():
    for option in ({"hidden": True}, {"dropout": True}, {"layers": 1.5}):
        with pytest.raises(ConfigError, match=r"model\.encoders\.a\.\w+: input should be a valid"):
            build_encoder("mlp", "a", {"features": 3, **option})
    with pytest.raises(ConfigError, match=r"model\.fusion_options\.dropout: input should be a valid number, got True"):
        build_fusion("memory", ("a", "b"), 4, 2, {"dropout": True})
