"""Digits of AV-digits drawn independently of each other, with labels that need every modality."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from equimodal.data.archive import checksum
from equimodal.data.catalogue import DATASETS, BuiltIn
from equimodal.data.dataset import Dataset
from equimodal.data.datasets.avdigits import AVDigits
from equimodal.data.rows import Rows, concatenate
from equimodal.data.splits import Splits
from equimodal.errors import DataError

BLOCKS = (69, 10, 20)
"""Blocks in training, validation and test; each holds about 18 images and 30 recordings, of each digit like numbers."""

SAMPLES = 44
"""Samples drawn in a block, so 3036, 440 and 880 in the parts."""


class DigitInteraction(BuiltIn):
    """Digits of `avdigits`, drawn independently for each modality, with a label that depends on all of them.

    Images and recordings are dealt into small blocks first, each block within one part of `avdigits`. Samples are then
    drawn inside a block, without replacement, and the block is their group. So no image and no recording is in two
    parts, neither of the fixed split nor of one that is drawn anew.

    Attributes:
        name: under which it is registered.
        classes: names of what `label` gives.
        origins: for each modality, which one of `avdigits` it is drawn from.
        balanced: whether every class gets the same number of samples; otherwise chance decides.
    """

    source = AVDigits.source
    licence = AVDigits.licence
    modalities = ("image", "audio")
    pairing = "drawn independently inside blocks of images and recordings; the block is the group"
    name: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]
    origins: ClassVar[tuple[str, ...]] = ("image", "audio")
    balanced: ClassVar[bool] = False

    @staticmethod
    def label(digits: np.ndarray) -> np.ndarray:
        """Return the class numbers (N,) of samples that show `digits` (N, modalities)."""
        raise NotImplementedError

    @classmethod
    def path(cls) -> Path:
        """Return the file of `avdigits`, which the samples are drawn from."""
        return AVDigits.path()

    @classmethod
    def load(cls) -> Splits[Dataset]:
        """Return the samples in the parts that their digits have in `avdigits`.

        Raises:
            DataError: the file of `avdigits` is missing or not the one that was shipped, or other samples are drawn
                than those that published results rest on.
        """
        digits = concatenate(list(AVDigits.load().parts().values()))
        drawn, blocks = cls._draw(digits)
        shown = {name: (o, rows) for name, o, rows in zip(cls.modalities, cls.origins, drawn.T, strict=True)}
        numbers = {"image": cast(np.ndarray, digits.groups), "audio": digits.ids.astype(str)}
        ids = ["-".join(each) for each in zip(*(numbers[o][rows].tolist() for o, rows in shown.values()), strict=True)]
        labels = cls.label(cast(np.ndarray, digits.labels)[drawn])
        if checksum({"ids": np.array(ids), "labels": labels, "groups": blocks}) != cls.checksum:
            raise DataError(f"{cls.name}: other samples are drawn than the package expects. Install it again.")
        arrays, lengths = digits.arrays, digits.lengths
        splits = Dataset(
            {name: cast(np.ndarray, arrays[o])[rows] for name, (o, rows) in shown.items()},
            labels,
            lengths={name: lengths[o][rows] for name, (o, rows) in shown.items() if o in lengths},
            classes=cls.classes,
            ids=ids,
            groups=blocks,
            split=cast(np.ndarray, digits.parts)[drawn[:, 0]],
            name=cls.name,
        ).split()
        provenance = {"how": "drawn inside the parts of avdigits", "checksum": cls.checksum}
        return Splits(splits.train, splits.validation, splits.test, provenance)

    @classmethod
    def _draw(cls, digits: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of `digits` that each sample shows, (N, modalities), and the block of each sample (N,)."""
        labels = cast(np.ndarray, digits.labels)
        # The bits of this generator are the same in every version of NumPy; what `Generator` makes of them need not be.
        bits = np.random.PCG64(1)
        pools = {
            "image": np.unique(cast(np.ndarray, digits.groups), return_index=True)[1],
            "audio": np.arange(len(digits)),
        }
        blocks = {origin: _deal(bits, pool, digits) for origin, pool in pools.items()}
        drawn = []
        for block in range(sum(BLOCKS)):
            members = [pools[origin][blocks[origin] == block] for origin in cls.origins]
            rows = np.stack(np.meshgrid(*members, indexing="ij"), axis=-1).reshape(-1, len(members))
            rows = rows[_shuffled(bits, len(rows))]
            if cls.balanced:
                found, each = cls.label(labels[rows]), SAMPLES // len(cls.classes)
                rows = np.concatenate([rows[found == number][:each] for number in range(len(cls.classes))])
            drawn.append(rows[:SAMPLES])
        return np.concatenate(drawn), np.repeat(np.arange(sum(BLOCKS)), SAMPLES)


