"""Encoders by modality as a configuration names them, and the sets of encoders that an analysis compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo, field_validator

from equimodal.config.names import Names
from equimodal.config.problems import problems_raised
from equimodal.config.section import Section
from equimodal.errors import ConfigError

EncoderChoices = dict[str, str | dict[str, Any]]
"""By modality, an encoder's name or a mapping with `name` and its options."""


def encoder_problems(encoders: Mapping[str, str | Mapping[str, Any]], where: str, names: Names | None) -> list[str]:
    """Return a message for each encoder that has no name of the right form, or one that nothing has.

    Args:
        encoders: by modality.
        where: their path in the messages.
        names: what there is; None: only the form is checked.

    Example:
        >>> encoder_problems({"image": {"name": 7}}, "model.encoders", None)
        ["model.encoders.image: expected a name, or a mapping with 'name', got the name 7."]
    """
    problems: list[str] = []
    for modality, given in encoders.items():
        here, name = f"{where}.{modality}", given if isinstance(given, str) else given.get("name")
        if name is None:  # the default encoder of the kind, perhaps with options
            continue
        if not isinstance(name, str):
            problems.append(f"{here}: expected a name, or a mapping with 'name', got the name {name!r}.")
        elif names is not None:
            problems += problems_raised(names.check_encoder, name, f"{here}: ")
    return problems


class EncoderArm(Section):
    """One set of encoders that `analyse encoders` compares with others.

    Args:
        label: what tables and folders call it.
        encoders: as `model.encoders`, whose encoders of the same modalities they replace as a whole; other modalities
            keep theirs.

    Example:
        >>> arm = EncoderArm(label="from scratch", encoders={"image": {"name": "cnn"}})
        >>> arm.over({"image": "resnet18", "text": "gru"})
        {'image': {'name': 'cnn'}, 'text': 'gru'}
    """

    label: str
    encoders: EncoderChoices = {}

    @field_validator("encoders")
    @classmethod
    def _known(cls, encoders: EncoderChoices, info: ValidationInfo) -> EncoderChoices:
        label = info.data.get("label", "without a label")
        if problems := encoder_problems(encoders, f"compare.encoders ({label})", info.context):
            raise ConfigError(problems)
        return encoders

    def over(self, encoders: Mapping[str, Any]) -> dict[str, Any]:
        """Return all encoders of the arm: its own in place of those given, without any of their options."""
        return {**encoders, **self.encoders}
