"""Phases that are trials or continue one another, chosen rows, and resuming in the midst of them."""

from __future__ import annotations

import math

import pytest
import torch

from equimodal.data.rows import concatenate
from equimodal.errors import Interrupted
from equimodal.methods.base import METHODS, Method, Phase, Update, cross_entropy
from equimodal.training import loop
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

SEEN: dict[str, torch.Tensor] = {}


class Staged(Method):
    """A trial before and between two stretches of one schedule; its buffer holds what the trials reached."""

    fusions = ("concat",)
    plan = (
        Phase("probe", 2, ends="last", trial=True),
        Phase("first", 1, ends="last", span=(0.0, 0.5)),
        Phase("probe again", 1, select=("vector",), trial=True),
        Phase("second", 1, span=(0.5, 1.0)),
    )

    def __init__(self, model, config, seed=0):
        super().__init__(model, config, seed)
        self.register_buffer("reached", torch.zeros(4))
        self.aside = torch.nn.Parameter(torch.ones(2))

    def next_phase(self, finished, epochs):
        return self.plan[finished] if finished < len(self.plan) else None

    def updates(self, batch):
        aside = ((self.aside**2).sum(), torch.tensor(1))
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels), "aside": aside}, batch.modalities)

    def on_phase_end(self, phase, train):
        number = self.plan.index(phase)
        self.reached[number] = sum(float(p.detach().abs().sum()) for p in self.parameters())
        SEEN[f"end of {phase.name}"] = next(self.model.parameters()).detach().clone()
        assert not self.model.training


class Chosen(Method):
    """Every epoch leaves out a third of the rows, chosen by a look at all of them, and doubles the rest."""

    fusions = ("concat",)

    def begin(self, train):
        self.register_buffer("left_out", torch.zeros(len(train), dtype=torch.bool))

    def on_epoch_start(self, train):
        self.left_out.copy_(torch.rand(len(train)) < 1 / 3)

    def training_data(self, train):
        kept = train.subset(~self.left_out.numpy())
        order = torch.randperm(len(kept)).numpy()
        return concatenate([kept, kept.subset(order).restrict(["vector"])])

    def updates(self, batch):
        yield Update({"fused": cross_entropy(self.model(batch), batch.labels)}, batch.modalities)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for name, cls in {"staged": Staged, "chosen": Chosen}.items():
        monkeypatch.setitem(METHODS._members, name, cls)
    SEEN.clear()


def test_a_trial_gives_everything_back_but_what_was_learnt(tiny, monkeypatch):
    starts = {}
    begin = loop.Trainer._train_epoch

    def spy(self, phase, updater):
        starts.setdefault(phase.name, (next(self.model.parameters()).detach().clone(), self.method.aside.clone()))
        begin(self, phase, updater)

    monkeypatch.setattr(loop.Trainer, "_train_epoch", spy)
    run = fit_tiny(tiny, "staged")
    assert torch.equal(starts["probe"][0], starts["first"][0])
    assert torch.equal(starts["probe"][1], starts["first"][1])
    assert not torch.equal(SEEN["end of probe"], starts["first"][0])  # it did train
    assert torch.equal(starts["probe again"][0], SEEN["end of first"])
    assert torch.equal(starts["second"][0], SEEN["end of first"])
    assert [line["phase"] for line in run.history] == ["probe", "probe", "first", "probe again", "second"]


def test_a_trials_epochs_are_never_the_best_and_the_choice_goes_on_over_phases(tiny, tmp_path):
    run = fit_tiny(tiny, "staged", tmp_path / "run")
    flags = {line["phase"]: line["best"] for line in run.history}
    assert not flags["probe"] and not flags["probe again"] and flags["first"]
    assert [line["trial"] for line in run.history] == [True, True, False, True, False]
    scores = [line["validation"] for line in run.history if "probe" not in line["phase"]]
    first, second = ((s["accuracy"], -s["loss"]) for s in scores)
    assert flags["second"] == (second > first)
    assert run.best_epoch == (5 if second > first else 3)
    best = scores[int(second > first)]
    assert run.validation.scores["accuracy"] == pytest.approx(best["accuracy"])
    assert not (tmp_path / "run" / "checkpoint" / "trial.safetensors").exists()


def test_a_phase_goes_through_its_part_of_the_schedule(tiny, monkeypatch):
    rates = []
    plain = loop.Trainer.train_batch

    def spy(self, batch, updater, rate):
        rates.append((self.method.next_phase(self.cursor.phase, 2).name, rate))
        plain(self, batch, updater, rate)

    monkeypatch.setattr(loop.Trainer, "train_batch", spy)
    fit_tiny(tiny, "staged", learning_rate=0.1)
    main = [rate for name, rate in rates if name in ("first", "second")]
    assert main == pytest.approx([0.05 * (1 + math.cos(math.pi * i / 4)) for i in range(4)])


def test_rows_are_chosen_anew_each_epoch(tiny, monkeypatch):
    sizes = []
    plain = Method.on_epoch_trained

    def spy(self):
        sizes.append(len(self.training_data(tiny.train)))
        plain(self)

    monkeypatch.setattr(Chosen, "on_epoch_trained", spy)
    fit_tiny(tiny, "chosen", epochs=4)
    assert len(set(sizes)) > 1 and all(size % 2 == 0 for size in sizes)


@pytest.mark.parametrize("method", ["staged", "chosen"])
@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_going_on_from_anywhere_gives_the_same_bits(tiny, tmp_path, method, stop):
    fit_tiny(tiny, method, tmp_path / "whole", epochs=4)
    with at_batch(stop, press_ctrl_c):
        try:
            fit_tiny(tiny, method, tmp_path / "stopped", epochs=4)
        except Interrupted:
            fit_tiny(tiny, method, tmp_path / "stopped", epochs=4, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
