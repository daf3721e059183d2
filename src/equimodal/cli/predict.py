"""`equimodal predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equimodal.cli.options import Present, RunFolder, Split, Trust


def predict(
    run: RunFolder,
    data: Annotated[str, typer.Argument(help="Data to predict: a folder, .npz or YAML, or a built-in set.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A .csv or .jsonl file to write.")] = Path("predictions.csv"),
    split: Split = None,
    present: Present = None,
    trust: Trust = None,
) -> None:
    """Predict classes and their probabilities, with all modalities that the data have or some of them."""
    from equimodal.cli.options import names
    from equimodal.inference.predictions import write_predictions

    written = write_predictions(run, data, out, split=split, present=names(present), trust=trust or ())
    print(f"{written} in {out}")
