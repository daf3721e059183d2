"""What an analysis found, over all settings: told, saved, loaded again, and written for others."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from equimodal.analyses.ablation import Ablation
from equimodal.analyses.base import Analysis, Arm, Found
from equimodal.analyses.order import Order
from equimodal.analyses.overall import Overall
from equimodal.analyses.tau import Tau
from equimodal.comparison.comparison import load_comparison
from equimodal.comparison.reading import intervals
from equimodal.comparison.record import read_record, write_record
from equimodal.errors import RunError, did_you_mean
from equimodal.files import safe_name, write_text
from equimodal.tables import markdown, text
from equimodal.tables.table import Table

FILE = "analysis.json"

ANALYSES: dict[str, type[Analysis]] = {analysis.kind: analysis for analysis in (Order, Tau, Ablation)}
"""Every analysis by its name."""


@dataclass(frozen=True)
class Part:
    """One recipe in one setting: what is told together.

    Args:
        title: of the two.
        setting: label of the setting.
        found: what was found of the recipe there.
        analysis: what lays it out.
    """

    title: str
    setting: str
    found: Found
    analysis: type[Analysis]

    @cached_property
    def blocks(self) -> list[Table]:
        """The tables."""
        return self.analysis.blocks(self.found)

    @cached_property
    def sentences(self) -> list[str]:
        """What they say in plain words, and what the intervals are."""
        return [*self.analysis.sentences(self.found), intervals(self.found.comparison)]


@dataclass(frozen=True)
class Findings:
    """What an analysis found.

    Args:
        kind: name of the analysis.
        settings: what was found in each, by label.
        passed_over: what the configuration holds that is no part of an analysis.
        command: what the user typed.
    """

    kind: str
    settings: Mapping[str, Found]
    passed_over: tuple[str, ...] = ()
    command: str | None = None

    @property
    def analysis(self) -> type[Analysis]:
        """What lays it out."""
        return ANALYSES[self.kind]

    def parts(self) -> list[Part]:
        """Return what was found of each recipe in each setting."""
        several = len({arm.recipe for found in self.settings.values() for arm in found.arms}) > 1
        return [
            Part(f"{label}, {recipe}" if several else label, label, found.only(recipe), self.analysis)
            for label, found in self.settings.items()
            for recipe in found.recipes
        ]

    def overall(self) -> dict[str, Overall]:
        """Return each recipe over all settings, by its label; nothing for a single setting."""
        if len(self.settings) < 2:
            return {}
        recipes = dict.fromkeys(recipe for found in self.settings.values() for recipe in found.recipes)
        return {
            recipe: Overall({label: found.only(recipe) for label, found in self.settings.items()}, self.analysis)
            for recipe in recipes
        }

    @property
    def left_out(self) -> list[str]:
        """What could not be made, and why."""
        return list(dict.fromkeys(reason for found in self.settings.values() for reason in found.left_out))

    def __str__(self) -> str:
        told = []
        for part in self.parts():
            sentences = "\n".join(textwrap.fill(line, text.WIDTH, subsequent_indent="  ") for line in part.sentences)
            told += [f"== {part.title} ==", *map(text.text_section, part.blocks), sentences]
        told += [f"== {recipe} ==\n\n{text.text_section(whole.block())}" for recipe, whole in self.overall().items()]
        return "\n\n".join([*told, *(textwrap.fill(f"Left out: {reason}", text.WIDTH) for reason in self.left_out)])

    def to_markdown(self) -> str:
        """Return the tables of every part as Markdown, and what they say."""
        told = [
            f"## {recipe}\n\n{markdown.markdown_section(whole.block())}" for recipe, whole in self.overall().items()
        ]
        for part in self.parts():
            told += [f"## {part.title}", *map(markdown.markdown_section, part.blocks), markdown.bullets(part.sentences)]
        if self.left_out:
            told += ["## Left out", markdown.bullets(self.left_out)]
        return "\n\n".join(told) + "\n"

    def to_csv(self, path: str | Path) -> Path:
        """Write every run as one line: setting, method, what was varied, seed, all columns, all numbers read from it.

        Settings with other modalities have other columns; a cell that a run lacks is empty.
        """
        lines = []
        for label, found in self.settings.items():
            for arm in found.arms:
                head = {"setting": label, "method": arm.label, "recipe": arm.recipe, **arm.factors}
                results = found.comparison.results[arm.label]
                for result, reading in zip(results, found.readings[arm.label], strict=True):
                    read = {
                        key: " > ".join(value) if isinstance(value, list) else value
                        for key, value in reading.items()
                        if not isinstance(value, dict)  # curves, which the run's history has
                    }
                    lines.append({**head, "seed": result.seed, **result.columns(), **read})
        content = io.StringIO()
        header = list(dict.fromkeys(key for line in lines for key in line))
        writer = csv.DictWriter(content, header, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        write_text(Path(path), content.getvalue(), then="write it again")
        return Path(path)

    def save(self, folder: str | Path) -> Path:
        """Write ``analysis.json``: what was varied, and what was read from the runs."""
        content = {
            "kind": self.kind,
            "passed_over": self.passed_over,
            "command": self.command,
            "settings": {
                label: {
                    "place": safe_name(label),
                    "arms": [arm.to_dict() for arm in found.arms],
                    "left_out": found.left_out,
                    "readings": found.readings,
                }
                for label, found in self.settings.items()
            },
        }
        return write_record(Path(folder) / FILE, content)


def load_findings(folder: str | Path) -> Findings:
    """Return what an analysis in a folder found.

    Raises:
        RunError: there is none, a file is damaged, or the analysis is not known here.
    """
    path = Path(folder) / FILE

    def parse(content: dict[str, Any]) -> Findings:
        settings = {label: _found(path.parent / plain["place"], plain) for label, plain in content["settings"].items()}
        return Findings(content["kind"], settings, tuple(content["passed_over"]), content["command"])

    findings = read_record(path, "analysis", parse)
    if findings.kind not in ANALYSES:
        raise RunError(f"{path}: is of an analysis '{findings.kind}'.{did_you_mean(str(findings.kind), ANALYSES)}")
    return findings


def _found(place: Path, plain: Mapping[str, Any]) -> Found:
    arms = tuple(Arm.from_dict(arm) for arm in plain["arms"])
    return Found(load_comparison(place), arms, tuple(plain["left_out"]), dict(plain["readings"]))
