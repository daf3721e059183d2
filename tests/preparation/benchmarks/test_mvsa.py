"""MVSA: a small tree of pictures, texts in two encodings, and lists of sentiments."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from equimodal.data.own import load_path
from equimodal.data.splits import Splits
from equimodal.errors import DataError
from equimodal.preparation.benchmark import read_benchmark
from equimodal.preparation.benchmarks.mvsa import SENTIMENTS, one_sentiment
from equimodal.preparation.prepare import prepare
from media.making import need, picture, scene

need("PIL")

SINGLE = {
    "3": "positive,neutral",
    "10": "negative,negative",
    "11": "neutral,neutral",
    "20": "positive,negative",
    "21": "neutral,negative",
}


def build(root: Path, lines: dict[str, str], name: str = "MVSA_Single") -> Path:
    """Write pictures, texts (those of odd ids in Windows-1252) and the list; as the archive unpacks."""
    folder = root / name
    (folder / "data").mkdir(parents=True)
    for number in lines:
        picture(folder / "data" / f"{number}.jpg", scene(int(number)))
        content = f"RT it\u2019s {number} café\n"
        (folder / "data" / f"{number}.txt").write_bytes(content.encode("cp1252" if int(number) % 2 else "utf-8"))
    (folder / "labelResultAll.txt").write_text(
        "ID\ttext,image\n" + "".join(f"{number}\t{words}\r\n" for number, words in lines.items()), encoding="utf-8"
    )
    return root


def test_the_download_becomes_data_by_the_merge_rule(tmp_path: Path) -> None:
    root = build(tmp_path / "mvsa", SINGLE)
    found = prepare("mvsa_single", tmp_path / "data", root=root, workers=1)
    assert found.notes == (
        "5 lines, published are 4869 (4864 fewer).",
        "4 pairs by rule=merge, published are 4511 (4507 fewer).",
        "Left out because text and picture are opposite: 1.",
    )
    data = load_path(tmp_path / "data")
    assert not isinstance(data, Splits)
    assert data.classes == ("negative", "neutral", "positive")
    assert data.ids is not None and list(data.ids) == ["3", "10", "11", "21"]
    assert np.asarray(data.labels).tolist() == [2, 0, 1, 0]
    texts = (tmp_path / "data" / "columns" / "text.txt").read_text(encoding="utf-8").splitlines()
    assert texts == [f"RT it\u2019s {number} café" for number in (3, 10, 11, 21)]


def test_the_strict_rule_and_a_split_of_ones_own(tmp_path: Path) -> None:
    root = build(tmp_path / "mvsa", SINGLE)
    strict = read_benchmark("mvsa_single", root, ["rule=strict"])
    assert [(each.id, each.label, each.split) for each in strict.samples] == [
        ("10", "negative", None),
        ("11", "neutral", None),
    ]
    (tmp_path / "parts.csv").write_text("id,split\n3,train\n10,val\n11,test\n", encoding="utf-8")
    layout = read_benchmark("mvsa_single", root, [f"split={tmp_path / 'parts.csv'}"])
    assert [(each.id, each.split) for each in layout.samples] == [("3", "train"), ("10", "validation"), ("11", "test")]


def test_the_rules_against_counts_of_words() -> None:
    score = {"negative": -1, "neutral": 0, "positive": 1}
    for text, image in product(SENTIMENTS, SENTIMENTS):
        total = score[text] + score[image]
        expected = None if total == 0 and text != image else SENTIMENTS[int(np.sign(total)) + 1]
        assert one_sentiment([text], [image], "merge")[0] == expected
        assert one_sentiment([text], [image], "strict")[0] == (text if text == image else None)


def test_three_annotators_decide_by_majority(tmp_path: Path) -> None:
    lines = {
        "1": "positive,neutral\tpositive,neutral\tnegative,positive",  # positive, neutral: positive
        "2": "positive,neutral\tneutral,neutral\tnegative,neutral",  # text without majority
        "5": "negative,negative\tneutral,negative\tneutral,positive",  # neutral, negative: negative
    }
    layout = read_benchmark("mvsa_multiple", build(tmp_path, lines, "MVSA"))
    assert [(each.id, each.label) for each in layout.samples] == [("1", "positive"), ("5", "negative")]
    assert "Left out because annotators have no majority: 1." in layout.notes
    with pytest.raises(DataError, match=r"expected lines like '1<tab>positive,neutral', but not so in line 2 \('1"):
        read_benchmark("mvsa_single", tmp_path)


def test_files_that_are_missing_and_wrong_roots(tmp_path: Path) -> None:
    root = build(tmp_path / "mvsa", SINGLE)
    folder = root / "MVSA_Single"
    (folder / "data" / "10.jpg").unlink()
    (folder / "data" / "11.txt").unlink()
    assert read_benchmark("mvsa_single", root).notes[-2:] == [
        "Files *.jpg that are not there: 1.",
        "Files *.txt that are not there: 1.",
    ]
    data = prepare("mvsa_single", tmp_path / "data", root=root, on_error="missing", workers=1)
    assert data.rows == 4 and data.modalities["text"]["present"] == 3 and data.modalities["image"]["present"] == 3
    for path in (folder / "data").glob("*.jpg"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"files data/\*\.jpg .*were not found\. Files below it: 5 .*Finish the download"
    ):
        read_benchmark("mvsa_single", root)
    with pytest.raises(DataError, match=r"labelResultAll.txt was not found.*Name the folder of the download"):
        prepare("mvsa_single", tmp_path / "none", root=folder / "data")
    assert not (tmp_path / "none").exists()
