from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.contribution.coalitions import all_coalitions
from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS
from equimodal.models.fusions.pool import certainty_weights
from equimodal.testing.data import make_model, make_splits
from equimodal.training.fit import fit
from synthetic import make_fusion, random_presence

from .naive import table

KINDS = [
    ("late", {"heads": "own", "average": "logits"}),
    ("late", {"heads": "shared", "average": "logits"}),
    ("late", {"heads": "own", "average": "probabilities"}),
    ("late", {"heads": "shared", "pool": "entropy"}),
    ("late", {"heads": "own", "average": "probabilities", "pool": "entropy"}),
    ("late", {"heads": "shared", "pool": "fitted"}),
    ("late", {"heads": "own", "average": "probabilities", "pool": "fitted"}),
    ("concat", {}),
    ("concat", {"absent": "zeros"}),
    ("concat", {"absent": "learned"}),
    ("concat", {"absent": "knn", "neighbours": 3}),
    ("concat", {"absent": "iterative"}),
    ("concat", {"absent": "mapped"}),
    ("gated", {"absent": "knn"}),
    ("mlp", {"absent": "iterative"}),
    ("cosine", {"scale": 3.0}),
    ("sum", {}),
    ("gated", {}),
    ("gated", {"absent": "zeros"}),
    ("quality", {}),
    ("quality", {"combine": "sum"}),
    ("evidential", {}),
    ("mlp", {"hidden": 7}),
    ("mlp", {"absent": "zeros", "dropout": 0.5}),
    ("bilinear", {}),
    ("bilinear", {"rank": 1, "hidden": 5}),
    ("film", {}),
    ("memory", {}),
    ("memory", {"feature_level": False, "sample_level": False, "heads": "own"}),
    ("memory", {"memory": False}),
    ("memory", {"pool": "fitted", "hidden": 5}),
    ("refined", {}),
    ("refined", {"feature_level": False, "sample_level": False, "heads": "own"}),
    ("refined", {"memory": False}),
]


def made(name, options, n, samples=9):
    """A fusion whose every parameter and buffer is at random, encodings and presence."""
    names = [f"m{i}" for i in range(n)]
    fusion = make_fusion(name, names, 6, 3, options)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=0.7)
        for key, buffer in fusion.named_buffers():
            if key.startswith("pool."):
                buffer.uniform_(0.2, 2)  # weights and temperatures are positive
            elif buffer.is_floating_point():
                buffer.normal_()
            elif key.endswith("seen"):
                buffer.fill_(True)
        if fusion.fits_on_training:
            fitted_on = random_presence(names, 30)
            fusion.fit({m: torch.randn(30, 6) for m in names}, fitted_on)
    if name in ("memory", "refined"):
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
    rounding = 1e-6 * max(10, np.abs(expected[something]).max())  # products of five numbers grow large
    assert np.allclose(got[something], expected[something], atol=rounding)
    for k, members in enumerate(coalitions.tolist()):  # and forward on restricted presence is the same
        here = {m: present[m] & inside for m, inside in zip(fusion.modalities, members, strict=True)}
        rows = something[k, :, 0]
        forward = fusion(encodings, here).double().numpy()
        assert np.allclose(forward[rows], expected[k][rows], atol=rounding)


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize(("name", "options"), KINDS)
@torch.no_grad()
def test_a_sample_is_answered_by_itself_whatever_comes_with_it(name, options, size):
    fusion, encodings, present = made(name, options, 3, samples=64)
    whole = fusion(encodings, present)
    something = torch.stack(list(present.values())).any(0)
    rounding = 1e-6 * max(10, float(whole[something].abs().max()))
    for rows in torch.randperm(64).split(size):
        part = fusion({m: z[rows] for m, z in encodings.items()}, {m: here[rows] for m, here in present.items()})
        assert torch.allclose(part[something[rows]], whole[rows][something[rows]], atol=rounding)


@pytest.mark.parametrize("name", ["memory", "refined"])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
@torch.no_grad()
def test_the_cell_runs_once_for_each_distinct_prefix(n, name):
    fusion, encodings, present = made(name, {}, n)
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


