"""The typed configuration of a run: what it may say, where it comes from, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from equimodal.errors import ConfigError, did_you_mean
from equimodal.recipes import read_recipe, recipe_names
from equimodal.yaml_text import nest, read_yaml_file, split_assignments


class Section(BaseModel):
    """Base of the configuration's parts; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Which data.

    Args:
        name: a built-in data set, or the path of your own (folder, ``.npz`` or YAML).
        labels: train on this many labelled samples only (a stratified draw); None: all.
        split_seed: draw the splits anew with this seed; None: the data set's own.
    """

    name: str = "emoji"
    labels: int | None = Field(default=None, ge=2)
    split_seed: int | None = None


class ModelConfig(Section):
    """Which classifier.

    Args:
        width: size of the encodings.
        encoders: by modality, an encoder's name or a mapping with ``name`` and its options.
        fusion: a fusion's name; None: the method's own.
        fusion_options: the fusion's arguments.
    """

    width: int = Field(default=64, ge=1)
    encoders: dict[str, str | dict[str, Any]] = {}
    fusion: str | None = None
    fusion_options: dict[str, Any] = {}


class TrainingConfig(Section):
    """How the loop trains.

    Args:
        epochs: passes over the training data.
        batch_size: samples a batch.
        optimiser: "adamw" or "sgd" (Nesterov momentum .9).
        learning_rate: peak learning rate.
        weight_decay: decoupled for AdamW.
        schedule: of the learning rate, over all epochs of a phase: "cosine", "linear" (both to zero), "constant".
        warmup: share of the steps in which the learning rate rises linearly.
        clip_norm: largest gradient norm of one update; None: no clipping.
        precision: "32-true", or "bf16-mixed" (bfloat16 where it is safe).
        accelerator: Fabric's: "auto", "cpu", "cuda" ...
        select: validation score that chooses the best epoch: "accuracy", "macro_f1" or "loss".
        patience: stop after so many epochs without a better score; None: never.
    """

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=64, ge=1)
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=1.0, gt=0)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accelerator: str = "cpu"
    select: Literal["accuracy", "macro_f1", "loss"] = "accuracy"
    patience: int | None = Field(default=None, ge=1)


class MeasureConfig(Section):
    """How contribution is measured, while training (validation) and at the end (test).

    Args:
        value: value function of a coalition.
        target: wanted share of each modality; None: equal shares.
        probe: most validation samples read after each epoch; None: all.
        bootstrap: replicates of the intervals.
        budget: most coalitions evaluated; None: all up to 10 modalities, 1024 sampled ones above.
    """

    value: Literal["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"] = "accuracy"
    target: dict[str, float] | None = None
    probe: int | None = Field(default=2000, ge=2)
    bootstrap: int = Field(default=200, ge=0)
    budget: int | None = Field(default=None, ge=6)


class MethodSpec(Section):
    """A training method by name, with its options as far as they differ from the defaults.

    In YAML: a name, or a mapping with ``name`` and the options. On the command line and in lists also
    ``name:key=value,key=value``. The name may be a recipe's, which stands for that recipe's method.
    """

    name: str
    options: dict[str, Any] = {}
    label: str = ""

    def model_post_init(self, context: Any, /) -> None:
        """Label an unlabelled method by its name."""
        if not self.label:
            object.__setattr__(self, "label", self.name)


class CompareConfig(Section):
    """What ``compare`` compares.

    Args:
        methods: methods, the first being the baseline of the paired differences.
        seeds: number of seeds; each redraws the splits.
        redraw: "split" draws new splits for each seed; "none" keeps the data set's own (training noise only).
    """

    methods: list[MethodSpec] = []
    seeds: int = Field(default=5, ge=1)
    redraw: Literal["split", "none"] = "split"

    @field_validator("methods", mode="before")
    @classmethod
    def _parse(cls, methods: Any) -> Any:
        return [parse_method(m) for m in methods] if isinstance(methods, (list, tuple)) else methods


class RunConfig(Section):
    """One run: data, model, method, training, measurement, seed.

    Args:
        data: see :class:`DataConfig`.
        model: see :class:`ModelConfig`.
        method: see :class:`MethodSpec`.
        training: see :class:`TrainingConfig`.
        measure: see :class:`MeasureConfig`.
        compare: see :class:`CompareConfig`.
        seed: of initial weights, data order and dropout.
        reference: train the unimodal ensemble too, with the same budget, as the reference of utilisation.
    """

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    method: MethodSpec = MethodSpec(name="equilibrium")
    training: TrainingConfig = TrainingConfig()
    measure: MeasureConfig = MeasureConfig()
    compare: CompareConfig = CompareConfig()
    seed: int = Field(default=0, ge=0, lt=2**32)
    reference: bool = True

    @field_validator("method", mode="before")
    @classmethod
    def _parse(cls, method: Any) -> Any:
        return parse_method(method)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, ``method`` flattened as it is written in YAML."""
        plain = self.model_dump(mode="json")
        plain["method"] = _flat(self.method)
        plain["compare"]["methods"] = [_flat(method) for method in self.compare.methods]
        return plain

    def hash(self) -> str:
        """Return a short hash of everything that decides the result of the run."""
        plain = {key: value for key, value in self.to_dict().items() if key != "compare"}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def _flat(method: MethodSpec) -> dict[str, Any]:
    label = {"label": method.label} if method.label != method.name else {}
    return {"name": method.name, **label, **method.options}


