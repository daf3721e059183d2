"""Run a method with several sets of encoders: each is a comparison, and those of one setting are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from equimodal.analyses.encoders import Encoders, arm_label
from equimodal.analyses.findings import Findings
from equimodal.analyses.result import SettingResult
from equimodal.analyses.running import prepare, read_all, tell_ignored, tell_reading
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.jobs import Making, Workers
from equimodal.comparison.preflight import check_names
from equimodal.comparison.study import run_settings, setting_config
from equimodal.config.compare import Setting
from equimodal.config.encoders import EncoderArm
from equimodal.config.run import RunConfig
from equimodal.config.yaml import merge
from equimodal.data.catalogue import load_unreduced
from equimodal.errors import ConfigError
from equimodal.files import safe_name
from equimodal.training.names import resolve

EXAMPLE = (
    "Write for instance compare: {encoders: [{label: from scratch, encoders: {image: {name: cnn}}}, "
    "{label: pretrained, encoders: {image: {name: resnet18, weights: FILE}}}]}."
)


def run_encoders(
    config: RunConfig,
    *,
    out: str | Path,
    workers: Workers = 1,
    quiet: bool = False,
    command: str | None = None,
) -> Findings:
    """Train each method with each set of encoders of `compare.encoders`, in each setting, and return what was found.

    The methods are those of `compare.methods`, or the configuration's `method` if none is listed. A set of encoders in
    a setting is a comparison with a folder of its own in `out`, and so has its own unimodal ensemble. All sets have the
    same seeds and splits. Finished runs are kept, and interrupted ones are resumed. A folder with the setting's name
    holds the comparison of all its sets.

    Args:
        config: as for `compare`, with `compare.encoders`.
        out: the folder.
        workers: see `equimodal.analyses.running.run_analysis`.
        quiet: print nothing.
        command: the command line that was typed, for provenance.

    Raises:
        ConfigError: fewer than two sets of encoders, or the configuration is wrong.
        RunError: the folder holds something else, or every run of a set diverged.
        Interrupted: on Ctrl-C; the same call resumes.
    """
    plain, passed_over = prepare(resolve(config), Encoders.methods)
    _check(plain, workers)
    study, places = by_encoders(plain)
    analysis = Encoders(plain.compare.methods, [arm.label for arm in plain.compare.encoders])
    if not quiet:
        tell_ignored(passed_over)
    comparisons = run_settings(
        study, out=out, recipe=f"{analysis.kind}-analysis.yaml", workers=workers, quiet=quiet, command=command
    )
    arms, _ = analysis.arms(())
    results = {}
    for setting in plain.compare.settings:
        found = setting_config(plain, setting)
        if not quiet:
            tell_reading(setting.label)
        data = load_unreduced(found.data)
        parts: dict[str, Comparison] = {}
        readings: dict[str, Sequence[Mapping[str, Any]]] = {}
        for label, place in places[setting.label].items():
            parts[label] = comparisons[place.label]
            folder = Path(out) / safe_name(place.label)
            read = read_all(analysis, setting_config(study, place), data, parts[label], folder, workers)
            readings |= {arm_label(method, label): each for method, each in read.items()}
        joined = join(parts, [arm.label for arm in arms], found)
        joined.save(Path(out) / safe_name(setting.label))
        results[setting.label] = SettingResult(joined, tuple(arms), (), readings)
    findings = Findings(analysis.kind, results, tuple(passed_over), command)
    findings.save(out)
    return findings


def by_encoders(config: RunConfig) -> tuple[RunConfig, dict[str, dict[str, Setting]]]:
    """Return a study with a setting for each set of encoders in each setting, and these by setting and set.

    Each of its settings names all encoders, and the rest of the configuration none: a set's encoder replaces that of
    `model.encoders` as a whole, while settings are merged key by key.
    """
    places = {
        setting.label: {arm.label: _place(config, setting, arm) for arm in config.compare.encoders}
        for setting in config.compare.settings
    }
    settings = [place for each in places.values() for place in each.values()]
    model = config.model.model_copy(update={"encoders": {}})
    compare = config.compare.model_copy(update={"settings": settings, "encoders": []})
    return config.model_copy(update={"model": model, "compare": compare}), places


def _place(config: RunConfig, setting: Setting, arm: EncoderArm) -> Setting:
    model = setting.changes.get("model") or {}
    encoders = deepcopy(arm.over(merge(config.model.encoders, model.get("encoders") or {})))  # written without aliases
    return Setting(
        label=f"{setting.label}, {arm.label}",
        changes={**setting.changes, "model": {**model, "encoders": encoders}},
    )


def join(parts: Mapping[str, Comparison], methods: Sequence[str], config: RunConfig) -> Comparison:
    """Return the comparisons of one setting as one, whose methods are those of each part with its encoders.

    Args:
        parts: by the label of their encoders; all with the same methods, seeds and data.
        methods: the new labels, see `arm_label`, in the order of the tables.
        config: of the setting, for provenance.
    """
    first = next(iter(parts.values()))
    results = {
        arm_label(method, label): tuple(replace(result, method=arm_label(method, label)) for result in each)
        for label, part in parts.items()
        for method, each in part.results.items()
    }
    return replace(
        first,
        methods=tuple(methods),
        results={method: results[method] for method in methods},
        provenance={**first.provenance, "config": config.hash(), "configuration": config.to_dict()},
        failures=tuple(
            replace(failure, method=arm_label(failure.method, label))
            for label, part in parts.items()
            for failure in part.failures
        ),
    )


def _check(config: RunConfig, workers: object) -> None:
    problems: list[str] = []
    try:
        check_names(config, Making(), workers)
    except ConfigError as error:
        problems += error.problems
    count = len(config.compare.encoders)
    if count < 2:
        problems.append(f"compare.encoders: expected at least two sets of encoders, got {count or 'none'}. {EXAMPLE}")
    problems += _shared_folders(config)
    if problems:
        raise ConfigError(problems)


def _shared_folders(config: RunConfig) -> list[str]:
    """Return a message for each two different labels whose folders would be one."""
    _, places = by_encoders(config)
    labels = [*places, *(place.label for each in places.values() for place in each.values())]
    taken: dict[str, str] = {}
    found = []
    for label in dict.fromkeys(labels):
        other = taken.setdefault(safe_name(label).lower(), label)
        if other != label:
            found.append(
                f"compare.encoders: '{other}' and '{label}' would share the folder '{safe_name(label)}'. "
                "Give the encoders or the setting another label."
            )
    return found
