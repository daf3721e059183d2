"""Digits paired whatever they are: labels by a rule, no image and no recording in two parts, independent draws."""

import functools
import itertools

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from equimodal.data.archive import read_array
from equimodal.data.catalogue import DATASETS, load, load_rows
from equimodal.data.datasets.avdigits_interactions import DigitInteraction, DigitSum
from equimodal.data.rows import concatenate
from equimodal.errors import DataError

RULES = {
    "avdigits_sum": lambda image, audio: str(image + audio),
    "avdigits_sum3": lambda image, audio, second: str(image + audio + second),
    "avdigits_compare": lambda image, audio: "image" if image > audio else "audio" if audio > image else "equal",
    "avdigits_agree": lambda image, audio: "same" if image == audio else "different",
}


@functools.cache
def fixed(name):
    return load(name)


@pytest.fixture(scope="module")
def known():
    """The digit, and the part in the file of `avdigits`, by the content of an image or a recording."""
    path = DATASETS.get("avdigits").path()
    labels, part = read_array(path, "labels").tolist(), read_array(path, "split").tolist()
    found = {}
    for key in ("image", "audio"):
        found |= {row.tobytes(): place for row, *place in zip(read_array(path, key), labels, part, strict=True)}
    return found


def contents(data, name):
    return [row.tobytes() for row in data.arrays[name]]


def digits(data, known):
    """Return the digit that each modality of each sample shows, (N, modalities), known by its content."""
    return np.array([[known[row][0] for row in contents(data, name)] for name in data.modalities]).T


def shared(splits):
    """Return the images and recordings that are in two parts."""
    train, validation, test = (
        {row for modality in part.modalities for row in contents(part, modality)} for part in splits.parts().values()
    )
    return train & validation | train & test | validation & test


@pytest.mark.parametrize("name", RULES)
def test_the_label_follows_the_rule(name, known):
    for part in fixed(name).parts().values():
        shown = digits(part, known)
        assert [part.classes[label] for label in part.labels] == [RULES[name](*row) for row in shown.tolist()]


@pytest.mark.parametrize("name", RULES)
def test_the_fixed_split_is_that_of_avdigits(name, known):
    splits = fixed(name)
    assert [len(part) for part in splits.parts().values()] == [3036, 440, 880]
    for number, part in enumerate(splits.parts().values()):
        assert {known[row][1] for modality in part.modalities for row in contents(part, modality)} == {number}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_no_image_and_no_recording_is_in_two_parts(name, seed):
    splits = load(name, split_seed=seed, labels=300)
    assert len(splits.train) == 300
    assert not shared(splits)
    assert not shared(fixed(name).with_settings(seed, None))


@pytest.mark.parametrize("name", RULES)
def test_other_ways_to_other_parts_leak_nothing_either(name):
    splits = fixed(name)
    for again in (splits.scarce(300, 1).redraw(2), load_rows(name).split(seed=3, fractions=(0.5, 0.25, 0.25))):
        assert not shared(again)


def test_a_seed_draws_parts_of_its_own():
    splits = fixed("avdigits_sum")
    ids = [set(splits.redraw(seed).test.ids) for seed in range(4)]
    assert all(len(one) == 880 for one in ids)
    assert all(len(one & other) < 440 for one in ids for other in ids if one is not other)
    assert load("avdigits_sum", split_seed=0).fingerprint() == splits.redraw(0).fingerprint()


@pytest.mark.parametrize("name", ["avdigits_sum", "avdigits_sum3"])
def test_digits_are_drawn_independently(name, known):
    """Any two modalities pass the chi-squared test of independence, and every digit comes as often as others."""
    splits = fixed(name)
    shown = digits(concatenate(list(splits.parts().values())), known)
    for one in range(shown.shape[1]):
        assert np.abs(np.bincount(shown[:, one]) / len(shown) - 0.1).max() < 0.015
        for other in range(one):
            table = np.zeros((10, 10))
            np.add.at(table, (shown[:, one], shown[:, other]), 1)
            assert chi2_contingency(table).pvalue > 0.01


def test_a_digit_alone_says_nothing_of_agreement(known):
    splits = fixed("avdigits_agree")
    whole = concatenate(list(splits.parts().values()))
    for modality in range(2):
        table = np.zeros((2, 10))
        np.add.at(table, (whole.labels, digits(whole, known)[:, modality]), 1)
        assert chi2_contingency(table).pvalue > 0.01
    assert all((np.bincount(part.labels) * 2 == len(part)).all() for part in splits.parts().values())


