"""What the columns of a data set hold: as it declares, or as their types tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equimodal.media.forms import MEDIA, Medium
from equimodal.preparation.shards import arrow

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
    """

    name: str
    kind: Kind
    medium: Medium | None
    classes: tuple[str, ...] = ()
    is_label: bool = False
    words: str = ""


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
        found[field.name] = _column(field.name, field.type, feature if isinstance(feature, dict) else {})
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
