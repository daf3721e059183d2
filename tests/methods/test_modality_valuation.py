"""Modality valuation: Shapley values of every training row, and the extra rows that follow from them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.errors import Interrupted
from equimodal.methods import modality_valuation
from equimodal.methods.modality_valuation import ModalityValuation, modality_rates, sample_copies
from synthetic import linear_batch, linear_model, make_dataset, make_model, make_splits
from training.runs import assert_same_run, at_batch, fit_tiny, press_ctrl_c

from .plain import Plain, anything, assert_same, encode, make_method, mean_loss, run_updates, twin

NAMES = ("vector", "sequence", "image")
DATA = make_dataset(60, nothing=0.1)
TINY = make_splits(80)


def valuation(data=DATA, **options):
    method = make_method("modality_valuation", make_model(TINY, fusion="concat"), **{"warmup": 0, **options})
    method.begin(data)
    method.model.eval()
    return method


def start_epoch(method, data=DATA, epoch=0, seed=0):
    method.epoch, method.epochs = epoch, 10
    torch.manual_seed(seed)
    with torch.no_grad():
        method.on_epoch_start(data)


@torch.no_grad()
def values_by_orders(model, data):
    """The mean, over all orders of entering, of what a modality adds, one coalition at a time."""
    batch = data.batch(slice(None))
    here = {m: torch.from_numpy(data.present[m]) for m in NAMES}

    def v(coalition):
        size = sum(here[m].long() for m in coalition) if coalition else torch.zeros(len(data), dtype=torch.int64)
        return size * (model(batch.restrict(coalition)).argmax(1) == batch.labels)

    phi = torch.zeros(len(data), 3)
    for order in itertools.permutations(range(3)):
        for place, i in enumerate(order):
            before = [NAMES[j] for j in order[:place]]
            phi[:, i] += (v([*before, NAMES[i]]) - v(before)) / math.factorial(3)
    return phi


def test_the_value_of_a_row_is_that_of_all_orders_of_entering():
    method = valuation()
    start_epoch(method)
    expected = values_by_orders(method.model, DATA)
    assert torch.allclose(method.contributions, expected, atol=1e-6)
    assert len(expected.unique()) > 4  # rows do differ


def test_values_add_up_to_the_modalities_present_if_the_model_is_right():
    method = valuation()
    start_epoch(method)
    batch = DATA.batch(slice(None))
    with torch.no_grad():
        right = method.model(batch).argmax(1) == batch.labels
    count = torch.stack(list(batch.present.values())).sum(0)
    assert torch.allclose(method.contributions.sum(1), (count * right).float(), atol=1e-5)
    absent = ~torch.stack([batch.present[m] for m in NAMES], dim=1)
    assert absent.any() and (method.contributions[absent] == 0).all() and (method.copies[absent] == 0).all()


@pytest.mark.parametrize(
    ("first", "second", "both", "phi"),
    [(1, 1, 1, (1.0, 1.0)), (1, 0, 1, (1.5, 0.5)), (0, 0, 1, (1.0, 1.0)), (1, 1, 0, (0, 0)), (1, 0, 0, (0.5, -0.5))],
)
def test_two_modalities_by_hand(monkeypatch, first, second, both, phi):
    """phi_1 = (v(1) - 0 + v(12) - v(2)) / 2, with v(12) = 2 or 0."""
    data = make_dataset(3, modalities=("vector", "sequence"), absent=0.0)
    method = make_method("modality_valuation", make_model(make_splits(40, modalities=("vector", "sequence"))))
    right = torch.tensor([1, first, second, both])  # the order of the plan: none, 1, 2, 12

    def coalitions(encodings, present, rows):
        labels = torch.from_numpy(data.labels)
        said = torch.where(right.bool().unsqueeze(1), labels, (labels + 1) % 3)
        return torch.nn.functional.one_hot(said, 3).float()

    monkeypatch.setattr(method.model, "coalitions", coalitions)
    assert torch.allclose(method.value(data), torch.tensor([phi] * 3).float())


@settings(max_examples=50, deadline=None)
@given(low=st.floats(-2, 3), high=st.floats(-2, 3), rate=st.floats(0.1, 3))
def test_copies_grow_as_the_contribution_falls_and_end_at_one(low, high, rate):
    low, high = sorted((low, high))
    copies = sample_copies(torch.tensor([low, high]), rate)
    assert copies[0] >= copies[1] >= 0
    assert copies[0] == max(0, math.ceil(np.float32(rate * (1 - np.float32(low))) - np.float32(1e-6)))
    assert sample_copies(torch.tensor([1.0]), rate) == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 3), min_size=2, max_size=5), st.floats(0.1, 5))
def test_rates_grow_with_the_lag_behind_the_others(mean, rate):
    rates = modality_rates(torch.tensor(mean, dtype=torch.float64), rate)
    share = np.array(mean) / sum(mean)
    lag = np.array([np.mean(np.delete(share, i)) - share[i] for i in range(len(share))])
    assert np.allclose(rates, np.tanh(rate * np.maximum(lag, 0)), atol=1e-6)
    assert rates[int(np.argmax(mean))] <= 1e-6


def test_without_positive_contributions_there_are_no_shares_and_no_copies():
    assert modality_rates(torch.tensor([0.5, -0.5]), 1.0).tolist() == [0, 0]


def test_the_extra_rows_show_one_modality_of_the_samples_that_need_it():
    method = valuation(rate=2.0)
    start_epoch(method)
    rows = method.training_data(DATA)
    assert len(rows) == len(DATA) + int(method.copies.sum()) > len(DATA)
    start = len(DATA)
    for i, m in enumerate(NAMES):
        expected = np.repeat(np.arange(len(DATA)), method.copies[:, i].numpy())
        part = rows.subset(np.arange(start, start + len(expected)))
        assert np.array_equal(part.ids, DATA.ids[expected]) and np.array_equal(part.labels, DATA.labels[expected])
        assert part.present[m].all() and not any(part.present[other].any() for other in NAMES if other != m)
        assert torch.equal(part.batch(slice(None)).inputs[m], DATA.batch(expected).inputs[m])
        start += len(expected)
    whole = rows.subset(np.arange(len(DATA)))
    assert all(np.array_equal(whole.present[m], DATA.present[m]) for m in NAMES)
    columns = [rows.column("image").source, DATA.column("image")]
    assert columns[0] is columns[1]  # not copied


def test_before_the_warmup_is_over_the_rows_are_the_training_rows():
    method = valuation(warmup=2)
    start_epoch(method, epoch=1)
    assert len(method.training_data(DATA)) == len(DATA)
    start_epoch(method, epoch=2)
    assert len(method.training_data(DATA)) > len(DATA)


def test_by_modality_a_share_of_the_samples_is_drawn(monkeypatch):
    data = make_dataset(3000)
    method = valuation(data, level="modality", rate=1.5)
    phi = torch.tensor([1.4, 0.3, 0.1])
    present = torch.from_numpy(np.stack([data.present[m] for m in NAMES], axis=1))
    monkeypatch.setattr(ModalityValuation, "value", lambda self, data: phi * present)
    start_epoch(method, data)
    share = (phi / phi.sum()).numpy()
    lag = (1 - 3 * share) / 2
    expected = np.tanh(1.5 * np.maximum(lag, 0))
    assert expected[0] == 0 and method.copies.max() == 1
    frequency = method.copies.sum(0).numpy() / present.sum(0).numpy()
    assert frequency == pytest.approx(expected, abs=0.05) and frequency[0] == 0
    assert not (method.copies.bool() & ~present).any()


def test_values_are_of_all_rows_and_stay_through_the_epoch(monkeypatch):
    """Not of the last batch only, and not reset by the next."""
    method = valuation()
    monkeypatch.setattr(modality_valuation, "ROWS_AT_A_TIME", 7)
    start_epoch(method)
    by_sevens = method.contributions.clone()
    monkeypatch.undo()
    start_epoch(method)
    assert torch.equal(method.contributions, by_sevens)
    assert (by_sevens[:7] != 0).any() and (by_sevens[-7:] != 0).any()
    method.model.train()
    before = [method.contributions.clone(), method.copies.clone()]
    run_updates(method, DATA.batches(20))
    assert torch.equal(method.contributions, before[0]) and torch.equal(method.copies, before[1])


def test_each_batch_is_a_plain_step_on_the_fused_loss():
    names = ("a", "b", "c")
    method = make_method("modality_valuation", linear_model(names, fusion="sum"))
    model, _ = twin(method)
    plain = Plain(model)
    data = [linear_batch(names, samples=12) for _ in range(3)]
    run_updates(method, data)
    for batch in data:
        n = torch.stack(list(batch.present.values())).sum(0).clamp(min=1)
        z = sum(encode(model, batch, m) for m in names) * (3 / n).unsqueeze(1)
        plain.step(mean_loss(model.fusion.head(z), batch, anything(batch)))
    assert_same(method.model, model)


@pytest.mark.parametrize("level", ["sample", "modality"])
@pytest.mark.parametrize("stop", [2, 4])
def test_going_on_from_anywhere_gives_the_same_bits(tmp_path, level, stop):
    method = f"modality_valuation:level={level},warmup=1,rate=3"
    fit_tiny(TINY, method, tmp_path / "whole")
    with at_batch(stop, press_ctrl_c):
        try:
            fit_tiny(TINY, method, tmp_path / "stopped")
        except Interrupted:
            fit_tiny(TINY, method, tmp_path / "stopped", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
