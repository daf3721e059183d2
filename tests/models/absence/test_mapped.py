"""Imputation by learned maps."""

import torch

from equimodal.models.absence.iterative import ChainedRidge
from equimodal.models.absence.mapped import LearnedMaps

from .rows import NAMES, related


def fitted(encodings, present, names=NAMES, width=2, times=1):
    imputer = LearnedMaps(names, width)
    for i in range(times):
        torch.manual_seed(i)
        imputer.fit(encodings, present)
    return imputer


def explained(imputer, encodings, absent):
    """Return the share of a modality's variance that is imputed where it is absent everywhere."""
    z = encodings[absent]
    present = {name: torch.full((len(z),), name != absent) for name in encodings}
    guess = imputer.eval()(encodings, present)[list(encodings).index(absent)]
    return float(1 - (guess - z).square().sum() / (z - z.mean(0)).square().sum())


def test_it_learns_what_no_linear_map_knows():
    torch.manual_seed(0)
    hidden = torch.randn(600, 2)
    encodings = {"a": hidden @ torch.randn(2, 8) + 3, "b": 5 * hidden.abs() @ torch.randn(2, 8)}
    here = {name: torch.ones(600, dtype=torch.bool) for name in encodings}
    linear = ChainedRidge(("a", "b"), 8)
    linear.fit(encodings, here)
    maps = fitted(encodings, here, ("a", "b"), 8, times=20)
    assert explained(linear, encodings, "b") < 0.1 and explained(maps, encodings, "b") > 0.8
    assert explained(maps, encodings, "a") < 0.2  # the signs are in "a" alone


def test_a_map_learns_from_rows_that_have_both_alone():
    encodings, present = related(60)
    both = present["a"] & present["b"]
    once = fitted(encodings, present)
    changed = {name: z.clone() for name, z in encodings.items()}
    changed["c"] += torch.randn(60, 2)  # of "c", anything may be true
    other = fitted(changed, present)
    assert both.any()
    for part in ("inner", "inner_bias", "outer", "outer_bias"):
        one, two = getattr(once, part), getattr(other, part)
        assert torch.equal(one[0, 1], two[0, 1]) and torch.equal(one[1, 0], two[1, 0])
        assert not torch.equal(one[0, 2], two[0, 2])


def test_the_order_of_the_modalities_does_not_matter():
    encodings, present = related(60)
    there = {name: torch.tensor([name != "b"]).expand(60) for name in NAMES}
    once = fitted(encodings, present)(encodings, there)
    again = fitted(encodings, present, NAMES[::-1])(encodings, there)
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(once, again[::-1], strict=True))


def test_the_scale_of_an_encoding_does_not_matter():
    encodings, present = related(60)
    there = {name: torch.tensor([name != "b"]).expand(60) for name in NAMES}
    once = fitted(encodings, present)(encodings, there)[1]
    larger = {**encodings, "b": 100 * encodings["b"]}
    assert torch.allclose(fitted(larger, present)(larger, there)[1], 100 * once, rtol=1e-3, atol=1e-2)
