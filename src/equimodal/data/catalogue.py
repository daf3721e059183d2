"""Data sets by name: those built in, those that other packages register, and any path."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import ClassVar, cast

from equimodal.data.archive import checksum, npz_keys, read_array
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.registry import Registry


class BuiltIn:
    """A data set inside the wheel: an ``.npz`` named like its module, in ``files/`` beside it.

    The file has the form of own data (see ``docs/data/own.md``) with a fixed split. Its contents are checked
    against ``checksum``, so that every result rests on the same numbers.

    Attributes:
        title: what it is, in a line.
        source: where the data come from, and whom to credit.
        licence: under which terms.
        modalities: names in order.
        pairing: how the modalities of a sample belong together.
        headroom: what can be shown with it, and what cannot.
        checksum: of the arrays, by :func:`equimodal.data.archive.checksum`.
    """

    title: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]]
    pairing: ClassVar[str]
    headroom: ClassVar[str]
    checksum: ClassVar[str]

    @classmethod
    def path(cls) -> Path:
        """Return the file of the data set."""
        module = Path(inspect.getfile(cls))
        return module.parent / "files" / f"{module.stem}.npz"

    @classmethod
    def load(cls) -> Splits:
        """Return the data set with its fixed split.

        Raises:
            DataError: the file is missing or not the one that was shipped.
        """
        path = cls.path()
        if not path.is_file() or checksum({key: read_array(path, key) for key in npz_keys(path)}) != cls.checksum:
            raise DataError(f"{path}: missing, or not the file that was shipped. Install the package again.")
        splits = cast(Splits, load_path(path))
        provenance = {"how": "fixed, shipped with the data", "checksum": cls.checksum}
        return Splits(splits.train, splits.validation, splits.test, provenance)


DATASETS: Registry[type[BuiltIn]] = Registry("data set", "equimodal.data.datasets")


def load(name_or_path: str | Path, labels: int | None = None, split_seed: int | None = None) -> Splits:
    """Return a data set by name, or from a path, as training, validation and test.

    Args:
        name_or_path: a built-in set's name (it goes before a folder of that name; write ``./name`` for the
            folder), or what :func:`equimodal.data.own.load_path` takes.
        labels: keep only so many labelled training rows (stratified), for scarce-label experiments.
        split_seed: draw the split anew with this seed. Without it the split is the data's own, or seed 0.

    Raises:
        ConfigError: neither a known name nor a path.
        DataError: the data are wrong.

    Example:
        >>> load("mfeat", labels=50)
        Splits('mfeat', train 50, validation 200, test 600)
    """
    if str(name_or_path) in DATASETS.names():
        splits = DATASETS.get(str(name_or_path)).load()
    elif Path(name_or_path).exists():
        splits = load_path(name_or_path)
    else:
        hint = did_you_mean(str(name_or_path), DATASETS.names())
        raise ConfigError(f"No data set and no file or folder is called '{name_or_path}'.{hint}")
    if isinstance(splits, Dataset):
        splits = splits.split(split_seed or 0)
    elif split_seed is not None:
        splits = splits.redraw(split_seed)
    if labels is not None:
        splits = splits.scarce(labels, split_seed or 0)
    name = name_or_path if str(name_or_path) in DATASETS.names() else Path(name_or_path).resolve()
    # What loads these very rows again; a run that was given them in Python stores it.
    splits.provenance["source"] = {"name": str(name), "labels": labels, "split_seed": split_seed}
    return splits