def _deal(bits: np.random.PCG64, pool: np.ndarray, digits: Rows) -> np.ndarray:
    """Return the block of each row in `pool` (N,): the blocks of a part get like numbers of each digit."""
    labels, parts = cast(np.ndarray, digits.labels)[pool], cast(np.ndarray, digits.parts)[pool]
    block = np.empty(len(pool), np.int64)
    for part, count in enumerate(BLOCKS):
        rows = np.flatnonzero(parts == part)
        rows = rows[_shuffled(bits, len(rows))]
        rows = rows[np.argsort(labels[rows], kind="stable")]
        block[rows] = sum(BLOCKS[:part]) + np.arange(len(rows)) % count
    return block


def _shuffled(bits: np.random.PCG64, count: int) -> np.ndarray:
    return np.argsort(bits.random_raw(count), kind="stable")


@DATASETS.register("avdigits_sum")
class DigitSum(DigitInteraction):
    """4356 pairs of a handwritten and a spoken digit, labelled by their sum (19 classes)."""

    name = "avdigits_sum"
    title = "AV-digits, sum: the sum of a handwritten and a spoken digit, 19 classes"
    headroom = "real, and all of it in the interaction: one digit alone leaves ten sums equally likely"
    classes = tuple(str(total) for total in range(19))
    checksum = "c3a807964fe8be5a082a0ba8ebb8dde9e827ff9128cb56c42eb047710da83b89"

    @staticmethod
    def label(digits: np.ndarray) -> np.ndarray:
        """Return the sums."""
        return digits.sum(1)


@DATASETS.register("avdigits_sum3")
class DigitSumOfThree(DigitInteraction):
    """4356 triples of a handwritten, a spoken and a second handwritten digit, labelled by their sum (28 classes)."""

    name = "avdigits_sum3"
    title = "AV-digits, sum of three: two handwritten digits and a spoken one, 28 classes"
    headroom = "real, and nearly all of it between all three modalities: two of them leave ten sums equally likely"
    modalities = ("image", "audio", "second")
    origins = ("image", "audio", "image")
    classes = tuple(str(total) for total in range(28))
    checksum = "0720f7088d541509716fbc90caad940c78fb989b51e45b4052f7893163f6bcc2"

    @staticmethod
    def label(digits: np.ndarray) -> np.ndarray:
        """Return the sums."""
        return digits.sum(1)


@DATASETS.register("avdigits_compare")
class DigitComparison(DigitInteraction):
    """4356 pairs of a handwritten and a spoken digit, labelled by which one is larger (3 classes)."""

    name = "avdigits_compare"
    title = "AV-digits, compare: which of a handwritten and a spoken digit is larger, 3 classes"
    headroom = "real: one digit alone is right in 70%, both in all"
    classes = ("audio", "equal", "image")
    checksum = "31fd9f0c60c76106213efc9dc9eaf7929bebc1dba20eb7a2663f53105bc10312"

    @staticmethod
    def label(digits: np.ndarray) -> np.ndarray:
        """Return 0 where the spoken digit is larger, 1 where both are equal, 2 where the handwritten one is larger."""
        return np.sign(digits[:, 0] - digits[:, 1]) + 1


@DATASETS.register("avdigits_agree")
class DigitAgreement(DigitInteraction):
    """4356 pairs of a handwritten and a spoken digit, labelled by whether they are the same (2 classes, balanced)."""

    name = "avdigits_agree"
    title = "AV-digits, agree: whether a handwritten and a spoken digit are the same, 2 classes"
    headroom = "real, and all of it in the interaction: one digit alone says nothing"
    classes = ("different", "same")
    balanced = True
    checksum = "d64e04f585a63a071b952ae430552251d1af743283b31327c7d6ec10f63c63b0"

    @staticmethod
    def label(digits: np.ndarray) -> np.ndarray:
        """Return 1 where the digits are the same, else 0."""
        return (digits[:, 0] == digits[:, 1]).astype(np.int64)
