"""What a configuration says about controls of the data: noise, and modalities that know nothing new."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from equimodal.config.section import Section


class Distractor(Section):
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

    @model_serializer(mode="wrap")
    def _written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in plain(self).items() if value is not None}


Noise = dict[str, Annotated[float, Field(ge=0)]]
"""By modality, standard deviation of the noise in units of the modality's own."""

Distractors = dict[str, Distractor]
"""By the name of the new modality."""


class Controls(Section):
    """Controls of a data set.

    Args:
        noise: see `Noise`.
        distractors: see `Distractors`.
    """

    noise: Noise = {}
    distractors: Distractors = {}

    def __bool__(self) -> bool:
        return bool(self.noise or self.distractors)
