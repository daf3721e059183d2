"""What takes the place of absent encodings: what holds for all of it, and vectors."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equimodal.contribution.coalitions import all_coalitions
from equimodal.errors import ConfigError
from equimodal.models.absence.choices import ABSENT, make_stand_in
from equimodal.models.absence.imputer import Imputer
from equimodal.models.absence.stand_in import VECTORS, StandIn
from synthetic import random_presence

from .rows import NAMES, related, something

IMPUTATIONS = tuple(absent for absent in ABSENT if absent not in VECTORS)


def fitted(absent, width=2) -> Any:
    imputer = make_stand_in(absent, NAMES, width, neighbours=3).eval()
    imputer.fit(*related(50, width=width))
    return imputer


def test_a_name_that_is_none_says_which_there_are():
    with pytest.raises(ConfigError, match=r"expected 'mean' or .* 'knn' or 'iterative' or 'mapped', got 'median'"):
        make_stand_in("median", NAMES, 2, 5)


def test_the_mean_follows_the_training_rows_that_are_present():
    stand_in = StandIn(["a", "b"], 3)
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


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_before_the_first_fit_the_running_mean_takes_the_place(absent):
    imputer, mean = make_stand_in(absent, NAMES, 2, 3), StandIn(NAMES, 2)
    for seed in range(3):
        rows = related(20, seed=seed)
        assert all(torch.equal(one, two) for one, two in zip(imputer(*rows), mean(*rows), strict=True))


@pytest.mark.parametrize("absent", IMPUTATIONS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), size=st.integers(1, 20), gaps=st.floats(0.1, 0.9))
def test_a_row_is_filled_by_itself(absent, seed, size, gaps):
    imputer = fitted(absent)
    encodings, present = related(20, gaps=gaps, seed=seed)
    whole = imputer(encodings, present)
    some = torch.from_numpy(something(present))
    for rows in torch.randperm(20).split(size):
        part = imputer({m: z[rows] for m, z in encodings.items()}, {m: here[rows] for m, here in present.items()})
        for one, all_of_them in zip(part, whole, strict=True):
            assert torch.allclose(one[some[rows]], all_of_them[rows][some[rows]], atol=1e-5)
    for name, here, filled in zip(NAMES, present.values(), whole, strict=True):
        assert torch.equal(filled[here], encodings[name][here])


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_what_lies_in_absent_entries_is_never_read(absent):
    torch.manual_seed(0)
    encodings, present = related(30)
    some = torch.from_numpy(something(present))
    holes = {name: torch.where(present[name].unsqueeze(1), z, torch.nan) for name, z in encodings.items()}
    once, again = make_stand_in(absent, NAMES, 2, 3), make_stand_in(absent, NAMES, 2, 3)
    for imputer, rows in ((once, encodings), (again, holes)):
        torch.manual_seed(1)
        imputer.fit(rows, present)
        assert imputer.state_dict()["rows"] == some.sum()
    for one, two in zip(once(encodings, present), again(holes, present), strict=True):
        assert torch.equal(one[some], two[some]) and one[some].isfinite().all()


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_coalitions_are_filled_as_presence_is(absent):
    imputer = fitted(absent)
    encodings, present = related(20, gaps=0.2, seed=3)
    coalitions = all_coalitions(3)[1:]
    for members, found in zip(coalitions, imputer.fill_coalitions(encodings, present, coalitions), strict=True):
        here = {name: present[name] & inside for name, inside in zip(NAMES, members, strict=True)}
        some = torch.from_numpy(something(here))
        for one, two in zip(found, imputer(encodings, here), strict=True):
            assert torch.allclose(one[some], two[some], atol=1e-5)


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_no_gradient_flows_through_what_is_imputed(absent):
    imputer = fitted(absent)
    encodings, present = related(20, seed=3)
    leaves = {name: z.requires_grad_() for name, z in encodings.items()}
    torch.stack(imputer(leaves, present)).sum().backward()
    for name, leaf in leaves.items():
        assert torch.equal(leaf.grad, present[name].float().unsqueeze(1).expand(-1, 2))


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_its_state_gives_it_again(absent):
    imputer, other = fitted(absent), make_stand_in(absent, NAMES, 2, 3)
    other.load_state_dict(imputer.state_dict())
    rows = related(20, seed=3)
    assert isinstance(other, Imputer) and other.fitted
    assert all(torch.equal(one, two) for one, two in zip(imputer(*rows), other.eval()(*rows), strict=True))


@pytest.mark.parametrize("absent", IMPUTATIONS)
def test_what_is_imputed_is_nearer_than_the_mean(absent):
    torch.manual_seed(0)
    encodings, _ = related(400, gaps=0.0, width=8)
    here = {name: torch.ones(400, dtype=torch.bool) for name in NAMES}
    train, test = ({name: z[rows] for name, z in encodings.items()} for rows in (slice(300), slice(300, None)))
    imputer = make_stand_in(absent, NAMES, 8, 5).eval()
    for _ in range(20):
        imputer.fit(train, {name: mask[:300] for name, mask in here.items()})
    for i, name in enumerate(NAMES):
        guess = imputer(test, {**{m: here[m][300:] for m in NAMES}, name: ~here[name][300:]})[i]
        error, spread = (guess - test[name]).square().mean(), (train[name].mean(0) - test[name]).square().mean()
        assert error < 0.3 * spread
