"""What a modality knows alone and adds to the others: games whose answer is known, with and without groups."""

import numpy as np
import pytest
import torch

from equimodal.batch import Batch
from equimodal.contribution import contribution, diagnose, plan
from equimodal.contribution.knowledge import hints, knowledge, pairs_in_words

CLASSES, SAMPLES = 4, 400
LABELS = torch.arange(SAMPLES) % CLASSES


def guesses(rate, seed):
    """Predicted classes that are right for exactly `rate` of the rows, and for chance's share of the others."""
    generator = torch.Generator().manual_seed(seed)
    said = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    order = torch.randperm(SAMPLES, generator=generator)[: round(rate * SAMPLES)]
    said[order] = LABELS[order]
    return said


def game(*predictions, names=("a", "b"), **options):
    """The contributions of a model that predicts these classes, coalition by coalition; the prior predicts class 0."""
    said = torch.stack([torch.zeros(SAMPLES, dtype=torch.long), *predictions])
    return contribution(torch.nn.functional.one_hot(said, CLASSES), plan(len(names)), LABELS, list(names), **options)


STRONG, WEAK, CHANCE = guesses(0.8, 0), guesses(0.3, 1), guesses(0.0, 2)


def test_gains_are_differences_paired_by_replicate():
    c = game(STRONG, WEAK, guesses(0.85, 3), bootstrap=2000)
    assert c.intervals is not None and c.coalition_values is not None
    right = torch.stack([torch.zeros(SAMPLES, dtype=torch.long), STRONG, WEAK, guesses(0.85, 3)]) == LABELS
    one = right.double()
    for found, difference in (
        (c.intervals.alone["a"], one[1] - one[0]),
        (c.intervals.alone["b"], one[2] - one[0]),
        (c.intervals.last["a"], one[3] - one[2]),
        (c.intervals.last["b"], one[3] - one[1]),
        (c.intervals.interactions["a+b"], one[3] - one[1] - one[2] + one[0]),
    ):
        error = float(difference.std()) / SAMPLES**0.5
        assert found.low == pytest.approx(float(difference.mean()) - 1.96 * error, abs=0.3 * error)
        assert found.high == pytest.approx(float(difference.mean()) + 1.96 * error, abs=0.3 * error)


def test_noise_knows_nothing_and_adds_nothing():
    c = game(STRONG, CHANCE, STRONG)
    found = knowledge(c, "b")
    assert (found.alone, found.last) == (False, False)
    assert (knowledge(c, "a").alone, knowledge(c, "a").last) == (True, True)
    assert c.standing("b") == "below target" and c.standing("b", knows=False) == "knows nothing alone"
    assert c.standing("b", knows=True) == "minor"  # trained alone it knows something: this model left it behind
    assert list(hints(c)) == ["b"] and "this model cannot tell: train one on b alone" in hints(c)["b"]
    assert "minor" not in str(c)


def test_a_copy_knows_something_and_adds_nothing():
    c = game(STRONG, STRONG, STRONG)
    for name, other in (("a", "b"), ("b", "a")):
        found = knowledge(c, name)
        assert (found.alone, found.last, found.partner, found.twin) == (True, False, None, other)
    assert hints(c) == {}


def test_what_only_two_know_together_is_not_nothing():
    c = game(CHANCE, guesses(0.0, 5), guesses(0.9, 4))
    for name, other in (("a", "b"), ("b", "a")):
        found = knowledge(c, name)
        assert (found.alone, found.last, found.partner, found.twin) == (False, True, other, None)
    assert "adds +0.6" in hints(c)["a"] and "(interaction with b +" in hints(c)["a"]
    assert "it counts together with them" in hints(c)["a"]


def test_the_partner_is_the_one_with_the_largest_interaction():
    """a and b know the label together, c a little alone: v(S) rises where both a and b are in S."""
    both, little = guesses(0.9, 4), guesses(0.3, 6)
    c = game(CHANCE, CHANCE, both, little, little, little, both, names="abc")
    found = knowledge(c, "a")
    assert (found.alone, found.last, found.partner) == (False, True, "b")
    assert knowledge(c, "c").alone is True and "it counts together" in hints(c)["a"] and "c" not in hints(c)


