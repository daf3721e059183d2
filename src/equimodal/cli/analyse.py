"""`equimodal analyse order|tau|ablation|encoders|features`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equimodal.cli.shared import Runs, of_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from equimodal.analyses.findings import Findings

analyse = typer.Typer(
    name="analyse",
    help="Analyse the method: its order, the threshold of its mapping, its parts; any method's encoders or features.",
    no_args_is_help=True,
)

Values = Annotated[
    str | None,
    typer.Option(
        "--values",
        metavar="TAU,TAU,...",
        help="Values of mapping.tau, separated by commas. Default: 0.1,0.3,0.5,0.7,0.9.",
        show_default=False,
    ),
]

Strategies = Annotated[
    str | None,
    typer.Option(
        "--strategies",
        metavar="NAME,NAME,...",
        help="Strategies to compare with weak_to_strong, separated by commas. Default: all.",
        show_default=False,
    ),
]
Initial = Annotated[
    str,
    typer.Option(
        "--initial", metavar="all|declared", help="Initial sequences: all, or the modalities as the data name them."
    ),
]

Parts = Annotated[
    str | None,
    typer.Option(
        "--parts",
        metavar="NAME,NAME,...",
        help="Parts to switch, separated by commas, for instance memory,exploration. Default: all that the method has.",
        show_default=False,
    ),
]

Epochs = Annotated[
    str | None,
    typer.Option(
        "--epochs",
        metavar="N,N,...",
        help="Epochs after which encodings are kept, separated by commas; 0: before the first. Default: 0, and a "
        "tenth, a third and all of training.epochs.",
        show_default=False,
    ),
]
Projections = Annotated[
    str,
    typer.Option("--projections", metavar="NAME,NAME,...", help="What the figures show: pca, tsne, umap (an extra)."),
]


@analyse.command()
@of_runs
def order(runs: Runs, strategies: Strategies = None, initial: Initial = "all") -> None:
    """Strategies from initial sequences; and each run read in other orders and without its memory.

    Takes the same YAML as compare; the recipes are those that -m or compare.methods names. The folder (default:
    analyses/order-NAME) holds the runs, runs.csv, table.md, figures and report.html; the same command resumes.
    """
    from functools import partial

    from equimodal.analyses.order import STRATEGIES, Order
    from equimodal.analyses.running import run_analysis

    names = STRATEGIES if strategies is None else tuple(_items(strategies))
    make = partial(Order, strategies=names, initial=initial)
    _analyse("order", partial(run_analysis, make), runs)


@analyse.command()
@of_runs
def tau(runs: Runs, values: Values = None) -> None:
    """The threshold of the sample-level mapping at several values, and what it keeps.

    Takes the same YAML as compare; the recipes are those that -m or compare.methods names. The folder (default:
    analyses/tau-NAME) holds the runs, runs.csv, table.md, figures and report.html; the same command resumes.
    """
    from functools import partial

    from equimodal.analyses.running import run_analysis
    from equimodal.analyses.tau import VALUES, Tau
    from equimodal.errors import ConfigError

    try:
        numbers = VALUES if values is None else tuple(map(float, _items(values)))
    except ValueError as error:
        raise ConfigError(f"--values: expected numbers separated by commas, got '{values}'.") from error
    make = partial(Tau, values=numbers)
    _analyse("tau", partial(run_analysis, make), runs)


@analyse.command()
@of_runs
def ablation(runs: Runs, parts: Parts = None) -> None:
    """The full method, and one row for each part that is switched off (or on, where the recipe lacks it).

    Takes the same YAML as compare; the recipes are those that -m or compare.methods names. The folder (default:
    analyses/ablation-NAME) holds the runs, runs.csv, table.md, figures and report.html; the same command resumes.
    """
    from functools import partial

    from equimodal.analyses.ablation import Ablation
    from equimodal.analyses.running import run_analysis

    names = None if parts is None else [name for item in parts.split(",") if (name := item.strip())]
    make = partial(Ablation, parts=names)
    _analyse("ablation", partial(run_analysis, make), runs)


@analyse.command()
@of_runs
def encoders(runs: Runs) -> None:
    """Any method with each set of encoders of compare.encoders: accuracy, EDM, shares, and who is minor.

    Takes the same YAML as compare; the methods are those that -m or compare.methods names. The folder (default:
    analyses/encoders-NAME) holds the runs, runs.csv, table.md, figures and report.html; the same command resumes.
    """
    from equimodal.analyses.encoder_runs import run_encoders

    _analyse("encoders", run_encoders, runs)


@analyse.command()
@of_runs
def features(runs: Runs, epochs: Epochs = None, projections: Projections = "pca,tsne") -> None:
    """Encodings of each modality and fused at some epochs: PCA, t-SNE, how far classes and modalities lie apart.

    Takes the same YAML as compare; the methods are those that -m or compare.methods names. The folder (default:
    analyses/features-NAME) holds the runs, runs.csv, table.md, figures and report.html; the same command resumes.
    """
    from functools import partial

    from equimodal.analyses.feature_runs import run_features
    from equimodal.errors import ConfigError

    if epochs is not None:
        if not all(item.isascii() and item.isdigit() for item in _items(epochs)) or not _items(epochs):
            raise ConfigError(f"--epochs: expected whole numbers from 0, separated by commas, got '{epochs}'.")
        kept = f"measure.encodings.epochs=[{', '.join(_items(epochs))}]"
        runs = replace(runs, settings=[*(runs.settings or []), kept])
    run = partial(run_features, projections=_items(projections))
    _analyse("features", run, runs)


def _items(text: str) -> list[str]:
    """Return the items of a list separated by commas or spaces."""
    return text.replace(",", " ").split()


def _analyse(kind: str, run: Callable[..., Findings], runs: Runs) -> None:
    from equimodal.cli.outcome import end_with
    from equimodal.cli.setup import configure_comparison, typed_command
    from equimodal.comparison.jobs import parse_workers
    from equimodal.files import safe_name
    from equimodal.reports.write import export

    config = configure_comparison(runs)
    name = Path(runs.recipe).stem if runs.recipe and config.compare.settings else config.data.title
    folder = runs.out or Path("analyses") / safe_name(f"{kind}-{name}")
    command = typed_command()
    findings = run(config, out=folder, workers=parse_workers(runs.workers), quiet=runs.quiet, command=command)
    page, *files = export(findings, folder)
    print(findings)
    beside = ", ".join(path.name for path in files if path.parent == folder)
    print(f"\nruns in {folder}, report {page}, {beside} and figures beside it")
    end_with([failure for found in findings.settings.values() for failure in found.comparison.failures])
