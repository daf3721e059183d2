"""`equimodal compare`."""

from __future__ import annotations

from equimodal.cli.shared import Runs, of_runs


@of_runs
def compare(runs: Runs) -> None:
    """Compare methods over seeds: means, intervals, paired differences, and a report.

    A YAML may name several settings (compare.settings): each is compared, then all are summed up. Finished runs in the
    folder (default: comparisons/DATA, or the YAML's name) are kept and interrupted ones are resumed, so the same
    command continues after any stop. A run that diverges does not end the others: the exit code is then 3.
    """
    from pathlib import Path

    from equimodal.cli.outcome import end_with
    from equimodal.cli.setup import configure_comparison, typed_command
    from equimodal.comparison.compare import run_comparison
    from equimodal.comparison.jobs import parse_workers
    from equimodal.comparison.study import run_study
    from equimodal.data.catalogue import load_unreduced
    from equimodal.files import safe_name
    from equimodal.reports.write import export

    config = configure_comparison(runs)
    workers = parse_workers(runs.workers)
    command = typed_command()
    if config.compare.settings:
        folder = runs.out or Path("comparisons") / safe_name(Path(runs.recipe or "study").stem)
        comparison = run_study(config, out=folder, workers=workers, quiet=runs.quiet, command=command)
    else:
        splits = load_unreduced(config.data)
        folder = runs.out or Path("comparisons") / safe_name(splits.name)
        comparison = run_comparison(config, splits, out=folder, workers=workers, quiet=runs.quiet, command=command)
    page, *tables = export(comparison, folder)
    print(comparison)
    print(
        f"\nruns in {folder}, report {page}, tables {', '.join(dict.fromkeys(path.name for path in tables))} beside it"
    )
    end_with(comparison.failures)
