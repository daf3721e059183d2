"""What the columns of a data set hold: as it declares, or as their types tell."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from equimodal.data.checks import raise_problems
from equimodal.errors import DataError
from equimodal.media.forms import MEDIA, Medium
from equimodal.preparation.shards import arrow, schema_of
from equimodal.preparation.tables import list_places

Kind = Literal["media", "text", "number", "array", "other"]


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: of the column.
        kind: what an entry is: the bytes of a file, a text, one number, an array of numbers, or something else.
        medium: of a modality that is made of it; None: of bytes that nothing is declared of, and where there is none.
        classes: names by number, where the numbers are classes; empty where these have no names.
        is_label: whether it is declared to hold classes.
        words: what it holds, for messages.
        type: as the table has it.
    """

    name: str
    kind: Kind
    medium: Medium | None
    classes: tuple[str, ...] = ()
    is_label: bool = False
    words: str = ""
    type: str = ""


def shared_columns(
    root: Path, shards: Iterable[Path], declared: Mapping[str, Any], ignore: Collection[str] = ()
) -> dict[str, Column]:
    """Return the columns of all shards, which are the same in each but for those that are ignored.

    Args:
        root: of the data set.
        shards: in order.
        declared: features that are said beside the shards.
        ignore: names of columns that may differ, or be in some shards only.

    Raises:
        DataError: shards are damaged, or differ in a column, in its type or in its classes.
    """
    first: dict[str, Column] | None = None
    extra: dict[str, Column] = {}
    damaged: list[str] = []
    unlike: list[str] = []
    for shard in shards:
        try:
            schema = schema_of(shard)
        except DataError as error:
            damaged.append(str(error))
            continue
        features = {**declared, **_features_in(schema)}
        here = columns_of(schema, features)
        if first is None:
            first, declared = here, features  # shards that declare nothing hold what the first one declares
        names = sorted((here.keys() | first.keys()) - set(ignore))
        other = [
            f"'{name}' {_said(here.get(name))}, expected {_said(first.get(name))}"
            for name in names
            if here.get(name) != first.get(name)
        ]
        if other:
            unlike.append(f"{shard.relative_to(root).as_posix()} ({list_places(other)})")
        extra |= here
    if unlike:
        damaged.append(
            f"{root}: expected the columns of the first shard in all of them, but not so in {list_places(unlike)}. "
            "Take splits with the same columns (--split), or leave these columns out (--ignore)."
        )
    raise_problems(damaged, str(root))
    return {**extra, **(first or {})}


def _said(column: Column | None) -> str:
    """Return the type of a column, and its classes if these are named."""
    if column is None:
        return "none"
    return f"{column.type} of the classes {list_places(list(column.classes))}" if column.classes else column.type


def columns_of(schema: Any, declared: Mapping[str, Any]) -> dict[str, Column]:
    """Return the columns of a shard.

    Args:
        schema: of the shard, with what the library `datasets` wrote into it.
        declared: features that are said beside the shard; those in it go before.
    """
    features = {**declared, **_features_in(schema)}
    found = {}
    for field in schema:
        feature = features.get(field.name)
        column = _column(field.name, field.type, feature if isinstance(feature, dict) else {})
        found[field.name] = replace(column, type=str(field.type))
    return found


def _features_in(schema: Any) -> Mapping[str, Any]:
    """Return the features in a schema's metadata: JSON under the key `huggingface`."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _column(name: str, kind: Any, feature: Mapping[str, Any]) -> Column:
    types, said = arrow().types, str(feature.get("_type", ""))
    is_file = types.is_binary(kind) or types.is_large_binary(kind) or _is_record(kind)
    if is_file and (said.lower() in MEDIA or said in ("", "Value")):
        word = said.lower() if said.lower() in MEDIA else name
        return Column(name, "media", next((each for each in MEDIA if each == word), None), words="bytes")
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_string(kind) or types.is_large_string(kind) or kind == arrow().string_view():
        return Column(name, "text", "text", words="texts", is_label=said == "ClassLabel")
    if _is_number(kind):
        names = feature.get("names") if said == "ClassLabel" else None
        classes = tuple(str(each) for each in names) if isinstance(names, list) else ()
        return Column(name, "number", "array", classes, said == "ClassLabel", "numbers")
    if _is_number(_innermost(kind)) and said != "ClassLabel":
        return Column(name, "array", "array", words="arrays")
    return Column(name, "other", None, words=said if said not in ("", "Value") else str(kind))


def _is_record(kind: Any) -> bool:
    types = arrow().types
    fields = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)} if types.is_struct(kind) else {}
    return set(fields) == {"bytes", "path"} and types.is_binary(fields["bytes"]) | types.is_large_binary(
        fields["bytes"]
    )


def _is_number(kind: Any) -> bool:
    types = arrow().types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _innermost(kind: Any) -> Any:
    """Return the type of what lists of lists hold."""
    types = arrow().types
    while True:
        if isinstance(kind, arrow().BaseExtensionType):
            kind = kind.storage_type
        elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            kind = kind.value_type
        else:
            return kind
