"""The loop: resuming, stopping, failing, selecting; nothing of it may change what is learnt."""

import math
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from equimodal.config.run import build_config
from equimodal.errors import ConfigError, Interrupted, RunError
from equimodal.methods.base import Method, MethodConfig, Phase, Update, cross_entropy
from equimodal.models.predict import class_probabilities
from equimodal.training.history import History
from equimodal.training.loop import Trainer
from equimodal.training.optimise import Updater
from equimodal.training.progress import Quiet
from synthetic import make_model
from training.runs import (
    BATCHES,
    EPOCHS,
    METHOD_OF_EACH_KIND,
    assert_same_run,
    assert_same_weights,
    at_batch,
    fit_tiny,
    largest_file,
    lines_of,
    press_ctrl_c,
    temporaries,
)


class Recorder(Method):
    """Late fusion by one loss, which notes the rows it was given and can go wrong at one batch."""

    fusions = ("late",)

    def __init__(self, model, wrong_at=None, wrong=math.nan):
        super().__init__(model, MethodConfig())
        self.rows, self.wrong_at, self.wrong = [], wrong_at, wrong

    def updates(self, batch):
        self.rows.append(batch.ids.tolist())
        total, count = cross_entropy(self.model(batch), batch.labels)
        if len(self.rows) == self.wrong_at:
            total = total * self.wrong
        yield Update({"fused": (total, count)}, batch.modalities)


def trainer_of(tiny, folder=None, method: Callable[..., Method] = Recorder, **training):
    config = build_config(
        {"method": "joint", "training": {"epochs": 2, "batch_size": 20, **training}, "measure": {"bootstrap": 0}}
    )
    model = make_model(tiny, width=6, fusion="late")
    data = SimpleNamespace(train=model.prepare(tiny.train), validation=model.prepare(tiny.validation))  # no test
    return Trainer(method(model), data, config, folder, Quiet())  # pyright: ignore[reportArgumentType]


# Going on after a stop


