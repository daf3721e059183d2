"""Samples that are sections of shared recordings, from a manifest to a data folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equimodal.errors import RunError
from equimodal.media.settings import MediaSettings
from equimodal.preparation import decoding
from equimodal.preparation.prepare import prepare
from equimodal.preparation.record import check
from media.making import need, sound, tone

need("soundfile")

SETTINGS = MediaSettings(audio="waveform", sampling_rate=8000, seconds=1)


def test_sections_become_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pitches in one recording. It is read for its checksum once, and only a section that is there twice is a
    duplicate."""
    sound(tmp_path / "talk.wav", np.concatenate([tone(pitch, 1) for pitch in (300, 600, 900)]), subtype="FLOAT")
    lines = ["0,1", "1.25,1.75", "2,3", "1.25,1.75", "3.1,4", ","]
    text = "".join(f"s{n},{line},talk.wav,words {n}\n" for n, line in enumerate(lines))
    (tmp_path / "m.csv").write_text("id,start,end,audio,text\n" + text)
    read: Counter[str] = Counter()
    real = decoding.digest_of
    monkeypatch.setattr(decoding, "digest_of", lambda path: (read.update([path.name]), real(path))[1])
    record = prepare(tmp_path / "m.csv", tmp_path / "out", SETTINGS, on_error="missing", workers=1)
    assert record.duplicates == {"audio": {"same": 1}} and read == {"talk.wav": 1}
    assert record.unreadable == {"audio": {"out of range": 1}}
    assert (tmp_path / "out/unreadable.csv").read_text().splitlines()[1] == (
        's4,audio,talk.wav [3.1 to 4.0 s],out of range,"lasts 3.00 seconds, and the section is 3.1 to 4.0 s"'
    )
    assert (tmp_path / "out/duplicates.csv").read_text().splitlines()[1] == "audio,same,s3,s1,"
    rows, lengths = (np.load(tmp_path / f"out/columns/audio{end}.npy") for end in ("", "_lengths"))
    assert lengths.tolist() == [8000, 4000, 8000, 4000, 1, 8000]
    for row, pitch in ((0, 300), (1, 600), (2, 900), (5, 300)):
        wave = rows[row, : lengths[row], 0]
        assert np.abs(np.fft.rfft(wave)).argmax() * 8000 / len(wave) == pytest.approx(pitch, abs=3)
    assert np.array_equal(rows[1], rows[3]) and check(tmp_path / "out") == record


def test_another_section_is_another_plan(tmp_path: Path) -> None:
    sound(tmp_path / "talk.wav", tone(300, 2))
    out = tmp_path / "out"
    for end in (1, 1.5):
        (tmp_path / "m.csv").write_text(f"start,end,audio,text\n0,{end},talk.wav,x\n")
        if end == 1:
            prepare(tmp_path / "m.csv", out, SETTINGS)
            continue
        with pytest.raises(RunError, match="from another manifest or with other options"):
            prepare(tmp_path / "m.csv", out, SETTINGS)
