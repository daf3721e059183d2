"""How a comparison was run, as tables: the splits and labels of its seeds, and the settings that were tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equimodal.comparison.result import Result
from equimodal.tables.table import Cell, Column, Table

PARTS = {"train": "training", "validation": "validation", "test": "test"}


def split_table(results: Sequence[Result]) -> Table | None:
    """Return the split of each seed: how it was drawn, and the rows of its parts; None without a result.

    Args:
        results: one per seed, of one method; all methods of a seed share its split.
    """
    if not results:
        return None
    columns = [Column(header, tuple(Cell(_part(result, part)) for result in results)) for part, header in PARTS.items()]
    scarce = any(_is_scarce(result) for result in results)
    if scarce:
        columns.append(Column("labels used", tuple(Cell(_labels(result)) for result in results)))
    if any(result.split.get("groups") is not None for result in results):
        groups = (result.split.get("groups") for result in results)
        columns.append(
            Column(
                "groups used" if scarce else "groups",
                tuple(Cell("none" if count is None else str(count)) for count in groups),
            )
        )
    return Table(
        "Splits",
        f"{_drawn(results)} Rows of each part, with its share of all rows.",
        tuple(str(result.seed) for result in results),
        tuple(columns),
        "seed",
    )


def tuning_table(results: Mapping[str, Sequence[Result]], tuning: Mapping[str, Any] | None) -> Table | None:
    """Return the settings that each method chose on validation, one row per method and seed; None without tuning.

    Args:
        results: by method's label.
        tuning: what could be tuned: `compare.tune` of the configuration.
    """
    tuned = [result for each in results.values() for result in each if result.tuned is not None]
    if not tuned:
        return None
    keys = dict.fromkeys(key for result in tuned for key in result.tuned or {})
    columns = (Column(key, tuple(Cell(_value(result.tuned or {}, key)) for result in tuned)) for key in keys)
    labels = tuple(f"{result.method}, seed {result.seed}" for result in tuned)
    return Table("Tuning", _tried(tuning), labels, tuple(columns), "method")


def _part(result: Result, part: str) -> str:
    rows = {**result.sizes, "train": _pool(result), "pool": 0}
    return f"{rows[part]} ({rows[part] / sum(rows.values()):.0%})"


def _pool(result: Result) -> int:
    """Return the rows of the training part before labels were left out."""
    return result.sizes.get("pool", result.sizes["train"])


def _is_scarce(result: Result) -> bool:
    return result.sizes["train"] < _pool(result)


def _labels(result: Result) -> str:
    text = f"{result.sizes['train']} of {_pool(result)}"
    seed = (result.split.get("scarce") or {}).get("seed")
    return text if seed is None else f"{text}, drawn with seed {seed}"


def _drawn(results: Sequence[Result]) -> str:
    """Return how the splits were drawn, in a sentence or two."""
    if not all("how" in result.split for result in results):
        return "How the splits were drawn is not known."
    hows = list(dict.fromkeys(str(result.split["how"]) for result in results))
    seeds = [result.split.get("seed") for result in results]
    if len(results) > 1 and len(set(seeds)) == len(seeds):
        return f"Each seed drew its own split: {'; '.join(hows)}."
    drawn = "" if seeds[0] is None else f", drawn with seed {seeds[0]}"
    return f"{'All seeds share one split' if len(results) > 1 else 'One split'}: {'; '.join(hows)}{drawn}."


def _tried(tuning: Mapping[str, Any] | None) -> str:
    """Return what could be tuned, in a few sentences."""
    text = "Chosen on the validation part of each seed."
    if not tuning:
        return text
    grid = [f"{key}: {_list(values)}" for key, values in tuning["grid"].items()]
    own = [
        f"{key} of {method}: {_list(values)}"
        for method, options in tuning["own"].items()
        for key, values in options.items()
    ]
    return (
        f"{text} At most {tuning['trials']} candidates per method, the unchanged configuration first, of "
        f"{'; '.join(grid + own)}."
    )


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))


def _value(tuned: Mapping[str, Any], key: str) -> str:
    if key not in tuned:
        return "not tuned"
    return "default" if tuned[key] is None else str(tuned[key])
