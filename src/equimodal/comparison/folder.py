"""The folder of a comparison: what it holds, and whether another may go on in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from equimodal._version import __version__
from equimodal.config.run import RunConfig, build_config
from equimodal.config.yaml import read_yaml_file, write_yaml
from equimodal.data.splits import Splits
from equimodal.errors import RunError
from equimodal.files import write_text
from equimodal.training.folder import differences, refuse_foreign
from equimodal.training.names import NAMES

FILE = "compare.yaml"


def provenance(config: RunConfig, data: Splits, command: str | None) -> dict[str, Any]:
    """Return what a comparison's numbers rest on, JSON-safe."""
    return {
        "config": config.hash(),
        "configuration": config.to_dict(),
        "data": data.name,
        "fingerprint": data.fingerprint(),
        "split": data.provenance,
        "test_groups": _test_groups(data) if config.compare.redraw == "none" else None,
        "command": command,
        "equimodal": __version__,
        "torch": str(torch.__version__),
    }


def _test_groups(data: Splits) -> list[int] | None:
    """Return the number of each test sample's group, what intervals on a fixed split draw anew."""
    if data.test.groups is None:
        return None
    return np.unique(data.test.groups, return_inverse=True)[1].tolist()


def open_folder(folder: Path, config: RunConfig, data: Splits, resume: bool) -> None:
    """Write ``compare.yaml``, or check that what is there is the same comparison, with perhaps fewer runs.

    Methods and seeds may come and go between two calls, since each run has a folder and a configuration of
    its own; everything else must be as it was.

    Raises:
        RunError: the folder holds something else, or may not be gone on with.
    """
    path = folder / FILE
    if path.exists():
        if not resume:
            raise RunError(f"{folder}: holds a comparison already. Go on with it (resume), or choose another folder.")
        content = read_yaml_file(path)
        known = content.pop("provenance", {})
        found = _changes(build_config(content, NAMES), config)
        if known.get("fingerprint") != data.fingerprint():
            found.append(f"other data ({known.get('data')} there, {data.name} here, or other rows of it)")
        if found:
            raise RunError(
                f"{folder}: holds a comparison with another configuration ({'; '.join(found)}). "
                "Choose another folder, or give the same configuration; only methods and seeds may be added."
            )
    else:
        refuse_foreign(folder, "a comparison")
    about = {
        "data": data.name,
        "fingerprint": data.fingerprint(),
        "equimodal": __version__,
        "torch": str(torch.__version__),
    }
    content = config.to_dict() | {"provenance": about}
    write_text(path, write_yaml(content), then="give the same command again")


def _changes(before: RunConfig, now: RunConfig) -> list[str]:
    found = differences(before.to_dict(), now.to_dict())
    if before.compare.redraw != now.compare.redraw:
        found.append(f"compare.redraw: '{before.compare.redraw}' there, '{now.compare.redraw}' here")
    there = {method.label: method for method in before.compare.methods}
    for method in now.compare.methods:
        other = there.get(method.label, method)
        found += differences(other.to_dict(), method.to_dict(), f"method '{method.label}', ")
    return found
