"""IEMOCAP: a small tree of real media, as the release unpacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.clip import Clip
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.layout import path_of
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, sound, tone, video

need("av", "soundfile", "PIL")

LABELS = ("ang", "hap", "exc", "neu", "sad", "fru", "xxx")
DIALOGUES = [*(f"Ses0{number}F_impro01" for number in range(1, 6)), "Ses01M_script01_1b"]
MARK = "\u2019"
SECONDS = 0.5
"""From turn to turn; each lasts 0.4 s."""


def turns(dialogue: str) -> list[tuple[str, str, float]]:
    """Return name, label and beginning of a dialogue's turns; the speakers take turns."""
    return [
        (f"{dialogue}_{'FM'[number % 2]}{number // 2:03}", label, number * SECONDS)
        for number, label in enumerate(LABELS)
    ]


def build(root: Path) -> Path:
    """Six dialogues in five sessions. Pictures get brighter on the left and darker on the right, turn by turn."""
    for dialogue in DIALOGUES:
        session = root / f"Session{dialogue[4]}"
        folders = ("EmoEvaluation", "transcriptions", "wav", "avi/DivX", "EmoEvaluation/Categorical")
        for folder in folders:
            (session / "dialog" / folder).mkdir(parents=True, exist_ok=True)
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        for name, label, start in turns(dialogue):
            lines += [
                f"[{start:.4f} - {start + 0.4:.4f}]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]",
                "C-E2:\tNeutral;\t()",
                "",
            ]
        (session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt").write_text("\n".join(lines))
        (session / "dialog" / "EmoEvaluation" / "Categorical" / f"{dialogue}_e1_cat.txt").write_text("other\n")
        said = [
            f"{name} [{start:08.4f}-{start + 0.4:08.4f}]: I{MARK}m {label}." for name, label, start in turns(dialogue)
        ]
        said = said[1:] if dialogue == "Ses05F_impro01" else said
        text = "\n".join([*said, "M: (laughs)"])
        (session / "dialog" / "transcriptions" / f"{dialogue}.txt").write_bytes(text.encode("cp1252"))
        sound(session / "dialog" / "wav" / f"{dialogue}.wav", tone(300, 3.6, 16_000), 16_000, "PCM_16")
        columns = [np.repeat([[20 + 20 * n], [240 - 20 * n]], 32, axis=0) for n in range(len(LABELS))]
        frames = [columns[min(number // 5, len(LABELS) - 1)] for number in range(36)]
        video(session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi", frames, codec="mpeg4", rate=10)
    for name, _, _ in turns("Ses01F_impro01"):
        folder = root / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
        folder.mkdir(parents=True, exist_ok=True)
        sound(folder / f"{name}.wav", tone(500, 0.3, 16_000), 16_000, "PCM_16")
    return root


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("iemocap") / "IEMOCAP_full_release")


def test_the_download_becomes_turns_grouped_by_session(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("iemocap"), frame_size=8, frames=2, audio="spectrogram")
    found = prepare("iemocap", tmp_path / "data", small, root=download, workers=1)
    assert found.notes == (
        "30 turns, published are 5531 (5501 fewer).",
        "Turns without a transcription: 1.",
        "Turns whose sound is cut out of the dialogue: 25.",
    )
    data = load_path(tmp_path / "data")
    assert not isinstance(data, Splits) and data.classes == ("angry", "happy", "neutral", "sad")
    names = [
        name for dialogue in sorted(DIALOGUES) for name, label, _ in turns(dialogue) if label not in ("fru", "xxx")
    ]
    assert data.ids.tolist() == names
    assert np.asarray(data.labels).tolist() == [0, 1, 1, 2, 3] * 6
    assert np.asarray(data.groups).tolist() == [f"session {name[4]}" for name in names]
    columns = tmp_path / "data" / "columns"
    assert (columns / "text.txt").read_text(encoding="utf-8").splitlines()[:5] == [
        f"I{MARK}m {label}." for label in LABELS[:5]
    ]
    # A speaker whose letter is the recorded actor's is on the left.
    shades = np.load(columns / "video.npy").mean(axis=(2, 3, 4))
    expected = [
        20 + 20 * n if name.split("_")[-1][0] == name[5] else 240 - 20 * n
        for dialogue in sorted(DIALOGUES)
        for n, (name, _, _) in enumerate(turns(dialogue)[:5])
    ]
    assert np.abs(shades - np.array(expected)[:, None]).max() < 6
    whole, section = 1 + int(0.3 * 16_000) // 256, 1 + int(0.4 * 16_000) // 256
    assert np.load(columns / "audio_lengths.npy").tolist() == [
        whole if name[:6] == "Ses01F" else section for name in names
    ]


def test_six_classes_speakers_and_no_videos(download: Path) -> None:
    layout = read_benchmark("iemocap", download, ["classes=6", "groups=speakers", "video=false"])
    assert layout.classes == ("angry", "happy", "excited", "sad", "frustrated", "neutral")
    assert [each.label for each in layout.samples[:6]] == [
        "angry",
        "happy",
        "excited",
        "neutral",
        "sad",
        "frustrated",
    ]
    assert layout.notes[0] == "36 turns, published are 7380 (7344 fewer)."
    assert {each.group for each in layout.samples} == {f"speaker {n}{sex}" for n in range(1, 6) for sex in "FM"}
    assert set(layout.media) == {"text", "audio"}
    assert layout.samples[-1].cells["audio"] == Clip(
        download.resolve() / "Session5" / "dialog" / "wav" / "Ses05F_impro01.wav", 2.5, 2.9
    )
    with pytest.raises(ConfigError, match=r"-s: classes: .*got 5"):
        read_benchmark("iemocap", download, ["classes=5"])


def test_a_session_as_test_part_by_a_file(download: Path, tmp_path: Path) -> None:
    layout = read_benchmark("iemocap", download)
    lines = [f"{each.id},{'test' if each.group == 'session 5' else 'train'}" for each in layout.samples]
    (tmp_path / "parts.csv").write_text("id,split\n" + "\n".join(lines) + "\n")
    parted = read_benchmark("iemocap", download, [f"split={tmp_path / 'parts.csv'}"])
    groups = {
        part: {each.group for each in parted.samples if each.split == part} for part in ("train", "validation", "test")
    }
    assert groups["test"] == {"session 5"} and groups["validation"] and not groups["train"] & groups["validation"]


def test_a_wrong_root_and_half_a_download_are_told_what_is_missing(download: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Session1/dialog/EmoEvaluation, .*\(20 in all\) were not found"):
        read_benchmark("iemocap", tmp_path)
    half = tmp_path / "half"
    shutil.copytree(download, half)
    shutil.rmtree(half / "Session4")
    with pytest.raises(DataError, match=r"Session4/dialog/EmoEvaluation, Session4/dialog/transcriptions, .*5 \.avi"):
        prepare("iemocap", tmp_path / "data", root=half)
    shutil.copytree(download / "Session4", half / "Session4")
    shutil.rmtree(half / "Session2" / "dialog" / "avi")
    with pytest.raises(DataError, match=r"of Session2/dialog/avi/DivX were not found.*-s video=false"):
        prepare("iemocap", tmp_path / "data", root=half)
    assert not (tmp_path / "data").exists()


def test_a_dialogue_without_its_video_lacks_it_in_every_turn(download: Path, tmp_path: Path) -> None:
    root = tmp_path / "less"
    shutil.copytree(download, root)
    (root / "Session1" / "dialog" / "avi" / "DivX" / "Ses01M_script01_1b.avi").unlink()
    layout = read_benchmark("iemocap", root)
    assert layout.notes[-1] == "Recordings of dialogues that are not there: 1."
    missing = [each.id for each in layout.samples if not path_of(each.cells["video"]).is_file()]  # pyright: ignore
    assert missing == [name for name, label, _ in turns("Ses01M_script01_1b") if label not in ("fru", "xxx")]


def test_all_lines_of_another_form_are_told_at_once(download: Path, tmp_path: Path) -> None:
    root = tmp_path / "changed"
    shutil.copytree(download, root)
    for number, old, new in ((1, "\tang\t", "\tanger\t"), (2, "[0.5000 - 0.9000]", "[0.9 - 0.5]"), (3, "[", "<")):
        path = root / f"Session{number}" / "dialog" / "EmoEvaluation" / f"Ses0{number}F_impro01.txt"
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as error:
        prepare("iemocap", tmp_path / "data", root=root)
    said = str(error.value)
    assert "Ses01F_impro01.txt line 3 (" in said and "Ses02F_impro01.txt line 6 (" in said
    assert "Ses03F_impro01.txt (no turn)" in said and not (tmp_path / "data").exists()
