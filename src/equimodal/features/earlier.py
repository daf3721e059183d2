"""Which features were made by another version of the same encoder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from equimodal.features.manifest import Manifest
from equimodal.features.part import PLACE

NAMES = ("encoder", "name", "model", "source", PLACE)
"""Keys of an identity that say which encoder it is."""
VERSIONS = ("revision", "version", "checksum", "weights", "config", "preprocessing")
"""Keys that say which version of it. All other keys (tokens or pooled, precision) are forms that exist side by side."""


def flat(identity: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a nested mapping with its dotted key.

    Example:
        >>> list(flat({"name": "vit", "weights": {"revision": "a"}}))
        [('name', 'vit'), ('weights.revision', 'a')]
    """
    for key, value in identity.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def named(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an identity that says which encoder it is."""
    return {key: value for key, value in flat(identity) if key.split(".")[-1] in NAMES}


def short_name(identity: Mapping[str, Any]) -> str:
    """Return what an encoder is called in a line of text; of a model in a folder, the folder's own name.

    Example:
        >>> short_name({"name": "transformers", "place": "/home/me/models/minilm"})
        'transformers minilm'
        >>> short_name({"model": "facebook/dinov2-small", "name": "transformers"})
        'transformers facebook/dinov2-small'
    """
    found = sorted(named(identity).items(), key=lambda item: NAMES.index(item[0].split(".")[-1]))
    names = [str(name) for _, name in found]
    return " ".join(dict.fromkeys(Path(name).name if Path(name).is_absolute() else name for name in names))


def version(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an identity that says which version of the encoder it is."""
    return {
        key: value
        for key, value in flat(identity)
        if key.split(".")[-1] not in NAMES and any(part in VERSIONS for part in key.split("."))
    }


def changes(earlier: Manifest, now: Manifest) -> list[str]:
    """Return in words what differs in the version, where both are of one column and one encoder; else nothing.

    Features in another format count as another version.
    """
    if earlier.column != now.column or named(earlier.identity) != named(now.identity):
        return []
    there, here = version(earlier.identity), version(now.identity)
    there["format"], here["format"] = earlier.format, now.format
    return [
        f"{key}: {_short(there.get(key))} there, {_short(here.get(key))} now"
        for key in sorted({*there, *here})
        if there.get(key) != here.get(key)
    ]


def is_stale(manifest: Manifest, others: Iterable[Manifest]) -> bool:
    """Return whether a later version of the same encoder has features of the same column."""
    return any(other.created > manifest.created and changes(manifest, other) for other in others)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:21]}..."