@pytest.mark.parametrize("name", RULES)
def test_no_sample_is_there_twice(name):
    splits = fixed(name)
    whole = concatenate(list(splits.parts().values()))
    rows = list(zip(*(contents(whole, modality) for modality in whole.modalities), strict=True))
    assert len(set(rows)) == len(rows) == len(set(whole.ids.tolist()))


def test_sum_and_comparison_are_of_the_same_pairs():
    one, other = fixed("avdigits_sum"), fixed("avdigits_compare")
    assert one.train.ids.tolist() == other.train.ids.tolist()


def test_the_second_image_has_images_of_the_same_part(known):
    splits = fixed("avdigits_sum3")
    assert splits.kinds == {"image": "image", "audio": "sequence", "second": "image"}
    assert splits.train.arrays["second"].shape == splits.train.arrays["image"].shape


def test_padding_stays_padding():
    part = fixed("avdigits_sum").validation
    for row, length in zip(part.arrays["audio"], part.lengths["audio"], strict=True):
        assert not np.any(row[length:])
        assert np.any(row[length - 1])


def test_other_samples_than_those_of_the_package_are_refused():
    class Other(DigitSum):
        @staticmethod
        def label(digits):
            return np.minimum(digits.sum(1), 17)

    with pytest.raises(DataError, match="avdigits_sum: other samples are drawn than the package expects"):
        Other.load()


def test_they_say_what_they_are():
    members = {name: member for name, member in DATASETS.items() if issubclass(member, DigitInteraction)}
    assert set(members) == set(RULES)
    for name, member in members.items():
        splits = fixed(name)
        assert splits.name == member.name == name
        assert splits.provenance["checksum"] == splits.redraw(1).provenance["checksum"] == member.checksum


KNOWABLE = {  # the table of docs/data/avdigits_interactions.md: prior, one digit, mean of probabilities, of their logs
    "avdigits_sum": (0.10, 0.10, 0.19, 0.19),
    "avdigits_sum3": (0.075, 0.10, 0.15, 0.126),
    "avdigits_compare": (0.45, 0.70, 0.90, 0.92),
    "avdigits_agree": (0.50, 0.50, 0.50, 0.50),
}


@pytest.mark.parametrize("name", RULES)
def test_what_can_be_known(name):
    """Experts that know the exact probabilities of the classes given one digit, alone and as an ensemble."""
    member = DATASETS.get(name)
    shown = np.array(list(itertools.product(range(10), repeat=len(member.modalities))))
    labels = member.label(shown)
    truth = np.eye(len(member.classes))[labels]
    weights = 1 / np.bincount(labels)[labels] if member.balanced else np.ones(len(labels))
    weights = weights / weights.sum()

    def accuracy(scores):
        best = np.isclose(scores, scores.max(1, keepdims=True), rtol=0, atol=1e-9)  # a tie is guessed
        return float(weights @ (best * truth / best.sum(1, keepdims=True)).sum(1))

    experts = []
    for digit in shown.T:
        joint = np.stack([weights[digit == value] @ truth[digit == value] for value in range(10)])
        experts.append((joint / joint.sum(1, keepdims=True))[digit])
    prior = np.broadcast_to(weights @ truth, truth.shape)
    with np.errstate(divide="ignore"):
        logs = np.maximum(sum(np.log(expert) for expert in experts), -1e9)
    found = (accuracy(prior), accuracy(experts[0]), accuracy(sum(experts)), accuracy(logs))
    assert found == pytest.approx(KNOWABLE[name])
    assert all(accuracy(expert) == pytest.approx(found[1]) for expert in experts)


@pytest.mark.parametrize(("name", "best"), [("avdigits_sum", 1), ("avdigits_compare", 1), ("avdigits_agree", 0.75)])
def test_what_added_scores_can_express(name, best):
    member = DATASETS.get(name)
    image, audio = np.array(list(itertools.product(range(10), repeat=2))).T
    labels = member.label(np.stack([image, audio], axis=1))
    sums = np.arange(19)
    scores = {
        "avdigits_sum": 2 * sums * image[:, None] + (2 * sums * audio[:, None] - sums**2),
        "avdigits_compare": np.stack([-image, 0 * image, image], 1) + np.stack([audio, 0 * audio + 0.5, -audio], 1),
        "avdigits_agree": np.stack([0 * image, image], 1) + np.stack([audio, 0 * audio + 0.5], 1),
    }[name]
    right = scores.argmax(1) == labels
    shares = [right[labels == label].mean() for label in range(len(member.classes))]
    assert (np.mean(shares) if member.balanced else right.mean()) == best
