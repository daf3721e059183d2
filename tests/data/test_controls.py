"""Noise and distractors: what is added, that a row always has the same, and that nothing is read for it in vain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import equimodal as eq
from equimodal.comparison.compare import compare
from equimodal.comparison.study import run_study
from equimodal.config.run import build_config
from equimodal.data.catalogue import load, load_configured
from equimodal.data.columns.array import ArrayColumn
from equimodal.data.columns.ragged import RaggedColumn
from equimodal.data.dataset import Dataset
from equimodal.data.rows import concatenate
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError
from equimodal.inference.evaluation import evaluate_run, rows_to_predict
from equimodal.models.predict import predict
from equimodal.training.fit import train
from equimodal.training.names import resolve

from .own_data import write_own_data

NOISE = {"kind": "noise", "size": 7}
QUICK = {"epochs": 1, "reference": False, "quiet": True, "measure": {"bootstrap": 0}}


def make(count=300, seed=0) -> Dataset:
    random = np.random.default_rng(seed)
    return Dataset(
        {
            "vector": random.normal(3, 5, (count, 6)),
            "image": random.integers(0, 256, (count, 4, 5), np.uint8),
            "clip": [random.normal(size=(steps, 2)).astype(np.float32) for steps in random.integers(3, 9, count)],
            "text": [f"words of {row}" for row in range(count)],
        },
        np.arange(count) % 3,
        present={"vector": random.random(count) < 0.8},
        groups=np.arange(count) // 3,
    )


@pytest.fixture(scope="module")
def splits() -> Splits[Dataset]:
    return make().split(seed=0)


def values(data, name) -> np.ndarray:
    return np.concatenate([chunk.ravel() for chunk in data.valid(name)]).astype(float)


@pytest.mark.parametrize("name", ["vector", "image", "clip"])
@pytest.mark.parametrize("level", [0.5, 3.0])
def test_noise_is_normal_in_units_of_the_training_parts_deviation(splits, name, level):
    noisy = splits.with_controls({name: level})
    unit = values(splits.train, name).std()
    assert noisy.provenance["controls"]["deviations"][name] == pytest.approx(level * unit, rel=1e-9)
    for part, before in splits.parts().items():
        added = (values(noisy.parts()[part], name) - values(before, name)) / (level * unit)
        assert stats.kstest(added, "norm").pvalue > 1e-3
        assert added.size > 200 and abs(np.corrcoef(added, values(before, name))[0, 1]) < 0.2
    others = [other for other in splits.modalities if other != name]
    for other in others:
        assert noisy.test.column(other) is not None
        assert noisy.test.column(other).fingerprint() == splits.test.column(other).fingerprint()


def test_a_row_has_the_same_noise_in_whatever_batch_it_comes(splits):
    noisy = splits.with_controls({"vector": 1.0, "image": 1.0, "clip": 1.0}, {"static": NOISE})
    whole, order = noisy.train, np.random.default_rng(1).permutation(len(noisy.train))
    again = splits.with_controls({"vector": 1.0, "image": 1.0, "clip": 1.0}, {"static": NOISE}).train.subset(order)
    for name in ("vector", "image", "static"):
        all_rows = whole.batch(np.arange(len(whole))).inputs[name].numpy()
        for rows in np.array_split(np.arange(len(whole)), 7):
            assert np.array_equal(again.batch(rows).inputs[name].numpy(), all_rows[order[rows]])
    taken, turned = whole.column("clip").take(slice(0, len(whole))), again.column("clip").take(slice(0, len(whole)))
    assert all(np.array_equal(turned[i], taken[row]) for i, row in enumerate(order))  # pyright: ignore
    assert all(row.dtype == np.float32 for row in taken)


def test_parts_modalities_and_seeds_have_noise_of_their_own_and_the_level_only_scales_it(splits):
    def drawn(name="vector", part="train", seed=0, level=1.0):
        made = splits.with_controls({name: level}, seed=seed)
        unit = made.provenance["controls"]["deviations"][name]
        before, after = splits.parts()[part].column(name), made.parts()[part].column(name)
        rows = np.flatnonzero(splits.parts()[part].present["vector"])[:5]
        return ((after.take(rows) - before.take(rows)).ravel() / unit)[:20]  # pyright: ignore

    draws = [drawn(), drawn("image"), drawn(part="test"), drawn(seed=1)]
    assert all(not np.allclose(a, b, atol=0.1) for i, a in enumerate(draws) for b in draws[:i])
    assert np.allclose(drawn(level=4.0), drawn(), atol=1e-6)


def test_integers_become_floats_that_hold_them_and_a_level_of_0_changes_nothing(splits):
    assert splits.with_controls({"image": 1.0}).train.specs["image"].dtype == np.float32
    assert splits.with_controls({"image": 1.0}).kinds["image"] == "image"
    same = splits.with_controls({"image": 0.0}).train
    assert same.specs["image"].dtype == np.uint8 and same.column("image") is splits.train.column("image")


def test_distractors_come_last_and_hold_what_they_say(splits):
    made = splits.with_controls(
        {"vector": 1.0},
        {
            "static": {"kind": "noise", "size": 40},
            "twin": {"kind": "copy", "of": "vector"},
            "lost": {"kind": "shuffled", "of": "clip"},
            "prose": {"kind": "shuffled", "of": "text"},
            "gaps": {"kind": "shuffled", "of": "vector"},
        },
    )
    assert made.modalities == (*splits.modalities, "static", "twin", "lost", "prose", "gaps")
    for part, rows in made.parts().items():
        assert stats.kstest(values(rows, "static"), "norm").pvalue > 1e-3 and rows.present["static"].all()
        batch = rows.batch(np.arange(len(rows)))
        assert np.array_equal(batch.inputs["twin"], batch.inputs["vector"])  # with its noise, or it would know more
        before, after = rows.batch(np.arange(len(rows))).inputs["text"], batch.inputs["prose"]
        assert sorted(before.tolist()) == sorted(after.tolist()) and before.tolist() != after.tolist()
        assert sorted(rows.lengths["lost"]) == sorted(rows.lengths["clip"]) and part in ("train", "validation", "test")
        assert rows.present["gaps"].sum() == rows.present["vector"].sum()
        assert np.allclose(np.sort(values(rows, "gaps")), np.sort(values(rows, "vector")))
        taken, lengths = rows.column("lost").take(slice(0, len(rows))), rows.lengths["lost"]
        assert [len(row) for row in taken] == lengths.tolist()


def test_shuffled_rows_are_independent_of_the_labels():
    labels = np.arange(900) % 3
    data = Dataset({"a": labels[:, None] + 0.0, "b": np.ones((900, 2))}, labels).split(seed=0)
    lost = data.with_controls(distractors={"lost": {"kind": "shuffled", "of": "a"}}).train
    table = stats.contingency.crosstab(lost.labels, lost.column("lost").take(slice(0, 540)).ravel()).count  # pyright: ignore
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_what_is_loaded_is_what_is_redrawn(tmp_path):
    """A comparison redraws parts; a run of it loads its data by its own settings: bit for bit the same."""
    path = write_own_data(tmp_path / "own")
    noise, distractors = {"image": 0.7}, {"static": NOISE, "lost": {"kind": "shuffled", "of": "image"}}
    once = load(path, noise=noise, distractors=distractors)
    again = load(path, labels=30, split_seed=5, noise=noise, distractors=distractors)
    assert once.with_settings(5, 30).fingerprint() == again.fingerprint()
    assert once.redraw(9).scarce(30, 5).redraw(5).provenance["controls"] != once.provenance["controls"]
    fewer, more = (load(path, labels=labels, noise=noise) for labels in (20, 60))
    assert fewer.provenance["controls"] == more.provenance["controls"]
    for part in ("validation", "test"):
        assert fewer.parts()[part].column("image").fingerprint() == more.parts()[part].column("image").fingerprint()
    prints = {
        load(path, **options).fingerprint()
        for options in (
            {},
            {"noise": noise},
            {"noise": {"image": 0.8}},
            {"distractors": {"static": NOISE}},
            {"noise": noise, "split_seed": 1},
        )
    }
    assert len(prints) == 5


def test_labels_that_were_left_out_do_not_come_back(splits):
    scarce = splits.with_controls({"vector": 1.0}).scarce(30, 0)
    known = set(concatenate(list(scarce.parts().values())).ids)
    assert set(concatenate(list(scarce.redraw(4).parts().values())).ids) == known
    assert scarce.redraw(4).provenance["controls"]["seed"] == 4


class Watched(ArrayColumn):
    """Rows that tell which of them were read."""

    def __init__(self, array):
        super().__init__(array, "vector")
        self.read: list[int] = []

    def take(self, rows):
        self.read += np.arange(len(self))[rows].tolist()
        return super().take(rows)


def test_only_the_rows_asked_for_are_read():
    columns = {name: Watched(np.random.default_rng(0).normal(size=(200, 3))) for name in ("a", "b")}
    data = Dataset(columns, np.arange(200) % 2).split(seed=0)
    for column in columns.values():
        column.read.clear()
    twin, lost = ({"kind": kind, "of": "b"} for kind in ("copy", "shuffled"))
    made = data.with_controls({"a": 1.0}, {"twin": twin, "lost": lost})
    assert sorted(columns["a"].read) == sorted(np.asarray(data.train.ids, int)) and columns["b"].read == []
    columns["a"].read.clear()
    made.test.batch([3])
    assert columns["a"].read == [int(data.test.ids[3])] and len(columns["b"].read) == 3


def test_ragged_rows_of_a_memory_map_stay_ragged():
    column = RaggedColumn(np.arange(12.0).reshape(12, 1), np.array([0, 3, 7, 12]), "sequence")
    data = Dataset({"a": column, "b": np.ones((3, 1))}, [0, 1, 0])
    parts = Splits(
        *(Dataset({"a": column, "b": np.ones((3, 1))}, [0, 1, 0], ids=[f"{p}{i}" for i in range(3)]) for p in "xyz")
    ).with_controls({"a": 1e-9})
    batch = parts.train.batch([0, 2])
    assert batch.lengths["a"].tolist() == [3, 5] and batch.inputs["a"][0, 3:].abs().sum() == 0
    assert np.allclose(batch.inputs["a"][1], data.batch([2]).inputs["a"][0])


@pytest.mark.parametrize(
    ("noise", "distractors", "message"),
    [
        ({"vektor": 1}, {}, "data.noise.vektor: data has no modality 'vektor'. Did you mean 'vector'?"),
        ({"text": 1}, {}, "data.noise.text: 'text' is text, and noise needs numbers"),
        ({"vector": -1}, {}, "data.noise.vector: input should be greater than or equal to 0, got -1"),
        ({"vector": float("nan")}, {}, "data.noise.vector: input should be a finite number, got nan"),
        ({"vector": float("inf")}, {}, "data.noise.vector: input should be a finite number, got inf"),
        ({"vector": True}, {}, "data.noise.vector: input should be a valid number, got True"),
        ({"vector": "much"}, {}, "data.noise.vector: input should be a valid number"),
        ({"x": 1}, {"x": NOISE}, "data.noise.x: 'x' is a distractor"),
        ({}, {"text": NOISE}, "data.distractors.text: data has a modality 'text' already"),
        ({}, {"x": {"kind": "copy", "of": "txt"}}, "x.of: data has no modality 'txt'. Did you mean 'text'?"),
        ({}, {"x": {"kind": "copy"}}, "a distractor of kind 'copy' needs the modality that it is of"),
        ({}, {"x": {"kind": "shuffled", "of": "text", "size": 3}}, "kind 'shuffled' needs the modality that it is of"),
        ({}, {"x": {"kind": "noise"}}, "a distractor of kind 'noise' needs a size"),
        ({}, {"x": {"kind": "noise", "size": 0}}, "x.size: input should be greater than or equal to 1"),
        ({}, {"x": {"kind": "nois", "size": 3}}, "Did you mean 'noise'?"),
        ({}, {"x": {**NOISE, "sizes": 3}}, "Unknown key 'data.distractors.x.sizes'. Did you mean 'size'?"),
        ({}, {"x": 3}, "data.distractors.x"),
        ({}, {"a.b": NOISE}, "The modality name 'a.b' contains '.'"),
        ({}, {"type": NOISE}, "is a name that torch.nn.ModuleDict uses itself"),
        ({"text": 1, "y": 1}, {"vector": NOISE}, "3 problems"),
    ],
)  # fmt: skip
def test_mistakes_are_named(splits, noise, distractors, message):
    with pytest.raises(ConfigError) as caught:
        splits.with_controls(noise, distractors)
    assert message in str(caught.value)


def test_what_noise_cannot_be_added_to_is_said():
    data = Dataset(
        {
            "tokens": np.arange(240).reshape(60, 4) % 9,
            "fields": {"ids": np.ones((60, 2), int)},
            "flat": np.full((60, 2), 0.1),
        },
        np.arange(60) % 2,
        kinds={"tokens": "tensor"},
    ).split(seed=0)
    with pytest.raises(ConfigError, match="'tokens' holds whole numbers of kind 'tensor'"):
        data.with_controls({"tokens": 1})
    with pytest.raises(ConfigError, match="'fields' holds several arrays by name"):
        data.with_controls({"fields": 1})
    with pytest.raises(ConfigError, match="every number that the training part holds of 'flat' is the same"):
        data.with_controls({"flat": 1})
    copied = data.with_controls(distractors={"again": {"kind": "shuffled", "of": "fields"}})
    with pytest.raises(ConfigError, match="have noise, distractors or missing entries already"):
        copied.with_controls({"flat": 1})


def test_a_run_is_measured_and_predicted_on_the_same_noise_again(tmp_path):
    content = {
        "data": {
            "name": str(write_own_data(tmp_path / "own")),
            "labels": 60,
            "noise": {"image": 0.5, "motion": 1},
            "distractors": {"static": NOISE, "lost": {"kind": "shuffled", "of": "motion"}},
        },
        "method": "joint",
        "training": {"epochs": 1},
        "measure": {"bootstrap": 0},
        "reference": False,
    }
    config = resolve(build_config(content))
    splits = load_configured(config.data)
    run = train(config, splits, folder=tmp_path / "run", quiet=True)
    assert evaluate_run(tmp_path / "run").scores == run.test.scores
    loaded = eq.load(tmp_path / "run")
    assert loaded.config.data == config.data
    rows = rows_to_predict(loaded, config.data.name, "test")
    assert np.allclose(predict(loaded.model, rows).probabilities, predict(run.model, splits.test).probabilities)
    with pytest.raises(ConfigError, match="Name a part: --split test"):
        rows_to_predict(loaded, config.data.name, None)


@pytest.mark.parametrize("redraw", ["split", "none"])
def test_the_runs_of_a_comparison_know_their_noise(tmp_path, redraw):
    path = write_own_data(tmp_path / "own")
    data = load(path, noise={"physio": 2.0}, distractors={"static": NOISE})
    options = {"epochs": 1, "quiet": True, "measure": {"bootstrap": 0}}
    compare(data, ["joint"], seeds=2, out=tmp_path / "out", redraw=redraw, **options)
    run = eq.load(tmp_path / "out" / "joint" / "seed-1")
    assert "static" in run.model.modalities and run.config.data.noise == {"physio": 2.0}
    assert evaluate_run(tmp_path / "out" / "joint" / "seed-1").scores == run.test.scores


def test_settings_of_a_study_differ_in_their_controls(tmp_path):
    data = {"name": str(write_own_data(tmp_path / "own")), "labels": 50}
    content = {
        "training": {"epochs": 1},
        "measure": {"bootstrap": 0},
        "compare": {
            "methods": ["joint"],
            "seeds": 1,
            "settings": [
                {"label": "plain", "data": data},
                {"label": "static", "data": {**data, "distractors": {"static": NOISE}}},
            ],
        },
    }
    run_study(build_config(content), out=tmp_path / "out", quiet=True)
    plain, static = (eq.load(tmp_path / "out" / label / "joint" / "seed-0") for label in ("plain", "static"))
    assert static.model.modalities == (*plain.model.modalities, "static")
    assert evaluate_run(tmp_path / "out" / "static" / "joint" / "seed-0").scores == static.test.scores


def test_a_configuration_with_controls_survives_yaml_and_has_a_hash_of_its_own():
    content = {"name": "emoji", "noise": {"image": 1}, "distractors": {"x": {"kind": "noise", "size": 3}}}
    config = build_config({"data": content})
    plain = config.to_dict()["data"]
    assert plain["distractors"] == content["distractors"]  # without what it has not
    assert build_config(config.to_dict()) == config
    assert config.hash() != build_config({"data": {**content, "noise": {"image": 2}}}).hash()
