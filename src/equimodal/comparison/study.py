"""Methods by settings: one comparison per setting, ranks over all settings, and the comparisons declared beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equimodal.comparison.compare import run_checked, time_left
from equimodal.comparison.comparison import Comparison, load_comparison
from equimodal.comparison.jobs import Making, Workers
from equimodal.comparison.preflight import check, check_columns, check_names
from equimodal.comparison.primary import Decision, decide
from equimodal.comparison.progress import announce
from equimodal.comparison.record import read_record, write_record
from equimodal.comparison.result import MISSING, Failure
from equimodal.comparison.settings import Losses, Regret, focus, mean_of, regrets, significant_losses
from equimodal.comparison.study_tables import study_reading, study_tables
from equimodal.config.compare import Primary, Setting
from equimodal.config.method import MethodSpec
from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import merge, write_yaml
from equimodal.data.catalogue import load_unreduced
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, Diverged, Interrupted
from equimodal.files import safe_name, write_text
from equimodal.locks import locked
from equimodal.statistics.ranks import Ranking, rank
from equimodal.tables.csv import as_csv
from equimodal.tables.table import Table, table_of_records
from equimodal.tables.text import as_text
from equimodal.training.folder import refuse_foreign
from equimodal.training.names import NAMES, resolve

FILE = "study.json"
RECIPE = "study.yaml"

MethodMaker = Callable[[Sequence[str]], Sequence[MethodSpec]]
"""From the names of a setting's modalities to the methods that are compared in it."""


@dataclass(frozen=True)
class Study:
    """Comparisons of the same methods in several settings.

    Args:
        comparisons: by setting's label.
        primary: the comparisons that the study decides.
        command: the command that the user typed.
    """

    comparisons: dict[str, Comparison]
    primary: tuple[Primary, ...] = ()
    command: str | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """Labels of the methods, the baseline first."""
        return next(iter(self.comparisons.values())).methods

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The runs that diverged, in all settings."""
        return tuple(failure for comparison in self.comparisons.values() for failure in comparison.failures)

    @property
    def ranked(self) -> bool:
        """Whether there is anything to rank: several methods in several settings."""
        return len(self.methods) > 1 and len(self.comparisons) > 1

    def ranking(self, column: str = "accuracy") -> Ranking:
        """Return the methods' ranks over the settings, by the mean of a column; the highest mean has rank 1."""
        means = {}
        for method in self.methods:
            values = [mean_of(comparison, method, column) for comparison in self.comparisons.values()]
            means[method] = [float("-inf") if value is None else value for value in values]
        return rank(means)

    def decisions(self) -> list[Decision]:
        """Return the outcome of the declared comparisons."""
        return decide(self.comparisons, self.primary)

    def regrets(self) -> dict[str, Regret]:
        """Return each method's mean accuracy over the settings, and its worst regret; see `Regret`."""
        return regrets(self.comparisons)

    def losses(self) -> Losses | None:
        """Return where the method of the declared comparisons is significantly behind another.

        None if the declared comparisons are about several methods, or none was declared.
        """
        method = focus(self.primary)
        return None if method is None else significant_losses(self.comparisons, method)

    def tables(self) -> list[Table]:
        """Return the tables: one per number, methods down and settings across."""
        return study_tables(self.comparisons, self.ranking() if self.ranked else None)

    def reading(self) -> list[str]:
        """Return what the study says in plain sentences."""
        return study_reading(self.decisions(), self.ranking() if self.ranked else None, self.losses())

    def __str__(self) -> str:
        return as_text(self.tables(), self.reading())

    def save(self, folder: str | Path) -> Path:
        """Write `study.json`: the folder of each setting, ranks, regrets, decisions and significant losses."""
        ranking, losses = self.ranking(), self.losses()
        content = {
            "settings": {label: safe_name(label) for label in self.comparisons},
            "primary": [primary.model_dump() for primary in self.primary],
            "command": self.command,
            "ranks": {**vars(ranking), "groups": [list(group) for group in ranking.groups]},
            "regrets": {method: asdict(regret) for method, regret in self.regrets().items()},
            "decisions": [decision.to_dict() for decision in self.decisions()],
            "losses": None if losses is None else losses.to_dict(),
        }
        return write_record(Path(folder) / FILE, content)

    def to_csv(self, path: str | Path) -> Path:
        """Write one line per method: mean accuracy over the settings, mean rank, worst regret and where that is.

        An undefined number is an empty cell. The numbers of single runs are in the settings' own `table.csv`.
        """
        ranks = self.ranking().ranks
        records = [
            {
                "method": method,
                "mean_accuracy": regret.mean,
                "mean_rank": ranks[method],
                "worst_regret": regret.worst,
                "worst_setting": regret.setting,
                **{f"missing_{p}": regrets(self.comparisons, f"missing_{p}")[method].mean for p in MISSING},
            }
            for method, regret in self.regrets().items()
        ]
        write_text(Path(path), as_csv(table_of_records("Methods", records)), then="write it again")
        return Path(path)


