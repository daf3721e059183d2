"""The training loop: it owns everything but the updates, which the method yields."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import torch

from equimodal.batch import Batch, uploaded
from equimodal.config.run import RunConfig
from equimodal.data.dataset import Dataset
from equimodal.data.splits import Splits
from equimodal.errors import NOT_FINITE, Diverged, Interrupted, RunError
from equimodal.methods.base import EpochResult, Method, Phase
from equimodal.models.absence.imputer import ROWS
from equimodal.models.encoded import encode_all
from equimodal.modes import evaluating
from equimodal.progress import Reporter
from equimodal.seeds import derive_seed, permutation, seeded, some_rows
from equimodal.training import checkpoint
from equimodal.training.compiled import CompiledEncoders
from equimodal.training.device import make_fabric
from equimodal.training.encodings import EncodingsKeeper
from equimodal.training.groups import parameter_groups
from equimodal.training.history import History
from equimodal.training.losses import Tally, UnreadLosses
from equimodal.training.measure import Measurement, measure
from equimodal.training.memory import PeakMemory
from equimodal.training.optimise import Updater, learning_rate, make_optimiser
from equimodal.training.progress import summary
from equimodal.training.selection import Selection
from equimodal.training.weights import Weights


@dataclass
class Cursor:
    """The position of a run: everything random follows from it and the seed.

    Args:
        phase: finished phases.
        epoch: finished epochs of this phase.
        total: finished epochs of all phases.
        visit: finished passes over the data in this epoch.
        batch: finished batches of this pass.
    """

    phase: int = 0
    epoch: int = 0
    total: int = 0
    visit: int = 0
    batch: int = 0


class Trainer:
    """Train a model by a method, keep the best epoch by validation, and be able to resume after any stop.

    Args:
        method: yields the updates; its model is trained in place, and holds the best weights at the end.
        data: splits in the form that the encoders take; test is not touched.
        config: the run's configuration.
        folder: where history, weights and checkpoints go; None keeps the run in memory.
        reporter: shows every epoch.
    """

    def __init__(
        self, method: Method, data: Splits, config: RunConfig, folder: Path | None, reporter: Reporter
    ) -> None:
        self.method, self.model, self.data, self.config = method, method.model, data, config
        self.folder, self.reporter = folder, reporter
        training = config.training
        self.fabric = make_fabric(training)
        self.model.to(self.fabric.device)
        self.method.to(self.fabric.device)
        self.history = History(folder / "history.jsonl" if folder else None)
        self.memory = PeakMemory(self.fabric.device)
        self.cursor = Cursor()
        self.tally = Tally()
        self.unread = UnreadLosses()
        self.selection = Selection(training.select)
        self.outer: Selection | None = None  # the run's selection, while a trial has its own
        self.weights = Weights(method, folder)
        self.compiled = CompiledEncoders(self.model, wanted=training.compile)
        method.begin(data.train)
        self.probe = self._drawn(data.validation, config.measure.probe, "probe")
        self.imputed_from = self._drawn(data.train, ROWS, "imputation") if self.model.fusion.fits_on_training else None
        self.kept = EncodingsKeeper(config.measure.encodings, self.probe, config.seed, folder)
        self.updater: Updater | None = None
        self._stop = False

    def _drawn(self, data: Dataset, most: int | None, purpose: str) -> Dataset:
        """Return `most` rows, the same ones in each epoch; None: all."""
        if most is None or len(data) <= most:
            return data
        return data.subset(some_rows(len(data), most, self.config.seed, purpose).numpy())

    def run(self) -> None:
        """Train to the end, from the position of the cursor.

        Raises:
            Interrupted: Ctrl-C; a checkpoint was written.
            Diverged: a loss or a weight is not finite.
            RunError: the disk cannot be written.
        """
        self.memory.start()
        try:
            with self._stoppable():
                if self.cursor == Cursor() and 0 in self.kept.epochs:
                    with self.fabric.autocast():
                        self.kept.keep(0, self.model, encode_all(self.model, self.probe))
                while (phase := self._phase()) is not None:
                    self._run_phase(phase)
        finally:
            self.reporter.finish()

    def _phase(self) -> Phase | None:
        return self.method.next_phase(self.cursor.phase, self.config.training.epochs)

    def _run_phase(self, phase: Phase) -> None:
        training = self.config.training
        what = self.config.method.label if phase.name == "train" else f"{self.config.method.label} {phase.name}"
        self.reporter.start(what, phase.epochs, self.cursor.epoch)
        updater = self.updater or self.make_updater()
        if phase.trial and not self.weights.in_trial:
            self.weights.begin_trial()
            self.outer, self.selection = self.selection, Selection(training.select)
        while self.cursor.epoch < phase.epochs:
            if self._out_of_patience():
                break
            self._train_epoch(phase, updater)
            self._end_epoch(phase)
        if phase.ends == "best":
            self.weights.restore_best()
        with torch.no_grad(), evaluating(self.model), self._seeded("phase end", self.cursor.phase):
            self.method.on_phase_end(phase, self.data.train)
        if phase.trial:
            self.weights.end_trial()
            self.selection, self.outer = self.outer or Selection(training.select), None
        elif phase.ends == "best":
            self.selection = Selection(training.select)
        self.cursor = Cursor(phase=self.cursor.phase + 1, total=self.cursor.total)
        self.updater = None  # each phase begins with a fresh optimiser
        self._save_checkpoint()  # before the next phase can overwrite this one's best weights

    def _out_of_patience(self) -> bool:
        """Return whether the phase is to end; so is a trial, once the training that it is for has ended."""
        since = max(selection.since for selection in (self.selection, self.outer) if selection is not None)
        return self.config.training.patience is not None and since >= self.config.training.patience

    def make_updater(self) -> Updater:
        """Return a new optimiser, and what takes steps with it."""
        optimiser = make_optimiser(parameter_groups(self.method, self.config.training), self.config.training)
        self.updater = Updater(self.fabric, self.method, optimiser, self.config.training.clip_norm)
        return self.updater

    def _train_epoch(self, phase: Phase, updater: Updater) -> None:
        batch_size = self.config.training.batch_size
        started = time.perf_counter()
        train = self.rows_of_epoch(phase)
        self.model.train()
        self.method.train()
        passes = self.method.passes()
        count = math.ceil(len(train) / batch_size)
        start, stop = phase.span
        step = (stop - start) / (phase.epochs * len(passes) * count)
        while self.cursor.visit < len(passes):
            self.method.visiting = passes[self.cursor.visit]
            where = (self.cursor.phase, self.cursor.epoch, self.cursor.visit)
            order = permutation(len(train), self.config.seed, "order", *where).numpy()
            left = order[self.cursor.batch * batch_size :]
            batches = train.batches(batch_size, left, workers=self.config.training.loader_workers)
            for batch in uploaded(batches, self.model.device):
                through = (self.cursor.visit + self.cursor.batch / count) / len(passes)
                progress = start + (stop - start) * (self.cursor.epoch + through) / phase.epochs
                rate = learning_rate(self.config.training, progress, step)
                self.train_batch(batch, updater, rate)
                self.cursor.batch += 1
                if self._stop:
                    self.tally.seconds += time.perf_counter() - started
                    self._interrupt()
            self.cursor.visit, self.cursor.batch = self.cursor.visit + 1, 0
        self.read_losses()  # before anything is made of the epoch
        with self._seeded("epoch trained", self.cursor.total):
            self.method.on_epoch_trained()
        self.tally.seconds += time.perf_counter() - started

    def rows_of_epoch(self, phase: Phase) -> Dataset:
        """Let the method look at the training part, unless the epoch was begun already, and choose its rows."""
        cursor = self.cursor
        self.method.epoch, self.method.epochs = cursor.epoch, phase.epochs
        with evaluating(self.model):
            if cursor.visit == cursor.batch == 0:
                with self._seeded("epoch", cursor.total), torch.no_grad(), self.fabric.autocast():
                    self.method.on_epoch_start(self.data.train)
            with self._seeded("rows", cursor.total):
                return self.method.training_data(self.data.train)

    def train_batch(self, batch: Batch, updater: Updater, rate: float) -> None:
        """Take the steps of the method's updates of one batch, which is where the model is."""
        cursor = self.cursor
        for group in updater.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        where = ("batch", cursor.phase, cursor.epoch, cursor.visit, cursor.batch)
        try:
            with self._seeded(*where), self.compiled.running():
                for outcome in updater.train_batch(batch):
                    self.unread.add(cursor.batch + 1, outcome.losses)
                    self.tally.add_update(outcome.moved)
        except Exception as error:
            self.read_losses()  # a loss that is not finite may be the cause
            if isinstance(error, RunError):
                raise type(error)(f"Epoch {cursor.total + 1}, batch {cursor.batch + 1}: {error}") from error
            raise
        if self.unread.batch_ends():
            self.read_losses()

    def read_losses(self) -> None:
        """Add the losses that are still on the device to the epoch's.

        Raises:
            Diverged: one of them is not finite.
        """
        try:
            self.tally.add_losses(self.unread.read())
        except Diverged as error:
            raise Diverged(f"Epoch {self.cursor.total + 1}, {error}") from error

    def _end_epoch(self, phase: Phase) -> None:
        started = time.perf_counter()
        finite = [parameter.isfinite().all() for parameter in self._parameters().values()]
        if finite and not bool(torch.stack(finite).all()):
            raise Diverged(f"Epoch {self.cursor.total + 1}: some weights became infinite or NaN. {NOT_FINITE}")
        try:
            measurement = self.measure_validation()
        except Diverged as error:
            raise Diverged(f"Epoch {self.cursor.total + 1}: {error}") from error
        order = self.method.order
        with evaluating(self.method), self._seeded("epoch end", self.cursor.total):
            self.method.on_epoch_end(EpochResult(self.cursor.total, measurement.contribution))
        best = self.selection.consider(self.cursor.total + 1, measurement, phase)
        if best:
            self.weights.keep_best()
        self.cursor = Cursor(self.cursor.phase, self.cursor.epoch + 1, self.cursor.total + 1)
        line = {
            "epoch": self.cursor.total,
            "phase": phase.name,
            "order": None if order is None else list(order),
            "train": self.tally.means(),
            "updates": self.tally.updates,
            "validation": measurement.to_dict(),
            "trial": phase.trial,
            "best": best and not phase.trial,
            "seconds": {"train": self.tally.seconds, "probe": time.perf_counter() - started},
            "memory": self.memory.mib(),
        }
        self.tally = Tally()
        self.history.append(line)
        self._save_checkpoint()
        self.reporter.step(summary(line))
        if self._stop:
            self._interrupt()

    def measure_validation(self) -> Measurement:
        """Let the method fit what it chooses on the validation probe, and measure the model there; keep encodings."""
        with self.fabric.autocast(), torch.no_grad(), evaluating(self.model):
            workers = self.config.training.loader_workers
            encoded = list(encode_all(self.model, self.probe, workers=workers))  # read by both
            training = []
            if self.imputed_from is not None:
                training = list(encode_all(self.model, self.imputed_from, workers=workers))
            with self._seeded("calibrate", self.cursor.total):
                self.method.calibrate(encoded, training)
            if not self.weights.in_trial:
                trained = sum(not line["trial"] for line in self.history.lines)
                self.kept.keep(trained + 1, self.model, encoded)
            return measure(
                self.model,
                encoded,
                self.config.measure,
                split="validation",
                seed=derive_seed(self.config.seed, "probe", self.cursor.total),
            )

    def _seeded(self, *purpose: str | int) -> AbstractContextManager[None]:
        return seeded(self.config.seed, *purpose, device=self.fabric.device)

    # Stopping and resuming

    @property
    def _checkpoint_path(self) -> Path | None:
        return self.folder / "checkpoint" / "state.safetensors" if self.folder else None

    def _parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return the trainable parameters by name."""
        named = {f"model/{name}": parameter for name, parameter in self.model.named_parameters()}
        named |= {f"method/{name}": parameter for name, parameter in self.method.named_parameters()}
        return {name: parameter for name, parameter in named.items() if parameter.requires_grad}

    def _save_checkpoint(self) -> None:
        if self._checkpoint_path is None:
            return
        names = {id(parameter): name for name, parameter in self._parameters().items()}
        tensors = checkpoint.with_prefix("model", self.model.trained_state()) | checkpoint.with_prefix(
            "method", self.method.state_dict()
        )
        tensors |= checkpoint.with_prefix("before", self.weights.state_dict())
        if self.updater is not None:
            state = checkpoint.optimiser_tensors(self.updater.optimiser, names)
            tensors |= checkpoint.with_prefix("optimiser", state)
        metadata = {
            "config": self.config.hash(),
            "cursor": asdict(self.cursor),
            "tally": asdict(self.tally),
            "selection": self.selection.to_dict(),
            "outer": None if self.outer is None else self.outer.to_dict(),
            "history": self.history.offset,
        }
        checkpoint.save_tensors(self._checkpoint_path, tensors, metadata)

    def resume(self) -> None:
        """Continue the run from its last checkpoint; without one, from the beginning.

        Raises:
            RunError: the checkpoint is damaged, or of another configuration.
        """
        path = self._checkpoint_path
        if path is None or not path.exists():
            self.history.resume(0)
            return
        tensors, metadata = checkpoint.load_tensors(path)
        if "cursor" not in metadata:
            raise RunError(f"{path}: is not a checkpoint, though equimodal wrote it. Start again in another folder.")
        if metadata["config"] != self.config.hash():
            raise RunError(f"{path}: belongs to a run with another configuration. Choose another folder.")
        try:
            self.model.load_state(checkpoint.under_prefix("model", tensors))
            self.method.load_state_dict(checkpoint.under_prefix("method", tensors))
        except RuntimeError as error:
            raise RunError(
                f"{path}: its weights are not those of this model: one of your encoders is another one, or another "
                "version of equimodal wrote it. Give the same model, or choose another folder."
            ) from error
        if state := checkpoint.under_prefix("optimiser", tensors):
            checkpoint.load_optimiser_tensors(self.make_updater().optimiser, state, self._parameters())
        self.cursor = Cursor(**metadata["cursor"])
        self.tally = Tally(**metadata["tally"])
        self.selection.restore(metadata["selection"])
        self.weights.load_state_dict(checkpoint.under_prefix("before", tensors))
        if metadata["outer"] is not None:
            self.outer = Selection(self.config.training.select)
            self.outer.restore(metadata["outer"])
        self.history.resume(metadata["history"])

    def _interrupt(self) -> None:
        self.read_losses()
        if self.folder is None:
            raise KeyboardInterrupt
        self._save_checkpoint()
        raise Interrupted(
            f"Interrupted after {self.cursor.total} whole epochs. Everything is kept in {self.folder}; "
            "the same command with --resume continues."
        )

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Let the first Ctrl-C (or SIGTERM) stop after the current batch, and a second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            if self._stop:
                raise KeyboardInterrupt
            self._stop = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
