"""What is each part of the method worth? The full method, and one row for each switch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from equimodal.analyses.arms import Arm, make_arm
from equimodal.analyses.base import Analysis, name_problems
from equimodal.analyses.charts import arm_differences_chart, epoch_chart
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tables import SCORES, SMALLEST, TableRow, arm_rows, make_table, means, scores, scores_in_words
from equimodal.config.method import MethodSpec
from equimodal.contribution.equilibrium import utilisation
from equimodal.data.splits import Splits
from equimodal.display.charts import Chart
from equimodal.errors import ConfigError
from equimodal.tables.table import Table
from equimodal.training.run import Run


class Part(NamedTuple):
    """How to switch a part of the method: the options that take it away, and those that add it where it is not."""

    off: Mapping[str, Any]
    on: Mapping[str, Any]


PARTS: dict[str, Part] = {
    "order": Part({"order": "random"}, {"order": "weak_to_strong"}),
    "frozen order": Part({"freeze": 0.0}, {"freeze": 0.5}),
    "feature mapping": Part({"mapping.feature": False}, {"mapping.feature": True}),
    "sample mapping": Part({"mapping.sample": False}, {"mapping.sample": True}),
    "memory": Part({"memory.enabled": False}, {"memory.enabled": True}),
    "inheritance": Part({"memory.inherit": "none"}, {"memory.inherit": "epoch"}),
    "gradient into the encoders": Part({"memory.encoders": False}, {"memory.encoders": True}),
    "random coalitions": Part({"memory.coalitions": 0.0}, {"memory.coalitions": 0.5}),
    "balanced gradients": Part({"balance": False}, {"balance": True}),
    "exploration": Part({"explore": 0.0}, {"explore": 0.5}),
    "fitted pool": Part({"pool": "equal"}, {"pool": "fitted"}),
}
"""Every part that can be switched. A part concerns the methods that have its option."""

FULL = "full"


class Ablation(Analysis):
    """The recipe as it is, and with parts switched: off, or on where the recipe lacks one.

    Args:
        recipes: what is analysed.
        parts: names in `PARTS`; None: each part that a recipe has.

    Raises:
        ConfigError: if a recipe is of another method, or a part is unknown, given twice or one that no recipe has.
    """

    kind = "ablation"
    title = "Ablation"

    def __init__(self, recipes: Sequence[MethodSpec], parts: Sequence[str] | None = None) -> None:
        super().__init__(recipes)
        names = [*PARTS] if parts is None else parts
        problems = name_problems("--parts", "part", names, PARTS)
        if not names:
            problems.append(f"--parts: expected some of {', '.join(PARTS)}, separated by commas.")
        if parts is not None and not problems:
            full = [make_arm(recipe, {}, {}) for recipe in recipes]
            problems += [
                f"--parts: {' and '.join(arm.label for arm in full)} cannot switch '{name}'. Leave it out."
                for name in names
                if not any(_has(arm.method.options, PARTS[name]) for arm in full)
            ]
        if problems:
            raise ConfigError(problems)
        self.parts = {name: PARTS[name] for name in PARTS if name in names}

    def arms(self, modalities: Sequence[str]) -> tuple[list[Arm], list[str]]:
        """Return the full method and one arm for each part it has of those asked for.

        What is refused is left out with its reason.
        """
        made, left_out = [], []
        for recipe in self.recipes:
            full = make_arm(recipe, {"part": FULL}, {})
            made.append(full)
            for part, switch in self.parts.items():
                if not _has(full.method.options, switch):
                    continue
                for words, options in ((f"without {part}", switch.off), (f"with {part}", switch.on)):
                    try:
                        arm = make_arm(recipe, {"part": words}, options, full.label)
                    except ConfigError as error:
                        left_out.append(str(error))
                        break
                    if arm.method.options != full.method.options:
                        made.append(arm)
                        break
        return made, left_out

    def read(self, run: Run, data: Callable[[], Splits]) -> dict[str, Any]:
        """Return EDM and each modality's utilisation after each epoch, on the validation probe."""
        return epoch_curves(run)

    @staticmethod
    def rows(result: SettingResult) -> list[TableRow]:
        """Return one row per arm."""
        return arm_rows(result)

    @staticmethod
    def tables(result: SettingResult) -> list[Table]:
        """Return the tables: accuracy and balance, and cost."""
        rows, relative = arm_rows(result), _relative(result)
        against = "Set against the full method; paired by seed."
        missing = "Some missing: mean accuracy over all subsets of modalities but the empty one and the whole."
        return [
            make_table(
                "Accuracy and balance",
                f"{against} {SMALLEST} {missing}",
                rows,
                *scores(result, rows),
                means(result, rows, "missing_mean", "some missing"),
            ),
            make_table(
                "Cost",
                "Of one run: optimiser steps of all encoders together, and time in training over that of the full "
                "method (runs that train side by side disturb one another).",
                rows,
                means(result, rows, "updates", "updates", 0, spread=False),
                means(relative, rows, "relative", "relative time", 2),
            ),
        ]

    @staticmethod
    def charts(result: SettingResult) -> list[Chart]:
        """Return each score's difference to the full method, and EDM and utilisation over epochs."""
        used = {f"utilisation.{name}": f"Utilisation of {name} by epoch" for name in result.comparison.modalities}
        return [
            *(arm_differences_chart(result, score.column, score.words) for score in SCORES),
            epoch_chart(result, "edm", "edm-epochs", "EDM by epoch", (0.0, 3.0)),
            *(
                epoch_chart(result, column, f"utilisation-{number}", title, (-0.5, 1.6), level=1.0)
                for number, (column, title) in enumerate(used.items(), start=1)
            ),
        ]

    @staticmethod
    def sentences(result: SettingResult) -> list[str]:
        """Return what each switch changes."""
        return [
            f"{row.name} against {FULL}: {scores_in_words(result, row.group, row.against)}."
            for row in arm_rows(result)
            if row.against
        ]


