"""What a configuration says about controls of the data: noise, modalities that know nothing new, missing entries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from equimodal.config.section import Section


class _Sparse(Section):
    """A part whose keys are written where they say something."""

    @model_serializer(mode="wrap")
    def _written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in plain(self).items() if value is not None}


class Distractor(_Sparse):
    """A modality that knows nothing, or nothing new.

    Args:
        kind: "noise", a vector of standard normal numbers; "copy", another modality's rows again; "shuffled", another
            modality's rows in random order within each part.
        size: numbers of the vector; for noise alone.
        of: the other modality; for a copy or a shuffled one.
    """

    kind: Literal["noise", "copy", "shuffled"]
    size: int | None = Field(default=None, ge=1)
    of: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Distractor:
        if self.kind == "noise" and (self.size is None or self.of is not None):
            raise ValueError("a distractor of kind 'noise' needs a size, and takes no 'of': {kind: noise, size: 1500}")
        if self.kind != "noise" and (self.of is None or self.size is not None):
            raise ValueError(
                f"a distractor of kind '{self.kind}' needs the modality that it is of, and takes no size: "
                f"{{kind: {self.kind}, of: NAME}}"
            )
        return self


Noise = dict[str, Annotated[float, Field(ge=0)]]
"""By modality, standard deviation of the noise in units of the modality's own."""

Distractors = dict[str, Distractor]
"""By the name of the new modality."""


Rate = Annotated[float, Field(ge=0, le=1)]


class Absence(_Sparse):
    """Entries (row, modality) that are taken out of one part of the data. Every row keeps one entry at least.

    Args:
        rate: the share of entries, for all modalities or by modality (0 for those that are not named).
        pattern: "random", each entry by itself; "structured", a modality for whole blocks of rows, or exactly one
            modality of a row; "label" or "group", at random, with a rate that differs between classes or groups.
        block: for "structured" alone, consecutive rows of a block; None: a share `rate` of the rows lacks exactly one
            modality, or by modality, shares of rows that lack it and no other.
    """

    rate: Rate | dict[str, Rate]
    pattern: Literal["random", "structured", "label", "group"] = "random"
    block: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _of_a_number(cls, said: Any) -> Any:
        return {"rate": said} if isinstance(said, (int, float)) and not isinstance(said, bool) else said

    @model_validator(mode="after")
    def _possible(self) -> Absence:
        if self.block is not None and self.pattern != "structured":
            raise ValueError(f"a block of rows is for the pattern 'structured', and the pattern is '{self.pattern}'")
        if self.one_each:
            if isinstance(self.rate, dict) and sum(self.rate.values()) > 1 + 1e-9:
                raise ValueError(
                    "without a block, rates are shares of rows that lack one modality and no other, so that they "
                    f"should sum to 1 at most, got {sum(self.rate.values()):g}"
                )
        elif self.rate == 1:
            raise ValueError("at a rate of 1 nothing would be left of a row, so that it should be below 1, got 1")
        return self

    @property
    def one_each(self) -> bool:
        """Whether a row lacks one modality exactly, or none."""
        return self.pattern == "structured" and self.block is None

    def rate_of(self, modality: str) -> float:
        """Return the rate of one modality."""
        return self.rate.get(modality, 0.0) if isinstance(self.rate, dict) else self.rate


class Missing(_Sparse):
    """Which entries are taken out of which part.

    Args:
        train: of the training part.
        validation: of the validation part; None: what is said of the training part, with draws of its own.
        test: of the test part.
    """

    train: Absence | None = None
    validation: Absence | None = None
    test: Absence | None = None

    def __bool__(self) -> bool:
        return any((self.train, self.validation, self.test))

    def of(self, part: str) -> Absence | None:
        """Return what is taken out of a part.

        Example:
            >>> Missing(train=Absence(rate=0.3)).of("validation").rate
            0.3
        """
        return {"train": self.train, "validation": self.validation or self.train, "test": self.test}[part]


class Controls(Section):
    """Controls of a data set.

    Args:
        noise: see `Noise`.
        distractors: see `Distractors`.
        missing: see `Missing`.
    """

    noise: Noise = {}
    distractors: Distractors = {}
    missing: Missing = Missing()

    def __bool__(self) -> bool:
        return bool(self.noise or self.distractors or self.missing)
