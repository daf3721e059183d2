"""The folder of a comparison: its configuration, and whether another call may resume it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equimodal._version import versions
from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import read_yaml_file, write_yaml
from equimodal.data.identifiers import numbered
from equimodal.data.splits import Splits
from equimodal.errors import RunError
from equimodal.files import write_text
from equimodal.locks import locked
from equimodal.training.folder import differences, refuse_foreign

FILE = "compare.yaml"


def provenance(config: RunConfig, data: Splits, command: str | None) -> dict[str, Any]:
    """Return where the numbers of a comparison come from, JSON-safe.

    The split is that of `data` only if no seed redraws it; how a seed's split was drawn is in each `Result.split`.
    """
    return {
        "config": config.hash(),
        "configuration": config.to_dict(),
        "data": data.name,
        "fingerprint": data.fingerprint(),
        "split": _split(config, data),
        "test_groups": _test_groups(data) if config.compare.redraw == "none" else None,
        "command": command,
        **versions("torch"),
    }


def _split(config: RunConfig, data: Splits) -> dict[str, Any]:
    if config.compare.redraw == "none":
        return data.provenance
    return {"how": "redrawn for each seed", "groups": data.provenance["groups"], "sizes": data.provenance["sizes"]}


def _test_groups(data: Splits) -> list[int] | None:
    """Return the number of each test row's group: what the bootstrap on a fixed split draws."""
    if data.test.groups is None:
        return None
    return numbered(data.test.groups).tolist()


@contextmanager
def opened(folder: Path | None, config: RunConfig, data: Splits, resume: bool) -> Iterator[None]:
    """Hold the folder of a comparison while the block runs: no other process writes into it.

    Writes `compare.yaml`, or checks that the folder holds the same comparison. Methods and seeds may differ between two
    calls, since each run has a folder and a configuration of its own; everything else must be the same.

    Args:
        folder: of the comparison; None: nothing is written.
        config: of the comparison.
        data: with all its training rows.
        resume: whether the comparison may be there already.

    Raises:
        RunError: the folder holds something else, may not be resumed, or another process uses it.
    """
    if folder is None:
        yield
        return
    refuse_foreign(folder, "a comparison", FILE)
    with locked(folder, "a comparison"):
        _open(folder, config, data, resume)
        yield


def _open(folder: Path, config: RunConfig, data: Splits, resume: bool) -> None:
    path = folder / FILE
    if path.exists():
        if not resume:
            raise RunError(f"{folder}: holds a comparison already. Resume it (resume=True), or choose another folder.")
        content = read_yaml_file(path)
        known = content.pop("provenance", {})
        found = _changes(build_config(content), config)
        if known.get("fingerprint") != data.fingerprint():
            found.append(f"other data ({known.get('data')} there, {data.name} here, or other rows of it)")
        if found:
            raise RunError(
                f"{folder}: holds a comparison with another configuration ({'; '.join(found)}). "
                "Choose another folder, or give the same configuration; only methods and seeds may be added."
            )
    about = {
        "data": data.name,
        "fingerprint": data.fingerprint(),
        **versions("torch"),
    }
    content = config.for_compare() | {"provenance": about}
    write_text(path, write_yaml(content), then="give the same command again")


def _changes(before: RunConfig, now: RunConfig) -> list[str]:
    found = differences(before.for_compare(), now.for_compare())
    if before.compare.redraw != now.compare.redraw:
        found.append(f"compare.redraw: '{before.compare.redraw}' there, '{now.compare.redraw}' here")
    there = {method.label: method for method in before.compare.methods}
    for method in now.compare.methods:
        other = there.get(method.label, method)
        found += differences(other.to_dict(), method.to_dict(), f"method '{method.label}', ")
    return found
