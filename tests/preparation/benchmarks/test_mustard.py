"""MUStARD: a small list and real videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import DataError
from equimodal.media.options import settings_of
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.prepare import default_settings, prepare
from media.making import need, tone, video

need("av", "soundfile", "PIL")

SPEAKERS = {
    "BBT": ("SHELDON", "SHELDON", "SHELDON", "SHELDON", "SHELDON", "PENNY", "RAJ", "HOWARD", "PERSON"),
    "GOLDENGIRLS": ("ROSE", "DOROTHY", "SOPHIA", "PERSON"),
    "FRIENDS": ("CHANDLER", "ROSS", "PERSON"),
}


def entries() -> dict[str, dict[str, Any]]:
    """Return two utterances for each of these, the first sarcastic."""
    return {
        f"{number}_{place * 2 + turn}": {
            "utterance": f"{who} says {turn}.",
            "speaker": who,
            "context": ["Before."],
            "context_speakers": ["PERSON"],
            "show": show,
            "sarcasm": turn == 0,
        }
        for number, (show, speakers) in enumerate(SPEAKERS.items(), start=1)
        for place, who in enumerate(speakers)
        for turn in (0, 1)
    }


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two utterances of three series; one video is not there."""
    root = tmp_path_factory.mktemp("mustard")
    (root / "MUStARD" / "data").mkdir(parents=True)
    (root / "MUStARD" / "data" / "sarcasm_data.json").write_text(json.dumps(entries(), indent=1))
    for folder in ("utterances_final", "context_final"):
        (root / "mmsd_raw_data" / folder).mkdir(parents=True)
    first = video(root / "first.mp4", [60] * 4, wave=tone(300, 0.2, 22050))
    for name in entries():
        shutil.copy(first, root / "mmsd_raw_data" / "utterances_final" / f"{name}.mp4")
        shutil.copy(first, root / "mmsd_raw_data" / "context_final" / f"{name}_c.mp4")
    (root / "mmsd_raw_data" / "utterances_final" / "1_3.mp4").unlink()
    return root


def test_friends_is_the_test_part_and_no_speaker_is_in_two(download: Path, tmp_path: Path) -> None:
    small = settings_of(default_settings("mustard"), frame_size=8, frames=1)
    found = prepare("mustard", tmp_path / "data", small, root=download, on_error="missing", workers=1)
    assert found.notes[:2] == (
        "32 utterances, published are 690 (658 fewer).",
        "Videos that the list names and that are not there: 1_3.mp4.",
    )
    assert found.unreadable == {name: {"missing": 1} for name in ("audio", "video")}
    parts = load_path(tmp_path / "data")
    assert isinstance(parts, Splits) and parts.classes == ("not sarcastic", "sarcastic")
    assert sorted(parts.test.ids) == sorted(name for name in entries() if name.startswith("3_"))
    groups = {name: set(np.asarray(part.groups).tolist()) for name, part in parts.parts().items()}
    assert groups["test"] == {"FRIENDS CHANDLER", "FRIENDS ROSS", "FRIENDS PERSON"}
    assert not groups["train"] & groups["validation"] and "BBT SHELDON" in groups["train"]
    assert 2 <= len(parts.validation) <= 4  # whole speakers, about a tenth of 26
    for part in parts.parts().values():
        assert [part.classes[n] == "sarcastic" for n in np.asarray(part.labels)] == [
            entries()[name]["sarcasm"] for name in part.ids
        ]
    texts = (tmp_path / "data" / "columns" / "text.txt").read_text().splitlines()
    assert texts == [entries()[name]["utterance"] for name in sorted(entries())]


def test_an_early_list_has_no_official_split(download: Path, tmp_path: Path) -> None:
    shutil.copytree(download / "mmsd_raw_data", tmp_path / "mmsd_raw_data")
    early = {name: {key: value for key, value in entry.items() if key != "show"} for name, entry in entries().items()}
    early["1_0"]["sarcasm"] = 1
    del early["1_1"]["speaker"]
    (tmp_path / "sarcasm_data.json").write_text(json.dumps(early))
    with pytest.raises(DataError) as error:
        prepare("mustard", tmp_path / "data", root=tmp_path)
    said = str(error.value)
    assert "1_0 (sarcasm: 1), 1_1 (speaker: null)" in said and "early version" in said and "split=drawn" in said
    assert not (tmp_path / "data").exists()
    early["1_0"]["sarcasm"], early["1_1"]["speaker"] = True, "SHELDON"
    (tmp_path / "sarcasm_data.json").write_text(json.dumps(early))
    layout = read_benchmark("mustard", tmp_path, ["split=drawn"])
    assert {each.split for each in layout.samples} == {None} and layout.samples[0].group == "SHELDON"
    (tmp_path / "sarcasm_data.json").write_text("[1, 2")
    with pytest.raises(DataError, match=r"sarcasm_data\.json: is not JSON"):
        read_benchmark("mustard", tmp_path)


def test_a_wrong_root_and_half_a_download_are_told_what_is_missing(download: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sarcasm_data.json and utterances_final/1_60.mp4 were not found"):
        read_benchmark("mustard", tmp_path)
    with pytest.raises(DataError, match=r"utterances_final/1_60.mp4 was not found\. Files below it: 1 \(1 \.json\)"):
        prepare("mustard", tmp_path / "data", root=download / "MUStARD")
    with pytest.raises(DataError, match=r"sarcasm_data.json was not found.*is in the repository"):
        prepare("mustard", tmp_path / "data", root=download / "mmsd_raw_data")
    assert not (tmp_path / "data").exists()


def test_a_file_may_say_the_parts(download: Path, tmp_path: Path) -> None:
    lines = [f"{name},{'test' if name[0] == '2' else 'train'}" for name in entries() if name[0] != "3"]
    (tmp_path / "parts.csv").write_text("id,split\n" + "\n".join(lines) + "\n")
    layout = read_benchmark("mustard", download, [f"split={tmp_path / 'parts.csv'}", "validation=0.2"])
    groups = {part: {each.group for each in layout.samples if each.split == part} for part in ("train", "validation")}
    assert {each.id for each in layout.samples if each.split == "test"} == {n for n in entries() if n[0] == "2"}
    assert groups["validation"] and not groups["train"] & groups["validation"]
    assert any("6 samples that parts.csv does not name are left out" in note for note in layout.notes)
