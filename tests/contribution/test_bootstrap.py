import torch

from equimodal.contribution import bootstrap as module
from equimodal.contribution.bootstrap import bootstrap_weights, group_numbers, multinomial_counts


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_counts_have_multinomial_moments():
    counts = multinomial_counts(20_000, 8, generator())
    assert (counts.sum(-1) == 8).all()
    assert counts.mean(0).sub(1).abs().max() < 0.04
    expected = torch.eye(8) - 1 / 8  # n p (1 - p) on the diagonal, -n p p off it, p = 1/8, n = 8
    assert (torch.cov(counts.T) - expected).abs().max() < 0.06


def test_the_first_row_is_the_sample_itself_and_the_seed_repeats_the_rest():
    first = torch.cat([*bootstrap_weights(30, 10, generator(1))])
    assert first.shape == (11, 30) and (first[0] == 1).all() and not (first[1:] == 1).all(-1).any()
    assert torch.equal(first, torch.cat([*bootstrap_weights(30, 10, generator(1))]))
    assert not torch.equal(first, torch.cat([*bootstrap_weights(30, 10, generator(2))]))
    assert [part.shape for part in bootstrap_weights(30, 0, generator())] == [(1, 30)]


def test_large_data_come_in_parts(monkeypatch):
    monkeypatch.setattr(module, "_ENTRIES_AT_ONCE", 90)
    parts = [*bootstrap_weights(30, 10, generator())]
    assert [len(part) for part in parts] == [3, 3, 3, 2]
    assert [bool((part == 1).all(-1).any()) for part in parts] == [True, False, False, False]


def test_groups_stay_together():
    groups = group_numbers(["b", "a", "b", "c", "a", "b"], 6)
    weights = torch.cat([*bootstrap_weights(6, 50, generator(), groups)])
    assert torch.equal(weights[:, 0], weights[:, 2]) and torch.equal(weights[:, 0], weights[:, 5])
    assert torch.equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3]].sum(-1) == 3).all()
