"""What each column of a data set is for: the label, the group, the id, or a modality."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from equimodal.data.checks import name_problems
from equimodal.errors import ConfigError, did_you_mean
from equimodal.media.forms import MEDIA, Medium
from equimodal.preparation.huggingface.choice import NO_LABEL, Choice
from equimodal.preparation.huggingface.features import Column, Kind
from equimodal.preparation.manifest import is_reserved

_FITTING: Mapping[Kind, tuple[Medium, ...]] = {
    "media": ("image", "audio", "video"),
    "text": ("text",),
    "number": ("array",),
    "array": ("array",),
    "other": (),
}
"""What entries of each kind can be."""


@dataclass(frozen=True)
class Roles:
    """What the columns are for.

    Args:
        label: the column of the classes, if there are labels.
        group: the column of the groups, if there are some.
        id: the column of the ids, if there is one.
        media: by column, the medium of the modality that is made of it.
    """

    label: Column | None
    group: str | None
    id: str | None
    media: Mapping[str, Medium]

    def read(self) -> list[str]:
        """Return the columns that are read at once: all but what is decoded later."""
        texts = [column for column, medium in self.media.items() if medium == "text"]
        roles = [self.label.name if self.label else None, self.group, self.id, *texts]
        return list(dict.fromkeys(name for name in roles if name is not None))


def roles_of(columns: Mapping[str, Column], choice: Choice) -> Roles:
    """Return what the columns are for.

    Raises:
        ConfigError: the choice names columns that are not there or do not fit, or a column is neither a modality nor
            left out; all such mistakes are reported at once.
    """
    asked = dict(_asked(each, columns) for each in choice.columns)
    named = {"--label": choice.label if choice.label != NO_LABEL else None, "--group": choice.group}
    problems = [
        f"{option}: there is no column '{name}'.{did_you_mean(name, columns)}"
        for option, names in {**{key: [name] for key, name in named.items() if name}, "--column": asked}.items()
        for name in names
        if name not in columns
    ]
    problems += [
        f"--ignore: there is no column '{name}'.{did_you_mean(name, columns)}"
        for name in choice.ignore
        if name not in columns
    ]
    if problems:
        raise ConfigError(problems)
    label = _label(columns, choice, problems)
    rest = [each for name, each in columns.items() if name not in (*choice.ignore, choice.group) and each != label]
    own_id = next((each.name for each in rest if each.name == "id" and each.kind in ("text", "number")), None)
    if own_id in asked:
        own_id = None
    media: dict[str, Medium] = {}
    for each in rest:
        if each.name in asked:
            medium = asked[each.name] or each.medium
        elif asked or each.name == own_id:
            continue
        else:
            medium = each.medium if each.kind in ("media", "array") or each.name == "text" else None
        problem = _problem(each, medium, bool(asked))
        if problem:
            problems.append(problem)
        elif medium is not None:
            media[each.name] = medium
    names = [modality_of(name) for name in media]
    problems += name_problems(names, fewest=1) if not problems else []
    problems += [f"Two columns make one modality '{name}'." for name in sorted(set(names)) if names.count(name) > 1]
    if problems:
        raise ConfigError(problems)
    return Roles(label, choice.group, own_id, media)


def _asked(said: str, columns: Mapping[str, Column]) -> tuple[str, Medium | None]:
    name, _, word = said.rpartition(":")
    if said not in columns and name in columns and word in MEDIA:
        return name, cast(Medium, word)
    return said, None


def _label(columns: Mapping[str, Column], choice: Choice, problems: list[str]) -> Column | None:
    if choice.label == NO_LABEL and NO_LABEL not in columns:
        return None
    declared = [name for name, each in columns.items() if each.is_label and name not in choice.ignore]
    name = choice.label
    if name is None and "label" in columns and "label" not in choice.ignore:
        name = "label"
    elif name is None and len(declared) == 1:
        name = declared[0]
    if name is None:
        likely = declared or [name for name, each in columns.items() if each.kind in ("text", "number")]
        problems.append(
            f"There is no column 'label'. Say which one holds the classes: --label COLUMN "
            f"({', '.join(likely) or 'none seems to'}); or --label {NO_LABEL} for data to predict."
        )
    elif columns[name].kind not in ("text", "number"):
        problems.append(
            f"--label: '{name}' holds {columns[name].words}, expected one class per row. Name another column."
        )
    return None if name is None else columns[name]


def _problem(column: Column, medium: Medium | None, asked: bool) -> str | None:
    """Return why a column is no modality."""
    name = column.name
    leave = "leave it out" if asked else f"leave it out with --ignore {name}"
    fits = _FITTING[column.kind]
    if not fits:
        return f"Column '{name}': holds {column.words}, which cannot become a modality: {leave}."
    if medium is None and column.kind == "media":
        return (
            f"Column '{name}': bytes, and nothing says of what. Say --column {name}:image (audio, video), or {leave}."
        )
    if medium is None:
        return (
            f"Column '{name}': holds {column.words}. If it is a modality, name it and each other one with --column; "
            f"else {leave}, or take it with --label or --group."
        )
    if medium not in fits:
        return f"--column: '{name}' holds {column.words}, expected {' or '.join(fits)}, got {medium}. Correct it."
    if is_reserved(modality_of(name)):
        return f"Column '{name}': a modality cannot be called so, since a data folder has such a file: {leave}."
    return None


def modality_of(column: str) -> str:
    """Return the name of a column as a modality has it.

    Example:
        >>> modality_of("photo.front")
        'photo_front'
    """
    return re.sub(r"[^\w -]", "_", column)
