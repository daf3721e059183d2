"""`equimodal explain`."""

from __future__ import annotations

from equimodal.cli.options import Data, Out, RunFolder, Split, Trust


def explain(run: RunFolder, data: Data = None, split: Split = None, trust: Trust = None, out: Out = None) -> None:
    """Show where a trained model is right, which modality misleads it, and how far its probabilities can be trusted.

    Writes explain.html and its tables as CSV; --out names the folder (default: the run's).
    """
    from equimodal.reports.explanation import explain_run

    print(explain_run(run, data, split=split, trust=trust or (), out=out))
