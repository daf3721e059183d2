"""Data sets by name: those built in, those that other packages register, and any path."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from equimodal.config.controls import Controls, Missing
from equimodal.config.run import DataConfig
from equimodal.data.archive import checksum, npz_keys, read_array
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_as_it_is, load_path, load_unlabelled
from equimodal.data.rows import concatenate
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, did_you_mean
from equimodal.registry import Registry


class BuiltIn:
    """A data set inside the wheel: an `.npz` named like its module, in `files/` beside it.

    The file has the form of own data (see `docs/data/own.md`) with a fixed split. Its contents are checked
    against `checksum`, so that every result rests on the same numbers.

    Attributes:
        title: what it is, in a line.
        source: where the data come from, and whom to credit.
        licence: under which terms.
        modalities: names in order.
        pairing: how the modalities of a sample belong together.
        headroom: what can be shown with it, and what cannot.
        checksum: of the arrays, by `equimodal.data.archive.checksum`.
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
    def load(cls) -> Splits[Dataset]:
        """Return the data set with its fixed split.

        Raises:
            DataError: the file is missing or not the one that was shipped.
        """
        path = cls.path()
        if not path.is_file() or checksum({key: read_array(path, key) for key in npz_keys(path)}) != cls.checksum:
            raise DataError(f"{path}: missing, or not the file that was shipped. Install the package again.")
        splits = cast(Splits[Dataset], load_path(path))
        provenance = {"how": "fixed, shipped with the data", "checksum": cls.checksum}
        return Splits(splits.train, splits.validation, splits.test, provenance)


DATASETS: Registry[type[BuiltIn]] = Registry("data set", "equimodal.data.datasets")


def load(
    name_or_path: str | Path,
    labels: int | None = None,
    split_seed: int | None = None,
    noise: Mapping[str, Any] | None = None,
    distractors: Mapping[str, Any] | None = None,
    missing: Mapping[str, Any] | Missing | None = None,
) -> Splits[Dataset]:
    """Return a data set by name, or from a path, as training, validation and test.

    Args:
        name_or_path: a built-in set's name (it goes before a folder of that name; write `./name` for the
            folder), or a path that `load_path` takes.
        labels: keep only so many labelled training rows (stratified), for scarce-label experiments.
        split_seed: draw a new split with this seed. Without it the split is the data's own, or drawn with seed 0.
        noise: by modality, the size of noise to add, see `Splits.with_controls`.
        distractors: by the name of a new modality, what it holds, see `Splits.with_controls`.
        missing: by part, which entries are taken out, see `Splits.with_controls`.

    Raises:
        ConfigError: neither a known name nor a path, or the controls do not fit the data.
        DataError: the data are wrong.

    Example:
        >>> load("mfeat", labels=50)
        Splits('mfeat', train 50, validation 200, test 600)
    """
    if str(name_or_path) in DATASETS.names():
        name, data = str(name_or_path), DATASETS.get(str(name_or_path)).load()
    else:
        name, data = str(_existing(name_or_path)), load_path(name_or_path)
    own = data.split() if isinstance(data, Dataset) else data
    splits = own.with_settings(split_seed, labels, noise, distractors, missing)
    said = splits.provenance.get("controls", {})
    controls = {key: said[key] for key in Controls.model_fields if key in said}
    # What loads these very rows again; a run that was given them in Python stores it.
    splits.provenance["source"] = {"name": name, "labels": labels, "split_seed": split_seed, **controls}
    return splits


def load_configured(settings: DataConfig) -> Splits[Dataset]:
    """Return the data that the section `data` of a configuration describes; see `load`.

    Example:
        >>> load_configured(DataConfig(name="avdigits", noise={"audio": 2}))
        Splits('avdigits', train 2100, validation 300, test 600)
    """
    controls = {name: getattr(settings, name) for name in Controls.model_fields}
    return load(settings.name, settings.labels, settings.split_seed, **controls)


def load_unreduced(settings: DataConfig) -> Splits[Dataset]:
    """Return the data that a configuration describes with all training rows: a comparison draws labels for each seed.

    Example:
        >>> load_unreduced(DataConfig(name="avdigits", labels=50))
        Splits('avdigits', train 2100, validation 300, test 600)
    """
    return load_configured(settings.model_copy(update={"labels": None}))


def load_rows(name_or_path: str | Path) -> Dataset:
    """Return all rows of a data set by name, or from a path, to predict on; labels are ignored.

    Raises:
        ConfigError: neither a known name nor a path.
        DataError: the data are wrong.

    Example:
        >>> len(load_rows("mfeat"))
        2000
    """
    if str(name_or_path) in DATASETS.names():
        return concatenate(list(DATASETS.get(str(name_or_path)).load().parts().values()))
    return load_unlabelled(_existing(name_or_path))


def load_to_show(name_or_path: str | Path) -> Dataset:
    """Return all rows of a data set by name, or from a path, as they are: with labels and parts where there are any.

    Raises:
        ConfigError: neither a known name nor a path.
        DataError: the data are wrong.

    Example:
        >>> data = load_to_show("mfeat")
        >>> len(data), data.parts is None
        (2000, False)
    """
    if str(name_or_path) in DATASETS.names():
        return load_as_it_is(DATASETS.get(str(name_or_path)).path())
    return load_as_it_is(_existing(name_or_path))


def _existing(path: str | Path) -> Path:
    if not Path(path).exists():
        hint = did_you_mean(str(path), DATASETS.names())
        raise ConfigError(
            f"No data set and no file or folder is called '{path}'.{hint} A public data set "
            "is made ready first: equimodal prepare NAME (equimodal list benchmarks names them)."
        )
    return Path(path).resolve()
