"""Data sets in memory: what they accept, what they return, and how each mistake is reported."""

import re

import numpy as np
import pytest
import torch

from equimodal.data.columns import base
from equimodal.data.dataset import Dataset
from equimodal.errors import DataError

N = 12
LABELS = np.arange(N) % 3


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def arrays(random):
    return {"audio": random.normal(size=(N, 5, 2)), "face": random.normal(size=(N, 4))}


def fails(message, *arguments, **options):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        Dataset(*arguments, **options)
    return str(caught.value)


def test_kinds_are_inferred_and_can_be_overridden(random):
    values = {
        "vector": random.normal(size=(N, 4)),
        "sequence": random.normal(size=(N, 5, 2)),
        "grey": random.integers(0, 255, (N, 4, 4), dtype=np.uint8),
        "colour": random.normal(size=(N, 4, 4, 3)),
        "video": random.normal(size=(N, 5, 4, 4, 3)),
        "words": ["some"] * N,
        "tokens": {"ids": np.ones((N, 3), int)},
    }
    kinds = Dataset(values, LABELS).kinds
    assert kinds == {
        "vector": "vector",
        "sequence": "sequence",
        "grey": "image",
        "colour": "image",
        "video": "video",
        "words": "text",
        "tokens": "tensor",
    }
    assert Dataset(values, LABELS, kinds={"sequence": "image"}).kinds["sequence"] == "image"


def test_a_batch_has_the_types_that_encoders_take(random):
    values = {
        "float16": random.normal(size=(N, 4)).astype(np.float16),
        "counts": np.arange(4 * N).reshape(N, 4),
        "image": random.integers(0, 255, (N, 4, 4), dtype=np.uint8),
        "words": [f"word {row}" for row in range(N)],
        "tokens": {"ids": np.arange(3 * N).reshape(N, 3), "mask": np.ones((N, 3))},
    }
    data = Dataset(values, LABELS)
    batch = data.batch([7, -1])
    assert data.arrays["float16"].dtype == np.float16
    assert batch.inputs["float16"].dtype == torch.float32
    np.testing.assert_array_equal(batch.inputs["float16"], values["float16"][[7, 11]].astype(np.float32))
    assert batch.inputs["counts"].dtype == torch.float32
    assert batch.inputs["image"].dtype == torch.uint8
    assert batch.inputs["words"].tolist() == ["word 7", "word 11"]
    assert batch.inputs["tokens"]["ids"].dtype == torch.int64
    assert batch.inputs["tokens"]["mask"].dtype == torch.float32
    assert batch.labels.tolist() == [1, 2]
    assert batch.ids.tolist() == [7, 11]


def test_tensors_and_bfloat16_are_accepted():
    data = Dataset({"a": torch.ones(N, 2, dtype=torch.bfloat16), "b": torch.ones(N, 2)}, torch.tensor(LABELS))
    assert data.batch([0]).inputs["a"].tolist() == [[1, 1]]


def test_a_list_of_sequences_is_padded_by_the_batch(random):
    rows = [random.normal(size=(2 + row % 3, 2)) for row in range(N)]
    data = Dataset({"a": rows, "b": np.ones((N, 2))}, LABELS)
    assert data.lengths["a"].tolist() == [len(row) for row in rows]
    batch = data.batch(slice(0, 2))
    np.testing.assert_allclose(batch.inputs["a"][0, :2], rows[0].astype(np.float32))
    assert not batch.inputs["a"][0, 2:].any()
    assert batch.lengths["a"].tolist() == [2, 3]


def test_missing_values_are_presence(arrays):
    arrays["audio"][3] = np.nan
    words = ["yes"] * N
    words[1], words[2] = "", None
    data = Dataset({**arrays, "words": words}, LABELS, present={"face": np.arange(N) != 4})
    assert np.flatnonzero(~data.present["audio"]).tolist() == [3]
    assert np.flatnonzero(~data.present["words"]).tolist() == [1, 2]
    assert np.flatnonzero(~data.present["face"]).tolist() == [4]
    batch = data.batch([1, 3, 4])
    assert not batch.inputs["audio"][1].any()
    assert not batch.inputs["face"][2].any()
    assert batch.inputs["words"].tolist() == ["", "yes", "yes"]


def test_what_lies_in_absent_rows_or_padding_is_not_looked_at(arrays):
    arrays["face"][4, 1] = np.inf
    arrays["audio"][:, 3:] = np.nan
    lengths = np.full(N, 3)
    lengths[5] = 0
    present = {"face": np.arange(N) != 4, "audio": np.arange(N) != 5}
    data = Dataset(arrays, LABELS, lengths={"audio": lengths}, present=present)
    batch = data.batch(np.arange(N))
    assert torch.isfinite(batch.inputs["audio"]).all()
    assert torch.isfinite(batch.inputs["face"]).all()
    assert batch.lengths["audio"][5] == 1


