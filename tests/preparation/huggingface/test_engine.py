"""Data sets of Hugging Face with several workers, killed at random, and larger than memory should be."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from equimodal.media.settings import MediaSettings
from equimodal.preparation import embedded
from equimodal.preparation.embedded import Embedded
from equimodal.preparation.huggingface.dataset import read_dataset
from equimodal.preparation.plan import Plan
from equimodal.preparation.prepare import prepare
from preparation.huggingface.trees import MEDIUM, SPLITS, hub, saved
from preparation.killing import kill_at_random
from preparation.own_media import content

SETTINGS = MediaSettings(image_size=8, sampling_rate=8000, seconds=0.5)
MEDIA = ("image", "audio", "text", "vector", "pulse", "label")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that several workers have something to do, and a kill may come between pieces."""
    monkeypatch.setattr("equimodal.preparation.plan.PIECE", 2)


@pytest.mark.slow
@pytest.mark.parametrize("make", [hub, saved])
def test_workers_do_not_matter(tmp_path: Path, make: Callable[..., Path]) -> None:
    folder = make(tmp_path / "in", MEDIA)
    for workers in (1, 2):
        prepare(folder, tmp_path / f"out{workers}", SETTINGS, workers=workers)
    assert content(tmp_path / "out1") == content(tmp_path / "out2")


@pytest.mark.slow
@pytest.mark.parametrize(("make", "workers", "kills", "least"), [(hub, 1, 8, 2), (saved, 1, 8, 2), (hub, 2, 3, 1)])
def test_kills_at_random_moments(
    tmp_path: Path, make: Callable[..., Path], workers: int, kills: int, least: int
) -> None:
    folder = make(tmp_path / "in", MEDIA)
    assert kill_at_random(lambda out: prepare(folder, out, SETTINGS, workers=workers), tmp_path, kills) >= least
    ids = np.load(tmp_path / "out/columns/ids.npy").tolist()
    assert ids == [f"{split}/{number}" for split, count in SPLITS.items() for number in range(count)]


def pictures(folder: Path, count: int) -> Path:
    """Write records of pictures of 120 kB, in groups of 50."""
    folder.mkdir()
    files = []
    for number in range(50):
        stream = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 256, (200, 200, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(stream, "PNG", compress_level=0)
        files.append({"bytes": stream.getvalue(), "path": f"{number}.png"})
    rows = pa.table({"image": pa.array(files, MEDIUM), "label": ["a", "b"] * 25})
    # Neither compressed nor said once only: as many bytes as rows of pictures that differ.
    options = {"compression": "none", "use_dictionary": False, "write_batch_size": 8}
    with pq.ParquetWriter(folder / "train.parquet", rows.schema, **options) as writer:
        for _ in range(count // 50):
            writer.write_table(rows)
    return folder


def test_workers_are_sent_places_and_not_bytes(tmp_path: Path) -> None:
    plan = Plan.make(read_dataset(pictures(tmp_path / "in", 100)), SETTINGS)
    assert max(len(pickle.dumps(plan.files(piece))) for piece in plan.pieces()) < 1000


def test_many_columns_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each column a batch is kept, however many columns there are, and of one shard only."""
    begun: list[tuple[str, int]] = []
    real = embedded.batches

    def counted(path: Path, columns: list[str], first: int = 0) -> Any:
        begun.append((path.name, first))
        return real(path, columns, first)

    monkeypatch.setattr(embedded, "batches", counted)
    names = [f"x{number}" for number in range(20)]
    for shard in ("a.parquet", "b.parquet"):
        rows = {name: [f"{shard} {name} {row}".encode() for row in range(60)] for name in names}
        pq.write_table(pa.table(rows), tmp_path / shard)
    for shard in ("a.parquet", "b.parquet"):
        for row in range(30, 60):
            for name in names:
                loaded = Embedded(tmp_path / shard, row, name).load()
                assert loaded is not None and loaded.data == f"{shard} {name} {row}".encode()
    assert begun == [("a.parquet", 30)] * 20 + [("b.parquet", 30)] * 20


def test_columns_whose_names_have_dots(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x.y": [b"two"], "x": [b"one"]}), tmp_path / "a.parquet")
    loaded = [Embedded(tmp_path / "a.parquet", 0, name).load() for name in ("x", "x.y")]
    assert [each.data for each in loaded if each is not None] == [b"one", b"two"]


def _peak(folder: Path, out: Path, pipe: Any) -> None:
    prepare(folder, out, SETTINGS, workers=2)
    pipe.send([resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Of the first process and of its largest worker, with 24 and with 240 MB of pictures."""
    peaks = []
    for count in (200, 2000):
        folder = pictures(tmp_path / str(count), count)
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_peak, args=(folder, tmp_path / f"out{count}", there))
        process.start()
        there.close()
        peaks.append(here.recv())
        process.join()
    for few, many in zip(*peaks, strict=True):
        assert many < few + 30_000  # KiB
