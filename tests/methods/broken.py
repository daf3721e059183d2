"""Methods that each break one rule, by the check that must catch them and words of its message."""

from __future__ import annotations

import math
import random
import sys

import torch

from equimodal.methods.alternating import Alternating
from equimodal.methods.base import Method, Phase, Update, cross_entropy
from equimodal.methods.joint import Joint

CASES: list[tuple[type[Method], str, str]] = []


def caught_by(check, words):
    """Return a decorator that files a method under the check that must catch it."""

    def decorate(method):
        CASES.append((method, check, words))
        return method

    return decorate


def scaled(updates, factor):
    """Yield a method's updates with the losses multiplied."""
    outcome = None
    while True:
        try:
            update = updates.send(outcome)
        except StopIteration:
            return
        losses = {name: (factor * total, count) for name, (total, count) in update.losses.items()}
        outcome = yield Update(losses, update.modalities, update.combine)


@caught_by("says_what_it_is", "must begin with one line")
class Nameless(Joint):
    pass


@caught_by("says_what_it_is", "must name the method's source")
class Unsourced(Joint):
    """Joint training by another name."""


@caught_by("says_what_it_is", "no fusions blend")
class Unfusable(Joint):
    """Joint training with a fusion of its own (ours)."""

    fusions = ("concat", "blend")


@caught_by("learns", "'sequence' alone is right on")
class OneSided(Joint):
    def updates(self, batch):
        yield from super().updates(batch.restrict(["vector"]))


@caught_by("learns", "the training loss is")
class Backwards(Joint):
    def updates(self, batch):
        yield from scaled(super().updates(batch), -0.01)


@caught_by("predictions_do_not_depend_on_the_batch", "probabilities differ by up to")
class Centred(Joint):
    def __init__(self, model, config, seed=0):
        super().__init__(model, config, seed)
        model.fusion.register_forward_hook(lambda module, arguments, logits: logits - logits.mean(0))


@caught_by("updates_do_not_depend_on_the_content_of_the_batch", "with nothing present, of none")
class OnlyWhereNeeded(Alternating):
    def updates(self, batch):
        for name in self.order:
            if batch.present[name].any():
                logits = self.fusion.head(name)(self.model.encode_one(batch, name))
                yield Update({name: cross_entropy(logits, batch.labels, batch.present[name])}, (name,))


@caught_by("updates_do_not_depend_on_the_content_of_the_batch", "with one label, of vector+sequence, then vector+")
class TwiceWhereEasy(Joint):
    def updates(self, batch):
        yield from super().updates(batch)
        if len(batch.labels.unique()) == 1:
            yield from super().updates(batch)


@caught_by("losses_are_sums_with_counts", "not a mean")
class Means(Joint):
    def updates(self, batch):
        yield from scaled(super().updates(batch), 1 / len(batch))


@caught_by("losses_are_sums_with_counts", "counts 36 of 18 rows")
class CountsModalities(Alternating):
    def updates(self, batch):
        for update in super().updates(batch):
            losses = {name: (total, torch.tensor(2 * len(batch))) for name, (total, _) in update.losses.items()}
            yield Update(losses, update.modalities)


@caught_by("losses_are_sums_with_counts", "does not count twice as many with every row twice")
class Sums(Joint):
    def updates(self, batch):
        for update in super().updates(batch):
            losses = {name: (total, torch.tensor(1)) for name, (total, _) in update.losses.items()}
            yield Update(losses, update.modalities)


@caught_by("nothing_moves_outside_an_update", "parameters of sequence moved")
class MovesByZero(Alternating):
    def updates(self, batch):
        everything = [*self.model.parameters()]

        def combine(gradients):
            (found,) = gradients.values()
            return {parameter: found.get(parameter, torch.zeros_like(parameter)) for parameter in everything}

        for update in super().updates(batch):
            yield Update(update.losses, update.modalities, combine)


@caught_by("nothing_moves_outside_an_update", "parameters of sequence, vector moved")
class MovesByHand(Joint):
    def updates(self, batch):
        yield from super().updates(batch)
        with torch.no_grad():
            for parameter in self.model.encoders.parameters():
                parameter.mul_(1.001)


@caught_by("an_absent_modality_takes_no_step", "the encoder of vector moved, which no row")
class PullsTheAbsent(Joint):
    def updates(self, batch):
        def combine(gradients):
            (found,) = gradients.values()
            return {
                parameter: found.get(parameter, torch.zeros_like(parameter)) for parameter in self.model.parameters()
            }

        for update in super().updates(batch):
            yield Update(update.losses, update.modalities, combine)


