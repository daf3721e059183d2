"""Data in three parts: how they are drawn, redrawn and thinned, and what keeps parts from fitting together."""

import json

import numpy as np
import pytest

from equimodal.data.dataset import Dataset
from equimodal.data.rows import concatenate
from equimodal.data.splits import Splits
from equimodal.errors import DataError


@pytest.fixture
def data():
    random, count = np.random.default_rng(0), 60
    return Dataset(
        {"audio": random.normal(size=(count, 5, 2)), "face": random.normal(size=(count, 4))},
        np.arange(count) % 3,
        groups=np.arange(count) // 3,
        lengths={"audio": np.full(count, 3)},
    )


def test_split_sizes_and_provenance(data):
    splits = data.split(seed=4)
    assert [len(part) for part in splits.parts().values()] == [36, 12, 12]
    assert splits.modalities == data.modalities
    assert splits.classes == data.classes
    assert splits.kinds == data.kinds
    provenance = json.loads(json.dumps(splits.provenance))
    assert provenance == {
        "how": "stratified by class, disjoint in groups",
        "seed": 4,
        "fractions": [0.6, 0.2, 0.2],
        "groups": 20,
        "sizes": {"train": 36, "validation": 12, "test": 12},
    }


def test_groups_given_to_split_go_before_the_data_sets_own(data):
    groups = np.arange(60) // 6
    splits = data.split(groups=groups)
    assert splits.provenance["groups"] == 10
    with pytest.raises(DataError, match=r"groups: expected one per row, shape \(60,\), got shape \(2,\)"):
        data.split(groups=[1, 2])


def test_redraw_depends_on_rows_and_seed_only(data):
    first = data.split(seed=0)
    again = first.redraw(7)
    assert first.redraw(3).redraw(7).train.ids.tolist() == again.train.ids.tolist()
    assert again.train.ids.tolist() != first.train.ids.tolist()
    assert again.provenance["seed"] == 7
    assert sorted(np.concatenate([part.ids for part in again.parts().values()])) == list(range(60))
    row = again.test.ids[0]
    np.testing.assert_array_equal(again.test.arrays["face"][0], data.arrays["face"][row])
    assert again.test.lengths["audio"][0] == data.lengths["audio"][row]


def test_redraw_of_parts_with_arrays_of_their_own(data):
    parts = [data.subset(slice(start, stop)) for start, stop in ((0, 30), (30, 45), (45, 60))]
    prepared = [part.replace_column("face", part.arrays["face"] + 1) for part in parts]
    again = Splits(*prepared).redraw(0)
    np.testing.assert_array_equal(again.test.arrays["face"], data.arrays["face"][again.test.ids] + 1)
    short = prepared[1].replace_column("face", np.ones((15, 9)))
    with pytest.raises(DataError, match="face: the parts' rows differ in shape"):
        Splits(prepared[0], short, prepared[2]).redraw(0)


def test_scarce_keeps_every_class_and_only_touches_training(data):
    splits = data.split()
    few = splits.scarce(4, seed=1)
    assert len(few.train) == 4
    assert set(few.train.labels) == {0, 1, 2}
    assert few.test is splits.test
    assert few.provenance["scarce"] == {"labels": 4, "seed": 1}
    assert few.provenance["pool"] == few.scarce(3, seed=0).provenance["pool"] == len(splits.train) > 4
    assert "pool" not in few.redraw(0).provenance  # the rows left out are not there to be drawn
    assert few.provenance["sizes"]["train"] == 4
    assert few.train.ids.tolist() == splits.scarce(4, seed=1).train.ids.tolist()
    assert set(few.train.ids) <= set(splits.train.ids)
    with pytest.raises(DataError, match="Cannot draw 2 training rows: at least 3 are needed"):
        splits.scarce(2, seed=0)
    with pytest.raises(DataError, match=r"Cannot draw 37 training rows.*there are 36"):
        splits.scarce(37, seed=0)


