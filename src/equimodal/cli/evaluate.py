"""`equimodal evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from equimodal.cli.options import Data, Out, Present, RunFolder, Split, Trust


def evaluate(
    run: RunFolder,
    data: Data = None,
    split: Split = None,
    present: Present = None,
    trust: Trust = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Measure with entries missing at rates from 0 to 90%, and every subset.")
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Measure with one modality blurred, noisy or with words dropped.")
    ] = False,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a trained model on a part of its own data, or on other labelled data.

    --missing writes missing.csv, --noise writes noise.csv, each with its figures as SVG and PDF; --out names the folder
    (default: the run's).
    """
    import json

    from equimodal.cli.options import names
    from equimodal.errors import ConfigError
    from equimodal.inference.evaluation import evaluate_run

    if missing and noise:
        raise ConfigError("--missing, --noise: expected one of them. Measure one after the other.")
    if missing or noise:
        from equimodal.reports.robustness import report_missing, report_noise

        measure = report_missing if missing else report_noise
        found = measure(run, data, split=split, present=names(present), trust=trust or (), out=out)
        print(json.dumps(found.to_dict(), indent=1) if as_json else found)
        return
    if out is not None:
        raise ConfigError("--out: is for --missing and --noise, which write files. Leave it out.")
    measurement = evaluate_run(run, data, split=split, present=names(present), trust=trust or ())
    print(json.dumps(measurement.to_dict(), indent=1) if as_json else measurement)