def test_a_learned_stand_in_is_moved_by_rows_that_lack_the_modality_alone():
    fusion = make_fusion("concat", ["a", "b"], 3, 2, {"absent": "learned"})
    encodings = {name: torch.randn(8, 3) for name in "ab"}
    present = {"a": torch.arange(8) % 2 == 0, "b": torch.ones(8, dtype=torch.bool)}
    logits = fusion(encodings, present)
    zeros = fusion(
        {**encodings, "a": encodings["a"] * present["a"].unsqueeze(1)}, {"a": present["b"], "b": present["b"]}
    )
    assert torch.equal(logits, zeros)  # before training it is 0
    logits.sum().backward()
    expected = 4 * fusion.head.weight[:, :3].sum(0)  # four rows lack "a"
    assert torch.allclose(fusion.substitute.learned.grad[0], expected)
    assert fusion.substitute.learned.grad[1].abs().max() == 0


@pytest.mark.parametrize("fusion", ["quality", "evidential"])
def test_fusions_of_own_decisions_learn(fusion):
    data = make_splits(240, ["vector", "sequence"], clarity=2)
    model = make_model(data, fusion=fusion)
    fit(model, data, "joint", epochs=6, learning_rate=0.02, measure={"bootstrap": 10}, reference=False, quiet=True)
    batch = model.prepare(data.test).batch(np.arange(len(data.test)))
    with torch.no_grad():
        right = (model.eval()(batch).argmax(1) == batch.labels).float().mean()
    assert right > 2 / len(data.classes)  # of three classes, about equally frequent


@pytest.mark.parametrize("name", ["late", "memory", "refined"])
def test_own_heads_are_owned_and_a_shared_head_is_not(name):
    own = make_fusion(name, ["a", "b"], 4, 3, {"heads": "own"})
    assert own.heads["a"] in own.own_parts("a") and own.heads["a"] not in own.own_parts("b")
    shared = make_fusion(name, ["a", "b"], 4, 3, {"heads": "shared"})
    assert shared.heads["shared"] not in shared.own_parts("a")


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_the_weight_of_a_certain_modality_is_that_of_its_entropy(average):
    """Two modalities over two classes, one with nothing to say: entropies log 2 and h, weights (1/2, e^-h)."""
    fusion = make_fusion("late", ["a", "b"], 1, 2, {"average": average, "pool": "entropy"})
    with torch.no_grad():
        for head in fusion.heads.values():
            head.weight.copy_(torch.tensor([[1.0], [0.0]]))
            head.bias.zero_()
    here = torch.ones(1, dtype=torch.bool)
    got = fusion({"a": torch.zeros(1, 1), "b": torch.full((1, 1), np.log(3.0))}, {"a": here, "b": here})
    h = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    b = np.exp(-h) / (0.5 + np.exp(-h))
    expected = [b * np.log(3), 0.0] if average == "logits" else np.log([0.5 + 0.25 * b, 0.5 - 0.25 * b])
    assert np.allclose(got.detach().numpy(), [expected], atol=1e-6)


def test_certainty_is_weighed_within_a_sample_never_over_the_batch():
    fusion, encodings, present = made("late", {"pool": "entropy"}, 3, samples=20)
    whole = fusion(encodings, present)
    something = torch.stack(list(present.values())).any(0).nonzero().flatten().tolist()
    for row in something:
        single = fusion({m: z[[row]] for m, z in encodings.items()}, {m: here[[row]] for m, here in present.items()})
        assert torch.allclose(single[0], whole[row], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(2, 5), scale=st.floats(0, 1e4))
def test_weights_of_certainty_are_shares_of_those_present(seed, n, scale):
    torch.manual_seed(seed)
    logits, mask = scale * torch.randn(n, 12, 4), torch.rand(n, 12) < 0.6
    mask[0, 0] = True
    weights = certainty_weights(logits, mask)
    some = mask.any(0)
    assert torch.allclose(weights.sum(0), some.float(), atol=1e-5)
    assert (weights[:, some][~mask[:, some]] == 0).all() and (weights[mask] > 0).all()
    entropy = torch.distributions.Categorical(logits=logits, validate_args=False).entropy().masked_fill(~mask, 99.0)
    assert (weights.gather(0, entropy.argmin(0, keepdim=True))[:, some] >= weights.max(0).values[some] - 1e-6).all()


@pytest.mark.parametrize("pool", ["equal", "entropy", "fitted"])
def test_a_head_that_no_row_reads_gets_no_gradient(pool):
    fusion, encodings, present = made("late", {"pool": pool}, 3)
    present["m1"] = torch.zeros(9, dtype=torch.bool)
    fusion(encodings, present).sum().backward()
    assert fusion.heads["m1"].weight.grad is None and fusion.heads["m0"].weight.grad is not None
    assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())


