"""Waveforms as the inputs of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from equimodal.errors import ConfigError, DataError
from equimodal.extras import need
from equimodal.media.resampling import resampled
from equimodal.models.pretrained.pictures import no_processor, plain
from equimodal.models.pretrained.processed import PROCESSOR, Fields
from equimodal.models.pretrained.running import FRAMES, MASK, WAVE
from equimodal.models.pretrained.source import Source

_FRAME = 400
"""Samples of one frame of AST's spectrogram, 25 ms."""


class Wave:
    """A waveform at the rate of a model.

    Args:
        extractor: of the model.
        rate: of the data, in Hz.
        seconds: what is beyond is cut off.
        shortest: fewest samples that the model takes; shorter ones are filled up with silence.
    """

    def __init__(self, extractor: Any, rate: int, seconds: float, shortest: int = 1) -> None:
        self.extractor, self.rate, self.seconds, self.shortest = extractor, rate, seconds, shortest

    def __call__(self, row: Any) -> np.ndarray:
        """Return float32 (samples,) of stored values (samples,) or (samples, 1)."""
        wave = mono(row)
        target = int(self.extractor.sampling_rate)
        wave = resampled(wave[: math.ceil(self.seconds * self.rate)], self.rate, target)
        return np.pad(wave, (0, max(0, self.shortest - len(wave))))

    def identity(self) -> dict[str, Any]:
        """Return rate, length, and the extractor's settings."""
        return {PROCESSOR: plain(self.extractor), "rate": self.rate, "seconds": self.seconds}


class Waveforms:
    """Makes inputs of a model that reads waveforms: `input_values` and `attention_mask` (samples,)."""

    ragged = frozenset({WAVE, MASK})

    def __init__(self, wave: Wave) -> None:
        self.wave = wave

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return the model's inputs."""
        extractor = self.wave.extractor
        found = [
            np.asarray(extractor(self.wave(row), sampling_rate=extractor.sampling_rate)["input_values"][0], np.float32)
            for row in rows
        ]
        return {WAVE: found, MASK: [np.ones(len(one), np.int64) for one in found]}

    def identity(self) -> dict[str, Any]:
        """Return the settings."""
        return self.wave.identity()


class Spectrograms:
    """Makes inputs of a model that reads spectrograms of one length.

    Args:
        wave: at the model's rate.
        model_type: of the model.
    """

    ragged = frozenset[str]()

    def __init__(self, wave: Wave, model_type: str) -> None:
        self.wave, self.model_type = wave, model_type

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return the model's inputs; `frames` counts those tokens that are not silence filled in."""
        fields: Fields = {}
        for row in rows:
            for name, value in self._one(self.wave(row)).items():
                fields.setdefault(name, []).append(value)
        return fields

    def _one(self, wave: np.ndarray) -> dict[str, np.ndarray]:
        extractor = self.wave.extractor
        rate = extractor.sampling_rate
        if self.model_type == "whisper":
            features = spectrum(extractor, wave)[0]
            frames = min(math.ceil(len(wave) / extractor.hop_length), features.shape[1])
            return {"input_features": features, FRAMES: np.array([max(1, math.ceil(frames / 2))])}
        if self.model_type.startswith("clap"):
            wave = wave[: extractor.nb_max_samples]  # a longer one would be cut at random
            found = extractor(
                wave, sampling_rate=rate, truncation="rand_trunc", padding="repeatpad", return_tensors="np"
            )
            return {"input_features": np.asarray(found["input_features"][0], np.float32)}
        found = extractor(wave, sampling_rate=rate, return_tensors="np")
        return {WAVE: np.asarray(found["input_values"][0], np.float32)}

    def identity(self) -> dict[str, Any]:
        """Return the settings."""
        return self.wave.identity()


def spectrum(extractor: Any, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Whisper's log-mel spectrogram (mels, frames) and its valid frames (frames,)."""
    found = extractor(wave, sampling_rate=extractor.sampling_rate, return_attention_mask=True, return_tensors="np")
    return np.asarray(found["input_features"][0], np.float32), np.asarray(found["attention_mask"][0], np.int64)


def mono(row: Any) -> np.ndarray:
    """Return a row as a waveform in float32; integers are scaled by their largest value.

    Raises:
        DataError: it has several channels, or no samples.

    Example:
        >>> mono(np.array([[16384], [-32768]], np.int16)).tolist()
        [0.5, -1.0]
    """
    values = np.asarray(row)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not len(values):
        raise DataError(
            f"sound for a pretrained encoder should be waveforms, (samples,) or (samples, 1), got shape {values.shape}."
            " Give the waveform itself in place of features, and the mean of its channels."
        )
    scale = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max) + 1
    return (values / scale).astype(np.float32)


def extractor_of(source: Source, config: Any) -> Any:
    """Return the feature extractor of a source; for a new model, one with the usual settings of its family.

    Raises:
        ConfigError: it cannot be loaded.
    """
    transformers = need("transformers")
    if source.place is None:
        return _default(transformers, config)
    try:
        return transformers.AutoFeatureExtractor.from_pretrained(source.place, **source.reading)
    except Exception as error:  # its readers raise errors of any class
        raise ConfigError(no_processor(source, "sound", error)) from error


def _default(transformers: Any, config: Any) -> Any:
    audio = getattr(config, "audio_config", None) or config
    kind = audio.model_type
    if kind == "audio-spectrogram-transformer":
        return transformers.ASTFeatureExtractor(num_mel_bins=audio.num_mel_bins, max_length=audio.max_length)
    if kind.startswith("clap"):
        frames = audio.spec_size * (audio.spec_size // audio.num_mel_bins)
        hop, rate = 480, 48000
        found = transformers.ClapFeatureExtractor(feature_size=audio.num_mel_bins, hop_length=hop, sampling_rate=rate)
        found.nb_max_samples = (frames - 1) * hop
        found.max_length_s = found.nb_max_samples / rate
        return found
    if hasattr(audio, "num_mel_bins"):  # Whisper, and those that begin as it does
        found = transformers.WhisperFeatureExtractor(feature_size=audio.num_mel_bins)
        found.nb_max_frames = 2 * audio.max_source_positions
        found.n_samples = found.nb_max_frames * found.hop_length
        return found
    return transformers.Wav2Vec2FeatureExtractor(do_normalize=True)


def shortest_of(config: Any) -> int:
    """Return the fewest samples that the convolutions of a model, or the frames of its spectrogram, take.

    Example:
        >>> from types import SimpleNamespace
        >>> shortest_of(SimpleNamespace(model_type="hubert", conv_kernel=(10, 3), conv_stride=(5, 2)))
        20
    """
    if config.model_type == "audio-spectrogram-transformer":
        return _FRAME
    kernels, strides = getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ())
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples
