"""What is taken of a data set of Hugging Face."""

from __future__ import annotations

from dataclasses import dataclass

NO_LABEL = "none"
"""In place of a label's column: there are no labels."""
DRAWN = "drawn"
"""In place of splits: all of them together, and a split is drawn where the data are used."""


@dataclass(frozen=True)
class Choice:
    """What is taken of a data set.

    Args:
        label: the column of the classes; None: `label`, or the only column that is declared to hold classes; `none`:
            no labels, for data to predict.
        group: the column of what training and test must not share; None: there are no groups.
        config: the configuration (subset), where there are several.
        splits: those to take, each with the part that it becomes where its name does not say so: `train`, `dev`,
            `unseen=test`; or `drawn`. By default all of them.
        columns: the modalities, each with its medium where that is not declared: `image`, `photo:image`; by default
            those of pictures, sounds, videos and arrays, and `text`.
        ignore: columns that are not looked at.

    Example:
        >>> Choice(label="emotion").options()
        {'--label': 'emotion', '--group': None, '--config': None, '--split': (), '--column': ()}
    """

    label: str | None = None
    group: str | None = None
    config: str | None = None
    splits: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def options(self) -> dict[str, object]:
        """Return what other sources have no use for, by the name of the option."""
        return {
            "--label": self.label,
            "--group": self.group,
            "--config": self.config,
            "--split": self.splits,
            "--column": self.columns,
        }
