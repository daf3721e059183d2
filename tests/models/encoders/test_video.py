"""The video encoder: each frame by itself, then the mean over time and a temporal convolution."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from equimodal.batch import Batch
from equimodal.data.dataset import Dataset
from equimodal.errors import ConfigError, DataError
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.base import build_encoder
from equimodal.models.encoders.pixels import by_frame
from equimodal.models.encoders.video import Video
from equimodal.training.fit import fit
from equimodal.training.run import load

SMALL = {"height": 6, "width_pixels": 5, "channels": 2, "width": 4, "hidden": [3, 4], "steps": 5}


def videos(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (length, 6, 5, 2)).astype(np.uint8) for length in lengths]


@settings(max_examples=15)
@given(length=st.integers(1, 6), padding=st.integers(0, 5), kernel=st.sampled_from([1, 3, 5]), seed=st.integers(0, 99))
def test_a_video_is_seen_to_its_end_whatever_the_padding(length, padding, kernel, seed):
    torch.manual_seed(seed)
    encoder = Video(**SMALL, kernel=kernel).eval()
    x = torch.randn(1, length, 6, 5, 2)
    junk = torch.cat([x, 100 * torch.randn(1, padding, 6, 5, 2)], dim=1)
    steps = torch.tensor([length])
    assert torch.allclose(encoder(x, steps), encoder(junk, steps), atol=1e-5)
    assert torch.allclose(encoder(x, steps), encoder(x), atol=1e-5)  # no lengths: all frames are valid
    other = x.clone()
    other[:, -1] *= -2
    assert not torch.allclose(encoder(x, steps), encoder(other, steps), atol=1e-5)


def test_it_is_its_formula():
    torch.manual_seed(0)
    encoder = Video(**SMALL, dropout=0.0).eval()
    x = torch.randint(0, 256, (1, 4, 6, 5, 2), dtype=torch.uint8)
    seen = []
    for frame in x[0].float():
        y = frame.permute(2, 0, 1)[None]
        # 6 x 5 is pooled once, to 3 x 2
        y = functional.max_pool2d(functional.conv2d(y, encoder.blocks[0].weight, encoder.blocks[0].bias, padding=1), 2)
        y = functional.gelu(functional.group_norm(y, 3, encoder.blocks[2].weight, encoder.blocks[2].bias))
        y = functional.conv2d(y, encoder.blocks[4].weight, encoder.blocks[4].bias, padding=1)
        y = functional.gelu(functional.group_norm(y, 4, encoder.blocks[5].weight, encoder.blocks[5].bias))
        seen.append(functional.linear(y.flatten(1), encoder.frame[1].weight, encoder.frame[1].bias)[0])
    zero, changes = torch.zeros(5), []
    for before, now, after in zip([zero, *seen[:-1]], seen, [*seen[1:], zero], strict=True):
        w = encoder.convolution.weight
        y = w[:, :, 0] @ before + w[:, :, 1] @ now + w[:, :, 2] @ after + encoder.convolution.bias
        changes.append(functional.gelu(functional.layer_norm(y, (5,), encoder.norm.weight, encoder.norm.bias)))
    pooled = torch.cat([torch.stack(seen).mean(0), torch.stack(changes).mean(0)])
    assert torch.allclose(encoder(x)[0], encoder.project(pooled), atol=1e-5)


def test_the_order_of_the_frames_counts():
    torch.manual_seed(0)
    encoder = Video(**SMALL).eval()
    x = torch.randn(1, 5, 6, 5, 2)
    assert not torch.allclose(encoder(x), encoder(x.flip(1)), atol=1e-5)


def test_padding_never_reaches_the_frames_encoder():
    seen = []

    def encode(frames):
        seen.append(len(frames))
        return frames.flatten(1).sum(1, keepdim=True)

    mask = torch.tensor([[1.0, 1, 0], [1, 0, 0]]).unsqueeze(-1)
    x = torch.arange(6.0).reshape(2, 3, 1, 1, 1)
    assert by_frame(encode, x, mask).squeeze(-1).tolist() == [[0, 1, 0], [3, 0, 0]]
    assert seen == [3]


def test_an_even_kernel_is_refused():
    with pytest.raises(ConfigError, match=r"encoders\.v: encoder 'video' cannot be made: kernel: expected an odd"):
        build_encoder("video", "v", {**SMALL, "kernel": 4})


@pytest.fixture(scope="module")
def moving():
    """A clip that gets brighter or darker, of 1 to 5 frames more, and a vector; some of each absent."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    clips = []
    for label in labels:
        ramp = np.linspace(40, 215, rng.integers(2, 6))[:: 1 if label else -1]
        clips.append(np.clip(ramp[:, None, None, None] + rng.normal(0, 5, (1, 6, 5, 2)), 0, 255).astype(np.uint8))
    clips = [None if row % 10 == 3 else clip for row, clip in enumerate(clips)]
    arrays = {"clip": clips, "sound": rng.normal(labels[:, None], 1, (60, 3))}
    return Dataset(arrays, labels, kinds={"clip": "video"}).split(seed=0)


def test_it_is_the_default_of_videos_and_learns_what_changes(moving, tmp_path):
    model = Classifier.for_data(moving, {"clip": {"hidden": [4, 4], "steps": 8, "dropout": 0.0}}, width=6)
    encoder = model.encoders["clip"]
    assert isinstance(encoder, Video) and (encoder.options["height"], encoder.options["pixels"]) == (6, "uint8")
    rows = np.concatenate([clip.reshape(-1, 2) for clip in moving.train.valid("clip")]).astype(float)
    assert torch.allclose(encoder.standardise.mean, torch.tensor(rows.mean(0), dtype=torch.float32), rtol=1e-4)
    options = {"epochs": 6, "batch_size": 12, "learning_rate": 0.02, "reference": False, "measure": {"bootstrap": 0}}
    run = fit(model, moving, "unimodal_ensemble", out=tmp_path / "run", quiet=True, **options)
    assert run.test.alone["clip"] > 0.9  # the mean brightness says nothing
    again = load(tmp_path / "run")
    found, expected = again.predict(moving.test), run.predict(moving.test)
    assert np.array_equal(found.probabilities, expected.probabilities)
    alone = again.predict(moving.test, batch_size=1)
    np.testing.assert_allclose(alone.probabilities, expected.probabilities, atol=1e-5)


def test_absent_and_short_videos_are_padded_in_a_batch(moving):
    batch: Batch = moving.train.batch(np.arange(12))
    x, lengths, here = batch.inputs["clip"], batch.lengths["clip"], batch.present["clip"]
    assert x.dtype == torch.uint8 and x.ndim == 5 and x.shape[1] == lengths[here].max()
    assert all(not x[row, steps:].any() for row, steps in enumerate(lengths.tolist()))
    assert not x[~here].any()


def test_videos_stored_otherwise_are_refused(moving):
    model = Classifier.for_data(moving, width=4)
    floats = [np.asarray(clip / 255, np.float32) for clip in videos(2, 3)]
    data = Dataset({"clip": floats, "sound": np.ones((2, 3))}, kinds={"clip": "video"})
    with pytest.raises(DataError, match=r"clip: the model was trained on pictures of integers from 0 to 255"):
        model.prepare(data)
    with pytest.raises(DataError, match=r"clip: the model was made for height 6, .* the data have height 7"):
        model.prepare(
            Dataset({"clip": np.zeros((2, 3, 7, 5, 2), np.uint8), "sound": np.ones((2, 3))}, kinds={"clip": "video"})
        )
