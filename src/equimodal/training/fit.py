"""Training a classifier as a configuration describes, from set-up to the measurement on test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

from equimodal.config.options import TrainingOptions, with_options
from equimodal.config.run import EncodingsConfig, MethodSpec, RunConfig, TrainingConfig, build_config
from equimodal.contribution.shapley import plan
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits, check_splits
from equimodal.errors import ConfigError, DataError
from equimodal.features.cache import open_cache
from equimodal.files import write_text
from equimodal.methods.base import Method, prepare_fusion
from equimodal.models.building import unknown_modalities
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import encode_all
from equimodal.models.state import copy_of
from equimodal.models.user_modules import batch_size_problems
from equimodal.progress import Reporter
from equimodal.seeds import derive_seed, seeded
from equimodal.training.ability import Ability, Reference, plain_reference
from equimodal.training.compiled import compile_problems
from equimodal.training.device import make_fabric
from equimodal.training.folder import hold_folder
from equimodal.training.given import GivenMethod, MethodLike, read_method
from equimodal.training.groups import parameter_groups
from equimodal.training.loop import Trainer
from equimodal.training.measure import Measurement, measure_outputs
from equimodal.training.names import NAMES, resolve
from equimodal.training.outputs import Outputs, outputs_of
from equimodal.training.predictions import FILE as PREDICTIONS
from equimodal.training.predictions import sample_predictions, save_predictions
from equimodal.training.progress import make_reporter
from equimodal.training.run import METRICS, REFERENCE, Run
from equimodal.training.weights import MODEL, save_model


@with_options(TrainingConfig)
def fit(
    model: Classifier,
    data: Splits,
    method: MethodLike = "equilibrium",
    *,
    out: str | Path | None = None,
    resume: bool = False,
    reference: bool = True,
    seed: int = 0,
    quiet: bool = False,
    measure: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    **training: Unpack[TrainingOptions],
) -> Run:
    """Train a classifier in place, select by validation, and measure it once on test.

    Args:
        model: the classifier.
        data: training, validation and test parts.
        method: a method's name, `"name:key=value"`, a mapping with `name` and options, a subclass of
            `Method` (registered or not), or an instance of one that was made with `model`.
        out: a folder for the run; None keeps it in memory.
        resume: continue the run in `out`.
        reference: train the unimodal ensemble too, with the same budget, for utilisation. It trains a copy; what is
            frozen is not copied.
        seed: of data order, dropout and random orders.
        quiet: say nothing while training.
        measure: options of `MeasureConfig`.
        features: options of `FeaturesConfig`, for instance `{"cache": "features"}`.
        training: options of `TrainingConfig`: `epochs=30` and so on.

    Several threads may call `fit`, each with a model of its own: every run gives what it gives alone. Since torch has
    one random generator for all threads, they take turns batch by batch. To train side by side, use processes.

    Raises:
        ConfigError: an option is wrong, or an encoder of yours cannot be trained.
        RunError: the folder holds another run, or training cannot continue.

    Example:
        >>> import numpy as np, equimodal as eq
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 200)
        >>> data = eq.Dataset({"a": rng.normal(y[:, None], 1, (200, 3)), "b": rng.normal(0, 1, (200, 2))}, y)
        >>> run = eq.fit(eq.Classifier.for_data(data.split(seed=0)), data.split(seed=0), epochs=5, quiet=True)
        >>> run.test.contribution.dominant
        ('a',)
    """
    check_splits(data)
    if not isinstance(model, Classifier):
        raise ConfigError(f"model: expected a Classifier, got {type(model).__name__}.")
    if measure is not None and not isinstance(measure, Mapping):
        raise ConfigError(f"measure: expected options, for instance {{'value': 'macro_f1'}}, got {measure!r}.")
    if features is not None and not isinstance(features, Mapping):
        raise ConfigError(f"features: expected options, for instance {{'cache': True}}, got {features!r}.")
    given = read_method(method, model)
    config = build_config(
        {
            "data": data.provenance.get("source") or {"name": data.name},
            "model": {"width": model.width, "fusion": model.fusion_name, "fusion_options": model.fusion_options},
            "method": given.content,
            "training": training,
            "measure": dict(measure or {}),
            "features": dict(features or {}),
            "seed": seed,
            "reference": reference,
        },
        given.names,
    )
    return train(config, data, model, given, folder=out, resume=resume, quiet=quiet)


def train(
    config: RunConfig,
    data: Splits,
    model: Classifier | None = None,
    given: GivenMethod | None = None,
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    reference: Reference | None = None,
) -> Run:
    """Train and measure as a configuration describes; see `fit`.

    Args:
        config: the run's configuration.
        data: its data.
        model: the classifier; None: a new one as configured.
        given: the method, where it is not one that the configuration names alone.
        folder: where the run is kept; None: in memory.
        resume: continue the run in `folder`.
        quiet: say nothing.
        reference: what each modality can do alone, where that is known already.
    """
    folder = None if folder is None else Path(folder)
    if folder is None and config.measure.encodings.epochs:
        raise ConfigError("measure.encodings: encodings are kept in the run's folder, and it has none. Give one: out=.")
    trainer = set_up(config, data, model, given, folder=folder, quiet=quiet)
    config = trainer.config  # with all options
    with hold_folder(folder, config, data, trainer.weights.specification, resume=resume):
        if reference is None and config.reference and config.method.name != REFERENCE:
            untrained = copy_of(trainer.model)
            reference = train_reference(config, data, untrained, folder=folder, resume=resume, quiet=quiet)
        if resume:
            trainer.resume()
        trainer.run()
        return _finish(trainer, reference)


def set_up(
    config: RunConfig,
    data: Splits,
    model: Classifier | None = None,
    given: GivenMethod | None = None,
    *,
    folder: Path | None = None,
    quiet: bool = True,
) -> Trainer:
    """Return everything that a run needs, ready to begin; nothing is written, and nothing is copied.

    Raises:
        ConfigError: a setting does not fit the data, the model or this machine; all such mistakes together.
        DataError: the data are not what the model was made for.
    """
    names = NAMES if given is None else given.names
    config = resolve(config, names)
    method_class = names.method(config.method.name)
    problems: list[str] = []
    with _gather(problems):
        _check_target(config, data)
    problems += unknown_modalities("training.learning_rates", config.training.learning_rates, data.modalities)
    with _gather(problems):
        make_fabric(config.training)
    with _gather(problems):
        plan(len(data.modalities), budget=config.measure.budget)
    with _gather(problems):
        model = _new_model(config, data, method_class) if model is None else model
    if problems or model is None:
        raise ConfigError(problems)
    _check_fit(model, data)
    problems = batch_size_problems(model.encoders, config.training.batch_size)
    if config.training.compile:
        problems += compile_problems(model, make_fabric(config.training).device)
    with _gather(problems), seeded(config.seed, "probe"):
        model.check_encoders(data.train)
    if problems:
        raise ConfigError(problems)
    options = method_class.Config.model_validate(config.method.options)
    prepare_with_seed(model, method_class, options, config.seed, config.method)
    reporter = make_reporter(quiet)
    prepared = _prepared(config, data, model, reporter)
    with seeded(config.seed, "method"):
        made = None if given is None else given.made
        method = method_class(model, options, config.seed) if made is None else made
    parameter_groups(method, config.training)  # whether they can be made shows before training
    return Trainer(method, prepared, config, folder, reporter)


def _prepared(config: RunConfig, data: Splits, model: Classifier, reporter: Reporter) -> Splits:
    """Return the data in the form that the encoders take; features that are missing are encoded on the run's device."""
    cache, device = open_cache(config.features.cache, reporter), model.device
    if cache is not None:
        model.to(make_fabric(config.training).device)
    try:
        train, validation, test = (model.prepare(part, cache) for part in data.parts().values())
    finally:
        if cache is not None:
            model.to(device)
    return Splits(train, validation, test, data.provenance)


