"""The typed configuration of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from equimodal.config.compare import CompareConfig
from equimodal.config.controls import Distractors, Missing, Noise
from equimodal.config.encoders import EncoderChoices, encoder_problems
from equimodal.config.method import MethodSpec, parse_method
from equimodal.config.names import Names
from equimodal.config.problems import problems_of, problems_raised
from equimodal.config.section import Section
from equimodal.errors import ConfigError
from equimodal.files import user_path

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
        name: a built-in data set, or the path of your own (folder, `.npz` or YAML).
        labels: train on this many labelled samples only (a stratified draw); None: all.
        split_seed: draw new splits with this seed; None: the data set's own.
        noise: by modality, standard deviation of Gaussian noise that is added to every part, in units of the standard
            deviation of the modality's numbers in the training part.
        distractors: by the name of a new modality, what it holds: `{kind: noise, size: 1500}`, `{kind: copy, of: NAME}`
            or `{kind: shuffled, of: NAME}`; see `Distractor`.
        missing: by part, entries that are taken out: `{train: 0.3, test: {rate: {audio: 0.5}, pattern: label}}`; see
            `Absence`.
    """

    name: str = "emoji"
    labels: int | None = Field(default=None, ge=2)
    split_seed: Seed | None = None
    noise: Noise = {}
    distractors: Distractors = {}
    missing: Missing = Missing()

    @property
    def title(self) -> str:
        """What pages call the data: a built-in set's name, or what the file or folder at a path is called.

        Example:
            >>> DataConfig(name="/home/me/hapt.yaml").title, DataConfig(name="/home/me/clips/data.yaml").title
            ('hapt', 'clips')
        """
        path = Path(self.name)
        if path.name == "data.yaml":  # describes its folder
            path = path.resolve().parent
        return path.stem if path.suffix in (".npz", ".yaml", ".yml") else path.name or self.name


class ModelConfig(Section):
    """Which classifier.

    Args:
        width: size of the encodings.
        encoders: by modality, an encoder's name or a mapping with `name` and its options. The name is a registered one,
            or `module:Class`, a class to import.
        fusion: a fusion's name; None: the method's own.
        fusion_options: the fusion's arguments.
    """

    width: int = Field(default=64, ge=1)
    encoders: EncoderChoices = {}
    fusion: str | None = None
    fusion_options: dict[str, Any] = {}

    @field_validator("encoders")
    @classmethod
    def _known_encoders(cls, encoders: EncoderChoices, info: ValidationInfo) -> EncoderChoices:
        if problems := encoder_problems(encoders, "model.encoders", info.context):
            raise ConfigError(problems)
        return encoders

    @field_validator("fusion")
    @classmethod
    def _known_fusion(cls, fusion: str | None, info: ValidationInfo) -> str | None:
        if (
            fusion is not None
            and info.context is not None
            and (problems := problems_raised(info.context.check_fusion, fusion, "model.fusion: "))
        ):
            raise ConfigError(problems)
        return fusion


class TrainingConfig(Section):
    """How the loop trains.

    Args:
        epochs: passes over the training data.
        batch_size: samples per batch.
        optimiser: "adamw" or "sgd" (Nesterov momentum .9).
        learning_rate: peak learning rate.
        learning_rates: peak learning rate by modality, of its encoder and of what else belongs to it alone; the others,
            and what is shared, have `learning_rate`. Schedule and warm-up act on all alike.
        weight_decay: decoupled for AdamW.
        decay_norms_and_biases: whether weight decay acts on parameters of one dimension too: biases, scales and shifts
            of norms, single vectors.
        schedule: of the learning rate, over all epochs of a phase: "cosine", "linear" (both to zero), "constant".
        warmup: share of the steps in which the learning rate rises linearly.
        clip_norm: largest gradient norm of one update; None: no clipping.
        precision: "32-true", or "bf16-mixed" (bfloat16 where that is safe).
        accelerator: Fabric's: "auto", "cpu", "cuda" ...
        select: validation score that chooses the best epoch: "accuracy", "macro_f1" or "loss".
        patience: stop after so many epochs without a better score; None: never.
        compile: let torch compile the encoders that train, for training steps; the results are the same but for
            rounding. On a CPU, with a C++ compiler.
        loader_workers: processes that read batches ahead, for slow data; 0: none. The results are the same.
    """

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=64, ge=1)
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    learning_rates: dict[str, float] = {}
    weight_decay: float = Field(default=0.01, ge=0)
    decay_norms_and_biases: bool = True
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=1.0, gt=0)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    accelerator: str = "cpu"
    select: Literal["accuracy", "macro_f1", "loss"] = "accuracy"
    patience: int | None = Field(default=None, ge=1)
    compile: bool = False
    loader_workers: int = Field(default=0, ge=0)

    @field_validator("learning_rates")
    @classmethod
    def _above_0(cls, rates: dict[str, float]) -> dict[str, float]:
        where = "training.learning_rates"
        problems = [f"{where}.{name}: should be above 0, got {rate:g}." for name, rate in rates.items() if rate <= 0]
        if problems:
            raise ConfigError(problems)
        return rates


class EncodingsConfig(Section):
    """Which encodings a run keeps in its folder while it trains, for `analyse features`.

    Args:
        epochs: after which epochs, counted from 1, trials left out; 0: before the first. None listed: nothing is kept.
        rows: at most so many rows of the validation probe, drawn by the seed.
    """

    epochs: list[int] = []
    rows: int = Field(default=500, ge=2)

    @field_validator("epochs")
    @classmethod
    def _epochs(cls, epochs: list[int]) -> list[int]:
        if epochs and min(epochs) < 0:
            raise ValueError(f"expected epochs from 0, got {min(epochs)}")
        return sorted(set(epochs))