@pytest.mark.parametrize("method", METHOD_OF_EACH_KIND)
def test_a_run_stopped_after_every_batch_is_the_uninterrupted_run(tiny, tmp_path, method):
    fit_tiny(tiny, method, tmp_path / "whole")
    stops = 0
    while True:
        try:
            with at_batch(1, press_ctrl_c):
                fit_tiny(tiny, method, tmp_path / "stopped", resume=stops > 0)
            break
        except Interrupted as stop:
            assert "--resume" in str(stop)
            stops += 1
    passes = {"joint": 1, "paper": 1}.get(method, 2)
    assert stops == passes * EPOCHS * BATCHES
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("method", ["joint", "unimodal_ensemble", "equilibrium", "paper"])
def test_a_run_that_breaks_off_at_any_batch_goes_on_from_its_last_epoch(tiny, tmp_path, method):
    def break_off():
        raise RuntimeError("power cut")

    fit_tiny(tiny, method, tmp_path / "whole")
    batches = BATCHES * EPOCHS * (2 if method == "unimodal_ensemble" else 1)
    for number in range(1, batches + 1):
        folder = tmp_path / f"broken{number}"
        with at_batch(number, break_off), pytest.raises(RuntimeError, match="power cut"):
            fit_tiny(tiny, method, folder)
        epochs = [line["epoch"] for line in lines_of(folder)] if (folder / "history.jsonl").exists() else []
        assert epochs == list(range(1, (number - 1) // BATCHES + 1))
        fit_tiny(tiny, method, folder, resume=True)
        assert_same_run(tmp_path / "whole", folder)


def test_a_run_that_breaks_off_after_new_weights_and_before_its_checkpoint(tiny, tmp_path, monkeypatch):
    fit_tiny(tiny, "unimodal_ensemble", tmp_path / "whole")
    plain = History.append
    for epoch in range(1, 2 * EPOCHS + 1):  # the first of the second phase writes over the first phase's best weights
        folder = tmp_path / f"broken{epoch}"

        def append(self, line, epoch=epoch):
            if line["epoch"] == epoch:
                raise RuntimeError("power cut")
            plain(self, line)

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
            patch.setattr(History, "append", append)
            fit_tiny(tiny, "unimodal_ensemble", folder)
        fit_tiny(tiny, "unimodal_ensemble", folder, resume=True)
        assert_same_run(tmp_path / "whole", folder)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_optimiser_and_learning_rate_go_on_where_they_were(tiny, tmp_path, optimiser):
    options = {"optimiser": optimiser, "warmup": 0.3, "schedule": "linear", "clip_norm": 0.1}
    fit_tiny(tiny, "joint", tmp_path / "whole", **options)
    with at_batch(BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "stopped", **options)
    fit_tiny(tiny, "joint", tmp_path / "stopped", resume=True, **options)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_run_outside_a_folder_is_the_run_in_a_folder(tiny, tmp_path):
    within = fit_tiny(tiny, "unimodal_ensemble", tmp_path / "run", epochs=4)
    without = fit_tiny(tiny, "unimodal_ensemble", epochs=4)
    assert_same_weights(within.model.state_dict(), without.model.state_dict())
    assert within.test == without.test


def test_the_result_hangs_on_the_seed_and_not_on_the_global_generator(tiny):
    runs = []
    for state, seed in ((1, 0), (2, 0), (1, 1)):
        torch.manual_seed(state)
        model = make_model(tiny, width=6)
        torch.manual_seed(state)
        runs.append(fit_tiny(tiny, "equilibrium", model=model, seed=seed).model.state_dict())
    assert_same_weights(runs[0], runs[1])
    assert not all(torch.equal(runs[0][name], runs[2][name]) for name in runs[0])


# Stopping


def test_ctrl_c_is_left_to_python_where_there_is_no_folder(tiny):
    with at_batch(2, press_ctrl_c), pytest.raises(KeyboardInterrupt):
        fit_tiny(tiny, "joint")


def test_a_second_ctrl_c_stops_at_once(tiny, tmp_path):
    def press_twice():
        press_ctrl_c()
        press_ctrl_c()

    with at_batch(1, press_twice), pytest.raises(KeyboardInterrupt):
        fit_tiny(tiny, "joint", tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_sigterm_stops_like_ctrl_c(tiny, tmp_path):
    with (
        at_batch(1, lambda: signal.raise_signal(signal.SIGTERM)),
        pytest.raises(Interrupted, match="after 0 whole epochs"),
    ):
        fit_tiny(tiny, "joint", tmp_path / "run")


def test_handlers_of_signals_are_put_back(tiny, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with at_batch(1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "run")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_run_in_a_thread_of_its_own(tiny):
    found = []
    thread = threading.Thread(target=lambda: found.append(fit_tiny(tiny, "joint")))
    thread.start()
    thread.join()
    assert len(found[0].history) == EPOCHS


# What is trained on, and how fast


def test_each_epoch_sees_each_row_once_in_a_new_order(tiny):
    trainer = trainer_of(tiny)
    trainer.run()
    rows = cast(Recorder, trainer.method).rows
    batches = math.ceil(len(tiny.train) / 20)
    assert [len(batch) for batch in rows] == 2 * ([20] * (batches - 1) + [len(tiny.train) - 20 * (batches - 1)])
    first, second = ([row for batch in part for row in batch] for part in (rows[:batches], rows[batches:]))
    assert sorted(first) == sorted(second) == list(range(len(tiny.train)))
    assert first != second


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_learning_rate_of_every_update(tiny, monkeypatch, schedule):
    rates = []
    plain = Updater.apply

    def apply(self, update):
        rates.append({group["lr"] for group in self.optimiser.param_groups})
        return plain(self, update)

    monkeypatch.setattr(Updater, "apply", apply)
    fit_tiny(tiny, "joint", epochs=4, learning_rate=0.01, schedule=schedule, warmup=0.25)
    steps = 4 * BATCHES
    warm = steps // 4
    after = np.arange(steps - warm) / (steps - warm)
    shape = {"constant": np.ones_like(after), "linear": 1 - after, "cosine": (1 + np.cos(np.pi * after)) / 2}
    expected = 0.01 * np.concatenate([np.arange(1, warm + 1) / warm, shape[schedule]])
    assert all(len(rate) == 1 for rate in rates)
    assert [rate.pop() for rate in rates] == pytest.approx(expected)


@pytest.mark.parametrize(("method", "losses"), [("equilibrium", {"residual"}), ("alternating", {"fused"})])
def test_history_counts_the_steps_of_each_modalitys_encoder(tiny, tmp_path, method, losses):
    """The step that trains the memory alone is none of an encoder."""
    fit_tiny(tiny, method, tmp_path / "run")
    for line in lines_of(tmp_path / "run"):
        assert line["updates"] == {"vector": BATCHES, "sequence": BATCHES}
        assert set(line["train"]) - losses == {"vector", "sequence"}
    assert [line["epoch"] for line in lines_of(tmp_path / "run")] == [1, 2]
    assert Counter(line["phase"] for line in lines_of(tmp_path / "run")) == {"train": 2}


def test_brain_float_runs_and_learns_finite_numbers(tiny):
    run = fit_tiny(tiny, "paper", precision="bf16-mixed", epochs=3)
    assert all(math.isfinite(value) for line in run.history for value in line["train"].values())
    assert all(parameter.dtype == torch.float32 for parameter in run.model.parameters())
    assert torch.isfinite(class_probabilities(run.model, tiny.test)).all()


def test_an_accelerator_that_is_not_here(tiny):
    with pytest.raises(ConfigError, match=r"training\.accelerator 'abacus'"):
        fit_tiny(tiny, "joint", accelerator="abacus")


# Selection


def test_the_best_epoch_is_kept(tiny, tmp_path):
    # A rate this high makes late epochs worse than early ones, now and then.
    run = fit_tiny(tiny, "joint", tmp_path / "run", epochs=6, learning_rate=0.1, schedule="constant")
    ranks = [(line["validation"]["accuracy"], -line["validation"]["loss"]) for line in run.history]
    assert run.best_epoch == 1 + ranks.index(max(ranks)) < 6, "choose a seed at which the last epoch is not the best"
    right = class_probabilities(run.model, tiny.validation).argmax(-1).numpy() == tiny.validation.labels
    assert right.mean() == pytest.approx(ranks[run.best_epoch - 1][0])
    assert run.validation.scores["loss"] == pytest.approx(-ranks[run.best_epoch - 1][1], abs=1e-6)


def test_patience_ends_a_run_that_no_longer_improves_and_ties_go_to_the_earlier_epoch(tiny):
    still = {"learning_rate": 1e-30, "weight_decay": 0.0, "epochs": 9, "patience": 2}
    run = fit_tiny(tiny, "alternating", **still)
    assert len({line["validation"]["loss"] for line in run.history}) == 1
    assert [line["best"] for line in run.history] == [True, False, False]
    phases = [line["phase"] for line in fit_tiny(tiny, "unimodal_ensemble", **still).history]
    assert phases == ["vector"] * 3 + ["sequence"] * 3


def test_the_first_step_of_a_warm_up_moves_the_weights(tiny):
    before = {k: v.clone() for k, v in make_model(tiny, width=6).state_dict().items()}
    moved = []

    def look():
        moved.append(True)
        raise KeyboardInterrupt

    model = make_model(tiny, width=6)
    with at_batch(1, look), pytest.raises(KeyboardInterrupt):
        fit_tiny(tiny, "joint", model=model, warmup=0.5, epochs=4, weight_decay=0.0)
    assert moved and any(not torch.equal(before[k], v) for k, v in model.state_dict().items() if k in before)


def test_patience_ends_trials_too(tiny):
    """Nothing is learnt, so that the training ends after its second epoch; no trial is made after that."""
    still = {"learning_rate": 1e-30, "weight_decay": 0.0, "epochs": 20, "patience": 1}
    late = make_model(tiny, width=6, fusion="late")  # no running means, which would move the scores
    lines = fit_tiny(tiny, "g_blending:super_epoch=1", model=late, **still).history
    trials = 3  # each modality and the fusion
    assert [line["trial"] for line in lines] == ([True] * trials + [False]) * 2
    late = make_model(tiny, width=6, fusion="late")
    assert len(fit_tiny(tiny, "umt", model=late, **still).history) == 2 * len(tiny.modalities) + 2


def test_patience_survives_a_stop(tiny, tmp_path):
    still = {"learning_rate": 1e-30, "weight_decay": 0.0, "epochs": 9, "patience": 2}
    fit_tiny(tiny, "alternating", tmp_path / "whole", **still)
    with at_batch(2 * BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "alternating", tmp_path / "stopped", **still)
    fit_tiny(tiny, "alternating", tmp_path / "stopped", resume=True, **still)
    assert len(lines_of(tmp_path / "stopped")) == 3
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_each_phase_of_the_ensemble_keeps_the_best_epoch_of_its_own_modality(tiny):
    run = fit_tiny(tiny, "unimodal_ensemble", epochs=5, learning_rate=0.05, schedule="constant")
    for name in tiny.modalities:
        alone = [line["validation"]["unimodal"][name] for line in run.history if line["phase"] == name]
        best = max(alone, key=lambda scores: (scores["accuracy"], -scores["loss"]))
        assert run.validation.unimodal[name]["loss"] == pytest.approx(best["loss"], abs=1e-6)


def test_the_probe_is_the_validation_part_or_a_draw_of_it(tiny):
    assert [line["validation"]["samples"] for line in fit_tiny(tiny, "joint", epochs=1).history] == [
        len(tiny.validation)
    ]
    run = fit_tiny(tiny, "joint", measure={"probe": 10, "bootstrap": 0})
    assert [line["validation"]["samples"] for line in run.history] == [10, 10]
    assert run.validation.samples == len(tiny.validation)


def test_a_method_may_have_several_phases_each_with_a_fresh_optimiser(tiny):
    known = []

    class Two(Recorder):
        def next_phase(self, finished, epochs):
            return Phase(f"part{finished}", epochs) if finished < 2 else None

        def updates(self, batch):
            known.append(len(cast(Updater, trainer.updater).optimiser.state))
            yield from super().updates(batch)

    trainer = trainer_of(tiny, method=Two)
    trainer.run()
    assert [line["phase"] for line in trainer.history.lines] == ["part0"] * 2 + ["part1"] * 2
    assert [line["epoch"] for line in trainer.history.lines] == [1, 2, 3, 4]
    assert [i for i, states in enumerate(known) if states == 0] == [0, len(known) // 2]


# What goes wrong


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_epoch_and_batch(tiny, tmp_path, wrong):
    batches = math.ceil(len(tiny.train) / 20)
    trainer = trainer_of(tiny, tmp_path, method=lambda model: Recorder(model, batches + 2, wrong))
    with pytest.raises(RunError, match=rf"Epoch 2, batch 2: the loss 'fused' became {wrong}\. .*learning_rate"):
        trainer.run()
    again = trainer_of(tiny, tmp_path)
    again.resume()
    again.run()
    whole = trainer_of(tiny, tmp_path / "whole")
    whole.run()
    assert_same_weights(again.model.state_dict(), whole.model.state_dict())


def test_weights_that_are_not_finite_at_the_end_of_an_epoch_are_told_in_one_message(tiny, tmp_path):
    class Overflow(Recorder):  # a finite loss whose gradient is not
        def updates(self, batch):
            for update in super().updates(batch):
                total, count = update.losses["fused"]
                yield replace(update, losses={"fused": (total + 0 * (total - total.detach()).sqrt(), count)})

    trainer = trainer_of(tiny, tmp_path, method=Overflow, batch_size=100)
    with pytest.raises(RunError, match="Epoch 1"):
        trainer.run()
    assert not (tmp_path / "model.safetensors").exists()
    assert not (tmp_path / "history.jsonl").exists()


def test_a_checkpoint_of_another_configuration(tiny, tmp_path):
    trainer_of(tiny, tmp_path).run()
    with pytest.raises(RunError, match="another configuration"):
        trainer_of(tiny, tmp_path, epochs=3).resume()


@pytest.mark.parametrize("damage", ["cut", "garbled", "empty", "not ours"])
def test_a_damaged_checkpoint(tiny, tmp_path, damage):
    with at_batch(BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "run")
    path = tmp_path / "run" / "checkpoint" / "state.safetensors"
    whole = path.read_bytes()
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    path.write_bytes({"cut": whole[:-100], "garbled": b"x" * 200, "empty": b"", "not ours": model}[damage])
    with pytest.raises(RunError, match=r"state\.safetensors: .*(damaged|not a checkpoint)"):
        fit_tiny(tiny, "joint", tmp_path / "run", resume=True)


def test_a_history_that_was_cut(tiny, tmp_path):
    with at_batch(BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "run")
    (tmp_path / "run" / "history.jsonl").write_text("")
    with pytest.raises(RunError, match="the history was cut or replaced"):
        fit_tiny(tiny, "joint", tmp_path / "run", resume=True)


def test_a_checkpoint_of_another_model(tiny, tmp_path):
    def own(hidden):
        encoder = nn.Sequential(nn.Linear(5, hidden), nn.ReLU(), nn.Linear(hidden, 6))
        return make_model(tiny, width=6, encoders={"vector": encoder})

    with at_batch(BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", tmp_path / "run", model=own(12))
    with pytest.raises(RunError, match="Give the same model") as raised:
        fit_tiny(tiny, "joint", tmp_path / "run", resume=True, model=own(13))
    assert "\n" not in str(raised.value)


def test_a_disk_that_fills_leaves_the_last_checkpoint_whole(tiny, tmp_path):
    fit_tiny(tiny, "joint", tmp_path / "whole", epochs=4)
    folder = tmp_path / "full"
    with at_batch(2 * BATCHES + 1, press_ctrl_c), pytest.raises(Interrupted):
        fit_tiny(tiny, "joint", folder, epochs=4)
    checkpoint, history = folder / "checkpoint" / "state.safetensors", folder / "history.jsonl"
    before, lines = checkpoint.read_bytes(), history.read_bytes()
    for room in (len(lines) + 10, len(before) // 2):
        with (
            largest_file(room),
            pytest.raises(RunError, match=r"could not be written .* with --resume"),
        ):
            fit_tiny(tiny, "joint", folder, epochs=4, resume=True)
        assert checkpoint.read_bytes() == before
        assert history.read_bytes().startswith(lines)
        assert temporaries(folder) == []
    fit_tiny(tiny, "joint", folder, epochs=4, resume=True)
    assert_same_run(tmp_path / "whole", folder)


def test_orders_of_neighbouring_epochs_are_recorded_as_trained(tiny, tmp_path):
    fit_tiny(tiny, "equilibrium:hysteresis=0", tmp_path / "run", epochs=5, learning_rate=0.02)
    lines = lines_of(tmp_path / "run")
    assert lines[0]["order"] == list(tiny.modalities)
    for line, after in pairwise(lines):
        shares = line["validation"]["contribution"]["shares"]
        expected = line["order"] if shares is None else sorted(shares, key=lambda m: (shares[m], m))
        assert after["order"] == expected