def test_training_is_judged_by_itself(data):
    one = data.subset(data.labels == 0)
    rest = data.subset(data.labels != 0)
    with pytest.raises(DataError, match=r"train: only one class \(0\)"):
        Splits(one.subset(slice(0, 10)), rest.subset(slice(0, 3)), rest.subset(slice(30, 40)))
    lacking = Dataset(
        data.arrays,
        data.labels,
        present={"face": np.arange(60) >= 30},
        classes=data.classes,
        lengths=data.lengths,
    )
    with pytest.raises(DataError, match="train: face: no sample holds this modality"):
        Splits(lacking.subset(slice(0, 30)), lacking.subset(slice(30, 45)), lacking.subset(slice(45, 60)))


def test_parts_that_do_not_fit(data):
    other = Dataset({"audio": np.ones((4, 2)), "face": np.ones((4, 4))}, ["x", "y"] * 2)
    empty = data.subset([])
    with pytest.raises(DataError) as caught:
        Splits(data, other, empty)
    message = str(caught.value)
    assert "problems in the split" in message
    for part in (
        "validation: its classes",
        "validation: its kinds",
        "test: holds no row",
        "validation: no groups",
    ):
        assert part in message
    unlabelled = Dataset(data.arrays)
    with pytest.raises(DataError, match="test: has no labels"):
        Splits(data, data, unlabelled)
    with pytest.raises(DataError, match="cannot split data without labels"):
        unlabelled.split()


def test_a_shared_group_is_an_error(data):
    with pytest.raises(DataError, match=r"groups: 1 are in train and in test \(the first is '3'\)"):
        Splits(data.subset(slice(0, 10)), data.subset(slice(30, 40)), data.subset(slice(10, 30)))


TWO = np.arange(60) // 3 % 2
OFFICIAL = ["train", "test", "validation"] * 20


@pytest.mark.parametrize("column", [OFFICIAL, np.array([0, 2, 1] * 20), [0.0, 2.0, 1.0] * 20, ["0", "2", "1"] * 20])
def test_an_official_split_comes_with_the_data(data, column):
    whole = Dataset(data.arrays, TWO, split=column)
    splits = whole.split()
    assert splits.test.ids.tolist() == list(range(1, 60, 3))
    assert splits.provenance["how"] == "given with the data"
    assert whole.subset(slice(30, 60)).split().test.ids.tolist() == list(range(31, 60, 3))
    drawn = whole.split(seed=3)
    assert drawn.test.ids.tolist() == Dataset(data.arrays, TWO).split(seed=3).test.ids.tolist()
    assert drawn.provenance["seed"] == 3
    assert concatenate([whole, whole]).parts.tolist() == whole.parts.tolist() * 2