class MeasureConfig(Section):
    """How contribution is measured, while training (validation) and at the end (test).

    Args:
        value: value function of a coalition.
        target: share of each modality that counts as equilibrium; None: equal shares.
        probe: at most so many validation samples are measured after each epoch; None: all.
        bootstrap: replicates of the intervals.
        budget: at most so many coalitions are evaluated; None: all of up to 10 modalities, 1024 sampled ones of more.
        encodings: which encodings are kept while training, see `EncodingsConfig`.
    """

    value: Literal["accuracy", "macro_f1", "log_likelihood_gain", "true_class_probability"] = "accuracy"
    target: dict[str, float] | None = None
    probe: int | None = Field(default=2000, ge=2)
    bootstrap: int = Field(default=200, ge=0)
    budget: int | None = Field(default=None, ge=6)
    encodings: EncodingsConfig = EncodingsConfig()

    @field_validator("target")
    @classmethod
    def _possible_target(cls, target: dict[str, float] | None, info: ValidationInfo) -> dict[str, float] | None:
        if (
            target is not None
            and info.context is not None
            and (problems := problems_raised(info.context.check_target, target, "measure."))
        ):
            raise ConfigError(problems)
        return target


class FeaturesConfig(Section):
    """Where the outputs of frozen encoders are kept, so that each row is encoded once.

    Args:
        cache: a folder; true: the user's own (`~/.cache/equimodal/features` on Linux); None or false: nothing is kept.
            The results are the same.
    """

    cache: str | bool | None = None

    @field_validator("cache", mode="before")
    @classmethod
    def _folder(cls, cache: Any) -> Any:
        if isinstance(cache, PurePath):
            cache = str(cache)
        if isinstance(cache, str) and cache.strip():
            return str(user_path(cache).absolute())  # processes of a comparison may be in another folder
        if cache is not None and not isinstance(cache, bool):
            raise ValueError(f"expected a folder, true or null, got {cache!r}")
        return cache


class RunConfig(Section):
    """One run: data, model, method, training, measurement, seed.

    Args:
        data: see `DataConfig`.
        model: see `ModelConfig`.
        method: see `MethodSpec`.
        training: see `TrainingConfig`.
        measure: see `MeasureConfig`.
        features: see `FeaturesConfig`.
        compare: see `CompareConfig`.
        seed: of initial weights, data order and dropout.
        reference: train the unimodal ensemble too, with the same budget, as the reference of utilisation.
    """

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    method: MethodSpec = Field(default=MethodSpec(name=DEFAULT_METHOD), validate_default=True)
    training: TrainingConfig = TrainingConfig()
    measure: MeasureConfig = MeasureConfig()
    features: FeaturesConfig = FeaturesConfig()
    compare: CompareConfig = CompareConfig()
    seed: Seed = 0
    reference: bool = True

    @field_validator("method", mode="before")
    @classmethod
    def _parse(cls, method: Any, info: ValidationInfo) -> Any:
        return parse_method(method, default=DEFAULT_METHOD, names=info.context)

    @field_validator("measure")
    @classmethod
    def _encodings_within_training(cls, measure: MeasureConfig, info: ValidationInfo) -> MeasureConfig:
        training = info.data.get("training")  # not there where it has mistakes of its own
        last = max(measure.encodings.epochs, default=0)
        if training is not None and last > training.epochs:
            raise ConfigError(
                f"measure.encodings.epochs: epoch {last} is beyond training, which has {training.epochs} "
                "(training.epochs). Leave it out, or train longer."
            )
        return measure

    @property
    def fusion(self) -> tuple[str | None, dict[str, Any]]:
        """The fusion's name and options: the method's, or else the model's; None: the method brings its own."""
        if self.method.fusion is None:
            return self.model.fusion, {**self.model.fusion_options, **self.method.fusion_options}
        return self.method.fusion, self.method.fusion_options

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, defaults included, `method` as it is written in YAML."""
        plain = self.model_dump(mode="json")
        plain["method"] = self.method.to_dict()
        plain["compare"] = self.compare.to_dict()
        return plain

    def for_compare(self) -> dict[str, Any]:
        """Return what `compare` reads, as plain values: all but `method` and `reference`, which `train` reads."""
        return {key: value for key, value in self.to_dict().items() if key not in ("method", "reference")}

    def hash(self) -> str:
        """Return a short hash of everything that decides the result of the run.

        The label of its method, the number of workers that read data and the cache of features do not. It is the hash
        of a run only where the options of the method are complete, as they are in a run that was set up.
        """
        plain = {key: value for key, value in self.to_dict().items() if key not in ("compare", "features")}
        plain["method"].pop("label", None)
        plain["training"].pop("loader_workers")
        plain["data"] = {key: value for key, value in plain["data"].items() if value != {}}  # no controls, no trace
        for key, default in {"learning_rates": {}, "decay_norms_and_biases": True, "compile": False}.items():
            if plain["training"][key] == default:  # runs from before there were these options keep their hash
                del plain["training"][key]
        if not plain["measure"]["encodings"]["epochs"]:  # nothing is kept
            del plain["measure"]["encodings"]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def build_config(content: Mapping[str, Any], names: Names | None = None) -> RunConfig:
    """Return the configuration that a nested mapping describes.

    Args:
        content: the settings.
        names: what methods, encoders and fusions there are. With them every name and option is checked, and the options
            of methods are complete; None: only the form is checked.

    Raises:
        ConfigError: all mistakes, together.
    """
    try:
        return RunConfig.model_validate(dict(content), context=names)
    except ValidationError as error:
        raise ConfigError(problems_of(error, RunConfig)) from error
