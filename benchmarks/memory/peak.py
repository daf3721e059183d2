"""Peak anonymous memory of `train`, `compare` and `predict` against the size of the data.

Makes a data folder of memory-mapped arrays for each size, runs the commands on it as a user would, and reads the
anonymous resident memory (`RssAnon`, what cannot be given back to the files) of each process every few milliseconds.
The table gives the highest, above what the imports alone take. A last line has 100000 texts, one of 100000 letters.
Linux only. Run it by `python benchmarks/memory/peak.py --sizes 0.25 1`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FEATURES, STEPS, CHANNELS = 8192, 64, 128
ROW = 4 * FEATURES + 2 * STEPS * CHANNELS
"""Bytes of a row: a vector of float32 and a sequence of float16."""

IMPORTS = """
import equimodal.cli.setup, equimodal.comparison.compare, equimodal.inference.predictions, equimodal.reports.write
import equimodal.training.fit, equimodal.models.encoders.mlp, equimodal.models.encoders.sequence
import sklearn.model_selection
import time; time.sleep(1)
"""


def write_data(folder: Path, gigabytes: float) -> None:
    """Write a data folder of a size. Most of it is a hole in the file: zeros that take no disk, but must be read."""
    rows = round(gigabytes * 2**30 / ROW)
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, rows)
    vector = np.lib.format.open_memmap(folder / "vector.npy", mode="w+", dtype=np.float32, shape=(rows, FEATURES))
    sequence = np.lib.format.open_memmap(
        folder / "sequence.npy", mode="w+", dtype=np.float16, shape=(rows, STEPS, CHANNELS)
    )
    for start in range(0, rows, 1024):
        here = slice(start, min(start + 1024, rows))
        vector[here, :8] = random.normal(labels[here, None], 2, (here.stop - start, 8))
        sequence[here, 0] = random.normal(labels[here, None], 2, (here.stop - start, CHANNELS))
    np.save(folder / "labels.npy", labels)
    np.save(folder / "groups.npy", np.arange(rows) // 64)


def write_texts(folder: Path, rows: int = 100_000) -> None:
    """Write short texts, one long one, and a small vector."""
    labels = np.arange(rows) % 2
    texts = [f"{'good' if label else 'bad'} text number {row}" for row, label in enumerate(labels)]
    texts[77] = "x" * 100_000
    (folder / "text.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    np.save(folder / "vector.npy", np.random.default_rng(0).normal(labels[:, None], 2, (rows, 2)).astype(np.float32))
    np.save(folder / "labels.npy", labels)


def anonymous(pid: int) -> int:
    """Return the anonymous memory of a process, KiB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    try:
        started = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        started = []
    return [pid, *(member for child in started for member in family(child))]


def peak(arguments: list[str]) -> tuple[float, float]:
    """Run Python with arguments; return the highest memory of any of its processes in MiB, and the seconds."""
    started, highest = time.perf_counter(), 0
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            highest = max([highest, *map(anonymous, family(process.pid))])
            time.sleep(0.005)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return highest / 1024, time.perf_counter() - started


def commands(folder: Path, out: Path) -> dict[str, list[str]]:
    """Return what a user types, by name; few epochs, because more of them take no more memory."""
    few = ["-s", "training.epochs=1", "-s", "training.batch_size=256", "-q"]
    pair = ["-m", "joint", "-m", "alternating", "-s", "compare.seeds=1"]
    program = ["-m", "equimodal.cli.main"]
    train = [*program, "train", "-d", str(folder), *few]
    compare = [*program, "compare", "-d", str(folder), *few, *pair]
    return {
        "train": [*train, "-o", str(out / "run")],
        "train, 2 readers": [*train, "-s", "training.loader_workers=2", "-o", str(out / "read")],
        "compare": [*compare, "-o", str(out / "one")],
        "compare, 2 workers": [*compare, "--workers", "2", "-o", str(out / "two")],
        "predict": [*program, "predict", str(out / "run"), str(folder), "-o", str(out / "predictions.csv")],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.25, 0.5, 1.0, 2.0], help="gigabytes")
    parser.add_argument("--only", nargs="*", help="commands to run, as the table calls them (default: all)")
    options = parser.parse_args()
    base, _ = peak(["-c", IMPORTS])
    print(f"imports: {base:.0f} MiB. Peak anonymous memory of one process above that:")
    print(f"{'data':>12}  {'command':22} {'MiB':>6} {'seconds':>8}")
    for size in [*options.sizes, None]:
        with tempfile.TemporaryDirectory() as temporary:
            folder, out = Path(temporary, "data"), Path(temporary, "out")
            folder.mkdir()
            if size is None:
                write_texts(folder)
            else:
                write_data(folder, size)
            for name, arguments in commands(folder, out).items():
                if options.only is None or name in options.only or (name == "train" and "predict" in options.only):
                    mib, seconds = peak(arguments)
                    what = "100k texts" if size is None else f"{size:g} GB"
                    print(f"{what:>12}  {name:22} {mib - base:6.0f} {seconds:8.0f}", flush=True)


if __name__ == "__main__":
    main()
