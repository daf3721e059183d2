"""`equimodal evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from equimodal.cli.options import Data, Present, RunFolder, Split, Trust


def evaluate(
    run: RunFolder,
    data: Data = None,
    split: Split = None,
    present: Present = None,
    trust: Trust = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a trained model on a part of its own data, or on other labelled data."""
    import json

    from equimodal.cli.options import names
    from equimodal.inference.evaluation import evaluate_run

    measurement = evaluate_run(run, data, split=split, present=names(present), trust=trust or ())
    print(json.dumps(measurement.to_dict(), indent=1) if as_json else measurement)
