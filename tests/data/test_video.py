"""Videos: rows (T, H, W, C), of any length."""

import re

import numpy as np
import pytest
import yaml

from equimodal.data.columns.media import MediaColumn
from equimodal.data.dataset import Dataset
from equimodal.data.own import load_path
from equimodal.errors import DataError
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.base import default_encoder
from equimodal.models.encoders.video import Video

N = 12
LABELS = np.arange(N) % 2
B = np.ones((N, 2))
CLIPS = np.random.default_rng(0).integers(0, 256, (N, 5, 6, 7, 3)).astype(np.uint8)


def fails(message, clip, **options):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        Dataset({"clip": clip, "b": B}, LABELS, **options)
    assert "problems" not in str(caught.value)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_five_axes_with_colours_last_are_videos(channels, dtype):
    clips = np.zeros((N, 5, 6, 7, channels), dtype)
    data = Dataset({"clip": clips, "b": B}, LABELS)
    assert str(data.specs["clip"]) == f"video (5, 6, 7, {channels})"
    assert default_encoder(data.specs["clip"], "clip") == "video"
    assert data.batch([0]).inputs["clip"].numpy().dtype == dtype


def test_other_numbers_of_channels_are_declared():
    clips = np.zeros((N, 5, 6, 7, 2))
    assert Dataset({"clip": clips, "b": B}, LABELS).kinds["clip"] == "tensor"
    assert Dataset({"clip": clips, "b": B}, LABELS, kinds={"clip": "video"}).kinds["clip"] == "video"


def test_rows_of_differing_lengths_are_ragged_and_have_lengths():
    rows = [None if row == 4 else CLIPS[row, : 1 + row % 5] for row in range(N)]
    data = Dataset({"clip": rows, "b": B}, LABELS)
    assert str(data.specs["clip"]) == "video (T, 6, 7, 3)"
    batch = data.batch(np.array([0, 2, 4]))
    assert batch.lengths["clip"].tolist() == [1, 3, 1] and batch.present["clip"].tolist() == [True, True, False]
    assert np.array_equal(batch.inputs["clip"][1].numpy(), CLIPS[2, :3]) and not batch.inputs["clip"][0, 1:].any()


def test_arrays_with_lengths_hide_what_lies_beyond():
    lengths = 1 + np.arange(N) % 5
    data = Dataset({"clip": CLIPS, "b": B}, LABELS, lengths={"clip": lengths})
    clip = data.batch([1]).inputs["clip"].numpy()[0]
    assert np.array_equal(clip[:2], CLIPS[1, :2]) and not clip[2:].any()
    seen = np.concatenate(list(data.valid("clip")))
    assert np.array_equal(seen, np.concatenate([clip[:steps] for clip, steps in zip(CLIPS, lengths, strict=True)]))
    broken = CLIPS.astype(np.float32)
    broken[1, 2:] = np.nan  # beyond its length: never looked at
    assert Dataset({"clip": broken, "b": B}, LABELS, lengths={"clip": lengths}).present["clip"].all()


def test_channels_first_are_refused_with_the_remedy():
    first = CLIPS.transpose(0, 1, 4, 2, 3)
    fails(
        "clip: kind 'video' needs channels last, (N, T, H, W, C), got shape (12, 5, 3, 6, 7). If these are videos with "
        "channels first, move the channels last: array.transpose(0, 1, 3, 4, 2).",
        first,
        kinds={"clip": "video"},
    )
    assert np.array_equal(first.transpose(0, 1, 3, 4, 2), CLIPS)  # the remedy is one
    data = Dataset({"clip": first, "b": B}, LABELS)
    with pytest.raises(DataError, match=r"transpose\(0, 1, 3, 4, 2\)\. Otherwise pass your own module"):
        Classifier.for_data(data.split(seed=0))


def test_another_number_of_axes_is_refused():
    fails("clip: kind 'video' needs (N, T, H, W, C), got uint8 of shape", CLIPS[..., 0], kinds={"clip": "video"})
    fails("Rows may differ in their number of time steps only", [CLIPS[0], *(CLIPS[row, :, :5] for row in range(1, N))])


def test_a_description_can_declare_it(tmp_path):
    np.save(tmp_path / "clip.npy", CLIPS[..., :2])
    np.save(tmp_path / "b.npy", B)
    np.save(tmp_path / "steps.npy", 1 + np.arange(N) % 5)
    (tmp_path / "labels.txt").write_text("\n".join("xy"[label] for label in LABELS))
    files = {"clip": {"file": "clip.npy", "kind": "video"}, "b": "b.npy"}
    content = {"arrays": files, "labels": "labels.txt", "lengths": {"clip": "steps.npy"}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(content))
    data = load_path(tmp_path)
    assert data.kinds["clip"] == "video" and data.lengths["clip"].tolist() == (1 + np.arange(N) % 5).tolist()
    assert isinstance(Classifier.for_data(data.split(seed=0)).encoders["clip"], Video)


def test_files_are_videos_too(tmp_path):
    for row in range(N):
        np.save(tmp_path / f"{row}.npy", CLIPS[row, : 1 + row % 5])
    column = MediaColumn([tmp_path / f"{row}.npy" for row in range(N)], np.load, varies=True)
    data = Dataset({"clip": column, "b": B}, LABELS)
    assert data.kinds["clip"] == "video"
    assert data.batch([1, 2]).lengths["clip"].tolist() == [2, 3]
    np.save(tmp_path / "0.npy", CLIPS[0, :, :5])
    with pytest.raises(DataError, match=r"0\.npy: holds shape \(5, 5, 7, 3\)"):
        data.batch([0])


def test_noise_makes_floats_of_the_frames():
    splits = Dataset({"clip": CLIPS, "b": B}, LABELS).split(seed=0)
    noisy = splits.with_controls(noise={"clip": 0.5})
    assert noisy.train.specs["clip"].kind == "video" and noisy.train.specs["clip"].dtype == np.float32
