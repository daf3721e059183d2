"""What a problem of the family is: which bits make up the label, who sees them, and how clearly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from equimodal.errors import ConfigError, did_you_mean

Kind = Literal["unique", "shared", "interaction"]
Rest = Literal["unique", "shared"]

STRONG = 2.0
"""Strength of every modality but the last."""
WEAKNESSES = (2.0, 1.25, 0.75)
"""Strengths of the last modality in the sweep: as strong as the others, weaker, weak."""
BITS = 3
DIMENSION = 24


@dataclass(frozen=True)
class Bit:
    """One bit of the label, and who sees what of it.

    Args:
        kind: "unique", one modality sees it; "shared", each of several sees it, through noise of its own;
            "interaction", it is the parity (XOR) of hidden bits, and each of several modalities sees one of these.
        by: the modalities.

    Raises:
        ConfigError: the kind is unknown, a modality is named twice, or a kind has too many or too few modalities.

    Example:
        >>> Bit("interaction", ("a", "b")).by
        ('a', 'b')
    """

    kind: Kind
    by: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(f"bit: no kind is called '{self.kind}'.{did_you_mean(self.kind, get_args(Kind))}")
        wrong = len(self.by) != 1 if self.kind == "unique" else len(self.by) < 2
        if wrong or len(set(self.by)) < len(self.by):
            expected = "one modality" if self.kind == "unique" else "two or more different modalities"
            raise ConfigError(f"bit: expected {expected} to see a bit of the kind '{self.kind}', got {self.by}.")


@dataclass(frozen=True)
class Design:
    """One problem: K fair, independent bits are the label, one of 2^K classes.

    Args:
        bits: of the label, the first the least significant.
        strengths: of each modality: a bit s in {-1, +1} is seen as strength * s plus Gaussian noise of variance 1.
        dimension: features of each modality; those without a bit are noise.
        mixing: seed of the rotation that mixes each modality's features.

    Raises:
        ConfigError: there is no bit, a bit is seen by an unknown modality, a strength is not a finite number of 0 or
            more, or a modality sees more bits than it has features.

    Example:
        >>> design = Design((Bit("unique", ("a",)), Bit("interaction", ("a", "b"))), {"a": 2.0, "b": 1.0})
        >>> design.classes, design.seen("b")
        (4, (1,))
    """

    bits: tuple[Bit, ...]
    strengths: Mapping[str, float]
    dimension: int = DIMENSION
    mixing: int = 0

    def __post_init__(self) -> None:
        problems = [] if self.bits else ["bits: expected at least one, got none."]
        for number, bit in enumerate(self.bits):
            problems += [
                f"bits.{number}: there is no modality '{name}'.{did_you_mean(name, self.strengths)}"
                for name in bit.by
                if name not in self.strengths
            ]
        for name, strength in self.strengths.items():
            if not (math.isfinite(strength) and strength >= 0):
                problems.append(f"strengths.{name}: expected a finite number, 0 or more, got {strength}.")
            if (count := len(self.seen(name))) > self.dimension:
                problems.append(f"dimension: {name} sees {count} bits and has {self.dimension} features. Raise it.")
        if problems:
            raise ConfigError(problems)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names."""
        return tuple(self.strengths)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return 2 ** len(self.bits)

    def seen(self, modality: str) -> tuple[int, ...]:
        """Return the numbers of the bits of which a modality sees something: its first features, in this order."""
        return tuple(number for number, bit in enumerate(self.bits) if modality in bit.by)


def place(
    interactions: int,
    weak: float,
    *,
    bits: int = BITS,
    modalities: int = 2,
    rest: Rest = "unique",
) -> Design:
    """Return one place of the sweep: so many bits are interactions, and the last modality is so strong.

    Interactions are those of all modalities. The other bits are unique to the modalities in turn, the first bit to the
    first modality; or shared by all.

    Args:
        interactions: bits that are interactions, 0 to `bits`.
        weak: strength of the last modality; that of the others is `STRONG`.
        bits: of the label.
        modalities: 2 or 3; they are called a, b and c
        rest: kind of the other bits.

    Raises:
        ConfigError: an argument is out of its range; all mistakes are reported together.

    Example:
        >>> [(bit.kind, bit.by) for bit in place(1, weak=0.75).bits]
        [('unique', ('a',)), ('unique', ('b',)), ('interaction', ('a', 'b'))]
    """
    problems = []
    if bits < 1:
        problems.append(f"bits: expected at least 1, got {bits}.")
    if not 0 <= interactions <= bits:
        problems.append(f"interactions: expected 0 to {bits}, the number of bits, got {interactions}.")
    if modalities not in (2, 3):
        problems.append(f"modalities: expected 2 or 3, got {modalities}.")
    if rest not in get_args(Rest):
        problems.append(f"rest: expected {' or '.join(get_args(Rest))}, got '{rest}'.")
    if problems:
        raise ConfigError(problems)
    names = tuple("abc"[:modalities])
    made = [
        Bit("unique", (names[number % modalities],)) if rest == "unique" else Bit("shared", names)
        for number in range(bits - interactions)
    ]
    made += [Bit("interaction", names)] * interactions
    return Design(tuple(made), {name: weak if name == names[-1] else STRONG for name in names})