def test_subset_restrict_and_replace(arrays):
    data = Dataset(arrays, LABELS, groups=np.arange(N) // 2, ids=[f"r{row}" for row in range(N)])
    part = data.subset(np.arange(N) % 2 == 0).subset([2, 0])
    assert part.ids.tolist() == ["r4", "r0"]
    assert part.groups.tolist() == ["2", "0"]
    np.testing.assert_array_equal(part.arrays["face"], arrays["face"][[4, 0]])
    np.testing.assert_array_equal(part.batch([0]).inputs["face"][0], arrays["face"][4].astype(np.float32))
    assert part.batch([0, 1]).ids.tolist() == [0, 1]
    alone = part.restrict({"face"})
    assert not alone.present["audio"].any()
    assert alone.present["face"].all()
    assert part.present["audio"].all()
    prepared = part.replace_column("audio", {"values": np.arange(2.0)})
    assert prepared.subset([1]).batch([0]).inputs["audio"]["values"].tolist() == [1]
    assert prepared.modalities == ("audio", "face")
    with pytest.raises(DataError, match="3 rows, the data set 2"):
        part.replace_column("audio", np.ones((3, 2)))
    with pytest.raises(DataError, match=r"no modality 'fase'\. Did you mean 'face'"):
        part.restrict(["fase"])


def test_a_shorter_prepared_form_is_not_taken_for_padding(arrays):
    data = Dataset(arrays, LABELS, lengths={"audio": np.full(N, 2)})
    assert data.replace_column("audio", np.ones((N, 4))).batch([0]).inputs["audio"].tolist() == [[1, 1, 1, 1]]


def test_batches_cover_the_rows_in_order(arrays):
    data = Dataset(arrays)
    batches = list(data.batches(5))
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert torch.cat([batch.ids for batch in batches]).tolist() == list(range(N))
    assert all((batch.labels == -1).all() for batch in batches)
    assert next(data.batches(2, order=np.array([9, 3, 1]))).ids.tolist() == [9, 3]


def test_labels_become_numbers_of_sorted_classes(arrays):
    data = Dataset(arrays, ["sad", "glad", "calm"] * 4)
    assert data.classes == ("calm", "glad", "sad")
    assert data.labels.tolist()[:3] == [2, 1, 0]
    assert Dataset(arrays, np.array([30, 4, 4] * 4)).classes == ("4", "30")
    assert Dataset(arrays, [1, 0, 1] * 4, classes=["no", "yes"]).labels.tolist()[:3] == [1, 0, 1]
    assert Dataset(arrays, ["yes"] * N, classes=["no", "yes"]).labels.tolist() == [1] * N
    assert Dataset(arrays, [5, 2, 5] * 4, classes=[5, 2]).labels.tolist()[:3] == [0, 1, 0]


def test_repr_says_what_matters(arrays):
    arrays["audio"][:6] = np.nan
    assert repr(Dataset(arrays, LABELS)) == (
        "Dataset('data', 12 samples, audio: sequence (5, 2), face: vector (4,), 3 classes, 25% absent)"
    )
    assert "no labels" in repr(Dataset(arrays))


def test_memory_maps_are_checked_in_chunks_and_never_read_whole(tmp_path, monkeypatch):
    """Every read of the map goes through `__getitem__`, so that the largest one can be measured."""

    class Watched(np.memmap):
        largest = 0

        def __getitem__(self, index):
            got = super().__getitem__(index)
            Watched.largest = max(Watched.largest, np.size(got))
            return got

    monkeypatch.setattr(base, "CHUNK", 64)
    np.save(tmp_path / "a.npy", np.ones((200, 8)))
    values = np.load(tmp_path / "a.npy", mmap_mode="r").view(Watched)
    labels = np.arange(200) % 2
    splits = Dataset({"a": values, "b": np.ones((200, 2))}, labels).split().redraw(1).scarce(20, 0)
    splits.train.batch([0, 1])
    assert 0 < Watched.largest <= 64


def test_a_plus_in_a_name_would_read_as_a_coalition(arrays):
    fails("Rename it, for instance to 'a_b'", {**arrays, "a+b": arrays["face"]}, LABELS)


@pytest.mark.parametrize("name", ["", "a.b", "type", "items", "training", 3])
def test_names_that_a_module_dict_cannot_hold(arrays, name):
    fails("Rename it", {**arrays, name: arrays["face"]}, LABELS)
    with pytest.raises((KeyError, TypeError)):
        torch.nn.ModuleDict({name: torch.nn.Identity()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"face": np.ones(N)},
            "face: expected one row of features per sample, that is at least two axes, got shape (12,)",
        ),
        ({"face": np.ones((N, 0))}, "face: rows of shape (0,) hold no value"),
        ({"face": np.ones((N, 2), complex)}, "face: values of type complex128 are neither numbers nor text"),
        (
            {"face": np.empty((N, 2), object)},
            "face: an object array of shape (12, 2) is not a rectangle of numbers",
        ),
        (
            {"face": np.full((N, 2), "x")},
            "face: expected one string per sample, got an array of strings of shape (12, 2)",
        ),
        ({"face": ["x"] * 11 + [3]}, "face: row 11 is int among strings"),
        ({"face": [[1.0, 2.0]] * 11 + [[1.0]]}, "face: ragged rows: row 11 has shape (1,), row 0 has (2,)"),
        ({"face": [np.ones((2, 3))] * 11 + [np.ones((2, 4))]}, "row 11 has shape (2, 4), row 0 has (2, 3)"),
        ({"face": [np.ones((2, 3))] * 11 + [np.ones((0, 3))]}, "face: row 11 is empty, shape (0, 3)"),
        ({"face": [[1.0, [2.0]]] * N}, "face: row 0 is not an array of numbers (list)"),
        ({"face": [None] * N}, "face: no row holds anything (12 rows)"),
        ({"face": 3}, "face: expected an array, a tensor or a list with one entry per row, got int"),
        ({"face": {}}, "face: its arrays need equally many rows, got no array at all"),
        ({"face": {"a": np.ones((N, 2)), "b": np.ones((3, 2))}}, "got {'a': 12, 'b': 3}"),
        ({"face": {"a": np.full(N, "x")}}, "face[a]: expected an array of numbers, got <U1 of shape (12,)"),
        (
            {"face": np.ones((3, 2))},
            "Every modality needs the same rows in the same order, got audio 12, face 3 rows",
        ),
        ({"face": np.full((N, 2), np.nan)}, "face: no sample holds this modality (absent in all 12 rows)"),
    ],
)
def test_bad_arrays(arrays, change, message):
    assert "problems" not in fails(message, {**arrays, **change}, LABELS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"lengths": {"face": [1] * N}},
            "face: lengths need an array with a time axis, (N, T, ...), got shape (12, 4)",
        ),
        (
            {"lengths": {"audio": [3] * 11 + [9]}},
            "audio: lengths must lie between 1 and the array's 5 time steps; row 11 does not",
        ),
        ({"lengths": {"audio": [0, 0] + [1] * 10}}, "rows 0, 1 do not (row 0 has 0)"),
        (
            {"lengths": {"audio": [1, 2]}},
            "audio: lengths must be one whole number per row, shape (12,), got int64 of shape (2,)",
        ),
        ({"lengths": {"audio": [1.5] * N}}, "got float64 of shape (12,)"),
        ({"lengths": {"audoi": [1] * N}}, "lengths: there is no modality 'audoi'. Did you mean 'audio'?"),
        (
            {"present": {"face": [True]}},
            "face: present must be true or false (1 or 0) for each of the 12 rows",
        ),
        ({"present": {"face": [2] * N}}, "face: present must be true or false"),
        ({"present": {"fac": [1] * N}}, "present: there is no modality 'fac'. Did you mean 'face'?"),
        ({"present": {"face": [0] * N}}, "face: no sample holds this modality"),
        ({"kinds": {"face": "vectr"}}, "kinds: unknown kind 'vectr' of 'face'. Did you mean 'vector'?"),
        (
            {"kinds": {"face": "image"}},
            "face: kind 'image' needs (N, H, W) or (N, H, W, C), got float64 of shape (12, 4)",
        ),
        ({"kinds": {"face": "text"}}, "face: kind 'text' needs strings (N,)"),
        ({"ids": [1] * 2 + list(range(2, N))}, "ids: 1 of them occur more than once, '1' in rows 0, 1"),
        ({"ids": [1]}, "ids: expected one per row, shape (12,), got shape (1,)"),
        ({"groups": [1]}, "groups: expected one per row, shape (12,), got shape (1,)"),
        ({"labels": [1] * N}, "labels: only one class (1); a classifier needs at least two"),
        ({"labels": [0, 1]}, "labels: expected one per row, shape (12,), got shape (2,)"),
        ({"labels": [[0, 1]] * N}, "labels: expected one label per row, shape (N,), got shape (12, 2)"),
        ({"labels": [0.5, 1.0] * 6}, "labels: expected whole numbers or strings, got float64"),
        ({"labels": np.array([None] * N)}, "labels: row 0 is None"),
        ({"labels": ["a", "b", ""] * 4}, "labels: blank in rows 2, 5, 8, 11. Name the class, or leave the sample out."),
        ({"labels": ["a", "b"] * 5 + [" ", "a"], "classes": ["a", "b"]}, "labels: blank in row 10."),
        (
            {"classes": ["a", "b"]},
            "labels: rows 2, 5, 8, 11 outside the classes: row 2 is '2', known are 0, 1",
        ),
        ({"labels": ["a", "b", "x"] * 4, "classes": ["b", "a"]}, "row 2 is 'x', known are b, a"),
        ({"classes": ["a", "a", "b"]}, "classes: names must differ, got a, a, b"),
    ],
)
def test_bad_options(arrays, options, message):
    assert "problems" not in fails(message, arrays, **{"labels": LABELS, **options})


