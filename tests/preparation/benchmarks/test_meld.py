"""MELD: small lists and real videos, as the archives unpack."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, tone, video

need("av", "soundfile", "PIL")

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
MOODS = {"neutral": "neutral", "joy": "positive", "anger": "negative", "fear": "negative"}
MARK = "\u2019"
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}


def write_list(root: Path, part: str, dialogues: int, encoding: str = "utf-8") -> None:
    lines = [HEADER]
    for dialogue in range(dialogues):
        for number, (emotion, mood) in enumerate(MOODS.items()):
            words = f'"Oh, it{MARK}s {emotion}, ""Ross""!"'
            times = '"00:16:16,059","00:16:21,731"'
            who = ("Joey", "Monica", "Ross")[(dialogue + number) % 3]
            lines.append(f"{len(lines)},{words},{who},{emotion},{mood},{dialogue},{number},8,21,{times}")
    text = "\n".join(lines) + "\n"
    # As in the published list: a Windows quotation mark that was saved as a control character.
    content = text.replace(MARK, "\x92").encode() if encoding == "control" else text.encode(encoding)
    (root / f"{part}_sent_emo.csv").write_bytes(content)


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dialogues of four utterances: 3, 1 and 2 of them; one video is not there, one damaged, two are in no list."""
    root = tmp_path_factory.mktemp("meld")
    for part, dialogues, encoding in (("train", 3, "control"), ("dev", 1, "cp1252"), ("test", 2, "utf-8")):
        write_list(root, part, dialogues, encoding)
        folder = root / "MELD.Raw" / FOLDERS[part]
        folder.mkdir(parents=True)
        first = folder / "dia0_utt0.mp4"
        video(first, [60] * 4, wave=tone(300, 0.2, 22050))
        for name in [f"dia{d}_utt{u}.mp4" for d in range(dialogues) for u in range(4)][1:]:
            shutil.copy(first, folder / name)
    (root / "MELD.Raw" / "dev_splits_complete" / "dia0_utt2.mp4").unlink()
    (root / "MELD.Raw" / "train_splits" / "dia1_utt3.mp4").write_bytes(b"damaged" * 99)
    test = root / "MELD.Raw" / "output_repeated_splits_test"
    shutil.copy(test / "dia0_utt0.mp4", test / "dia9_utt9.mp4")
    shutil.copy(test / "dia0_utt0.mp4", test / "final_videos_testdia0_utt0.mp4")
    (test / "._dia0_utt0.mp4").write_bytes(b"of another system")
    return root


def test_the_download_becomes_the_official_parts(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("meld"), frame_size=8, frames=1)
    found = prepare("meld", tmp_path / "data", small, root=download, on_error="missing", workers=1)
    assert found.notes == (
        "12 utterances of train, published are 9989 (9977 fewer).",
        "4 utterances of validation, published are 1109 (1105 fewer).",
        "8 utterances of test, published are 2610 (2602 fewer).",
        "Videos that the lists name and that are not there: dev_splits_complete/dia0_utt2.mp4.",
        "Videos that no list names, and that are left out: 1.",
    )
    assert found.unreadable == {name: {"damaged": 1, "missing": 1} for name in ("audio", "video")}
    parts = load_path(tmp_path / "data")
    assert isinstance(parts, Splits)
    assert {name: len(part) for name, part in parts.parts().items()} == {"train": 12, "validation": 4, "test": 8}
    assert parts.classes == ("neutral", "joy", "anger", "fear")
    assert np.asarray(parts.validation.labels).tolist() == [0, 1, 2, 3]
    assert parts.validation.ids.tolist()[1] == "validation/dia0_utt1"
    assert set(np.asarray(parts.train.groups)) == {f"train dialogue {number}" for number in range(3)}
    assert parts.validation.present["video"].tolist() == [True, True, False, True]
    texts = (tmp_path / "data" / "columns" / "text.txt").read_text(encoding="utf-8").splitlines()
    assert len(texts) == 24 and set(texts) == {f'Oh, it{MARK}s {emotion}, "Ross"!' for emotion in MOODS}


def test_sentiments_and_a_drawn_split_by_speaker(download: Path) -> None:
    layout = read_benchmark("meld", download, ["labels=sentiment", "split=drawn", "groups=speakers"])
    assert layout.classes == ("negative", "neutral", "positive")
    assert [each.label for each in layout.samples[:4]] == ["neutral", "positive", "negative", "negative"]
    assert {each.group for each in layout.samples} == {"Joey", "Monica", "Ross"}
    assert {each.split for each in layout.samples} == {None}
    with pytest.raises(ConfigError, match="groups=speakers: the official split shares speakers"):
        read_benchmark("meld", download, ["groups=speakers"])


def test_a_wrong_root_and_half_a_download_are_told_what_is_missing(download: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv were not found"):
        read_benchmark("meld", tmp_path)
    for name in ("train", "dev"):
        shutil.copy(download / f"{name}_sent_emo.csv", tmp_path)
    with pytest.raises(DataError, match=r"test_sent_emo.csv was not found.*data/MELD in its repository"):
        read_benchmark("meld", tmp_path)
    shutil.copy(download / "test_sent_emo.csv", tmp_path)
    shutil.copytree(download / "MELD.Raw" / "train_splits", tmp_path / "train_splits")
    (tmp_path / "dev.tar.gz").touch()
    with pytest.raises(DataError) as error:
        prepare("meld", tmp_path / "data", root=tmp_path)
    said = str(error.value)
    assert "videos in dev_splits_complete, output_repeated_splits_test" in said and "12 .mp4" in said
    assert "Unpack the archives" in said and not (tmp_path / "data").exists()


def test_all_mistakes_of_the_lists_come_in_one_message(download: Path, tmp_path: Path) -> None:
    for part in FOLDERS:
        shutil.copy(download / f"{part}_sent_emo.csv", tmp_path)
    lists = {part: (tmp_path / f"{part}_sent_emo.csv") for part in FOLDERS}
    lists["dev"].write_text("Utterance,Speaker,Emotion\nHey!,Joey,joy\n")
    lines = lists["test"].read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2].replace(",joy,", ",happiness,")
    lines[4] = lines[4].replace(",negative,0,3,", ",negative,,3,")
    lists["test"].write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_benchmark("meld", tmp_path)
    said = str(error.value)
    assert "dev_sent_emo.csv: has no column Sentiment, Dialogue_ID, Utterance_ID" in said
    assert (
        "line 3 ('" in said
        and "happiness" in said
        and "line 5 ('" in said
        and "line 10 ('" in said
        and "line 2 ('" not in said
    )
