"""What a language model from a `.gguf` file takes: converting it, loading it, encoding, and training adapters.

`python benchmarks/memory/language_model.py FILE` runs each in a process of its own, and prints seconds of the processor
(which other programs on the machine change little), seconds of the clock, and the highest resident memory, of which
`imports` is what importing takes alone. Texts are those of emoji. Adapters train with rank 8 in the attention, in
batches of 8, with a tiny encoder of the pictures beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import equimodal as eq
from equimodal.data.catalogue import load
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.models.encoders.pretrained import Transformers
from equimodal.models.pretrained.gguf import converted

BATCH = 8


def imports(model: str, rows: int) -> None:
    """Do nothing."""


def convert(model: str, rows: int) -> None:
    """Convert the file, whatever was converted before."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EQUIMODAL_MODELS"] = folder
        converted(Path(model))


def loading(model: str, rows: int) -> Transformers:
    """Return the frozen encoder; the file has been converted."""
    return Transformers("text", model=model)


def encode(model: str, rows: int) -> None:
    """Encode texts, row by row."""
    loading(model, rows).features_of_rows(list(load("emoji").train.column("text").take(slice(0, rows))))


def adapters(model: str, rows: int) -> None:
    """Train two epochs; the parts beside training are small."""
    parts = load("emoji")

    def some(part: Dataset, count: int) -> Dataset:
        return part.subset(np.linspace(0, len(part) - 1, count).astype(int))

    data = Splits(some(parts.train, rows), some(parts.validation, BATCH), some(parts.test, BATCH))
    text = {"name": "transformers", "model": model, "mode": "lora"}
    encoders = {"image": {"name": "cnn", "hidden": [8]}, "text": text}
    classifier = eq.Classifier.for_data(data, encoders)
    measure: dict[str, Any] = {"bootstrap": 0, "probe": BATCH}
    eq.fit(classifier, data, "joint", epochs=2, batch_size=BATCH, quiet=True, reference=False, measure=measure)


STAGES = {"imports": imports, "convert": convert, "load": loading, "encode": encode, "adapters": adapters}


def measure(stage: str, model: str, rows: int) -> dict[str, float]:
    """Run a stage in a process of its own; return its seconds and peak."""
    command = [sys.executable, __file__, model, "--rows", str(rows), "--stage", stage]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a .gguf file")
    parser.add_argument("--rows", type=int, default=64, help="texts that are encoded and trained on")
    parser.add_argument("--stage", choices=list(STAGES), help="only this one, in this process")
    options = parser.parse_args()
    if options.stage:
        began = time.perf_counter()
        STAGES[options.stage](options.model, options.rows)
        used = resource.getrusage(resource.RUSAGE_SELF)
        found = {
            "cpu": used.ru_utime + used.ru_stime,
            "wall": time.perf_counter() - began,
            "mib": used.ru_maxrss / 1024,
        }
        print(json.dumps(found))
        return
    converted(Path(options.model))
    print(f"{'':10}{'processor s':>12}{'clock s':>9}{'MiB':>7}   {options.rows} rows")
    found = {}
    for stage in STAGES:
        found[stage] = measure(stage, options.model, options.rows)
        print("{:10}{cpu:12.1f}{wall:9.1f}{mib:7.0f}".format(stage, **found[stage]), flush=True)
    a_row = (found["encode"]["cpu"] - found["load"]["cpu"]) / options.rows
    a_step = (found["adapters"]["cpu"] - found["load"]["cpu"]) / (2 * options.rows / BATCH)
    print(f"a row encoded: {a_row:.3f} s of the processor; a step of the adapters, validation included: {a_step:.2f} s")


if __name__ == "__main__":
    main()
