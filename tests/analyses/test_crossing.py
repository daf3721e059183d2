"""The crossing against a second implementation: the order set by hand, the model run on whole batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from equimodal.analyses.crossing import cross, reading_orders
from equimodal.models.classifier import Classifier
from equimodal.models.fusions.refined import RefinedFusion
from synthetic import make_splits


@pytest.fixture(scope="module", params=[("refined", "shared"), ("refined", "own"), ("memory", "shared")])
def trained(request):
    """A model in which the memory matters, and a test part with absent modalities."""
    data = make_splits(modalities=("vector", "sequence", "image"), nothing=0.1)
    fusion, heads = request.param
    model = Classifier.for_data(data, width=8, fusion=fusion, fusion_options={"heads": heads})
    torch.manual_seed(1)
    for parameter in model.fusion.parameters():
        torch.nn.init.normal_(parameter, std=1.0)
    model.fusion.memory.inherit(torch.randn(8), torch.randn(8))
    model.fusion.order = ("image", "vector", "sequence")
    return model.eval(), model.prepare(data.test)


def accuracy(logits, labels):
    return float((logits.argmax(1) == labels).double().mean())


def logits_of(model, batch, order, remember=True):
    """Return the fused logits and those of each step, sample by sample and step by step."""
    fusion, memory = model.fusion, model.fusion.memory
    refines = isinstance(fusion, RefinedFusion)
    fused, steps = [], {name: [] for name in order}
    for i in range(len(batch)):
        h, c = memory.inherited_h[None], memory.inherited_c[None]
        said, corrections, carried, products, factors = [], [], 0, 0, []
        for name in order:
            if not batch.present[name][i]:
                continue
            z = model.encode_one(batch, name)[i : i + 1]
            mapped = fusion.mapping.maps[name](z)
            if refines:
                h, c = memory.cell(mapped, (h, c))
                s = fusion.head(name)(z + h @ fusion.refinement.output.weight.T if remember else z)
            else:
                row = mapped.numpy()
                h, c = memory.cell(torch.tanh(torch.tensor(2 * (row - row.mean()) / row.std())), (h, c))
                carried = carried + mapped
                factor = fusion.correction.factors(mapped)
                products = products + sum(factor * before for before in factors)
                factors.append(factor)
                hidden = fusion.correction.of_state(h) + fusion.correction.of_representations(carried) + products
                if said:
                    corrections.append(hidden.clamp(min=0) @ fusion.correction.output.weight.T)
                s = fusion.head(name)(z)
            said.append(s)
            steps[name].append((i, s))
        total = torch.stack(said).mean(0) if said else model.log_prior[None]
        if corrections and remember and not refines:
            total = total + torch.stack(corrections).mean(0)
        fused.append(total)
    return torch.cat(fused), steps


@torch.no_grad()
def test_the_crossing_is_the_model_run_in_each_order(trained):
    model, data = trained
    found = cross(model, model.fusion, data, batch_size=7)
    batch = model.complete(data.batch(range(len(data))))
    names, labels = model.modalities, batch.labels
    refines = isinstance(model.fusion, RefinedFusion)
    assert refines == any(column.startswith("step.") for column in found)
    assert found["order"] == ["image", "vector", "sequence"]
    orders = {
        "own": ("image", "vector", "sequence"),
        "reversed": ("sequence", "vector", "image"),
        "first.vector": ("vector", "image", "sequence"),
        "first.sequence": ("sequence", "image", "vector"),
        "first.image": ("image", "vector", "sequence"),
    }
    assert reading_orders(("image", "vector", "sequence"), names) == orders
    for title, order in orders.items():
        fused, steps = logits_of(model, batch, order)
        assert found[f"crossing.{title}"] == pytest.approx(accuracy(fused, labels), abs=1e-12)
        if title in ("own", "reversed") and refines:
            for name, said in steps.items():
                rows = torch.tensor([i for i, _ in said])
                expected = accuracy(torch.cat([s for _, s in said]), labels[rows])
                assert found[f"step.{title}.{name}"] == pytest.approx(expected, abs=1e-12)
    forgetful = logits_of(model, batch, names, remember=False)[0]
    assert found["crossing.off"] == pytest.approx(accuracy(forgetful, labels), abs=1e-12)
    for name in names:
        alone = batch.restrict((name,))
        for title, remember in (("on", True), ("off", False)):
            logits, _ = logits_of(model, model.complete(alone), names, remember)
            assert found[f"alone.{title}.{name}"] == pytest.approx(accuracy(logits, labels), abs=1e-12)
            if remember and refines:
                rows = batch.present[name]
                assert found[f"step.alone.{name}"] == pytest.approx(accuracy(logits[rows], labels[rows]), abs=1e-12)
    assert len({found[f"crossing.{title}"] for title in ("own", "reversed")} | {found["crossing.off"]}) > 1


@torch.no_grad()
def test_the_model_is_left_as_it_was(trained):
    model, data = trained
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    cross(model, model.fusion, data)
    assert model.fusion.remembers
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_each_encoder_runs_once(trained, monkeypatch):
    model, data = trained
    rows = dict.fromkeys(model.modalities, 0)
    encode = Classifier.encode_one

    def counted(self, batch, modality):
        rows[modality] += len(batch)
        return encode(self, batch, modality)

    monkeypatch.setattr(Classifier, "encode_one", counted)
    cross(model, model.fusion, data, batch_size=16)
    assert set(rows.values()) == {len(data)}


@pytest.mark.parametrize("fusion", ["refined", "memory"])
def test_a_model_without_memory_reads_the_same_in_every_order(fusion):
    data = make_splits(modalities=("vector", "image"))
    model: Any = Classifier.for_data(data, width=8, fusion=fusion, fusion_options={"memory": False}).eval()
    found = cross(model, model.fusion, model.prepare(data.test))
    assert len({value for key, value in found.items() if key.startswith("crossing.")}) == 1
    for name in model.modalities if fusion == "refined" else ():
        assert found[f"step.own.{name}"] == found[f"step.reversed.{name}"] == found[f"step.alone.{name}"]
