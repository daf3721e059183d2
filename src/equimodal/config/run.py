"""The typed configuration of a run: what it may say, and where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator

from equimodal.config.compare import CompareConfig
from equimodal.config.method import MethodSpec, lay_method, parse_method
from equimodal.config.problems import problems_of
from equimodal.config.recipes import read_recipe, recipe_names
from equimodal.config.section import Section
from equimodal.config.yaml import lay, nest, read_yaml_file, split_assignments
from equimodal.errors import ConfigError, did_you_mean
from equimodal.registry import Registry

DEFAULT_METHOD = "equilibrium"
LARGEST_SEED = 2**32 - 1
"""NumPy's generators take no larger one."""


def _check_seed(seed: int) -> int:
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"expected a whole number from 0 to {LARGEST_SEED}, got {seed}")
    return seed


Seed = Annotated[int, AfterValidator(_check_seed)]


class DataConfig(Section):
    """Which data.

    Args:
        name: a built-in data set, or the path of your own (folder, ``.npz`` or YAML).
        labels: train on this many labelled samples only (a stratified draw); None: all.
        split_seed: draw the splits anew with this seed; None: the data set's own.
    """

    name: str = "emoji"
    labels: int | None = Field(default=None, ge=2)
    split_seed: Seed | None = None


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

    @field_validator("encoders")
    @classmethod
    def _known_encoders(cls, encoders: dict[str, str | dict[str, Any]]) -> dict[str, str | dict[str, Any]]:
        from equimodal.models.encoders.base import ENCODERS  # imports torch

        names = {key: given if isinstance(given, str) else given.get("name") for key, given in encoders.items()}
        problems = [
            problem
            for modality, name in names.items()
            if name is not None
            for problem in _unknown(f"model.encoders.{modality}", ENCODERS, name)
        ]
        if problems:
            raise ConfigError(problems)
        return encoders

    @field_validator("fusion")
    @classmethod
    def _known_fusion(cls, fusion: str | None) -> str | None:
        from equimodal.models.fusions.base import FUSIONS  # imports torch

        if fusion is not None and (problems := _unknown("model.fusion", FUSIONS, fusion)):
            raise ConfigError(problems)
        return fusion


def _unknown(where: str, registry: Registry[Any], name: Any) -> list[str]:
    """Return a message if nothing of the name can be had from the registry."""
    if not isinstance(name, str):
        return [f"{where}: expected a name, or a mapping with 'name', got the name {name!r}."]
    try:
        registry.get(name)
    except ConfigError as error:
        return [f"{where}: {problem}" for problem in error.problems]
    return []


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
        loader_workers: processes that read batches ahead, for slow data; 0: none. The results are the same.
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
    loader_workers: int = Field(default=0, ge=0)


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

    @field_validator("target")
    @classmethod
    def _possible_target(cls, target: dict[str, float] | None) -> dict[str, float] | None:
        from equimodal.contribution.equilibrium import target_vector  # imports torch

        if target is not None:
            try:
                target_vector(target, list(target))  # whether these are the modalities, the data will say
            except ConfigError as error:
                raise ConfigError([f"measure.{problem}" for problem in error.problems]) from error
        return target


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
    method: MethodSpec = MethodSpec(name=DEFAULT_METHOD)
    training: TrainingConfig = TrainingConfig()
    measure: MeasureConfig = MeasureConfig()
    compare: CompareConfig = CompareConfig()
    seed: Seed = 0
    reference: bool = True

    @field_validator("method", mode="before")
    @classmethod
    def _parse(cls, method: Any) -> Any:
        return parse_method(method, default=DEFAULT_METHOD)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, defaults included, ``method`` as it is written in YAML."""
        plain = self.model_dump(mode="json")
        plain["method"] = self.method.to_dict()
        plain["compare"] = self.compare.to_dict()
        return plain

    def hash(self) -> str:
        """Return a short hash of what decides the result of the run: the method's label and the readers do not."""
        plain = {key: value for key, value in self.to_dict().items() if key != "compare"}
        plain["method"].pop("label", None)
        plain["training"].pop("loader_workers")
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


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
    try:
        return RunConfig.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(problems_of(error, RunConfig)) from error


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
    """Return ``base`` with ``over`` laid on it, mappings key by key; another method's options are its own."""
    merged = lay(base, over)
    if isinstance(over.get("method"), Mapping):
        merged["method"] = lay_method(base.get("method"), over["method"], DEFAULT_METHOD)
    return merged