def test_lengths_of_a_picture_are_refused_and_not_taken_for_padding(random):
    """An image's second axis is its height: lengths would blacken the rows beyond."""
    values = {"face": random.integers(1, 255, (N, 6, 6), dtype=np.uint8), "clip": random.normal(size=(N, 6, 6, 3))}
    steps = np.full(N, 2)
    message = fails(
        "face: lengths are for sequences, but 'face' is of kind image", values, LABELS, lengths={"face": steps}
    )
    assert "declare it: kind 'sequence'. Otherwise leave its lengths out" in message
    fails("declare it: kind 'tensor'", values, LABELS, lengths={"clip": steps})
    ragged = [np.ones((2 + row % 3, 6), np.uint8) for row in range(N)]
    fails("give every row one shape", {**values, "face": ragged}, LABELS)
    kinds = {"face": "sequence", "clip": "tensor"}
    batch = Dataset(values, LABELS, lengths={"face": steps, "clip": steps}, kinds=kinds).batch(slice(None))
    for name in kinds:
        np.testing.assert_allclose(batch.inputs[name][:, :2], values[name][:, :2].astype(np.float32))
        assert not batch.inputs[name][:, 2:].any()


def test_flawed_rows_are_named(arrays):
    arrays["face"][3, 2] = np.nan
    arrays["face"][9, 0] = -np.inf
    fails("face: rows 3, 9 hold NaN or infinite values among others (the first at index (3, 2))", arrays, LABELS)


