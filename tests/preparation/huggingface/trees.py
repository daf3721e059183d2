"""Data sets as `datasets` 5.2 writes them, made with pyarrow alone (compared with real ones when this was written)."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

MEDIUM = pa.struct({"bytes": pa.binary(), "path": pa.string()})
SCHEMA: dict[str, tuple[pa.DataType, dict[str, Any]]] = {
    "image": (MEDIUM, {"_type": "Image"}),
    "audio": (MEDIUM, {"sampling_rate": 8000, "_type": "Audio"}),
    "text": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "label": (pa.int64(), {"names": ["cat", "dog", "no"], "_type": "ClassLabel"}),
    "vector": (
        pa.list_(pa.float32(), 3),
        {"feature": {"dtype": "float32", "_type": "Value"}, "length": 3, "_type": "List"},
    ),
    "pulse": (pa.list_(pa.float64()), {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "List"}),
    "grid": (pa.list_(pa.list_(pa.float32())), {"shape": [2, 3], "dtype": "float32", "_type": "Array2D"}),
    "speaker": (pa.string(), {"dtype": "string", "_type": "Value"}),
}
SPLITS = {"train": 12, "validation": 3, "test": 4}
SHARDS = {"train": 3, "validation": 1, "test": 2}


def png(number: int) -> bytes:
    """Return a picture as a file."""
    pixels = np.random.default_rng(number).integers(0, 255, (20, 24, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def wav(number: int) -> bytes:
    """Return a sound as a file."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        file.writeframes((9000 * np.sin(np.arange(2000 + 100 * number) * 0.01 * (number + 1))).astype("<i2").tobytes())
    return stream.getvalue()


def row(number: int, speaker: str) -> dict[str, Any]:
    """Return one row; rows 2, 3 and 4 lack the picture, the sound and the text."""
    return {
        "image": None if number == 2 else {"bytes": png(number), "path": f"{number}.png"},
        "audio": None if number == 3 else {"bytes": wav(number), "path": f"{number}.wav"},
        "text": None if number == 4 else f"words of {number}",
        "label": number % 3,
        "vector": [number, 1, 2],
        "pulse": [float(step) for step in range(number % 4 + 1)],
        "grid": np.full((2, 3), number).tolist(),
        "speaker": speaker,
    }


def rows_of(columns: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Return all rows by split."""
    found: dict[str, list[dict[str, Any]]] = {}
    for split, count in SPLITS.items():
        start = sum(map(len, found.values()))
        rows = [row(number, f"{split} {number % 3}") for number in range(start, start + count)]
        found[split] = [{name: each[name] for name in columns} for each in rows]
    return found


def table(rows: list[dict[str, Any]], declared: bool = True) -> pa.Table:
    """Return rows as a table, with the features in its metadata, as `datasets` puts them there."""
    fields = {name: SCHEMA[name] for name in rows[0]}
    schema = pa.schema(
        [
            pa.field(name, kind, metadata=_extension(feature) if "Array2D" in str(feature) else None)
            for name, (kind, feature) in fields.items()
        ]
    )
    if declared:
        features = {name: feature for name, (_, feature) in fields.items()}
        schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    return pa.Table.from_pylist(rows, schema)


def _extension(feature: dict[str, Any]) -> dict[str, str]:
    return {
        "ARROW:extension:name": "datasets.features.features.Array2DExtensionType",
        "ARROW:extension:metadata": json.dumps([feature["shape"], feature["dtype"]]),
    }


def hub(folder: Path, columns: tuple[str, ...], declared: bool = True, group: int = 2) -> Path:
    """Write a data set as it is downloaded, with groups of a few rows in its shards."""
    (folder / "data").mkdir(parents=True)
    for split, rows in rows_of(columns).items():
        for number, part in enumerate(np.array_split(np.arange(len(rows)), SHARDS[split])):
            name = f"data/{split}-{number:05d}-of-{SHARDS[split]:05d}.parquet"
            pq.write_table(table([rows[place] for place in part], declared), folder / name, row_group_size=group)
    card = ["---", "dataset_info:", "  features:"]
    for name in columns:
        card += [f"  - name: {name}", *CARD.get(name, ["    dtype: string"])]
    card += ["  splits:", *(f"  - name: {split}\n    num_examples: {count}" for split, count in SPLITS.items())]
    card += ["configs:", "- config_name: default", "  data_files:"]
    card += [f"  - split: {split}\n    path: data/{split}-*" for split in SPLITS]
    (folder / "README.md").write_text("\n".join([*card, "---", "# A card"]), encoding="utf-8")
    return folder


CARD = {
    "image": ["    dtype: image"],
    "audio": ["    dtype:", "      audio:", "        sampling_rate: 8000"],
    "label": [
        *("    dtype:", "      class_label:", "        names:"),
        *("          '0': cat", "          '1': dog", "          '2': 'no'"),
    ],
    "vector": ["    list: float32", "    length: 3"],
    "pulse": ["    list: float64"],
    "grid": ["    dtype:", "      array2_d:", "        shape:", "        - 2", "        - 3", "        dtype: float32"],
}


def saved(folder: Path, columns: tuple[str, ...]) -> Path:
    """Write a data set as `DatasetDict.save_to_disk` does."""
    folder.mkdir(parents=True)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(SPLITS)}))
    for split, rows in rows_of(columns).items():
        save_split(folder / split, rows, SHARDS[split])
    return folder


def save_split(folder: Path, rows: list[dict[str, Any]], shards: int = 1) -> Path:
    """Write one split as `Dataset.save_to_disk` does, in batches of two rows."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05d}-of-{shards:05d}.arrow" for number in range(shards)]
    for name, part in zip(names, np.array_split(np.arange(len(rows)), shards), strict=True):
        content = table([rows[place] for place in part])
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, content.schema) as stream:
            stream.write_table(content, max_chunksize=2)
    features = {name: SCHEMA[name][1] for name in rows[0]}
    (folder / "dataset_info.json").write_text(json.dumps({"citation": "", "features": features}))
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    return folder
