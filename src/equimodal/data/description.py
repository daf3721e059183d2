"""Which file holds which array: said by a `data.yaml`, by the names of files, or by the keys of an `.npz`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from equimodal.config.yaml import read_yaml_file
from equimodal.data.archive import npz_keys
from equimodal.data.checks import first_problems, raise_problems
from equimodal.data.columns.base import KINDS, Kind
from equimodal.errors import ConfigError, DataError, did_you_mean

DESCRIPTION = "data.yaml"
SUFFIXES = (".npy", ".npz", ".txt", ".csv")
COLUMNS = ("labels", "split", "groups", "ids", "classes")
SUFFIX_COLUMNS = ("lengths", "present")


class Source(BaseModel):
    """Where an array is stored.

    Args:
        file: path, relative to the folder of the description.
        key: the array's name in an `.npz`.
        kind: what it holds, where the shape misleads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    key: str | None = None
    kind: Kind | None = None


def _as_source(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if Path(value).suffix not in SUFFIXES:
        raise ValueError(f"expected a file ({', '.join(SUFFIXES)})")
    return {"file": value}


Where = Annotated[Source, BeforeValidator(_as_source)]


class Description(BaseModel):
    """What a `data.yaml` says.

    Args:
        arrays: for each modality the file of its array.
        labels: the column of labels.
        classes: class names in order, or the file that lists them.
        split: 0, 1, 2 or train, validation, test for each row.
        groups: what must not be shared between training and test.
        ids: what identifies each row.
        lengths: for each sequence the column of valid time steps.
        present: for each modality the column that says which rows have it.
        name: what to call the data set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arrays: dict[str, Where] = Field(min_length=1)
    labels: Where | None = None
    classes: list[str | None] | Where | None = None
    split: Where | None = None
    groups: Where | None = None
    ids: Where | None = None
    lengths: dict[str, Where] = Field(default_factory=dict)
    present: dict[str, Where] = Field(default_factory=dict)
    name: str | None = None


def describe(path: Path) -> tuple[Description, Path, str]:
    """Return what a path holds, the folder that its files are relative to, and the name of the data.

    Args:
        path: a folder (described by its `data.yaml`, or by its file names), an `.npz` (by its keys), or a YAML.

    Raises:
        DataError: there is no such path, it is of another form, or a file belongs to nothing.
        ConfigError: the YAML is wrong; all its mistakes are reported at once.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Give a folder, an .npz or a YAML that describes one.")
    if path.is_dir():
        described, folder = path / DESCRIPTION, path
        description = _read_yaml(described) if described.is_file() else _describe_folder(path)
    elif path.suffix == ".npz":
        description, folder = _describe_npz(path), path.parent
    elif path.suffix in (".yaml", ".yml"):
        description, folder = _read_yaml(path), path.parent
    else:
        raise DataError(f"{path}: cannot read '{path.suffix}'. Give a folder, an .npz or a YAML that describes one.")
    own = path.parent.resolve().name if path.name == DESCRIPTION else path.resolve().stem
    return description, folder, description.name or own


def _describe_npz(path: Path) -> Description:
    keys = {key: Source(file=path.name, key=key) for key in npz_keys(path)}
    if "y" in keys and "labels" not in keys:
        keys["labels"] = keys.pop("y")
    return _sort_out(keys, path)


def _describe_folder(folder: Path) -> Description:
    found: dict[str, Source] = {}
    problems: list[str] = []
    folders: list[str] = []
    others: list[str] = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix in (".md", ".partial"):
            continue
        if file.is_dir():
            folders.append(
                f"{file}: is a folder, and folders in a data folder are not read. Move it away, or say in "
                f"{DESCRIPTION} which files hold the arrays; media are made ready first, with equimodal prepare."
            )
        elif file.suffix not in (".npy", ".txt", ".csv"):
            others.append(
                f"{file}: in a folder each array is a .npy, .txt or .csv file. Convert it, move it away, or "
                f"describe the folder in {DESCRIPTION}; media are made ready first, with equimodal prepare."
            )
        elif file.stem in found:
            problems.append(f"{file}: '{file.stem}' is also in {found[file.stem].file}. Keep one of the two.")
        else:
            found[file.stem] = Source(file=file.name)
    raise_problems([*problems, *first_problems(folders), *first_problems(others)], str(folder))
    return _sort_out(found, folder)


def _sort_out(found: dict[str, Source], path: Path) -> Description:
    """Separate modalities from columns by their names."""
    columns: dict[str, Any] = {name: found.pop(name) for name in COLUMNS if name in found}
    problems = []
    for column in SUFFIX_COLUMNS:
        ending = f"_{column}"
        named = {name.removesuffix(ending): name for name in found if name.endswith(ending)}
        columns[column] = {modality: found.pop(name) for modality, name in named.items()}
    for column in SUFFIX_COLUMNS:
        for modality in columns[column]:
            if modality not in found:
                hint = did_you_mean(modality, found)
                problems.append(f"{path}: '{modality}_{column}' belongs to no modality '{modality}'.{hint}")
    if not found:
        problems.append(f"{path}: holds no array. Add one per modality ({', '.join(SUFFIXES)}).")
    raise_problems(problems, str(path))
    return Description(arrays=found, **columns)


def _read_yaml(path: Path) -> Description:
    content = read_yaml_file(path, words=True)
    try:
        return Description.model_validate(content)
    except ValidationError as error:
        raise ConfigError([f"{path}: {message}" for message in _messages(error)]) from error


def _messages(error: ValidationError) -> Iterator[str]:
    """Yield each mistake in plain words, where it is and what would be right."""
    seen = set()
    for problem in error.errors():
        # A union reports each of its branches; what the user wrote is the place without the branch's name.
        steps = [str(step) for step in problem["loc"] if not str(step).startswith(("list[", "function-", "Source"))]
        where = ".".join(steps)
        known = Description.model_fields if len(steps) == 1 else Source.model_fields
        if problem["type"] == "extra_forbidden":
            message = f"unknown key '{where}'.{did_you_mean(steps[-1], known)}"
        elif problem["type"] == "literal_error":
            message = f"{where}: unknown kind {problem['input']!r}.{did_you_mean(str(problem['input']), KINDS)}"
        elif problem["type"] == "missing":
            message = f"{where}: is missing. " + ("Name a file for each modality." if where == "arrays" else "Name it.")
        elif where == "classes":
            message = "classes: expected a list of names, or a file."
        else:
            message = f"{where}: {problem['msg'].removeprefix('Value error, ').lower()}, got {problem['input']!r}."
        if message not in seen:
            seen.add(message)
            yield message
