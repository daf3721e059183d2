"""Seeds by purpose."""

import hashlib

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from equimodal.seeds import derive_seed, permutation

PURPOSE = st.lists(st.one_of(st.integers(0, 10**6), st.text("abc", max_size=4)), max_size=4)


@given(seed=st.integers(0, 2**32 - 1), purpose=PURPOSE)
def test_a_seed_fits_every_generator_and_is_the_digest_of_its_purpose(seed, purpose):
    derived = derive_seed(seed, *purpose)
    assert 0 <= derived < 2**63
    torch.Generator().manual_seed(derived)
    np.random.default_rng(derived)
    text = "/".join(map(str, [seed, *purpose]))
    assert derived == int(hashlib.blake2b(text.encode(), digest_size=8).hexdigest(), 16) // 2


def test_seeds_of_different_batches_differ():
    drawn = {derive_seed(seed, "batch", *where) for seed in range(5) for where in np.ndindex(2, 11, 3, 12)}
    assert len(drawn) == 5 * 2 * 11 * 3 * 12


def test_permutations_are_permutations_reproducible_and_apart():
    one, again = permutation(50, 0, "order", 1), permutation(50, 0, "order", 1)
    assert torch.equal(one, again)
    assert sorted(one.tolist()) == list(range(50))
    assert not torch.equal(one, permutation(50, 0, "order", 2))
    assert not torch.equal(one, permutation(50, 1, "order", 1))


def test_permutations_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    permutation(50, 0, "order", 1)
    assert torch.equal(before, torch.get_rng_state())


def test_every_row_comes_first_equally_often():
    first = [int(permutation(6, 0, "order", epoch)[0]) for epoch in range(1200)]
    assert chisquare(np.bincount(first, minlength=6)).pvalue > 1e-3