def load_study(folder: str | Path) -> Study:
    """Return the study that a folder holds.

    Raises:
        RunError: there is none, or a file is damaged.
    """

    def parse(content: dict[str, Any]) -> tuple[dict[str, str], tuple[Primary, ...], str | None]:
        primary = tuple(Primary.model_validate(declared) for declared in content["primary"])
        return dict(content["settings"]), primary, content["command"]

    places, primary, command = read_record(Path(folder) / FILE, "study", parse)
    comparisons = {label: load_comparison(Path(folder) / place) for label, place in places.items()}
    return Study(comparisons, primary, command)


def setting_config(config: RunConfig, setting: Setting) -> RunConfig:
    """Return the configuration of the comparison in one setting.

    Raises:
        ConfigError: the setting changes something to a value that is not possible.
    """
    plain = config.to_dict()
    plain["compare"] = {**plain["compare"], "settings": [], "primary": []}
    changes: Mapping[str, Any] = setting.changes
    try:
        found = build_config(merge(plain, changes), NAMES)
    except ConfigError as error:
        raise ConfigError([f"compare.settings, {setting.label}: {problem}" for problem in error.problems]) from error
    return found


def run_study(
    config: RunConfig,
    *,
    out: str | Path,
    workers: Workers = 1,
    quiet: bool = False,
    command: str | None = None,
) -> Study:
    """Run the comparison that a configuration describes in each of its settings.

    Everything is checked, and the time estimated, before the first run. Each setting is a comparison with a folder of
    its own in `out`; finished runs are kept, and interrupted ones are resumed.

    Args:
        config: with `compare.settings`.
        out: folder of the study.
        workers: see `equimodal.comparison.compare.run_comparison`.
        quiet: print nothing.
        command: the command that the user typed, for provenance.

    Raises:
        ConfigError: all mistakes of all settings, together.
        RunError: the folder holds something else or is in use, or every run of a setting diverged.
        Interrupted: Ctrl-C; the same call resumes.
    """
    comparisons = run_settings(config, out=out, workers=workers, quiet=quiet, command=command)
    study = Study(comparisons, tuple(config.compare.primary), command)
    study.save(out)
    return study


def run_settings(
    config: RunConfig,
    *,
    out: str | Path,
    recipe: str = RECIPE,
    methods: MethodMaker | None = None,
    workers: Workers = 1,
    quiet: bool = False,
    command: str | None = None,
) -> dict[str, Comparison]:
    """Run one comparison per setting, and return them by the settings' labels; see `run_study`.

    Args:
        config: with `compare.settings`.
        out: the folder.
        recipe: name of the file in it that holds the configuration.
        methods: the methods of a setting, from the names of its modalities; None: those of the configuration.
        workers: see `run_study`.
        quiet: see `run_study`.
        command: see `run_study`.
    """
    out, config = Path(out), resolve(config)
    check_names(config, Making(), workers)
    plans: dict[str, tuple[RunConfig, Splits]] = {}
    problems: list[str] = []
    times: dict[str, tuple[int, int, float]] = {}
    loaded: dict[str, Splits] = {}  # settings on the same data share its rows
    for setting in config.compare.settings:
        try:
            found = setting_config(config, setting)
            source = found.data.model_copy(update={"labels": None}).model_dump_json()
            if source not in loaded:
                loaded[source] = load_unreduced(found.data)
            data = loaded[source]
            declared = [primary for primary in config.compare.primary if primary.setting in (None, setting.label)]
            check_columns(declared, data.modalities)
            if methods is not None:
                made = found.compare.model_copy(update={"methods": list(methods(data.modalities))})
                found = found.model_copy(update={"compare": made})
                check_names(found, Making(), workers)
            seconds = check(found, data, Making(), timed=not quiet)
        except (ConfigError, DataError) as error:
            problems.append(f"{setting.label}: {error}")
            continue
        plans[setting.label] = (found, data)
        times[setting.label] = time_left(found, out / safe_name(setting.label), seconds)
    if problems:
        raise ConfigError(problems)
    what = f"{'an' if recipe[0] in 'aeiou' else 'a'} {Path(recipe).stem}"
    refuse_foreign(out, what, recipe)
    comparisons: dict[str, Comparison] = {}
    with locked(out, what):
        write_text(out / recipe, write_yaml(config.for_compare()), then="give the same command again")
        if not quiet:
            announce(times, workers)
        for label, (found, data) in plans.items():
            folder = out / safe_name(label)
            try:
                comparisons[label] = run_checked(
                    found, data, Making(), folder, resume=True, workers=workers, quiet=quiet, command=command
                )
            except Interrupted as error:
                raise Interrupted(f"{label}: {error}") from error
            except Diverged as error:
                problems.append(f"{label}: {error}")
    if problems:
        raise Diverged(f"{' '.join(problems)} The other settings are finished, and kept in {out}.")
    return comparisons
