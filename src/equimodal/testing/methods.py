"""What every training method must satisfy, as tests that its author runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from equimodal.data.rows import concatenate
from equimodal.data.splits import Splits
from equimodal.errors import EquimodalError
from equimodal.methods.base import Method, MethodConfig
from equimodal.models.encoded import Encoded
from equimodal.models.fusions.base import FUSIONS
from equimodal.models.predict import class_probabilities
from equimodal.testing.data import make_splits
from equimodal.testing.runs import Kept, SmallRuns
from equimodal.testing.watching import (
    Witness,
)
from equimodal.training.history import read_history
from equimodal.training.run import Run, load


class _Reached(Exception):
    """Raised to stop training; it holds the weights at that moment."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.weights = weights


class MethodConformance(SmallRuns):
    """Checks of one training method, on small data of two and of three modalities, a third of them absent.

    A subclass whose name begins with `Test`, in a file of tests, is all that has to be written. The method must be
    registered: by an entry point, or by an import of its module in that file.

    Attributes:
        method: the method's name, or a recipe's.
        options: of the method. Choose them so that two epochs use every part of it.
        epochs: of the run in which it must learn something; more for a method that is slow to start.

    Example:
        >>> class TestJoint(MethodConformance):
        ...     method = "joint"
    """

    # What it is

    def test_says_what_it_is(self) -> None:
        """A docstring with its source, options that are checked, fusions that are known."""
        method = self.registered()
        text = vars(method).get("__doc__") or ""
        first = text.strip().partition("\n")[0]
        assert 0 < len(first) < 120, "The docstring must begin with one line: 'equimodal list' shows it."
        assert any(word in text for word in ("Source", "(ours)", "Ours")), (
            "The docstring must name the method's source ('Source: paper, equation'), or say that it is '(ours)'."
        )
        assert issubclass(method.Config, MethodConfig), "Config must be a subclass of equimodal's MethodConfig."
        with pytest.raises(ValidationError, match="extra_forbidden"):
            method.Config.model_validate({"no_such_option": 1})
        assert method.fusions, "fusions must name the fusions that the method can train, its own first."
        unknown = set(method.fusions) - set(FUSIONS.names())
        assert not unknown, f"There are no fusions {', '.join(sorted(unknown))}. Known: {', '.join(FUSIONS.names())}."

    # What it learns

    def test_learns(self, data: Splits, learnt: Run) -> None:
        """The training loss falls under that of the class frequencies; each modality alone beats a guess."""
        C = len(data.classes)
        chances = class_probabilities(learnt.model, data.train)[
            torch.arange(len(data.train)), torch.as_tensor(data.train.labels)
        ]
        loss = float(-chances.log().mean())
        assert loss < 0.9 * math.log(C), (
            f"After {self.epochs} epochs on easy data the training loss is {loss:.3f}; a guess has {math.log(C):.3f}."
        )
        held_out = concatenate([data.validation, data.test])
        labels = torch.as_tensor(held_out.labels)
        for name in data.modalities:
            right = class_probabilities(learnt.model, held_out, [name]).argmax(1) == labels
            accuracy = float(right[torch.from_numpy(held_out.present[name])].float().mean())
            assert accuracy > 1 / C + 0.1, (
                f"After {self.epochs} epochs on easy data '{name}' alone is right on {accuracy:.0%} of the held-out "
                f"rows that have it; a guess is on {1 / C:.0%}."
            )

    def test_predictions_do_not_depend_on_the_batch(self, data: Splits, learnt: Run) -> None:
        """They are equal to 1e-5 for batch sizes 1, 7 and 64, in any order."""
        expected = class_probabilities(learnt.model, data.test, batch_size=len(data.test))
        order = np.random.default_rng(0).permutation(len(data.test))
        for size in (1, 7, 64):
            found = class_probabilities(learnt.model, data.test.subset(order), batch_size=size)
            gap = float((found - expected[order]).abs().max())
            assert gap < 1e-5, f"In batches of {size}, in another order, probabilities differ by up to {gap:.1g}."

    # What its updates are

    def test_updates_do_not_depend_on_the_content_of_the_batch(self, seen: Witness) -> None:
        """Presence and labels change neither number nor order nor modalities of the updates."""
        for plan in seen.plans:
            expected = [modalities for modalities, _ in plan["as it is"]]
            assert expected, "A batch has no update at all."
            for what, other in plan.items():
                found = [modalities for modalities, _ in other]
                assert found == expected, (
                    f"The updates of a batch are of {_listed(expected)}; with {what}, of {_listed(found)}. Yield the "
                    "same ones always: a loss that no row counts in has the count 0, and no step is taken."
                )

    def test_losses_are_sums_with_counts(self, seen: Witness) -> None:
        """Counts are of rows; with every row twice, sums and counts double."""
        for step in seen.steps:
            for name, (_, count) in step.losses.items():
                assert count == int(count) and 0 <= count <= step.rows, (
                    f"{step.where}: the loss '{name}' counts {count:g} of {step.rows} rows."
                )
        growth: dict[str, list[tuple[float, float]]] = {}
        for plan in seen.plans:
            for (_, once), (_, doubled) in zip(plan["as it is"], plan["every row twice"], strict=True):
                for name in once.keys() & doubled.keys():
                    if all(once[name]):
                        total, count = (after / before for before, after in zip(once[name], doubled[name], strict=True))
                        growth.setdefault(name, []).append((total, count))
        for name, factors in growth.items():  # roughly, and once at least: what the method draws differs
            assert any(1.5 < count < 2.5 for _, count in factors), (
                f"The loss '{name}' does not count twice as many with every row twice. Yield (sum over rows, number of "
                "rows)."
            )
            assert not all(0.8 < total < 1.2 for total, _ in factors), (
                f"The first number of the loss '{name}' stays the same with every row twice. Yield (sum over rows, "
                "number of rows), not a mean."
            )

    # What moves

    def test_nothing_moves_outside_an_update(self, seen: Witness) -> None:
        """A modality's own parameters stay exactly as they are while others are updated (AdamW with weight decay)."""
        for step in seen.steps:
            strangers = step.moved - set(step.modalities)
            assert not strangers, (
                f"{step.where}, of {_listed([step.modalities])}: parameters of {', '.join(sorted(strangers))} moved. "
                "Change no weights yourself, and let combine leave out what is not to move: a gradient of 0 is one."
            )

    def test_an_absent_modality_takes_no_step(self, seen: Witness) -> None:
        """The encoder of a modality that no row of the batch has stays exactly as it is."""
        for step in seen.steps:
            absent = step.encoders_moved - step.present
            assert not absent, (
                f"{step.where}: the encoder of {', '.join(sorted(absent))} moved, which no row of the batch has. "
                "Let combine leave out parameters without a gradient: a gradient of 0 is one, with weight decay."
            )

    def test_a_batch_of_nothing_takes_no_step(self, pair: Splits) -> None:
        """Where nothing is present no step is taken, and no number becomes NaN, with any of the fusions."""
        for fusion in self.registered().fusions:
            own = fusion == self.registered().fusions[0]  # the method brings it, with its options
            witness = Witness([(), pair.modalities])
            try:
                run = self.train(pair, 1, fusion=None if own else fusion, watch=witness)
            except EquimodalError as error:
                pytest.fail(f"With fusion '{fusion}', training with batches of nothing fails: {error}")
            for step in witness.steps:
                assert step.present or not step.outcome.stepped, (
                    f"With fusion '{fusion}', {step.where}: a step was taken on {', '.join(step.outcome.losses)}. "
                    "Count only rows that have what the loss is about: cross_entropy(logits, labels, mask)."
                )
            wrong = [name for name, values in run.model.state_dict().items() if not bool(values.isfinite().all())]
            assert not wrong, f"With fusion '{fusion}', {', '.join(wrong)} became NaN or infinite."

    # What is frozen, and batch norms

    def test_what_is_frozen_does_not_move(self, normed: tuple[Run, dict[str, Tensor]]) -> None:
        """Neither the parameters of a frozen encoder nor its running statistics."""
        run, before = normed
        after = run.model.state_dict()
        moved = [name for name in before if "sequence" in name and not torch.equal(before[name], after[name])]
        assert not moved, (
            f"{', '.join(moved)} moved, though the encoder is frozen. Change no weights, and leave modes to the loop: "
            "'with evaluating(module)' restores those that it changes."
        )

    def test_batch_norms_are_trained(self, normed: tuple[Run, dict[str, Tensor]]) -> None:
        """Running statistics of an encoder that trains move, and everything stays finite."""
        run, before = normed
        after = run.model.state_dict()
        wrong = [name for name, values in after.items() if not bool(values.isfinite().all())]
        assert not wrong, f"{', '.join(wrong)} became NaN or infinite."
        name = "encoders.vector.layers.1.running_mean"
        assert not torch.equal(before[name], after[name]), (
            "The running statistics of an encoder's batch norm did not move, though it trains. Leave modes to the loop."
        )

    # What it may know

    def test_the_same_seed_gives_the_same_bits(self, whole: Kept, again: tuple[Run, list[str]]) -> None:
        """In any state of the global generators."""
        _assert_same_weights(
            whole.run.model.state_dict(),
            again[0].model.state_dict(),
            "Two runs with the same seed",
            "Draw from torch's global generator, which the loop seeds, in the hooks and in updates only.",
        )

    def test_random_states_of_the_caller_stay(self, again: tuple[Run, list[str]]) -> None:
        """Training does not move the global generators of Python, NumPy and torch."""
        _, moved = again
        assert not moved, f"Training moved the global generator of {', '.join(moved)}. Draw from torch's in the hooks."

    def test_test_data_are_never_seen(self, pair: Splits, whole: Kept) -> None:
        """Other test data give the same weights."""
        other = Splits(pair.train, pair.validation, make_splits(90, pair.modalities, seed=1).test)
        _assert_same_weights(
            whole.run.model.state_dict(),
            self.train(other).model.state_dict(),
            "Two runs that differ in their test data",
            "Learn from what the hooks are given.",
        )

    def test_validation_data_are_not_seen_while_training(self, pair: Splits) -> None:
        """Until they are given to `calibrate`, after the first epoch, other validation data give the same weights."""
        other = Splits(pair.train, make_splits(90, pair.modalities, seed=1).validation, pair.test)
        _assert_same_weights(
            self._weights_after_one_epoch(pair),
            self._weights_after_one_epoch(other),
            "After the first epoch, two runs that differ in their validation data",
            "Learn from the training rows that the hooks are given, from calibrate and from on_epoch_end.",
        )

    def _weights_after_one_epoch(self, data: Splits) -> dict[str, Tensor]:
        def stop(method: Method, validation: Sequence[Encoded], training: Sequence[Encoded] = ()) -> None:
            raise _Reached(method.model.state_dict())

        with pytest.MonkeyPatch.context() as patch, pytest.raises(_Reached) as reached:
            patch.setattr(self.registered(), "calibrate", stop)
            self.train(data)
        return reached.value.weights

    # Stopping and resuming

    def test_what_it_knows_is_in_buffers(self, whole: Kept, resumed: Kept) -> None:
        """A new method with the weights and the state of another does the same as that from there on."""
        for number, (expected, found) in enumerate(zip(whole.losses, resumed.losses, strict=False), start=1):
            assert found == expected, (
                f"Stopped after the batches {', '.join(map(str, resumed.stops))}, a run has the losses {found} in "
                f"batch {number}, and {expected} when it was not stopped. What a method knows beyond a batch must be "
                "in registered buffers or parameters."
            )
        assert len(resumed.losses) == len(whole.losses), (
            f"A run has {len(whole.losses)} batches, and {len(resumed.losses)} when it is stopped now and then."
        )

    def test_a_stopped_run_ends_the_same(self, whole: Kept, resumed: Kept) -> None:
        """The weights are equal bit for bit, and no line of the history is doubled or lost."""
        _assert_same_weights(
            whole.run.model.state_dict(),
            resumed.run.model.state_dict(),
            f"A run stopped after the batches {', '.join(map(str, resumed.stops))} and one that was not",
            "Keep in buffers what a method knows.",
        )
        expected, found = (read_history(kept.folder / "history.jsonl") for kept in (whole, resumed))
        for line in (*expected, *found):
            del line["seconds"], line["memory"]  # what it took is all that may differ
        assert [line["epoch"] for line in found] == list(range(1, len(expected) + 1)), "Epochs are doubled or lost."
        assert found == expected, "The history is another when the run is stopped now and then."

    def test_a_folder_gives_the_run_back(self, pair: Splits, whole: Kept) -> None:
        """Loaded, it has the same weights and predicts the same."""
        again = load(whole.folder)
        before, after = whole.run.model.state_dict(), again.model.state_dict()
        _assert_same_weights(before, after, "A run and the same loaded from its folder", "Is all of it in the model?")
        for names in (None, *([name] for name in pair.modalities)):
            assert torch.equal(
                class_probabilities(whole.run.model, pair.test, names),
                class_probabilities(again.model, pair.test, names),
            ), "Loaded from its folder, a run predicts otherwise. Change nothing of the model but its weights."


def _assert_same_weights(one: Mapping[str, Tensor], other: Mapping[str, Tensor], what: str, advice: str) -> None:
    different = [name for name, values in one.items() if not torch.equal(values, other[name])]
    assert not different, f"{what} differ in {', '.join(different)}. {advice}"


def _listed(updates: list[tuple[str, ...]]) -> str:
    """Return the modalities of updates, in words."""
    return ", then ".join("+".join(modalities) or "none" for modalities in updates) or "none"
