"""Pooling against plain loops over the valid tokens."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from equimodal.models.pretrained.pooling import AttentionPool, pool


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans(), st.integers(0, 99))
def test_only_valid_tokens_count_on_either_side(lengths, left, seed):
    torch.manual_seed(seed)
    rows = [torch.randn(length, 3) for length in lengths]
    tokens, mask = torch.full((len(rows), 6, 3), torch.nan), torch.zeros(len(rows), 6, dtype=torch.bool)
    for i, row in enumerate(rows):
        place = slice(6 - len(row), 6) if left else slice(0, len(row))
        tokens[i, place], mask[i, place] = row, True
    attention = AttentionPool(3)
    with torch.no_grad():
        attention.query.normal_()
        weighted = [(row @ attention.query / 3**0.5).softmax(0) @ row for row in rows]
        assert torch.allclose(attention(tokens, mask), torch.stack(weighted), atol=1e-5)
    assert torch.equal(pool(tokens, mask, "last"), torch.stack([row[-1] for row in rows]))
    assert torch.equal(pool(tokens, mask, "cls"), torch.stack([row[0] for row in rows]))
    assert torch.allclose(pool(tokens, mask, "mean"),
                          torch.stack([row.mean(0) for row in rows]), atol=1e-6)  # fmt: skip


def test_a_new_attention_pool_is_the_mean():
    tokens = torch.randn(2, 4, 3)
    assert torch.allclose(AttentionPool(3)(tokens), tokens.mean(1), atol=1e-6)
