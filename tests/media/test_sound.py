"""Sound: every form, rates, channels, spectrograms, and what is wrong with what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly, stft

from equimodal.media.forms import form_of, read_row
from equimodal.media.resampling import resampled
from equimodal.media.settings import MediaSettings
from equimodal.media.sound import read_sound
from equimodal.media.spectrogram import log_spectrogram
from equimodal.media.unreadable import Unreadable
from media.making import claim_more, need, sound, tone, video

need("soundfile", "av")

WAVE = MediaSettings(audio="waveform", sampling_rate=8000, seconds=1)


def pitch(wave: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * rate / len(wave))


@pytest.mark.parametrize(
    ("name", "subtype", "most"),
    [
        ("a.wav", "PCM_U8", 1e-2),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "FLOAT", 0),
        ("a.flac", "PCM_16", 1e-4),
        ("a.ogg", "VORBIS", 5e-2),
    ],
)
def test_forms(tmp_path: Path, name: str, subtype: str, most: float) -> None:
    found = read_sound(sound(tmp_path / name, tone(440, 0.5), subtype=subtype), WAVE)
    assert found.shape == (4000, 1) and found.dtype == np.float32
    assert np.abs(found[:, 0] - tone(440, 0.5)).max() <= most


def test_mp3(tmp_path: Path) -> None:
    """It adds a little silence and takes the highest tones away, so that pitch and loudness are compared."""
    found = read_sound(sound(tmp_path / "a.mp3", tone(440, 0.5, 22050), 22050), WAVE)[:, 0]
    assert abs(pitch(found, 8000) - 440) < 3 and np.abs(found[1500:3000]).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("name", "codec", "sound_codec"),
    [("a.mp4", "libx264", "aac"), ("a.flv", "flv", "mp3"), ("a.avi", "mpeg4", "mp3"), ("a.mkv", "libx264", "aac")],
)
def test_out_of_videos(tmp_path: Path, name: str, codec: str, sound_codec: str) -> None:
    path = video(tmp_path / name, [90] * 10, codec=codec, wave=tone(440, 0.5, 22050), sound_codec=sound_codec)
    found = read_sound(path, WAVE)[:, 0]
    assert 4000 <= len(found) <= 4700 and abs(pitch(found, 8000) - 440) < 5
    assert np.abs(found[1500:3000]).max() == pytest.approx(0.5, abs=0.05)


def test_rates_channels_and_seconds(tmp_path: Path) -> None:
    stereo = np.stack([tone(300, 2, 44100), tone(500, 2, 44100)], 1)
    found = read_sound(sound(tmp_path / "a.wav", stereo, 44100, "FLOAT"), WAVE)[:, 0]
    assert len(found) == 8000  # a second
    expected = (tone(300, 1) + tone(500, 1)) / 2
    assert np.abs(found - expected)[50:].max() < 5e-3  # also at the end: the filter saw what comes after
    short = read_sound(sound(tmp_path / "b.wav", tone(300, 0.25)), WAVE)
    assert len(short) == 2000  # its own length


@pytest.mark.parametrize("audio", ["waveform", "spectrogram"])
def test_short_sounds_are_repeated(tmp_path: Path, audio: str) -> None:
    """As in the published code for CREMA-D: `np.tile(samples, 10)[: rate * seconds]`."""
    settings = MediaSettings(audio=audio, sampling_rate=8000, seconds=1, short="tile")
    wave = tone(300, 0.3)
    form = form_of("audio", settings)
    found = read_row(sound(tmp_path / "a.wav", wave, subtype="FLOAT"), form, settings).values
    expected = np.tile(wave, 10)[:8000]
    if audio == "waveform":
        assert np.array_equal(found[:, 0], expected)
    else:
        assert np.array_equal(found, log_spectrogram(expected, settings.window, settings.hop))
    assert found.shape == form.shape and not form.varies
    long = read_row(sound(tmp_path / "b.wav", tone(300, 1.3), subtype="FLOAT"), form, settings).values
    assert long.shape == form.shape


@pytest.mark.parametrize(("rate", "target"), [(22050, 16000), (8000, 16000), (44100, 8000)])
def test_resampling_is_that_of_scipy(rate: int, target: int) -> None:
    wave = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    common = np.gcd(rate, target)
    assert np.array_equal(resampled(wave, rate, target), resample_poly(wave, target // common, rate // common))


def test_the_spectrogram_is_the_formula() -> None:
    wave, window, hop = np.random.default_rng(0).normal(size=700), 64, 20
    _, _, reference = stft(wave, nperseg=window, noverlap=window - hop, window="hann", boundary="zeros", padded=True)
    scale = np.hanning(window + 1)[:-1].sum()  # SciPy divides by it
    found = log_spectrogram(wave, window, hop)
    assert found.shape == (36, 33)
    assert np.allclose(np.exp(found), np.abs(reference.T[:36]) * scale + 1e-7, rtol=1e-4, atol=1e-5)


def test_the_form_holds_every_sound(tmp_path: Path) -> None:
    for seconds in (0.01, 0.5, 1, 1.5):
        path = sound(tmp_path / "a.wav", tone(440, seconds))
        for audio in ("spectrogram", "waveform"):
            settings = MediaSettings(audio=audio, sampling_rate=8000, seconds=1, window=256, hop=100)
            form = form_of("audio", settings)
            values = read_row(path, form, settings).values
            assert values.shape[1:] == form.shape[1:] and 1 <= len(values) <= form.shape[0]
            assert len(values) == form.shape[0] or seconds < 1


@pytest.mark.parametrize("short", ["own", "tile"])
def test_a_picture_of_sound_has_one_size(tmp_path: Path, short: str) -> None:
    settings = MediaSettings(audio="picture", sampling_rate=8000, seconds=1, short=short)
    form = form_of("audio", settings)
    assert (form.kind, form.shape, form.varies) == ("image", (32, 257), False)
    wave = tone(300, 0.3)
    found = read_row(sound(tmp_path / "a.wav", wave, subtype="FLOAT"), form, settings).values
    whole = np.tile(wave, 10)[:8000] if short == "tile" else np.concatenate([wave, np.zeros(8000 - len(wave))])
    assert np.allclose(found, log_spectrogram(whole.astype(np.float32), settings.window, settings.hop))
    assert found.shape == form.shape


def broken(tmp_path: Path, case: str) -> Path:
    path = tmp_path / "a.wav"
    if case == "cut wav":
        return claim_more(sound(path, tone(440, 1)))
    if case == "cut flac":
        flac = sound(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.2, 8000).astype(np.float32))
        flac.write_bytes(flac.read_bytes()[:5000])
        return flac
    if case == "empty":
        path.write_bytes(b"")
    elif case == "no sound":
        path.write_bytes(b"no sound at all" * 20)
    elif case == "no mp3":
        path = tmp_path / "a.mp3"
        path.write_bytes(b"no sound at all" * 20)
    elif case == "no sample":
        sound(path, np.empty(0, np.float32))
    elif case == "video without sound":
        return video(tmp_path / "a.mp4", [10] * 5)
    elif case == "not finite":
        sound(path, np.array([0, np.nan, 0.5], np.float32), subtype="FLOAT")
    elif case == "long":
        sound(path, np.zeros(8000 * 3, np.float32))
    return path


@pytest.mark.parametrize(
    ("case", "cause", "words"),
    [
        ("cut wav", "cut short", "has 8022 of 16044 bytes"),
        ("cut flac", "cut short", "ends after|cannot be decoded"),
        ("empty", "empty", "no byte"),
        ("no sound", "damaged", "cannot be decoded as sound"),
        ("no mp3", "damaged", r"cannot be decoded as sound \(it is no MP3, in spite of its name\)"),
        ("no sample", "no sound", "no sample"),
        ("video without sound", "no sound", "no audio stream"),
        ("not finite", "not finite", "NaN"),
        ("long", "too long", "lasts 3 seconds, more than --max-seconds 2"),
    ],
)
def test_what_is_wrong(tmp_path: Path, case: str, cause: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words) as error:
        read_sound(broken(tmp_path, case), MediaSettings(max_seconds=2))
    assert error.value.cause in (cause, "damaged" if case == "cut flac" else cause)
