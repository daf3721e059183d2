from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from equimodal.contribution.coalitions import all_coalitions
from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS, MeanEncoding
from synthetic import make_fusion, random_presence

from .naive import table

KINDS = [
    ("late", {"heads": "own", "average": "logits"}),
    ("late", {"heads": "shared", "average": "logits"}),
    ("late", {"heads": "own", "average": "probabilities"}),
    ("concat", {}),
    ("concat", {"absent": "zeros"}),
    ("sum", {}),
    ("gated", {}),
    ("gated", {"absent": "zeros"}),
    ("memory", {}),
    ("memory", {"feature_level": False, "sample_level": False, "heads": "own"}),
    ("memory", {"memory": False}),
]


def made(name, options, n, samples=9):
    """A fusion whose every parameter and buffer is at random, encodings and presence."""
    names = [f"m{i}" for i in range(n)]
    fusion = make_fusion(name, names, 6, 3, options)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=0.7)
        for key, buffer in fusion.named_buffers():
            if buffer.is_floating_point():
                buffer.normal_()
            elif key.endswith("seen"):
                buffer.fill_(True)
    if name == "memory":
        fusion.order = random.sample(names, n)
    present = random_presence(names, samples)
    encodings = {m: torch.randn(samples, 6) * present[m].unsqueeze(-1) for m in names}
    return fusion.eval(), encodings, present


def test_every_fusion_is_here():
    assert {name for name, _ in KINDS} == set(FUSIONS.names())


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize(("name", "options"), KINDS)
@torch.no_grad()
def test_every_coalition_is_what_a_plain_loop_over_samples_gives(name, options, n):
    fusion, encodings, present = made(name, options, n)
    coalitions = all_coalitions(n)[torch.randperm(2**n)]
    coalitions = torch.cat([coalitions, coalitions[:2]])  # in any order, with repeats
    expected = table(name, fusion, encodings, present, coalitions)
    something = ~np.isnan(expected)
    got = fusion.coalitions(encodings, present, coalitions).double().numpy()
    assert got.shape == expected.shape and something.any()
    assert np.allclose(got[something], expected[something], atol=1e-5)
    for k, members in enumerate(coalitions.tolist()):  # and forward on restricted presence is the same
        here = {m: present[m] & inside for m, inside in zip(fusion.modalities, members, strict=True)}
        rows = something[k, :, 0]
        forward = fusion(encodings, here).double().numpy()
        assert np.allclose(forward[rows], expected[k][rows], atol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@torch.no_grad()
def test_the_cell_runs_once_for_each_distinct_prefix(n):
    fusion, encodings, present = made("memory", {}, n)
    rows = []
    fusion.memory.cell.register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
    coalitions = torch.cat([all_coalitions(n), torch.eye(n).bool(), torch.ones(1, n).bool()])
    fusion.coalitions(encodings, present, coalitions)
    order = [int(i) for i in fusion.order_index]
    prefixes = {
        tuple(i for i in order[: position + 1] if members[i])
        for members in coalitions.tolist()
        for position in range(n)
        if members[order[position]]
    }
    assert sum(rows) == 9 * len(prefixes) == 9 * (2**n - 1)
    assert len(rows) == n  # one call a modality
    rows.clear()
    few = torch.zeros(3, n, dtype=torch.bool)
    few[1:, order[-1]] = True  # the last modality alone, twice, and nothing
    fusion.coalitions(encodings, present, few)
    assert rows == [9]


def test_mean_encoding_follows_the_training_rows_that_are_present():
    stand_in = MeanEncoding(["a", "b"], 3)
    means: list[Any] = [None, None]
    present = {}
    for _ in range(5):
        present = random_presence(["a", "b"], 8, 0.5)
        encodings = {name: torch.randn(8, 3) for name in "ab"}
        for i, name in enumerate("ab"):
            if present[name].any():
                mean = encodings[name][present[name]].numpy().mean(0)
                means[i] = mean if means[i] is None else 0.9 * means[i] + 0.1 * mean
        filled = stand_in(encodings, present)
        assert torch.equal(filled[0][present["a"]], encodings["a"][present["a"]])
        assert np.allclose(filled[0][~present["a"]].numpy(), means[0], atol=1e-6)
    assert np.allclose(stand_in.mean.numpy(), np.stack(means), atol=1e-6)
    before = stand_in.mean.clone()
    stand_in.eval()({name: torch.randn(8, 3) for name in "ab"}, present)
    assert torch.equal(stand_in.mean, before)  # evaluation learns nothing
    stand_in.train()({name: torch.randn(8, 3) for name in "ab"}, {name: torch.zeros(8) > 0 for name in "ab"})
    assert torch.equal(stand_in.mean, before)  # nor do rows that are absent


@pytest.mark.parametrize("name", ["late", "memory"])
def test_own_heads_are_owned_and_a_shared_head_is_not(name):
    own = make_fusion(name, ["a", "b"], 4, 3, {"heads": "own"})
    assert own.heads["a"] in own.own_parts("a") and own.heads["a"] not in own.own_parts("b")
    shared = make_fusion(name, ["a", "b"], 4, 3, {"heads": "shared"})
    assert shared.heads["shared"] not in shared.own_parts("a")


def test_probabilities_far_apart_stay_finite():
    fusion = make_fusion("late", ["a", "b"], 1, 2, {"average": "probabilities"})
    with torch.no_grad():
        for head in fusion.heads.values():
            head.weight.copy_(torch.tensor([[500.0], [-500.0]]))
    here = torch.ones(1, dtype=torch.bool)
    logits = fusion({"a": torch.ones(1, 1), "b": torch.ones(1, 1)}, {"a": here, "b": here})
    assert torch.isfinite(logits).all() and logits[0, 0] > logits[0, 1]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("concta", {}, "Unknown fusion 'concta'. Did you mean 'concat'?"),
        ("concat", {"absen": "zeros"}, "model.fusion_options: fusion 'concat' has no option 'absen'. Did you mean"),
        ("concat", {"absent": "no"}, "expected 'mean' or 'zeros', got 'no'"),
        ("gated", {"absent": "no"}, "expected 'mean' or 'zeros', got 'no'"),
        ("late", {"heads": "x", "average": "y"}, "2 problems"),
        ("memory", {"heads": "x"}, "expected 'own' or 'shared'"),
        ("memory", {"dropout": 3}, "fusion 'memory' cannot be made"),
        ("memory", {"tau": "x"}, "tau"),
        ("memory", {"tau": 0.0}, "tau"),
    ],
)
def test_mistakes_are_named(name, options, message):
    with pytest.raises(ConfigError) as caught:
        make_fusion(name, ["a", "b"], 4, 3, options)
    assert message in str(caught.value)
