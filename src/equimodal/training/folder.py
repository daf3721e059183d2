"""The folder of a run: its configuration and provenance, and whether another call may resume it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equimodal._version import versions
from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import read_yaml_file, write_yaml
from equimodal.data.splits import Splits
from equimodal.errors import RunError
from equimodal.files import write_text
from equimodal.locks import FILE as LOCK
from equimodal.locks import locked

FILE = "config.yaml"
NO_RESULT = ("compare", "features", "training.loader_workers")
"""Settings that change no result of a run."""


def read_config(folder: Path) -> RunConfig:
    """Return the configuration of the run in `folder`.

    Raises:
        RunError: it is not the folder of a run.
    """
    content = _read(folder)
    content.pop("provenance", None)
    return build_config(content)  # names were checked when it was written; a method need not be installed now


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return what the run in `folder` was made with: versions, data, split and model.

    Raises:
        RunError: it is not the folder of a run.
    """
    provenance = _read(folder).get("provenance")
    return provenance if isinstance(provenance, dict) else {}


@contextmanager
def hold_folder(
    folder: Path | None, config: RunConfig, data: Splits, specification: Mapping[str, Any], *, resume: bool
) -> Iterator[None]:
    """Open the folder of a run, and keep every other process and thread from writing a run into it; see `open_folder`.

    Raises:
        RunError: the folder holds something else, may not be resumed, or another process is writing into it.
    """
    if folder is None:
        yield
        return
    refuse_foreign(folder, "a run", FILE)  # before anything is written there
    with locked(folder, "a run"):
        open_folder(folder, config, data, specification, resume=resume)
        yield


def open_folder(
    folder: Path, config: RunConfig, data: Splits, specification: Mapping[str, Any], *, resume: bool
) -> None:
    """Write the configuration into a new folder, or check that it is the one of the run there.

    Args:
        folder: of the run.
        config: the run's configuration.
        data: its data.
        specification: of its model, see `Classifier.specification`.
        resume: whether the run may be there already.

    Raises:
        RunError: the folder holds something else, or may not be resumed.
    """
    provenance = {
        "config": config.hash(),
        **versions("torch"),
        "data": data.fingerprint(),
        "split": data.provenance,
        "model": json.loads(json.dumps(specification)),
    }
    path = folder / FILE
    refuse_foreign(folder, "a run", FILE)
    if not path.exists():
        content = config.to_dict() | {"provenance": provenance}
        write_text(path, write_yaml(content))
        return
    found = differences(read_config(folder).to_dict(), config.to_dict())
    known = read_provenance(folder)
    if known.get("data") != provenance["data"]:
        found.append("the data themselves: other rows, values or split")
    if not found and isinstance(known.get("model"), Mapping):
        found += _differences_of_models(known["model"], provenance["model"])
    if found:
        raise RunError(
            f"{folder}: holds a run with another configuration ({'; '.join(found)}). "
            "Choose another folder with --out, or give the same configuration."
        )
    if not resume:
        raise RunError(
            f"{folder}: holds a run with this configuration already. Continue with --resume, or choose another folder."
        )


def refuse_foreign(folder: Path, what: str, recipe: str) -> None:
    """Raise an error if `folder` is neither new nor empty nor one of ours.

    A file named `recipe` alone does not make it ours: the user's own may have that name, and must not be replaced. Ours
    has a lock file beside it, or, in a copy that left that out, provenance in it.

    Args:
        folder: to write into.
        what: a run, a comparison ..., for messages.
        recipe: name of the file with the configuration of `what`.

    Raises:
        RunError: it is a file, or holds something other than `what`.
    """
    if (folder / recipe).is_file() and ((folder / LOCK).exists() or "provenance" in read_yaml_file(folder / recipe)):
        return
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise RunError(f"{folder}: is not empty, and not the folder of {what}. Choose another with --out.")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file, and {what} needs a folder. Choose another name with --out.")


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return a message for each setting in which two configurations differ, except those that change no result."""
    found = []
    for key in sorted(set(before) | set(now)):
        path = f"{prefix}{key}"
        one, other = before.get(key), now.get(key)
        if path in NO_RESULT or one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{path}.")
        else:
            found.append(f"{path}: {one!r} there, {other!r} here")
    return found


def changed_files(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return a message for each thing that the files of an encoder say otherwise, see `Encoder.files`.

    What only one side knows is passed over: another version of a library may know more settings, or fewer.

    Example:
        >>> changed_files({"config.json": {"size": 8}}, {"config.json": {"size": 9, "new": 0}})
        ['config.json.size: 8 there, 9 here']
    """
    return differences(_shared(before, now), _shared(now, before), prefix)


def _shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, said in one.items():
        if name in other:
            nested = isinstance(said, Mapping) and isinstance(other[name], Mapping)
            found[name] = {key: value for key, value in said.items() if key in other[name]} if nested else said
    return found


def _differences_of_models(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = differences(_without_files(before), _without_files(now), "the model's ")
    for modality, entry in now["encoders"].items():
        known = before["encoders"].get(modality, {}).get("files", {})  # earlier versions kept none
        found += changed_files(known, entry.get("files", {}), f"the model's encoders.{modality}.")
    return found


def _without_files(model: Mapping[str, Any]) -> dict[str, Any]:
    entries = {name: {**entry, "files": None} for name, entry in model["encoders"].items()}
    return {**model, "encoders": entries}


def _read(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    if not path.is_file():
        raise RunError(f"{folder}: not the folder of a run (there is no {FILE}).")
    return read_yaml_file(path)
