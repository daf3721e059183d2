"""What a configuration says about a comparison: methods, seeds, settings, tuning and declared comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from equimodal.config.encoders import EncoderArm
from equimodal.config.method import MethodSpec, parse_methods
from equimodal.config.section import Section
from equimodal.errors import did_you_mean

MOST_PRIMARY = 5
"""Most primary comparisons: with more, hardly any difference is significant after the correction."""
SETTING_SECTIONS = ("data", "model", "training", "measure")
TUNED_SECTIONS = ("model", "training")


class Setting(Section):
    """One setting in which all methods are compared: what differs from the rest of the configuration.

    In YAML: the name of a data set, or a mapping with `label` and any of the sections `data`, `model`,
    `training` and `measure`.

    Args:
        label: what tables call it; its folder is named after it.
        changes: the sections, which replace those of the configuration key by key.
    """

    label: str
    changes: dict[str, dict[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"label": value, "changes": {"data": {"name": value}}}
        if not isinstance(value, Mapping):
            return value
        changes = {key: section for key, section in value.items() if key != "label"}
        if changes.keys() == {"changes"} and isinstance(changes["changes"], Mapping):
            changes = dict(changes["changes"])  # as it is called in Python
        for key in changes:
            if key not in SETTING_SECTIONS:
                raise ValueError(f"unknown section '{key}'.{did_you_mean(str(key), SETTING_SECTIONS)}"[:-1])
        data = changes.get("data")
        name = data.get("name") if isinstance(data, Mapping) else None
        return {"label": value.get("label", name), "changes": changes}

    def to_dict(self) -> dict[str, Any]:
        """Return the setting as it is written in YAML."""
        return {"label": self.label, **self.changes}


class Primary(Section):
    """A comparison of two methods that was declared before any result was seen.

    In YAML: `equilibrium vs joint`, or a mapping.

    Args:
        method: label of a method.
        against: label of another.
        column: of the table.
        setting: label of one setting; None: over all settings together.
    """

    method: str
    against: str
    column: str = "accuracy"
    setting: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            method, found, against = value.partition(" vs ")
            if not found:
                raise ValueError(f"expected 'METHOD vs METHOD' or a mapping, got '{value}'")
            return {"method": method.strip(), "against": against.strip()}
        return value

    def __str__(self) -> str:
        where = "" if self.setting is None else f", {self.setting}"
        return f"{self.method} vs {self.against}, {self.column}{where}"


class Tuning(Section):
    """How each method's settings are chosen, on the validation part of each seed; test is never used.

    Every method may try the same number of candidates, the untouched configuration first.

    Args:
        trials: candidates for each method and seed; where the grid holds more, so many are drawn.
        grid: values by dotted key of `training` or `model`, for every method.
        own: by method's label, values by option of the method.
    """

    trials: int = Field(ge=2)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    own: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]] = {}

    @field_validator("grid")
    @classmethod
    def _tunable(cls, grid: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for key in grid:
            section = key.partition(".")[0]
            if section not in TUNED_SECTIONS or "." not in key:
                raise ValueError(f"'{key}' cannot be tuned: expected a key of {' or '.join(TUNED_SECTIONS)}")
        return grid


class CompareConfig(Section):
    """What `compare` compares.

    Args:
        methods: methods, the first being the baseline of the paired differences.
        seeds: number of seeds; each redraws the splits.
        redraw: "split" draws new splits for each seed; "none" keeps the data set's own (training noise only).
        settings: data sets and other changes, each compared by itself, then summed up; none: one comparison.
        primary: the comparisons that the study decides, declared beforehand, at most five; their p values are
            corrected for one another. None declared: every method against the first.
        tune: what each method may tune on validation; None: nothing.
        encoders: sets of encoders that `analyse encoders` trains each method with, the first being the reference;
            nothing else reads them.
    """

    methods: list[MethodSpec] = []
    seeds: int = Field(default=5, ge=1)
    redraw: Literal["split", "none"] = "split"
    settings: list[Setting] = []
    primary: Annotated[list[Primary], Field(max_length=MOST_PRIMARY)] = []
    tune: Tuning | None = None
    encoders: list[EncoderArm] = []

    @field_validator("methods", mode="before")
    @classmethod
    def _parse(cls, methods: Any, info: ValidationInfo) -> Any:
        return parse_methods(methods, info.context) if isinstance(methods, (list, tuple)) else methods

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as it is written in YAML."""
        return {
            **self.model_dump(mode="json"),
            "methods": [method.to_dict() for method in self.methods],
            "settings": [setting.to_dict() for setting in self.settings],
        }

    def problems(self) -> list[str]:
        """Return a message for each name that fits nothing else in the comparison."""
        labels = [method.label for method in self.methods]
        found = _twice("compare.settings", [setting.label for setting in self.settings])
        found += _twice("compare.encoders", [arm.label for arm in self.encoders])
        for primary in self.primary:
            found += [
                f"compare.primary: no method is called '{name}'.{did_you_mean(name, labels)}"
                for name in (primary.method, primary.against)
                if name not in labels
            ]
            settings = [setting.label for setting in self.settings]
            where = primary.setting
            if where is not None and where not in settings:
                found.append(f"compare.primary: no setting is called '{where}'.{did_you_mean(where, settings)}")
            if primary.method == primary.against:
                found.append(f"compare.primary: '{primary.method}' is set against itself. Name two methods.")
        if self.tune is not None:
            found += [
                f"compare.tune.own: no method is called '{name}'.{did_you_mean(name, labels)}"
                for name in self.tune.own
                if name not in labels
            ]
            if not self.tune.grid and not self.tune.own:
                found.append("compare.tune: expected grid or own with some values, got neither.")
        return found


def _twice(where: str, labels: Sequence[str]) -> list[str]:
    return [
        f"{where}: '{label}' is there twice. Give one a label of its own."
        for label, count in Counter(labels).items()
        if count > 1
    ]
