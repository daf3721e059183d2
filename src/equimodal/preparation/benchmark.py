"""What a reader of a public data set is, and finding it by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationError

from equimodal.config.problems import problems_of
from equimodal.config.section import Section
from equimodal.config.yaml import split_assignments
from equimodal.errors import ConfigError, DataError
from equimodal.media.settings import MediaSettings
from equimodal.preparation.layout import Layout
from equimodal.preparation.tree import Tree
from equimodal.registry import Registry


class Benchmark(Section):
    """A public data set, as its download lies on disk.

    A subclass declares its options as fields, and reads the download.

    Attributes:
        title: what it is, in a line.
        source: where it comes from.
        terms: under which terms.
        expected: the tree of the download, some lines.
        settings: how its media are decoded where the user says nothing: as the work on this data set does.

    Example:
        >>> BENCHMARKS.get("ravdess").title
        'RAVDESS: speech and face, 8 emotions, 24 actors'
    """

    title: ClassVar[str]
    source: ClassVar[str]
    terms: ClassVar[str]
    expected: ClassVar[str]
    settings: ClassVar[MediaSettings] = MediaSettings()

    def read(self, tree: Tree) -> Layout:
        """Return the samples of a download.

        Raises:
            DataError: the download is not as expected; the message says what was looked for, what was found, and what
                to do.
        """
        raise NotImplementedError


BENCHMARKS: Registry[type[Benchmark]] = Registry("benchmark", "equimodal.preparation.benchmarks")


def read_benchmark(name: str, root: Path | None, options: Sequence[str] = ()) -> Layout:
    """Return the samples of a public data set.

    Args:
        name: of the data set.
        root: the folder of the download.
        options: of its reader, `key=value`.

    Raises:
        ConfigError: an option is wrong, or there is no root.
        DataError: the root is no such download.
    """
    kind = BENCHMARKS.get(name)
    try:
        reader = kind(**split_assignments(options, "-s"))
    except ValidationError as error:
        raise ConfigError([f"-s: {problem}" for problem in problems_of(error, kind)]) from error
    if root is None:
        raise ConfigError(
            f"--root: is missing. Name the folder of the download of {kind.title}. Source: {kind.source}."
        )
    if not root.is_dir():
        raise DataError(f"{root}: no such folder. Name the folder of the download of {kind.title} with --root.")
    return reader.read(Tree(root, kind.expected))