def test_interactions_of_three_have_intervals_of_their_own_differences():
    """The index of a+b is the mean, without c and with it, of what both add beyond what each adds."""
    said = [STRONG, WEAK, guesses(0.85, 3), CHANCE, STRONG, WEAK, guesses(0.9, 4)]
    c = game(*said, names="abc", bootstrap=2000)
    assert c.intervals is not None and c.interactions is not None
    v = torch.stack([torch.zeros(SAMPLES, dtype=torch.long), *said]).eq(LABELS).double()
    rows = ((v[3] - v[1] - v[2] + v[0]) + (v[7] - v[5] - v[6] + v[4])) / 2
    found, error = c.intervals.interactions["a+b"], float(rows.std()) / SAMPLES**0.5
    assert c.interactions["a+b"] == pytest.approx(float(rows.mean()))
    assert found.low == pytest.approx(float(rows.mean()) - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(float(rows.mean()) + 1.96 * error, abs=0.3 * error)
    assert list(c.intervals.interactions) == list(c.interactions) == ["a+b", "a+c", "b+c"]


def test_pairs_are_named_only_beyond_noise():
    both, little = guesses(0.9, 4), guesses(0.3, 6)
    c = game(CHANCE, guesses(0.0, 5), both, little, little, little, both, names="abc")
    assert pairs_in_words(c)["a+b"] == "know more together"
    assert pairs_in_words(game(STRONG, STRONG, STRONG)) == {"a+b": "repeat each other"}
    assert pairs_in_words(game(CHANCE, guesses(0.0, 5), guesses(0.04, 7))) == {"a+b": "within noise"}


def test_a_partner_within_noise_is_not_named():
    c = game(CHANCE, guesses(0.0, 5), guesses(0.08, 10))
    assert c.interactions is not None and c.interactions["a+b"] > 0
    assert knowledge(c, "a").partner is None
    assert knowledge(game(CHANCE, guesses(0.0, 5), guesses(0.08, 10), bootstrap=0), "a").partner == "b"  # not known


def test_interactions_of_guesses_are_seldom_taken_for_knowledge():
    rng = np.random.default_rng(1)
    drawn = (torch.from_numpy(rng.integers(CLASSES, size=(3, SAMPLES))) for _ in range(200))
    words = [pairs_in_words(game(*said, seed=seed))["a+b"] for seed, said in enumerate(drawn)]
    assert np.mean([word != "within noise" for word in words]) == pytest.approx(0.05, abs=0.045)


def test_an_ordinary_minor_modality_stays_minor():
    c = game(STRONG, WEAK, guesses(0.85, 3))
    assert c.standing("b") == "minor" and c.standing("a") == "dominant" and hints(c) == {}


def test_whole_groups_are_drawn():
    """Right in all rows of 4 of 10 groups, wrong elsewhere: rows say better than the prior's .25, groups know less."""
    groups = torch.arange(SAMPLES) // (SAMPLES // 10)
    said = torch.where(groups < 4, LABELS, (LABELS + 1) % CLASSES)
    rows, whole = game(STRONG, said, STRONG), game(STRONG, said, STRONG, groups=groups)
    assert knowledge(rows, "b").alone is True
    assert knowledge(whole, "b").alone is False
    assert knowledge(game(STRONG, said, STRONG, groups=groups // 5), "b").alone is None  # two groups: no interval


def test_noise_is_seldom_taken_for_knowledge():
    """The interval of a modality that guesses lies above 0 with probability .025."""
    rng = np.random.default_rng(0)
    taken = []
    for seed in range(300):
        said = torch.from_numpy(rng.integers(CLASSES, size=SAMPLES))
        taken.append(knowledge(game(STRONG, said, STRONG, seed=seed, bootstrap=300), "b").alone)
    assert np.mean(taken) == pytest.approx(0.025, abs=0.025)


def test_without_intervals_nothing_is_said():
    c = game(STRONG, CHANCE, STRONG, bootstrap=0)
    found = knowledge(c, "b")
    assert (found.alone, found.last) == (None, None) and hints(c) == {}
    assert c.standing("b") == "minor"


def test_with_sampled_coalitions_what_was_evaluated_is_known():
    n, samples = 12, 60
    scheme = plan(n, budget=60, seed=0)
    labels = torch.arange(samples) % 2
    said = torch.where(scheme.coalitions[:, :1], labels, 0)  # the first modality knows everything, the others nothing
    c = contribution(torch.nn.functional.one_hot(said, 2), scheme, labels, list("abcdefghijkl"))
    singles = {list("abcdefghijkl")[row.int().argmax()] for row in scheme.coalitions if row.sum() == 1}
    assert c.intervals is not None and set(c.intervals.alone) == singles < set("abcdefghijkl")
    for name in singles - {"a"}:
        assert knowledge(c, name).alone is False
    for name in set("bcdefghijkl") - singles:
        assert knowledge(c, name).alone is None


def test_diagnose_says_what_one_model_can_tell():
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(300) % 2
    x[:, 0] += 4.0 * labels
    everyone = torch.ones(300, dtype=torch.bool)
    data = Batch({"a": x[:, 0], "b": x[:, 1]}, {"a": everyone, "b": everyone}, labels, torch.arange(300))

    def predict(inputs, present):
        score = torch.where(present["a"], inputs["a"] - 2, 0.0)
        return torch.stack([-score, score], dim=-1)

    c = diagnose(predict, data, prior=[0.5, 0.5])
    assert [note.split(" ")[0] for note in c.notes] == ["b"]
    assert "whether" in c.notes[0].lower() and "minor" not in str(c)