def parse_method(value: Any) -> MethodSpec:
    """Return the method that a name, a ``name:key=value`` string or a mapping stands for.

    Raises:
        ConfigError: the method is unknown, or one of its options is.

    Example:
        >>> parse_method("equilibrium:order=random,memory.in_steps=true").options
        {'order': 'random', 'memory': {'in_steps': True}}
    """
    from equimodal.methods.base import METHODS  # imports torch

    if isinstance(value, MethodSpec):
        return value
    if isinstance(value, str):
        name, _, tail = value.partition(":")
        items = re.split(r",(?![^\[{]*[\]}])", tail)  # commas within a list belong to its value
        options = nest(split_assignments(items, f"method '{value}'")) if tail else {}
        label = value
    elif isinstance(value, Mapping):
        options = dict(value)
        name, label = options.pop("name", None), options.pop("label", None)
        if not isinstance(name, str):
            raise ConfigError(
                f"method: expected a name, or a mapping with 'name', got {json.dumps(value, default=str)}."
            )
    else:
        raise ConfigError(f"method: expected a name or a mapping, got {type(value).__name__}.")
    if name not in METHODS.names() and name in recipe_names() and "method" in read_recipe(name):
        base = parse_method(read_recipe(name)["method"])
        label, name, options = label or name, base.name, merge(base.options, options)
    if name not in METHODS.names():
        known = [*METHODS.names(), *(r for r in recipe_names() if "method" in read_recipe(r))]
        raise ConfigError(f"Unknown method '{name}'.{did_you_mean(name, known)}")
    config = METHODS.get(name).Config
    try:
        config.model_validate(options)
    except ValidationError as error:
        raise ConfigError(problems_of(error, config, "method")) from error
    return MethodSpec(name=name, options=options, label=label or name)


def load_config(
    source: str | Path | None, overrides: Sequence[str] = (), content: Mapping[str, Any] | None = None
) -> RunConfig:
    """Return the configuration of a recipe, a method's name or a YAML file, with overrides.

    Args:
        source: a recipe's name, a method's name, or the path of a YAML file; None: the defaults.
        overrides: ``key=value`` with dotted keys; values are read as YAML.
        content: more settings, nested; laid on the source before the overrides.

    Raises:
        ConfigError: all mistakes, together.

    Example:
        >>> load_config("paper", ["training.epochs=5"]).training.epochs
        5
    """
    base = merge(_read_source(source), content or {})
    return build_config(merge(base, nest(split_assignments(overrides, "-s"))))


def build_config(content: Mapping[str, Any]) -> RunConfig:
    """Return the configuration that a nested mapping describes.

    Raises:
        ConfigError: all mistakes, together.
    """
    problems: list[str] = []
    content = dict(content)

    def parsed(method: Any) -> MethodSpec | None:  # parsed first: their errors join the others
        try:
            return parse_method(method)
        except ConfigError as error:
            problems.extend(error.problems)
            return None

    if "method" in content:
        content["method"] = parsed(content["method"]) or MethodSpec(name="equilibrium")
    compare = content.get("compare")
    if isinstance(compare, Mapping) and isinstance(compare.get("methods"), (list, tuple)):
        methods = [spec for spec in map(parsed, compare["methods"]) if spec is not None]
        content["compare"] = {**compare, "methods": methods}
    try:
        config = RunConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError([*problems, *problems_of(error, RunConfig)]) from error
    if problems:
        raise ConfigError(problems)
    return config


def _read_source(source: str | Path | None) -> dict[str, Any]:
    if source is None:
        return {}
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file. Give a YAML file, a recipe or a method's name.")
        return read_yaml_file(path)
    name = str(source)
    if name in recipe_names():
        return {key: value for key, value in read_recipe(name).items() if key != "about"}
    from equimodal.methods.base import METHODS

    if name.partition(":")[0] in METHODS.names():
        return {"method": name}
    known = [*recipe_names(), *METHODS.names()]
    raise ConfigError(f"Unknown recipe or method '{name}'.{did_you_mean(name, known)}")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on it, mappings key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if key == "method" and isinstance(value, Mapping) and "name" not in value:
            below = _flat(parse_method(below)) if below is not None else {"name": "equilibrium"}
        if isinstance(value, Mapping) and isinstance(below, Mapping) and not _another_method(key, below, value):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _another_method(key: str, below: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Whether a method is replaced by one of another name, whose options are its own."""
    return key == "method" and value.get("name", below.get("name")) != below.get("name")


def problems_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return a message for each mistake that pydantic found, with the key's path and near names."""
    messages = []
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in (*([prefix] if prefix else []), *item["loc"]))
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, item["loc"][:-1])
            messages.append(f"Unknown key '{path}'.{did_you_mean(str(item['loc'][-1]), known)}")
        elif item["type"] == "value_error":
            messages.append(f"{path or 'configuration'}: {item.get('ctx', {}).get('error', item['msg'])}.")
        else:
            messages.append(f"{path}: {item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}.")
    return messages


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        model = field.annotation
    return list(model.model_fields)
