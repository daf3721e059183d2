"""The small runs that the checks of a training method share."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from equimodal.config.method import parse_method
from equimodal.data.splits import Splits
from equimodal.errors import EquimodalError, Interrupted
from equimodal.methods.base import METHODS, Method
from equimodal.testing.data import NormedEncoder, make_model, make_splits
from equimodal.testing.watching import Diary, Watch, Witness, global_seeds, global_states, watched
from equimodal.training.fit import fit
from equimodal.training.run import Run

MODALITIES = ("vector", "sequence", "image")
BATCH_SIZE = 18
EPOCHS = 2
"""Of all runs but the one that must learn something."""


@dataclass(frozen=True)
class Kept:
    """A run that was kept in a folder, and the losses of every batch that it trained on."""

    run: Run
    folder: Path
    losses: list[list[dict[str, float]]]
    stops: tuple[int, ...] = ()


class SmallRuns:
    """Runs of one method on small data of two and of three modalities, a third of them absent.

    Attributes:
        method: the method's name, or a recipe's.
        options: of the method.
        epochs: of the run in which it must learn something.
    """

    method: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    epochs: ClassVar[int] = 6

    @classmethod
    def registered(cls) -> type[Method]:
        """Return the method's class."""
        return METHODS.get(parse_method({"name": cls.method}).name)

    @classmethod
    def train(
        cls,
        data: Splits,
        epochs: int = EPOCHS,
        *,
        fusion: str | None = None,
        model: Any = None,
        watch: Watch | None = None,
        **options: Any,
    ) -> Run:
        """Train a model: a small new one, always from the same weights, where none is given."""
        model = model or make_model(data, fusion=fusion, encoders={"vector": {"dropout": 0.1}})
        with nullcontext() if watch is None else watched(cls.registered(), watch):
            return fit(
                model,
                data,
                {"name": cls.method, **cls.options},
                epochs=epochs,
                batch_size=BATCH_SIZE,
                learning_rate=0.02,
                weight_decay=0.1,
                measure={"bootstrap": 10},
                reference=False,
                quiet=True,
                **options,
            )

    @pytest.fixture(scope="class", params=[2, 3], ids=["two modalities", "three modalities"])
    @classmethod
    def data(cls, request: pytest.FixtureRequest) -> Splits:
        """Vector and sequence, then also an image; three batches of training rows."""
        return make_splits(90, MODALITIES[: request.param], clarity=2)

    @pytest.fixture(scope="class")
    @classmethod
    def pair(cls) -> Splits:
        """The data of two modalities."""
        return make_splits(90, MODALITIES[:2], clarity=2)

    @pytest.fixture(scope="class")
    @classmethod
    def learnt(cls, data: Splits) -> Run:
        """A run that is long enough to learn something."""
        return cls.train(data, cls.epochs)

    @pytest.fixture(scope="class")
    @classmethod
    def seen(cls, data: Splits) -> Witness:
        """Every step of a run in which modalities are absent from whole batches."""
        witness = Witness([(), *((name,) for name in data.modalities)])
        cls.train(data, watch=witness)
        return witness

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, pair: Splits, tmp_path_factory: pytest.TempPathFactory) -> Kept:
        """A run that nothing stopped."""
        folder, diary = tmp_path_factory.mktemp("conformance") / "whole", Diary()
        with global_seeds(1):
            run = cls.train(pair, watch=diary, out=folder)
        return Kept(run, folder, diary.batches)

    @pytest.fixture(scope="class")
    @classmethod
    def again(cls, pair: Splits) -> tuple[Run, list[str]]:
        """The same run from another state of the global generators, and the names of those that it moved."""
        with global_seeds(3):
            before = global_states()
            run = cls.train(pair)
            after = global_states()
        return run, [name for name, state in after.items() if state != before[name]]

    @pytest.fixture(scope="class")
    @classmethod
    def resumed(cls, pair: Splits, whole: Kept) -> Kept:
        """The same run, stopped by Ctrl-C at several moments, and resumed each time by a new method."""
        folder, losses, stops = whole.folder.with_name("stopped"), [], []
        total = len(whole.losses)
        for stop in (*sorted({1, total // 2, total - 1}), None):
            diary = Diary(None if stop is None else stop - len(losses))
            try:
                with global_seeds(2):
                    run = cls.train(pair, watch=diary, out=folder, resume=bool(stops))
            except Interrupted:
                losses += diary.batches
                stops.append(len(losses))
            except EquimodalError as error:
                pytest.fail(
                    f"Stopped after batch {len(losses)} of {total}, the run cannot be resumed: {error} Are all buffers "
                    "registered when begin() returns?"
                )
            else:
                return Kept(run, folder, losses + diary.batches, tuple(stops))
        raise AssertionError("Ctrl-C was sent in the last part too")

    @pytest.fixture(scope="class")
    @classmethod
    def normed(cls, pair: Splits) -> tuple[Run, dict[str, Tensor]]:
        """A run with batch norms, of which the sequence's are frozen, and all tensors from before it."""
        rows = np.arange(2 * BATCH_SIZE + 1)  # the last batch has one row
        data = Splits(pair.train.subset(rows), pair.validation, pair.test)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            encoders = {"vector": NormedEncoder(5), "sequence": NormedEncoder(3).requires_grad_(False)}
        model = make_model(data, encoders=encoders)
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        try:
            return cls.train(data, model=model), before
        except Exception as error:  # noqa: BLE001 - the method's own code, which may raise anything
            pytest.fail(
                "With a frozen encoder, batch norms and a last batch of one row, training fails: "
                f"{type(error).__name__}: {error} Encode by self.model.encode or encode_one, and expect no gradient "
                "of a frozen parameter."
            )
