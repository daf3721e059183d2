"""Duplicates, against every pair compared with every other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from equimodal.preparation.duplicates import find_duplicates
from equimodal.preparation.prepare import prepare

PARTS = ("train", "validation", "test")


def test_against_all_pairs() -> None:
    generator = np.random.default_rng(0)
    bases = [int(each) for each in generator.integers(0, 1 << 63, 30)]
    likenesses: list[int | None] = []
    for _ in range(300):
        flips = generator.choice(64, generator.integers(0, 7), replace=False)
        likenesses.append(bases[generator.integers(30)] ^ sum(1 << int(bit) for bit in flips))
    likenesses[7] = None
    digests = [None if generator.random() < 0.1 else f"d{generator.integers(150)}" for _ in range(300)]
    splits = [PARTS[generator.integers(3)] for _ in range(300)]
    found = {
        (pair.row, pair.across): (pair.how, pair.other)
        for pair in find_duplicates("image", digests, likenesses, splits)
    }

    order = {part: number for number, part in enumerate(PARTS)}
    expected: dict[tuple[int, str], set[str]] = {}
    for row in range(300):
        for other in range(300):
            earlier = order[splits[other]] < order[splits[row]] or (splits[other] == splits[row] and other < row)
            across = f"{splits[row]} in {splits[other]}" if splits[row] != splits[other] else ""
            one, two = likenesses[row], likenesses[other]
            if earlier and digests[row] is not None and digests[row] == digests[other]:
                expected.setdefault((row, across), set()).add("same")
            if earlier and one is not None and two is not None and (one ^ two).bit_count() <= 4:
                expected.setdefault((row, across), set()).add("near")
    assert found.keys() == expected.keys() and len(found) > 100
    for key, (how, other) in found.items():
        assert how == ("same" if "same" in expected[key] else "near")
        assert splits[other] == (key[1].split(" in ")[1] if key[1] else splits[key[0]])


def test_without_parts_each_row_counts_once() -> None:
    found = find_duplicates("text", ["a", "b", "a", "a", None, None], [None] * 6, [None] * 6)
    assert [(pair.row, pair.other, pair.across) for pair in found] == [(2, 0, ""), (3, 0, "")]


def test_they_are_reported(tmp_path: Path) -> None:
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.full(3, number // 2))
    (tmp_path / "m.csv").write_text(
        "id,split,a,text\n"
        + "".join(f"s{n},{p},{n}.npy,text {n}\n" for n, p in enumerate(("train", "test", "train", "train")))
    )
    record = prepare(tmp_path / "m.csv", tmp_path / "out")
    assert record.duplicates == {"a": {"same": 1, "same, test in train": 1}}
    assert (tmp_path / "out/duplicates.csv").read_text().splitlines() == [
        "modality,how,id,is like,across",
        "a,same,s1,s0,test in train",
        "a,same,s3,s2,",
    ]