@contextmanager
def _gather(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        problems += error.problems


def _check_target(config: RunConfig, data: Splits) -> None:
    if config.measure.target is not None:
        from equimodal.contribution.equilibrium import target_vector

        target_vector(config.measure.target, data.modalities)


def _new_model(config: RunConfig, data: Splits, method_class: type[Method]) -> Classifier:
    named, fusion_options = config.fusion
    if named == method_class.fusions[0]:
        named = None  # the method brings it, with the method's options too
    return Classifier.for_data(
        data,
        config.model.encoders,
        width=config.model.width,
        fusion=named,
        fusion_options=fusion_options,
        seed=config.seed,
    )


def _check_fit(model: Classifier, data: Splits) -> None:
    """Raise an error if the model was made for other classes or modalities than the data have."""
    problems = []
    if model.classes != data.classes:
        problems.append(
            f"its classes are {', '.join(data.classes)}, but the model was made for {', '.join(model.classes)}."
        )
    if set(model.modalities) != set(data.modalities):
        problems.append(
            f"its modalities are {', '.join(data.modalities)}, but the model was made for "
            f"{', '.join(model.modalities)}."
        )
    if problems:
        raise DataError(f"{data.name}: {' '.join(problems)} Make a new one: Classifier.for_data(data).")


def prepare_with_seed(
    model: Classifier, method_class: Any, options: Any, seed: int, said: MethodSpec | None = None
) -> None:
    """Give the model the method's fusion, or the one that its configuration names, its weights drawn from the seed."""
    with seeded(seed, "fusion"):
        named, fusion_options = (None, {}) if said is None else (said.fusion, said.fusion_options)
        prepare_fusion(model, method_class, options, named, fusion_options)


def train_reference(
    config: RunConfig,
    data: Splits,
    untrained: Classifier,
    *,
    folder: Path | None,
    resume: bool,
    quiet: bool,
) -> Reference:
    """Train the unimodal ensemble with the run's budget; return what each modality can do alone, by split."""
    untrained.clear_fusion()
    measure = config.measure.model_copy(update={"encodings": EncodingsConfig()})
    changes = {"method": MethodSpec(name=REFERENCE, label="reference"), "reference": False, "measure": measure}
    reference_config = config.model_copy(update=changes)
    where = None if folder is None else folder / "reference"
    run = train(reference_config, data, untrained, folder=where, resume=resume, quiet=quiet)
    return _ability({"validation": run.validation, "test": run.test})


def _ability(ensemble: Mapping[str, Measurement]) -> Reference:
    return {name: Ability.of(measured.alone, measured.contribution) for name, measured in ensemble.items()}


def _finish(trainer: Trainer, reference: Reference | None) -> Run:
    """Measure the best weights on validation and, once, on test; write `predictions.csv` and `metrics.json`."""
    config, model, data = trainer.config, trainer.model, trainer.data
    if config.method.name == REFERENCE and reference is None:
        reference = _ability({name: measure_part(trainer, part, name) for name, part in _held_out(data).items()})
    ability = reference or {}
    validation = measure_part(trainer, data.validation, "validation", ability.get("validation"))
    outputs = _outputs(trainer, data.test, "test")
    test = _measured(trainer, outputs, "test", ability.get("test"))
    model.eval()
    run = Run(
        model=model,
        config=config,
        history=trainer.history.lines,
        validation=validation,
        test=test,
        reference=reference,
        folder=trainer.folder,
    )
    if trainer.folder is not None:
        weights = trainer.folder / MODEL
        if not weights.exists():  # a finished run whose weights were deleted: its checkpoint holds them too
            save_model(weights, trainer.method)
        found = sample_predictions(outputs, data.test.ids, model.classes, model.modalities)
        save_predictions(trainer.folder / PREDICTIONS, found)
        metrics = {
            "config": config.hash(),
            "seed": config.seed,
            "best_epoch": run.best_epoch,
            "reference": plain_reference(reference),
            "validation": run.validation.to_dict(),
            "test": run.test.to_dict(),
        }
        write_text(trainer.folder / METRICS, json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    return run


def _held_out(data: Splits) -> dict[str, Dataset]:
    return {"validation": data.validation, "test": data.test}


def measure_part(trainer: Trainer, part: Dataset, name: str, reference: Ability | None = None) -> Measurement:
    """Measure the trainer's model on one part of the data, in the precision it was trained in."""
    return _measured(trainer, _outputs(trainer, part, name), name, reference)


def _outputs(trainer: Trainer, part: Dataset, name: str) -> Outputs:
    config, model = trainer.config, trainer.model
    coalitions = plan(len(model.modalities), budget=config.measure.budget, seed=derive_seed(config.seed, name))
    with trainer.fabric.autocast():
        encoded = encode_all(model, part, workers=config.training.loader_workers)
        return outputs_of(model, encoded, coalitions, name)


def _measured(trainer: Trainer, outputs: Outputs, name: str, reference: Ability | None) -> Measurement:
    return measure_outputs(
        outputs,
        trainer.model.modalities,
        trainer.config.measure,
        split=name,
        seed=derive_seed(trainer.config.seed, name),
        reference=reference,
        record=name == "test",
    )
