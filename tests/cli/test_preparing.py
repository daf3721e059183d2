"""From a manifest of real media to predictions, as a user would type it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equimodal.cli.main import main
from media.making import claim_more, need, picture, scene, sound, tone, video
from programs import program

need("av", "soundfile", "PIL")

Run = Callable[..., tuple[int, str, str]]
SHORT = ["-q", "-s", "training.epochs=1", "-s", "model.width=8", "-s", "measure.bootstrap=0"]
SMALL = ["--image-size", "16", "--frames", "2", "--frame-size", "16", "--sampling-rate", "4000", "--seconds", "0.5"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Call the program as a shell would, from an empty folder; give its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    return program("equimodal", main, monkeypatch, capsys)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """24 samples of two classes, a bright and high one and a dark and low one; some files are damaged."""
    folder = tmp_path / "own"
    folder.mkdir()
    forms = {"image": ("jpg", "png", "webp"), "audio": ("wav", "flac", "ogg", "mp3"), "video": ("mp4", "avi", "flv")}
    codecs = {"mp4": "libx264", "avi": "mpeg4", "flv": "flv"}
    lines = ["id,label,split,image,audio,video,text"]
    for n in range(24):
        name = {what: f"{n}.{endings[n % len(endings)]}" for what, endings in forms.items()}
        high = n % 2
        picture(folder / name["image"], scene(n, 24, 32) // (1 if high else 4))
        sound(folder / name["audio"], tone(1200 if high else 300, 0.3 + n / 100))
        if n % 4 < 2:
            video(folder / name["video"], [60 + 120 * high] * 6, codec=codecs[name["video"].split(".")[1]])
        (folder / f"{n}.txt").write_text(f"number {n}\n{'bright' if high else 'dark'}", "utf-8")
        part = ("train", "train", "validation", "test")[n // 2 % 4]
        moving = name["video"] if n % 4 < 2 else ""
        lines.append(f"{n},{'high' if high else 'low'},{part},{name['image']},{name['audio']},{moving},{n}.txt")
    (folder / "0.jpg").write_bytes(b"")
    claim_more(folder / "4.wav")
    (folder / "2.txt").write_bytes("grün".encode("latin-1"))
    (folder / "1.avi").write_bytes(b"not a video")
    (folder / "own.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "own.csv"


def test_from_a_manifest_to_predictions(run: Run, manifest: Path, tmp_path: Path) -> None:
    prepare = ["prepare", manifest, "--out", "made", *SMALL, "--workers", "1", "-q"]
    code, _, err = run(*prepare)
    assert code == 2 and err.startswith("error: 4 files are unreadable (audio cut short: 1, image empty: 1")
    for part in ("text not text: 1", "video damaged: 1", "0.jpg holds no byte", "--on-error missing"):
        assert part in err
    assert len(err.strip().splitlines()) == 1

    code, out, _ = run(*prepare, "--on-error", "missing")
    assert code == 0 and "24 samples in made." in out and "text: not text: 1" in out
    assert re.search(r"audio +sequence +8 x 257 +23 +1", out)
    assert run("prepare", "--check", "made")[:2] == (0, "made: whole, 12 files, 24 samples.\n")

    code, out, _ = run("data", "show", "made", "--out", "sheet.html")
    assert code == 0 and "24 samples, 2 classes: train 12, validation 6, test 6." in out
    assert re.search(r"video +video \(2, 16, 16, 3\) +11 +13", out)
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") > 16 and 'src="http' not in page

    code, out, err = run("train", "joint", "--data", "made", "--out", "run", *SHORT)
    assert code == 0, err
    code, out, _ = run("predict", "run", "made", "--out", "p.csv")
    assert code == 0 and len((tmp_path / "p.csv").read_text().splitlines()) == 25


def test_a_folder_per_class(run: Run, tmp_path: Path) -> None:
    for n in range(6):
        folder = tmp_path / "own" / ("dark", "light")[n % 2]
        folder.mkdir(parents=True, exist_ok=True)
        video(folder / f"{n}.mp4", [60 + 120 * (n % 2)] * 4, wave=tone(440, 0.2, 22050))
    code, out, err = run(
        "prepare", "own", "--out", "made", "--video-sound", "--audio", "waveform", *SMALL, "-q", "--workers", "1"
    )
    assert code == 0, err
    assert re.search(r"audio +sequence +2000 x 1 +6 +0\n *video +video +2 x 16 x 16 x 3 +6 +0", out)
    labels = np.load(tmp_path / "made/columns/labels.npy")
    brightness = np.load(tmp_path / "made/columns/video.npy").mean((1, 2, 3, 4))
    assert labels.tolist() == ["dark"] * 3 + ["light"] * 3 and (brightness[3:] > brightness[:3].max() + 50).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "own/own.csv"], "--out: is missing"),
        (["prepare", "gone.csv", "--out", "made"], "gone.csv: no such file or folder"),
        (
            ["prepare", "own/own.csv", "--out", "made", "--fit", "sqeeze"],
            "--fit: input should be 'crop', 'pad' or 'stretch', got 'sqeeze'",
        ),
        (["prepare", "own/own.csv", "--out", "made", "--frames", "0", "--hop", "0"], "--hop"),
        (["prepare", "own/own.csv", "--out", "made", "--on-error", "skip"], "--on-error: unknown word 'skip'"),
        (["prepare", "own/own.csv", "--out", "made", "--ignore", "imag"], "Did you mean 'image'?"),
        (["prepare", "own", "--out", "made", "--ignore", "image"], "--ignore is for manifests"),
        (["prepare", "--check", "own"], "is no prepared folder"),
        (
            ["prepare", "own/own.csv", "--out", "made", "--encoding", "klingon"],
            "--encoding: unknown encoding 'klingon'",
        ),
        (["data", "show", "gone"], "gone"),
    ],
)
def test_mistakes(run: Run, manifest: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2 and err.startswith("error: ") and words in err and "Traceback" not in err
    assert not (tmp_path / "made").exists()


def test_an_extra_that_is_missing(run: Run, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    code, _, err = run("prepare", manifest, "--out", "made")
    assert code == 2 and "needs soundfile" in err and "pip install 'equimodal[media]'" in err
    assert not (tmp_path / "made").exists()
