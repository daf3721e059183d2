"""Arrays of a download: in one `.npz`, in one for each part, or in `.npy` files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from equimodal.data.archive import npz_keys, read_array
from equimodal.data.assignment import PARTS
from equimodal.data.checks import raise_problems
from equimodal.preparation.manifest import SPLITS
from equimodal.preparation.tree import Tree

PICKLES = (".pkl", ".pickle", ".p", ".csd")

Place = tuple[Path, str | None]
"""A file, and the array's name in an `.npz`."""


def read_arrays(tree: Tree, names: Mapping[str, str], needed: str, advice: str) -> dict[str, np.ndarray]:
    """Return arrays by name, rows first; where they come in parts, one part after the other and `split` says which.

    Parts are files (`train.npz`, `valid.npz` or `dev.npz`, `test.npz`) or folders of `.npy` files (`train/audio.npy`).

    Args:
        tree: the download.
        names: how arrays may be called, and what they are called here.
        needed: one that is there in any case.
        advice: what to do where there are no arrays, but pickles.

    Raises:
        DataError: there are none, a part lacks one, or they do not fit together; all mistakes are reported at once.
    """
    parts = _places(tree, names)
    if not any(needed in found for found in parts.values()):
        pickles = [path.name for path in tree.files if path.suffix in PICKLES]
        raise tree.unlike(
            f"arrays ({needed} among them) in .npz or .npy files were",
            f"{advice}\nThere is {pickles[0]}." if pickles else "",
        )
    every = {name for found in parts.values() for name in found} - {"split"}
    wanted = [part for part in PARTS if part in parts or part != "validation"] if any(parts) else [""]
    missing = [f"{part} {name}".strip() for part in wanted for name in sorted(every - set(parts.get(part, {})))]
    if missing or ("" in parts and len(parts) > 1):
        loose = "" if not missing else f"arrays {', '.join(missing)} were"
        raise tree.unlike(
            loose or "one form of the arrays, all in parts or none, was", "Export all arrays of all parts."
        )
    loaded = {part: {name: read_array(*place) for name, place in parts[part].items()} for part in wanted}
    problems = [problem for part, arrays in loaded.items() for problem in _uneven(part, arrays, needed)]
    for name in sorted(every):
        shapes = {arrays[name].shape[1:] for arrays in loaded.values()}
        if len(shapes) > 1:
            problems.append(
                f"{name}: rows of different shapes in its parts: {sorted(shapes)}. Export all parts at once."
            )
    raise_problems(problems, str(tree.root))
    if wanted == [""]:
        return loaded[""]
    joined = {name: np.concatenate([arrays[name] for arrays in loaded.values()]) for name in every}
    return joined | {"split": np.concatenate([np.full(len(each[needed]), part) for part, each in loaded.items()])}


def _places(tree: Tree, names: Mapping[str, str]) -> dict[str, dict[str, Place]]:
    """Return where arrays are, by part (empty where there are none) and name."""
    parts: dict[str, dict[str, Place]] = {}
    twice = []
    for path in tree.files:
        if path.suffix not in (".npz", ".npy"):
            continue
        packed = path.suffix == ".npz"
        word = (path.stem if packed else path.parent.name).lower()
        found = parts.setdefault(SPLITS.get(word, "") if not word.isdigit() else "", {})
        for key in npz_keys(path) if packed else (path.stem,):
            name = names.get(key)
            if name is not None and name in found:
                twice.append(
                    f"{path}: '{key}' is in {found[name][0]} too. Name a folder that holds it once with --root."
                )
            elif name is not None:
                found[name] = path, key if packed else None
    raise_problems(twice, str(tree.root))
    return {part: found for part, found in parts.items() if found}


def _uneven(part: str, arrays: Mapping[str, np.ndarray], needed: str) -> list[str]:
    count = len(np.atleast_1d(arrays[needed]))
    return [
        f"{part} {name}: ".lstrip() + f"shape {values.shape}, expected {count} rows, as {needed} has. Export it again."
        for name, values in arrays.items()
        if values.shape[:1] != (count,)
    ]
