"""The findings of an analysis in all settings: as text, as Markdown and CSV, saved and loaded."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from equimodal.analyses.ablation import Ablation
from equimodal.analyses.arms import Arm
from equimodal.analyses.base import Analysis
from equimodal.analyses.encoders import Encoders
from equimodal.analyses.features import Features
from equimodal.analyses.order import Order
from equimodal.analyses.overall import Overall
from equimodal.analyses.result import SettingResult
from equimodal.analyses.tau import Tau
from equimodal.comparison.comparison import load_comparison
from equimodal.comparison.reading import intervals
from equimodal.comparison.record import read_record, write_record
from equimodal.errors import RunError, did_you_mean
from equimodal.files import safe_name, write_text
from equimodal.tables.csv import as_csv
from equimodal.tables.markdown import bullets, markdown_section
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.text import WIDTH, text_section

FILE = "analysis.json"

ANALYSES: dict[str, type[Analysis]] = {
    analysis.kind: analysis for analysis in (Order, Tau, Ablation, Encoders, Features)
}
"""Every analysis by its name."""


@dataclass(frozen=True)
class Part:
    """One recipe in one setting: what is shown together.

    Args:
        title: of the two.
        setting: label of the setting.
        result: of the recipe there.
        analysis: the analysis, whose tables and sentences these are.
    """

    title: str
    setting: str
    result: SettingResult
    analysis: type[Analysis]

    @cached_property
    def tables(self) -> list[Table]:
        """The tables."""
        return self.analysis.tables(self.result)

    @cached_property
    def sentences(self) -> list[str]:
        """What the tables say in plain words, and what the intervals are."""
        return [*self.analysis.sentences(self.result), intervals(self.result.comparison)]


@dataclass(frozen=True)
class Findings:
    """What an analysis found.

    Args:
        kind: name of the analysis.
        settings: the result in each setting, by label.
        passed_over: what the configuration holds that is not part of an analysis.
        command: the command line that was typed.
    """

    kind: str
    settings: Mapping[str, SettingResult]
    passed_over: tuple[str, ...] = ()
    command: str | None = None

    @property
    def analysis(self) -> type[Analysis]:
        """The analysis, which says what is shown."""
        return ANALYSES[self.kind]

    def parts(self) -> list[Part]:
        """Return the result of each recipe in each setting."""
        several = len({arm.recipe for result in self.settings.values() for arm in result.arms}) > 1
        return [
            Part(f"{label}, {recipe}" if several else label, label, result.only(recipe), self.analysis)
            for label, result in self.settings.items()
            for recipe in result.recipes
        ]

    def overall(self) -> dict[str, Overall]:
        """Return each recipe over all settings, by its label; empty for a single setting."""
        if len(self.settings) < 2:
            return {}
        recipes = dict.fromkeys(recipe for result in self.settings.values() for recipe in result.recipes)
        return {
            recipe: Overall({label: result.only(recipe) for label, result in self.settings.items()}, self.analysis)
            for recipe in recipes
        }

    @property
    def left_out(self) -> list[str]:
        """What could not be made, and why."""
        return list(dict.fromkeys(reason for result in self.settings.values() for reason in result.left_out))

    def __str__(self) -> str:
        text = []
        for part in self.parts():
            sentences = "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in part.sentences)
            text += [f"== {part.title} ==", *map(text_section, part.tables), sentences]
        text += [f"== {recipe} ==\n\n{text_section(whole.table())}" for recipe, whole in self.overall().items()]
        return "\n\n".join([*text, *(textwrap.fill(f"Left out: {reason}", WIDTH) for reason in self.left_out)])

    def to_markdown(self) -> str:
        """Return the tables of every part as Markdown, and what they say."""
        text = [f"## {recipe}\n\n{markdown_section(whole.table())}" for recipe, whole in self.overall().items()]
        for part in self.parts():
            text += [f"## {part.title}", *map(markdown_section, part.tables), bullets(part.sentences)]
        if self.left_out:
            text += ["## Left out", bullets(self.left_out)]
        return "\n\n".join(text) + "\n"

    def to_csv(self, path: str | Path) -> Path:
        """Write every run as one line: setting, method, what was varied, seed, all columns, all numbers read from it.

        Settings with other modalities have other columns; a cell that a run lacks is empty.
        """
        records = []
        for label, setting in self.settings.items():
            for arm in setting.arms:
                head = {"setting": label, "method": arm.label, "recipe": arm.recipe, **arm.factors}
                readings = dict(zip(setting.comparison.seeds, setting.readings[arm.label], strict=True))
                for result in setting.comparison.results[arm.label]:
                    numbers = {**result.columns(), **_numbers(readings[result.seed])}
                    records.append({**head, "seed": result.seed, **numbers})
        write_text(Path(path), as_csv(table_of_records("Runs", records)), then="write it again")
        return Path(path)

    def save(self, folder: str | Path) -> Path:
        """Write `analysis.json`: what was varied, and what was read from the runs."""
        content = {
            "kind": self.kind,
            "passed_over": self.passed_over,
            "command": self.command,
            "settings": {
                label: {
                    "place": safe_name(label),
                    "arms": [arm.to_dict() for arm in result.arms],
                    "left_out": result.left_out,
                    "readings": result.readings,
                }
                for label, result in self.settings.items()
            },
        }
        return write_record(Path(folder) / FILE, content)


def load_findings(folder: str | Path) -> Findings:
    """Return what an analysis in a folder found.

    Raises:
        RunError: if there is no finished one, a file is damaged, or the analysis is not known here.
    """
    path = Path(folder) / FILE

    def parse(content: dict[str, Any]) -> Findings:
        settings = {label: _parse(path.parent / plain["place"], plain) for label, plain in content["settings"].items()}
        return Findings(content["kind"], settings, tuple(content["passed_over"]), content["command"])

    findings = read_record(path, "analysis", parse)
    if findings.kind not in ANALYSES:
        raise RunError(f"{path}: is of an analysis '{findings.kind}'.{did_you_mean(str(findings.kind), ANALYSES)}")
    return findings


def _parse(place: Path, plain: Mapping[str, Any]) -> SettingResult:
    arms = tuple(Arm.from_dict(arm) for arm in plain["arms"])
    return SettingResult(load_comparison(place), arms, tuple(plain["left_out"]), dict(plain["readings"]))


def _numbers(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was read from a run without its curves, which the run's history has."""
    return {
        key: " > ".join(value) if isinstance(value, list) else value
        for key, value in reading.items()
        if not isinstance(value, dict)
    }
