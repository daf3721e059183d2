"""The options that every command of several runs has, and how a command takes them as one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, Concatenate, ParamSpec, get_type_hints

from equimodal.cli.options import Data, Methods, Out, Quiet, Recipe, Seeds, Settings, WorkerCount

P = ParamSpec("P")


@dataclass(frozen=True)
class Runs:
    """Which runs are made, and how: the options of `compare` and of each analysis, under the names they have there."""

    recipe: Recipe = None
    data: Data = None
    method: Methods = None
    seeds: Seeds = None
    settings: Settings = None
    out: Out = None
    workers: WorkerCount = "1"
    quiet: Quiet = False


def of_runs(command: Callable[Concatenate[Runs, P], None]) -> Callable[..., None]:
    """Give a command the options of `Runs`, before its own; it takes them as its first parameter.

    Typer reads the options of a command from its signature, so the result has one of them all.
    """
    hints = get_type_hints(command, include_extras=True)
    (_, *own) = inspect.signature(command).parameters.values()
    shared = get_type_hints(Runs, include_extras=True)
    parameters = [
        *(_option(field.name, shared[field.name], field.default) for field in fields(Runs)),
        *(_option(each.name, hints[each.name], each.default) for each in own),
    ]

    @wraps(command)
    def with_options(**given: Any) -> None:
        command(Runs(**{name: given.pop(name) for name in shared}), **given)  # pyright: ignore[reportCallIssue]

    del with_options.__wrapped__  # or its signature would be read
    with_options.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
