"""Built-in data sets: what is in them, that their splits leak nothing, and data sets by name or path."""

import re

import numpy as np
import pytest

from equimodal.data.catalogue import DATASETS, BuiltIn, load
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError

from .own_data import write_own_data

EXPECTED = {
    "emoji": (1906, 9, {"image": "image", "text": "text"}),
    "avdigits": (3000, 10, {"image": "image", "audio": "sequence"}),
    "avdigits_sum": (4356, 19, {"image": "image", "audio": "sequence"}),
    "avdigits_compare": (4356, 3, {"image": "image", "audio": "sequence"}),
    "avdigits_agree": (4356, 2, {"image": "image", "audio": "sequence"}),
    "mfeat": (
        2000,
        10,
        dict.fromkeys(("fourier", "profile", "karhunen", "pixel", "zernike", "morph"), "vector"),
    ),
}


def test_the_names():
    assert set(EXPECTED) <= set(DATASETS.names())


@pytest.mark.parametrize("name", EXPECTED)
def test_contents(name):
    count, classes, kinds = EXPECTED[name]
    member, splits = DATASETS.get(name), load(name)
    assert splits.name == name
    assert splits.kinds == kinds
    assert splits.modalities == member.modalities
    assert len(splits.classes) == classes
    ids = np.concatenate([part.ids for part in splits.parts().values()])
    assert len(np.unique(ids)) == count
    assert all(len(np.unique(part.labels)) == classes for part in splits.parts().values())
    assert all(mask.all() for part in splits.parts().values() for mask in part.present.values())
    assert splits.provenance["checksum"] == member.checksum
    assert member.path().stat().st_size < 3e6
    for what in ("title", "source", "licence", "pairing", "headroom"):
        assert len(getattr(member, what)) > 3


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("seed", [None, 5])
def test_no_sample_is_in_two_parts(name, seed):
    splits = load(name, split_seed=seed)
    seen = []
    for part in splits.parts().values():
        first = next(iter(part.arrays.values()))
        seen.append({row.tobytes() for row in np.asarray(first)})
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_variants_of_an_emoji_stay_together():
    splits = load("emoji")
    place = {name: part for part, data in splits.parts().items() for name in data.ids}
    assert len({place[name] for name in ("runner", "man-running", "woman-running")}) == 1
    assert len({place[name] for name in place if re.fullmatch(r"clock\d+", name)}) == 1
    assert len({place[name] for name in ("man-woman-boy", "man-woman-girl", "family", "man-heart-man")}) == 1


def test_a_changed_file_is_not_loaded(tmp_path):
    class Other(DATASETS.get("mfeat")):
        checksum = "0" * 64

        @classmethod
        def path(cls):
            return DATASETS.get("mfeat").path()

    with pytest.raises(DataError, match="not the file that was shipped"):
        Other.load()

    class Gone(Other):
        @classmethod
        def path(cls):
            return tmp_path / "gone.npz"

    with pytest.raises(DataError, match=r"gone\.npz: missing"):
        Gone.load()


def test_scarce_and_redrawn():
    splits = load("mfeat", labels=50, split_seed=3)
    assert isinstance(splits, Splits)
    assert len(splits.train) == 50
    assert np.bincount(splits.train.labels).tolist() == [5] * 10
    assert splits.provenance["seed"] == 3
    assert splits.provenance["scarce"] == {"labels": 50, "seed": 3}
    assert set(splits.test.ids) == set(load("mfeat", split_seed=3).test.ids)
    assert set(splits.test.ids) != set(load("mfeat").test.ids)


def test_a_path_is_split(tmp_path):
    folder = write_own_data(tmp_path / "study")
    splits = load(folder)
    assert splits.provenance["seed"] == 0
    assert load(str(folder), split_seed=2).provenance["seed"] == 2


def test_an_unknown_name():
    with pytest.raises(ConfigError, match=r"called 'emojy'\. Did you mean 'emoji'\? Known: avdigits, avdigits_agree"):
        load("emojy")


def test_members_say_what_they_are():
    assert all(issubclass(member, BuiltIn) for _, member in DATASETS.items())