def test_an_official_split_that_is_wrong(data):
    with pytest.raises(DataError, match=r"split: row 2 neither 0, 1, 2 nor train, validation, test: row 2 is 'dev'"):
        Dataset(data.arrays, TWO, split=["train", "test", "dev"] + ["test"] * 57)
    with pytest.raises(DataError, match=r"split: expected one per row, shape \(60,\), got shape \(2,\)"):
        Dataset(data.arrays, TWO, split=[0, 1])
    with pytest.raises(DataError, match=r"official split has sizes of its own\. Leave fractions out, or give a seed"):
        Dataset(data.arrays, TWO, split=OFFICIAL).split(fractions=(0.8, 0.1, 0.1))
    with pytest.raises(DataError, match="groups: 20 are in train and in validation"):
        Dataset(data.arrays, TWO, split=OFFICIAL).split(groups=np.arange(60) // 3)


def overlap(*message):
    return pytest.raises(DataError, match="(?s)" + ".*".join(message))


def test_a_row_in_two_parts_is_an_error(data):
    plain = Dataset(data.arrays, data.labels)
    with overlap("3 problems", "rows of one data set: 60 are in train and in validation"):
        Splits(plain, plain, plain)
    with overlap(r"rows of one data set: 5 are in train and in test \(the first has the id '30'\)"):
        Splits(plain.subset(slice(0, 35)), plain.subset(slice(35, 45)), plain.subset(slice(30, 35)))
    prepared = plain.restrict(["face", "audio"])
    with overlap("rows of one data set: 30 are in train and in test"):
        Splits(plain.subset(slice(0, 30)), prepared.subset(slice(30, 60)), prepared.subset(slice(0, 30)))


def test_one_given_id_in_two_parts_is_an_error(data):
    def part(ids):
        return Dataset(data.subset(slice(0, 6)).arrays, [0, 1, 2] * 2, ids=ids)

    numbers, words = np.arange(6), [f"{number} " for number in (9, 8, 7, 6, 5, 4)]
    with overlap(r"ids: 2 are in train and in test \(the first has the id '4'\)"):
        Splits(part(numbers), part(np.arange(20, 26)), part(words))
    assert len(Splits(part(numbers), part(None), part(None)).train) == 6  # made apart, with default ids
    assert len(Splits(part(["007", *"abcde"]), part(None), part(["7", *"fghij"])).train) == 6


def test_a_class_that_training_lacks_is_an_error(data):
    labels = np.array(["a", "b", "c"])[data.labels]
    plain = Dataset(data.arrays, labels)
    known = np.flatnonzero(labels != "c")
    with overlap("2 problems", "train: holds no row of class c, but validation does", "but test does"):
        Splits(plain.subset(known[:20]), plain.subset(slice(30, 45)), plain.subset(slice(45, 60)))
    assert len(Splits(plain.subset(slice(0, 30)), plain.subset(known[20:25]), plain.subset(known[25:])).train) == 30


def grouped(sizes=(17, 5, 11, 3, 9, 8, 7)):
    rows = sum(sizes)
    random = np.random.default_rng(0)
    arrays = {"a": random.normal(size=(rows, 2)), "b": random.normal(size=(rows, 2))}
    return Dataset(arrays, np.arange(rows) % 3, groups=np.repeat(np.arange(len(sizes)), sizes))


@pytest.mark.parametrize("seed", range(4))
def test_redrawing_aims_at_the_shares_asked_for_and_not_at_those_reached(seed):
    data = grouped()
    first = data.split(seed=9)
    assert [len(part) for part in first.parts().values()] != [36, 12, 12]  # groups do not allow it
    expected = data.split(seed=seed)
    for again in (first.redraw(seed), first.redraw(3).redraw(seed), first.with_settings(seed, None)):
        assert [part.ids.tolist() for part in again.parts().values()] == [
            part.ids.tolist() for part in expected.parts().values()
        ]


@pytest.mark.parametrize("ids", [None, np.random.default_rng(1).permutation(60), [f"c{n * 7 % 60}" for n in range(60)]])
def test_a_split_depends_on_the_rows_and_not_on_their_order(ids):
    data = grouped()
    data = Dataset(data.arrays, data.labels, groups=data.groups, ids=ids)
    order = np.random.default_rng(2).permutation(60)
    expected, found = data.split(seed=3), data.subset(order).split(seed=3)
    for name, part in expected.parts().items():
        assert found.parts()[name].ids.tolist() == part.ids.tolist()
        np.testing.assert_array_equal(found.parts()[name].arrays["a"], part.arrays["a"])


def test_the_settings_of_a_configuration():
    splits = grouped().split(seed=0)
    assert splits.with_settings(None, None) is splits
    few = splits.with_settings(4, 9)
    assert few.provenance["scarce"] == {"labels": 9, "seed": 4}
    assert few.train.ids.tolist() == splits.redraw(4).scarce(9, 4).train.ids.tolist()
    assert "fractions" not in few.provenance


def test_one_long_text_does_not_widen_the_fingerprint():
    texts = ["a dog", "a cat"] * 30
    arrays = {"text": texts, "face": np.ones((60, 2))}
    plain = Dataset(arrays, np.arange(60) % 2).split(seed=0)
    for long, letters in (([*texts[:59], "z" * 100], 100), ([*texts[:59], "z" * 100_000], 100_000)):
        first = Dataset({**arrays, "text": long}, np.arange(60) % 2).split(seed=0).fingerprint()
        assert first != plain.fingerprint()
        other = Dataset({**arrays, "text": [*long[:59], "z" * (letters - 1) + "y"]}, np.arange(60) % 2)
        assert other.split(seed=0).fingerprint() != first