@caught_by("a_batch_of_nothing_takes_no_step", "a step was taken on fused")
class CountsNothing(Joint):
    def updates(self, batch):
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels)}, batch.modalities)


@caught_by("a_batch_of_nothing_takes_no_step", "the loss 'fused' became nan")
class DividesByNothing(Joint):
    def updates(self, batch):
        for update in super().updates(batch):
            total, count = update.losses["fused"]
            yield Update({"fused": (total / count, torch.tensor(1))}, update.modalities)


@caught_by("what_is_frozen_does_not_move", "encoders.sequence.layers.1.running_mean, encoders.sequence.layers.1.runn")
class SwitchesModes(Joint):
    def updates(self, batch):
        self.model.encoders.eval()
        self.model(batch)
        self.model.encoders.train()  # frozen ones too
        yield from super().updates(batch)


@caught_by("what_is_frozen_does_not_move", "encoders.sequence.layers.0.weight")
class Decays(Joint):
    def on_epoch_trained(self):
        with torch.no_grad():
            for parameter in self.model.encoders.parameters():
                parameter.mul_(0.99)


@caught_by("what_is_frozen_does_not_move", "a last batch of one row, training fails: ValueError")
class CallsEncoders(Joint):
    def updates(self, batch):
        encodings = {}
        for name, encoder in self.model.encoders.items():
            lengths = batch.lengths.get(name)
            encodings[name] = encoder(batch.inputs[name]) if lengths is None else encoder(batch.inputs[name], lengths)
        logits = self.model.fuse(encodings, batch.present)
        yield Update({"fused": cross_entropy(logits, batch.labels, batch.anything)}, batch.modalities)


@caught_by("batch_norms_are_trained", "did not move, though it trains")
class KeepsModes(Joint):
    def updates(self, batch):
        self.model.encoders.eval()
        yield from super().updates(batch)


@caught_by("the_same_seed_gives_the_same_bits", "Two runs with the same seed differ in encoders")
class DrawsAnywhere(Joint):
    def updates(self, batch):
        yield from scaled(super().updates(batch), random.random())


@caught_by("random_states_of_the_caller_stay", "moved the global generator of random.")
class DrawsInVain(Joint):
    def on_epoch_start(self, train):
        random.random()


@caught_by("the_same_seed_gives_the_same_bits", "Two runs with the same seed differ in encoders")
class CountsForAll(Joint):
    seen = [0]

    def updates(self, batch):
        self.seen[0] += 1
        yield from scaled(super().updates(batch), 1 / self.seen[0])


@caught_by("test_data_are_never_seen", "differ in their test data differ in encoders")
class PeeksAtTest(Joint):
    part = "test"

    def begin(self, train):
        trainer = sys._getframe(1).f_locals["self"]
        self.peeked = float(getattr(trainer.data, self.part).arrays["vector"].sum())

    def updates(self, batch):
        yield from scaled(super().updates(batch), 1 + abs(math.sin(self.peeked)))


@caught_by("validation_data_are_not_seen_while_training", "differ in their validation data differ in encoders")
class PeeksAtValidation(PeeksAtTest):
    part = "validation"


@caught_by("what_it_knows_is_in_buffers", "must be in registered buffers")
class Attribute(Joint):
    def __init__(self, model, config, seed=0):
        super().__init__(model, config, seed)
        self.seen = 0

    def updates(self, batch):
        self.seen += 1
        yield from scaled(super().updates(batch), 1 / self.seen)


@caught_by("what_it_knows_is_in_buffers", "the run cannot be resumed")
class LateBuffer(Joint):
    def on_epoch_start(self, train):
        self.register_buffer("seen", torch.ones(1))


@caught_by("a_stopped_run_ends_the_same", "differ in encoders")
class SwapsAtTheEnd(Joint):
    def next_phase(self, finished, epochs):
        return Phase("train", epochs, ends="last") if finished == 0 else None

    def on_epoch_start(self, train):
        self.began = True  # not so for a method that is made in the midst of the last epoch

    def on_phase_end(self, phase, train):
        with torch.no_grad():
            for parameter in self.model.encoders.parameters():
                parameter.mul_(1.0 if hasattr(self, "began") else 2.0)


@caught_by("a_folder_gives_the_run_back", "Loaded from its folder, a run predicts otherwise")
class Hooked(Joint):
    def __init__(self, model, config, seed=0):
        super().__init__(model, config, seed)

        def double(module, arguments, logits):
            return 2 * logits

        model.fusion.register_forward_hook(double)
