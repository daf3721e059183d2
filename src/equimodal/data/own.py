"""Your own features from disk: a folder, one `.npz`, or a YAML that describes either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equimodal.data.archive import read_array
from equimodal.data.assignment import PARTS
from equimodal.data.checks import raise_problems
from equimodal.data.csv_tables import read_numbers
from equimodal.data.dataset import Dataset
from equimodal.data.description import SUFFIXES, Description, Source, describe
from equimodal.data.entries import as_labels, as_lengths, as_presence
from equimodal.data.headers import settle
from equimodal.data.labels import encode_labels
from equimodal.data.splits import Splits
from equimodal.data.text import Entries, read_lines, read_words
from equimodal.errors import ConfigError, DataError, did_you_mean

COLUMNS = ("labels", "split", "groups", "ids")


def load_path(path: str | Path) -> Dataset | Splits:
    """Return labelled data at a path for training, in parts if a split comes with them.

    Args:
        path: a folder (described by its `data.yaml`, or by its file names), an `.npz` (by its keys), or a YAML.

    Raises:
        DataError: a file is missing, damaged or pickled, or the arrays are not what they should be.
        ConfigError: the YAML is wrong; all its mistakes are reported at once.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.save(folder / "audio.npy", np.ones((4, 8, 2)))
        >>> _ = (folder / "text.txt").write_text("a dog\\na cat\\n\\na cow\\n")
        >>> np.save(folder / "labels.npy", np.array([0, 1, 0, 1]))
        >>> load_path(folder).present["text"].tolist()
        [True, True, False, True]
    """
    files = _read(Path(path))
    _require_labels(files, path)
    data = files.dataset(labelled=True)
    return data if data.parts is None else data.split()


def load_unlabelled(path: str | Path, part: str | None = None) -> Dataset:
    """Return data at a path to predict on. Labels and groups are not even read.

    Args:
        path: see `load_path`.
        part: only the rows that the split column puts there; None: all rows.

    Raises:
        DataError: see `load_path`.
        ConfigError: see `load_path`; or an unknown part, or one of data without a split column.
    """
    files = _read(Path(path), without=("labels", "classes", "groups"))
    return _part_of(files.dataset(labelled=False), part)


def load_labelled(path: str | Path, classes: Sequence[str], part: str | None = None) -> Dataset:
    """Return data at a path to measure a trained model on, their labels counted in the model's classes.

    One class, one row or one modality is enough.

    Args:
        path: see `load_path`.
        classes: of the model.
        part: only the rows that the split column puts there; None: the test rows if there is such a column, else all.

    Raises:
        DataError: see `load_path`; or a label is none of the classes.
        ConfigError: see `load_unlabelled`.
    """
    files = _read(Path(path))
    _require_labels(files, path)
    data = _with_labels(files)
    part = "test" if part is None and data.parts is not None else part
    return _part_of(data, part).with_classes(classes)


def load_as_it_is(path: str | Path) -> Dataset:
    """Return all rows of data at a path, to look at: one modality or class is enough, and labels may be missing.

    Args:
        path: see `load_path`.

    Raises:
        DataError: see `load_path`.
        ConfigError: see `load_path`.
    """
    files = _read(Path(path))
    return files.dataset(labelled=False) if files.columns["labels"] is None else _with_labels(files)


def load_label_names(path: str | Path, part: str | None = None) -> np.ndarray | None:
    """Return the label of each row by name, to look at beside predictions; None where none can be read.

    Args:
        path: see `load_path`.
        part: only the rows that the split column puts there; None: all rows.
    """
    try:
        if describe(Path(path))[0].labels is None:
            return None
        data = _part_of(load_as_it_is(path), part)
    except (ConfigError, DataError):
        return None
    return data.label_names


@dataclass(frozen=True)
class _Files:
    """What the files at a path hold.

    Args:
        arrays: by modality.
        columns: labels, split, groups and ids, None where there are none.
        classes: names, or None.
        lengths: by modality.
        present: by modality.
        kinds: of the modalities that have a declared one.
        name: of the data.
    """

    arrays: dict[str, np.ndarray]
    columns: dict[str, np.ndarray | None]
    classes: list[Any] | None
    lengths: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    kinds: dict[str, str]
    name: str

    def dataset(self, *, labelled: bool) -> Dataset:
        return Dataset(
            self.arrays,
            self.columns["labels"] if labelled else None,
            classes=self.classes if labelled else None,
            lengths=self.lengths,
            present=self.present,
            ids=self.columns["ids"],
            groups=self.columns["groups"],
            split=self.columns["split"],
            kinds=self.kinds,
            name=self.name,
        )


def _read(path: Path, without: Sequence[str] = ()) -> _Files:
    """Read the files at a path, but for the columns named in `without`."""
    description, folder, name = describe(path)
    problems: list[str] = []
    entries: dict[tuple[str, str], Entries] = {}
    for kind, source in _sources(description).items():
        if kind[0] in without:
            continue
        try:
            entries[kind] = _read_file(folder, source, *kind)
        except DataError as error:
            problems.append(str(error))
    raise_problems(problems, name)
    listed = entries.pop(("classes", ""), None)
    entries, problems = settle(entries)
    read: dict[tuple[str, str], np.ndarray] = {}
    for kind, each in entries.items():
        try:
            read[kind] = _parse(each, *kind)
        except DataError as error:
            problems.append(str(error))
    raise_problems(problems, name)
    classes = description.classes if isinstance(description.classes, list) else None
    return _Files(
        arrays={modality: values for (what, modality), values in read.items() if what == "arrays"},
        columns={column: read.get((column, "")) for column in COLUMNS},
        classes=classes if listed is None else listed.values.tolist(),
        lengths={modality: values for (what, modality), values in read.items() if what == "lengths"},
        present={modality: values for (what, modality), values in read.items() if what == "present"},
        kinds={modality: source.kind for modality, source in description.arrays.items() if source.kind},
        name=name,
    )


def _sources(description: Description) -> dict[tuple[str, str], Source]:
    """Return the files to read, by what they hold and the modality ("" for columns of the whole data)."""
    found = {("arrays", modality): source for modality, source in description.arrays.items()}
    found |= {
        (column, ""): source
        for column in ("classes", *COLUMNS)
        if isinstance(source := getattr(description, column), Source)
    }
    for what in ("lengths", "present"):
        found |= {(what, modality): source for modality, source in getattr(description, what).items()}
    return found


def _read_file(folder: Path, source: Source, what: str, modality: str) -> Entries:
    path = folder / source.file
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. Check the name, or take the entry out.")
    if source.key is not None and path.suffix != ".npz":
        raise DataError(f"{path}: a key ('{source.key}') is for .npz files only. Leave it out.")
    if path.suffix in (".npy", ".npz"):
        default = modality if what == "arrays" else f"{modality}_{what}" if modality else what
        values = read_array(path, source.key or default if path.suffix == ".npz" else None)
        if values.ndim == 0:
            raise DataError(f"{path}: '{source.key or path.stem}' is a single value. Expected one entry per row.")
        return Entries(path, values)
    if path.suffix not in (".txt", ".csv"):
        raise DataError(f"{path}: cannot read '{path.suffix}'. Save it as one of {', '.join(SUFFIXES)}.")
    if what != "arrays":
        return read_words(path)
    return read_lines(path) if path.suffix == ".txt" else read_numbers(path)


def _parse(entries: Entries, what: str, modality: str) -> np.ndarray:
    """Return the values as what they mean. Ids and groups stay text, and arrays of labels what they are."""
    if what == "lengths":
        return as_lengths(modality, entries.values)
    if what == "present":
        return as_presence(modality, entries.values)
    return as_labels(entries.values) if what == "labels" and entries.first is not None else entries.values


def _require_labels(files: _Files, path: str | Path) -> None:
    if files.columns["labels"] is None:
        raise DataError(
            f"{path}: there are no labels. Add labels.npy, labels.txt or labels.csv to a folder, an array "
            "'labels' to an .npz, or the key 'labels' to the YAML."
        )


def _with_labels(files: _Files) -> Dataset:
    """Return rows with their labels, of which one class is enough."""
    numbers, names = encode_labels(files.columns["labels"], files.classes, fewest=1)
    return files.dataset(labelled=False).with_labels(numbers, names)


def _part_of(data: Dataset, part: str | None) -> Dataset:
    if part is None:
        return data
    if data.parts is None:
        raise ConfigError(f"--split: '{data.name}' is not split into parts. Leave --split out: all rows are used.")
    if part not in PARTS:
        raise ConfigError(f"--split: unknown part '{part}'.{did_you_mean(part, PARTS)}")
    rows = np.flatnonzero(data.parts == PARTS.index(part))
    if not len(rows):
        raise DataError(f"{data.name}: its split column puts no row into '{part}'. Name another part.")
    return data.subset(rows)