@pytest.mark.parametrize(("name", "parts"), [("bilinear", "factors"), ("film", "modulations")])
def test_a_map_that_no_row_reads_gets_no_gradient(name, parts):
    fusion, encodings, present = made(name, {}, 3)
    present["m1"] = torch.zeros(9, dtype=torch.bool)
    fusion(encodings, present).sum().backward()
    maps = getattr(fusion, parts)
    assert maps["m1"].weight.grad is None and maps["m0"].weight.grad is not None
    assert maps["m1"] in fusion.own_parts("m1") and maps["m1"] not in fusion.own_parts("m0")


@pytest.mark.parametrize("name", ["mlp", "bilinear", "film"])
@torch.no_grad()
def test_what_an_absent_modality_holds_is_never_read(name):
    fusion, encodings, present = made(name, {}, 3)
    strange = {m: torch.where(present[m].unsqueeze(-1), z, 1e3) for m, z in encodings.items()}
    assert torch.equal(fusion(encodings, present), fusion(strange, present))


@pytest.mark.parametrize("name", ["mlp", "bilinear", "film"])
def test_fusions_that_interact_learn_exclusive_or_and_a_sum_cannot(name):
    """The label is the product of two signs: neither knows anything alone."""
    losses = {}
    for kind in (name, "concat"):
        torch.manual_seed(3)
        fusion = make_fusion(kind, ["a", "b"], 4, 2, {})
        signs = torch.randint(0, 2, (2, 256)).float() * 2 - 1
        encodings = {m: sign.unsqueeze(1) * torch.ones(256, 4) for m, sign in zip("ab", signs, strict=True)}
        here = torch.ones(256, dtype=torch.bool)
        labels = (signs.prod(0) > 0).long()
        optimiser = torch.optim.AdamW(fusion.parameters(), lr=0.01)
        for _ in range(150):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(fusion(encodings, {"a": here, "b": here}), labels)
            loss.backward()
            optimiser.step()
        losses[kind] = loss.item()
    assert losses[name] < 0.1 and losses["concat"] > 0.6


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
        ("concat", {"absent": "no"}, "or 'iterative' or 'mapped', got 'no'"),
        ("gated", {"absent": "no"}, "or 'iterative' or 'mapped', got 'no'"),
        ("late", {"heads": "x", "average": "y"}, "2 problems"),
        ("late", {"pool": "certain"}, "option 'pool': expected 'equal' or 'entropy' or 'fitted', got 'certain'"),
        ("quality", {"combine": "max"}, "fusion 'quality', option 'combine': expected 'mean' or 'sum', got 'max'"),
        ("quality", {"heads": "own"}, "fusion 'quality' has no option 'heads'"),
        ("evidential", {"average": "logits"}, "fusion 'evidential' has no option 'average'"),
        ("mlp", {"hidden": 0}, "fusion 'mlp', option 'hidden': expected at least 1 unit, got 0"),
        ("mlp", {"dropout": 2}, "fusion 'mlp' cannot be made"),
        ("mlp", {"absent": "no"}, "or 'iterative' or 'mapped', got 'no'"),
        ("bilinear", {"rank": 0, "hidden": -1}, "2 problems"),
        ("film", {"rank": 2}, "fusion 'film' has no option 'rank'"),
        ("memory", {"heads": "x"}, "expected 'own' or 'shared'"),
        ("memory", {"pool": "entropy"}, "option 'pool': expected 'equal' or 'fitted', got 'entropy'"),
        ("refined", {"heads": "x"}, "expected 'own' or 'shared'"),
        ("refined", {"pool": "fitted"}, "fusion 'refined' has no option 'pool'"),
        ("memory", {"dropout": 3}, "fusion 'memory' cannot be made"),
        ("memory", {"tau": "x"}, "tau"),
        ("memory", {"tau": 0.0}, "tau"),
    ],
)
def test_mistakes_are_named(name, options, message):
    with pytest.raises(ConfigError) as caught:
        make_fusion(name, ["a", "b"], 4, 3, options)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_the_last_layer_reads_the_representation_where_there_is_one(name, options):
    fusion, encodings, present = made(name, options, 3)
    fusion.eval()
    found = fusion.representation(encodings, present)
    if found is None:
        assert not isinstance(getattr(fusion, "head", None), torch.nn.Linear)
    else:
        assert torch.equal(fusion.head(found), fusion(encodings, present))
