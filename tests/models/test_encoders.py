from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from equimodal.errors import ConfigError
from equimodal.models.encoders.base import ENCODERS, Standardise, build_encoder, default_encoder
from equimodal.models.encoders.cnn import CNN
from equimodal.models.encoders.hashed_text import HashedText, hash_text
from equimodal.models.encoders.mlp import MLP
from equimodal.models.encoders.sequence import GRU, Conv1d


def test_every_encoder_is_listed():
    assert ENCODERS.names() == ("cnn", "conv1d", "gru", "hashed_text", "mlp")


@pytest.mark.parametrize("shape", [(50, 4), (50, 7, 4), (20, 5, 6, 4)])
def test_standardise_agrees_with_scikit_learn(shape):
    values = np.random.default_rng(0).normal(3, 5, shape)
    ours = Standardise(4)
    ours.fit(values)
    reference = StandardScaler().fit(values.reshape(-1, 4))
    assert torch.allclose(ours(torch.from_numpy(values)).reshape(-1, 4), torch.tensor(
        reference.transform(values.reshape(-1, 4)), dtype=torch.float32), atol=1e-5)  # fmt: skip


def test_standardise_counts_valid_steps_only_and_goes_by_chunks():
    rng = np.random.default_rng(0)
    values, lengths = rng.normal(size=(2500, 6, 2)), rng.integers(1, 7, 2500)  # more than one chunk
    padded = values.copy()
    padded[np.arange(6) >= lengths[:, None]] = 1e6
    ours = Standardise(2)
    ours.fit(padded, lengths)
    rows = np.concatenate([values[i, : lengths[i]] for i in range(2500)])
    assert np.allclose(ours.mean.numpy(), rows.mean(0), atol=1e-5)
    assert np.allclose(ours.std.numpy(), rows.std(0), atol=1e-5)


def test_standardise_only_centres_constant_columns():
    ours = Standardise(2)
    ours.fit(np.array([[7.0, 0.1], [7.0, 0.1], [7.0, 0.1]]))
    out = ours(torch.tensor([[7.0, 0.1], [8.0, 1.1]]))
    assert torch.allclose(out, torch.tensor([[0.0, 0.0], [1.0, 1.0]]), atol=1e-6)


@pytest.mark.parametrize("cls", [Conv1d, GRU])
@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 9), padding=st.integers(0, 7), seed=st.integers(0, 99))
def test_a_sequence_is_read_to_its_end_whatever_the_padding(cls, length, padding, seed):
    torch.manual_seed(seed)
    encoder = cls(features=3, width=5, hidden=6, layers=2).eval()
    x = torch.randn(1, length, 3)
    junk = torch.cat([x, 100 * torch.randn(1, padding, 3)], dim=1)
    steps = torch.tensor([length])
    assert torch.allclose(encoder(x, steps), encoder(junk, steps), atol=1e-5)
    assert torch.allclose(encoder(x, steps), encoder(x), atol=1e-5)  # no lengths: all steps are valid
    if length > 1:  # and the last step does count
        other = x.clone()
        other[:, -1] += 3
        assert not torch.allclose(encoder(x, steps), encoder(other, steps), atol=1e-5)


def test_an_image_without_channel_axis_is_one_channel():
    torch.manual_seed(0)
    encoder = CNN(height=9, width_pixels=6, channels=1, width=5, hidden=[4, 4, 4]).eval()
    x = torch.randint(0, 255, (3, 9, 6), dtype=torch.uint8)
    assert torch.equal(encoder(x), encoder(x.unsqueeze(-1)))


def test_text_is_hashed_alike_everywhere():
    ids = hash_text(["A Cat!", "a cat", "", "dog " * 400], buckets=50, shortest=3, longest=3, limit=6)
    assert ids.shape == (4, 6)
    assert (ids[0] == ids[1]).all()  # case and punctuation do not count
    assert (ids[2] == 0).all()
    assert (ids[3] > 0).all()
    # "<a>" and "<cat>", then "<ca", "cat", "at>": the word "<a>" is a trigram and stands once
    grams = ["<a>", "<cat>", "<ca", "cat", "at>"]
    assert ids[0, :5].tolist() == [1 + zlib.crc32(gram.encode()) % 50 for gram in grams]
    assert ids[0, 5] == 0


def test_text_is_the_mean_of_its_embeddings():
    encoder = HashedText(width=4, buckets=50, hidden=6).eval()
    texts = np.array(["a cat", "", "two dogs bark"])
    ids = torch.from_numpy(encoder.prepare(texts))
    weight = encoder.embedding.weight
    means = torch.stack([weight[row[row > 0]].mean(0) if (row > 0).any() else torch.zeros(6) for row in ids])
    assert torch.allclose(encoder(texts), encoder.project(means), atol=1e-6)
    assert torch.equal(encoder(texts), encoder(ids))  # prepared once, or per batch
    assert encoder.prepare(ids) is ids


def test_each_kind_has_its_default():
    kinds = {kind: default_encoder(kind, "m") for kind in ("vector", "sequence", "image", "text")}
    assert all(kind in ENCODERS.get(name).kinds for kind, name in kinds.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": 3}, "no option 'hiden'. Did you mean 'hidden'"),
        ({"features": 4, "hidden": "big"}, "model.encoders.sound.hidden: input should be a valid integer"),
        ({"features": 4, "dropout": 2}, "encoder 'mlp' cannot be made"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ConfigError, match=r"model\.encoders\.sound") as caught:
        build_encoder("mlp", "sound", options)
    assert message in str(caught.value)


def test_options_rebuild_an_encoder():
    for name, arguments in {
        "mlp": {"features": 3, "width": 4, "layers": 2},
        "cnn": {"height": 8, "width_pixels": 8, "width": 4, "hidden": (4,)},
        "gru": {"features": 3, "width": 4, "layers": 2},
        "conv1d": {"features": 3, "width": 4, "kernel": 3},
        "hashed_text": {"width": 4, "buckets": 10},
    }.items():
        first = ENCODERS.get(name)(**arguments)
        second = build_encoder(name, "m", first.options)
        second.load_state_dict(first.state_dict())
        assert second.options == first.options
    assert MLP(features=3, width=4, layers=0).layers[0].weight.shape == (4, 3)