def test_the_first_flaw_is_found_in_whichever_chunk_it_lies(arrays, monkeypatch):
    monkeypatch.setattr(base, "CHUNK", 10)
    arrays["audio"][8, 4, 1] = np.inf
    fails(
        "audio: row 8 holds NaN or infinite values among others (the first at index (8, 4, 1))",
        arrays,
        LABELS,
    )


def test_what_overflows_float32_is_flawed(arrays):
    arrays["face"][0, 0] = 1e300
    fails("face: row 0 holds NaN or infinite values", arrays, LABELS)


def test_an_all_nan_column_has_its_own_message(arrays):
    arrays["face"][:, 1] = np.nan
    assert "rows" not in fails("face: column 1 is NaN in every row", arrays, LABELS)
    arrays["face"][:, 3] = np.nan
    fails("face: columns 1, 3 are NaN in every row", arrays, LABELS)
    arrays["face"][0, 3] = 1.0  # what an absent row holds does not count
    present = {"face": np.arange(N) > 0}
    fails("face: columns 1, 3 are NaN in every row", arrays, LABELS, present=present)


def test_a_dict_of_arrays_torn_between_presence_and_absence(arrays):
    part = {"x": np.ones((N, 2)), "y": np.ones((N, 2))}
    part["x"][4] = np.nan
    fails("face[x]: row 4 holds NaN or infinite values", {**arrays, "face": part}, LABELS)
    part["y"][4] = np.nan
    assert np.flatnonzero(~Dataset({**arrays, "face": part}, LABELS).present["face"]).tolist() == [4]


def test_all_mistakes_come_in_one_message(arrays):
    arrays["face"][:, 1] = np.nan
    message = fails("4 problems in the data", arrays, [1] * N, lengths={"audio": [9] * N}, ids=[0] * N)
    assert all(f"\n  - {start}" in message for start in ("face: column 1", "audio: lengths", "labels: only", "ids: 1"))


def test_fewer_than_two_modalities(arrays):
    fails("Expected at least two modalities, got 1 (face). Add another one.", {"face": arrays["face"]}, LABELS)
    fails("Expected at least two modalities, got none.", {}, LABELS)


def test_no_row():
    fails("The data hold no row", {"a": np.ones((0, 2)), "b": np.ones((0, 2))})


def test_data_to_predict_on_may_lack_a_modality(arrays):
    arrays["face"][:] = np.nan
    assert not Dataset(arrays).present["face"].any()
