from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from equimodal.data.columns.base import Spec
from equimodal.data.columns.text import TextColumn
from equimodal.errors import ConfigError
from equimodal.models.encoders.base import ENCODERS, build_encoder, default_encoder
from equimodal.models.encoders.cnn import CNN
from equimodal.models.encoders.hashed_text import HashedText, hash_text
from equimodal.models.encoders.mlp import MLP
from equimodal.models.encoders.sequence import GRU, Conv1d
from equimodal.models.encoders.standardise import Standardise


def test_every_encoder_is_listed():
    assert ENCODERS.names() == ("cnn", "conv1d", "gru", "hashed_text", "mlp", "resnet18", "transformers", "video")


def standardised(values, dtype=np.float64):
    """Return a column standardised by itself, in the form that prepared data would hand it over."""
    column = np.asarray(values, dtype).reshape(-1, 1)
    ours = Standardise(1)
    ours.fit(np.array_split(column, 3))
    return ours(torch.from_numpy(column.astype(np.float64 if ours.needs_double else np.float32)))[:, 0].numpy()


@pytest.mark.parametrize("shape", [(50, 4), (50, 7, 4), (20, 5, 6, 4)])
def test_standardise_agrees_with_scikit_learn(shape):
    values = np.random.default_rng(0).normal(3, 5, shape)
    ours = Standardise(4)
    ours.fit(np.array_split(values, 3))
    reference = StandardScaler().fit(values.reshape(-1, 4))
    assert torch.allclose(ours(torch.from_numpy(values)).reshape(-1, 4), torch.tensor(
        reference.transform(values.reshape(-1, 4)), dtype=torch.float32), atol=1e-5)  # fmt: skip


UNITS = [(1.0, 0.0), (1e-7, 0.0), (1e-13, 0.0), (1e-50, 0.0), (1e36, 0.0), (1400.0, 1.7e9), (1e-6, 1.0), (1e-13, -1e-5)]


@pytest.mark.parametrize(("scale", "offset"), UNITS)
def test_the_unit_of_a_column_does_not_matter(scale, offset):
    """Volts or microvolts, degrees or kelvin, seconds since 1970: the expected values are those of plain NumPy."""
    values = np.random.default_rng(0).normal(size=1000)
    shifted = offset + scale * values
    expected = (values - values.mean()) / values.std()
    # What the offset costs in float64 is lost before anything here sees it.
    tolerance = 1e-5 + 4 * np.finfo(float).eps * abs(offset) / scale
    np.testing.assert_allclose(standardised(shifted), expected, atol=tolerance)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(-60, 36), offset=st.floats(0, 8), seed=st.integers(0, 99))
def test_any_unit_and_any_offset_give_the_same(scale, offset, seed):
    values = np.random.default_rng(seed).uniform(-1, 1, 60)
    expected = (values - values.mean()) / values.std()
    np.testing.assert_allclose(standardised((values + 10**offset) * 10**scale), expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, -3e4, 6e-5])
def test_a_constant_column_gives_zero(dtype, value):
    column = np.full(100, value, dtype)
    assert not standardised(column, dtype).any()
    column[::2] = np.nextafter(column[0], dtype(1e4))  # constant but for rounding
    assert value == 0 or not standardised(column, dtype).any()


def test_a_column_that_never_varied_gives_zero_in_other_data_too():
    """Its unit is unknown: a deviation of 1 could be huge or nothing."""
    ours = Standardise(2)
    ours.fit([np.array([[7.0, 1.0], [7.0, 3.0]])])
    assert ours(torch.tensor([[8.0, 3.0]])).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float16, np.float32])
def test_every_type_is_standardised_by_its_values(dtype):
    values = np.random.default_rng(0).integers(0, 200, 500).astype(dtype)
    plain = values.astype(np.float64)
    np.testing.assert_allclose(standardised(values, dtype), (plain - plain.mean()) / plain.std(), atol=1e-5)


def test_large_integers_keep_their_last_digits():
    values = 1_700_000_000_000_000 + np.arange(500)
    np.testing.assert_allclose(standardised(values, np.int64), StandardScaler().fit_transform(
        np.arange(500.0)[:, None])[:, 0], atol=1e-5)  # fmt: skip


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
    ids = [hash_text(text, 50, 3, 3, 6) for text in ("A Cat!", "a cat", "", "dog " * 400)]
    assert ids[0] == ids[1]  # case and punctuation do not count
    assert ids[2] == []
    assert len(ids[3]) == 6
    # "<a>" and "<cat>", then "<ca", "cat", "at>": the word "<a>" is a trigram and stands once
    grams = ["<a>", "<cat>", "<ca", "cat", "at>"]
    assert ids[0] == [1 + zlib.crc32(gram.encode()) % 50 for gram in grams]


def test_text_is_the_mean_of_its_embeddings():
    encoder = HashedText(width=4, buckets=50, hidden=6).eval()
    texts = ["a cat", "", "two dogs bark"]
    prepared = encoder.prepare(TextColumn(texts))
    assert prepared.spec.dtype == np.uint8  # 50 buckets
    ids = [torch.from_numpy(row.astype(np.int64)) for row in prepared.take(slice(0, 3))]
    weight = encoder.embedding.weight
    means = torch.stack([weight[row].mean(0) if len(row) else torch.zeros(6) for row in ids])
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    for array in (np.array(texts), np.array(texts, object), TextColumn(texts).texts):
        assert torch.allclose(encoder(array), encoder.project(means), atol=1e-6)
        assert torch.equal(encoder(array), encoder(padded))  # prepared once, or per batch
    assert encoder(np.array([""])).shape == (1, 4)
    assert encoder.prepare(prepared) is prepared


def test_each_kind_has_its_default():
    shapes = {"vector": (3,), "sequence": (None, 3), "image": (8, 8), "video": (None, 8, 8, 3), "text": ()}
    names = {kind: default_encoder(Spec(kind, shape, np.dtype(float)), "m") for kind, shape in shapes.items()}
    assert all(kind in ENCODERS.get(name).kinds for kind, name in names.items())


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


@pytest.mark.parametrize("features", [1, 3])
def test_statistics_leave_the_data_as_they_are(features):
    """One column of float64 lies in memory as the statistics want it: it must be copied all the same."""
    values = np.random.default_rng(0).normal(size=(30, features))
    before = values.copy()
    Standardise(features).fit([values])
    assert np.array_equal(values, before)