def _has(options: Mapping[str, Any], switch: Part) -> bool:
    """Return whether a method with these options, defaults included, has those of a part."""
    *sections, option = next(iter(switch.off)).split(".")
    for section in sections:
        options = options.get(section, {})
    return option in options


def epoch_curves(run: Run) -> dict[str, Any]:
    r"""Return lists with one value per epoch, measured on the probe; trials are left out.

    `edm`, and `utilisation.<m>` with $u_m = (v(\{m\}) - v(\emptyset)) / (v^*_m - v(\emptyset))$. Here $v^*_m$ is the
    value that the seed's unimodal ensemble reaches on validation. None where undefined.
    """
    lines = [line["validation"] for line in run.history if not line["trial"]]
    curves: dict[str, Any] = {"edm": [line["contribution"]["edm"] for line in lines]}
    reference = (run.reference or {}).get("validation", {})
    empty = torch.tensor([line["contribution"]["value_empty"] for line in lines], dtype=torch.float64)
    for name in run.model.modalities:
        alone = torch.tensor([line["alone"][name] for line in lines], dtype=torch.float64)
        possible = torch.full_like(alone, reference.get(name, math.nan))
        used = utilisation(alone, possible, empty).tolist()
        curves[f"utilisation.{name}"] = [None if math.isnan(u) else u for u in used]
    return {"curves": curves}


def _relative(result: SettingResult) -> SettingResult:
    """Return the same with a column `relative`: seconds over those of the full method in the same seed."""
    readings = {}
    for arm in result.arms:
        own = result.values((arm.label,), "seconds")
        base = result.values((arm.against or arm.label,), "seconds")
        readings[arm.label] = [{"relative": a / b if a and b else None} for a, b in zip(own, base, strict=True)]
    return replace(result, readings=readings)
