"""Which epoch is the best."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.methods.base import Phase
from equimodal.training.selection import Selection

ALL = Phase("train", 9)
SCORES = st.lists(
    st.tuples(st.sampled_from([0.25, 0.5, 0.75]), st.sampled_from([0.2, 0.6]), st.sampled_from([0.1, 1.0, 2.0])),
    min_size=1,
    max_size=8,
)


def measured(accuracy, macro_f1, loss, **unimodal):
    scores = {"accuracy": accuracy, "macro_f1": macro_f1, "loss": loss}
    return SimpleNamespace(scores=scores, unimodal={name: measured(*own).scores for name, own in unimodal.items()})


def consider(selection, epochs, phase=ALL):
    return [selection.consider(i, measured(*scores), phase) for i, scores in enumerate(epochs, 1)]  # pyright: ignore


@given(SCORES)
def test_the_best_is_the_first_of_the_highest_with_ties_to_the_lower_loss(epochs):
    for by, key in (
        ("accuracy", lambda s: (s[0], -s[2])),
        ("macro_f1", lambda s: (s[1], -s[2])),
        ("loss", lambda s: -s[2]),
    ):
        selection = Selection(by)
        better = consider(selection, epochs)
        best = max(range(len(epochs)), key=lambda i: (key(epochs[i]), -i))
        assert selection.epoch == best + 1
        assert selection.since == len(epochs) - 1 - best
        assert max(i for i, flag in enumerate(better) if flag) == best
        assert better[0]


@given(SCORES, st.integers(0, 8))
def test_a_restored_selection_goes_on_as_if_nothing_had_been(epochs, cut):
    whole, before = Selection("accuracy"), Selection("accuracy")
    flags = consider(whole, epochs)
    consider(before, epochs[:cut])
    after = Selection("accuracy")
    after.restore(json.loads(json.dumps(before.to_dict())))
    assert (
        [
            after.consider(i, measured(*scores), ALL)  # pyright: ignore
            for i, scores in list(enumerate(epochs, 1))[cut:]
        ]
        == flags[cut:]
    )
    assert after == whole


@pytest.mark.parametrize(("select", "best"), [(None, 1), (("a",), 2), (("b",), 3)])
def test_a_phase_chooses_by_its_own_modality(select, best):
    selection = Selection("accuracy")
    phase = Phase("train", 9, select=select)
    epochs = [
        measured(0.9, 0, 1, a=(0.1, 0, 1), b=(0.1, 0, 1)),
        measured(0.5, 0, 1, a=(0.8, 0, 1), b=(0.2, 0, 1)),
        measured(0.5, 0, 1, a=(0.2, 0, 1), b=(0.9, 0, 1)),
    ]
    for i, epoch in enumerate(epochs, 1):
        selection.consider(i, epoch, phase)  # pyright: ignore[reportArgumentType]
    assert selection.epoch == best
