"""Rebuild src/equimodal/data/datasets/files/emoji.npz; needs npm and the extra `tools` (Pillow)."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist, squareform

from building import Arrays, build, fetch_npm
from equimodal.data.assignment import assign
from equimodal.data.datasets.emoji import Emoji

PACKAGE = "emoji-datasource-google@16.0.0"
SHA256 = "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438"
SIDE = 32
FRACTIONS = (0.7, 0.1, 0.2)

PEOPLE = {"1F468", "1F469", "1F9D1"}
"""Man, woman, person: what a profession or a hair colour is attached to."""
VARIATIONS = {"FE0F", "200D", "2640", "2642", "27A1", "1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
"""Presentation, joiner, female and male sign, facing right, skin tones."""
SAME_PICTURE = 6.0
"""Two pictures are near-duplicates if they differ by fewer grey levels (of 255), on average over the area
that the smaller one covers: clock faces, keycap digits, flags of territories."""


def read_package(path: Path) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the emoji that have a category, and their pictures on white, (N, 32, 32, 3) uint8."""
    with tarfile.open(path) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(f"package/{name}")
            if file is None:
                raise FileNotFoundError(name)
            return file.read()

        entries = [entry for entry in json.loads(read("emoji.json")) if entry["category"] != "Component"]
        pictures = []
        for entry in entries:
            picture = Image.open(io.BytesIO(read(f"img/google/64/{entry['image']}"))).convert("RGBA")
            white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
            flat = Image.alpha_composite(white, picture).convert("RGB")
            pictures.append(np.asarray(flat.resize((SIDE, SIDE), Image.Resampling.BILINEAR)))
    return entries, np.stack(pictures)


def name_and_keywords(entry: dict[str, Any]) -> str:
    """Return the text of an emoji, in lower case."""
    keywords = [word.replace("_", " ").replace("-", " ") for word in entry["short_names"]]
    return " ".join([entry["name"].lower(), *keywords])


def base(entry: dict[str, Any]) -> str:
    """Return what all variants of an emoji share, whoever it shows and in which direction."""
    if entry["subcategory"] == "family":
        return "family"
    codes = [code for code in entry["unified"].split("-") if code not in VARIATIONS]
    rest = [code for code in codes if code not in PEOPLE]
    return "-".join((["person"] if len(rest) < len(codes) else []) + rest)


def group(entries: list[dict[str, Any]], pictures: np.ndarray) -> np.ndarray:
    """Return a number for each set of variants and near-duplicates, int64 (N,)."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    distance = squareform(pdist(flat, "cityblock")) / flat.shape[1]
    covered = (pictures.min(-1) < 250).mean((1, 2)).clip(0.05)
    same_picture = distance / np.minimum(covered[:, None], covered[None]) < SAME_PICTURE
    bases = np.unique([base(entry) for entry in entries], return_inverse=True)[1]
    same_base = bases[:, None] == bases[None]
    return connected_components(same_picture | same_base, directed=False)[1].astype(np.int64)


def derive(folder: Path) -> Arrays:
    entries, pictures = read_package(fetch_npm(PACKAGE, SHA256, folder))
    classes, labels = np.unique([entry["category"] for entry in entries], return_inverse=True)
    groups = group(entries, pictures)
    return {
        "image": pictures,
        "text": np.array([name_and_keywords(entry) for entry in entries]),
        "labels": labels.astype(np.int64),
        "classes": classes,
        "split": assign(labels, groups, FRACTIONS, seed=0).astype(np.int8),
        "groups": groups,
        "ids": np.array([entry["short_name"] for entry in entries]),
    }


if __name__ == "__main__":
    build(Emoji, derive)
