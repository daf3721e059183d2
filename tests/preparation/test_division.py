"""Parts of public data: drawn, held out of training, and by a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equimodal.errors import ConfigError, DataError
from equimodal.preparation.division import divide, hold_out
from equimodal.preparation.layout import Sample

GENERATOR = np.random.default_rng(5)
GROUPED = [
    Sample(
        f"s{n:03}", {}, label="abc"[int(GENERATOR.integers(3))], split="train", group=f"g{int(GENERATOR.integers(30))}"
    )
    for n in range(300)
]


def by_part(samples: list[Sample], what: str = "id") -> dict[str | None, set[str]]:
    return {
        part: {str(getattr(each, what)) for each in samples if each.split == part}
        for part in dict.fromkeys(each.split for each in samples)
    }


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_whole_groups_are_held_out_and_make_their_share_of_the_rows(share: float) -> None:
    parts = by_part(hold_out(GROUPED, share))
    groups = by_part(hold_out(GROUPED, share), "group")
    assert not groups["train"] & groups["validation"]
    assert abs(len(parts["validation"]) - share * 300) < 12  # the largest group has about as many
    assert by_part(hold_out(GROUPED[::-1], share)) == {part: parts[part] for part in parts}


def test_one_large_group_stays_in_training() -> None:
    rows = [
        Sample(f"{n}", {}, label="ab"[n % 2], split="train", group="all" if n < 50 else f"g{n // 4}")
        for n in range(100)
    ]
    held = by_part(hold_out(rows, 0.1), "group")["validation"]
    assert "all" not in held and 2 <= len(held) <= 4


def test_rows_without_groups_are_held_out_by_class() -> None:
    rows = [Sample(f"{n}", {}, label="a" if n < 80 else "b", split="train") for n in range(100)]
    held = [each.label for each in hold_out(rows, 0.1) if each.split == "validation"]
    assert Counter(held) == {"a": 8, "b": 2}


def test_a_file_that_cuts_through_groups_leaves_the_data_without(tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    path.write_text(
        "id,split\n" + "".join(f"{each.id},{('train', 'dev', 'test')[n % 3]}\n" for n, each in enumerate(GROUPED))
    )
    samples, notes = divide(GROUPED, str(path))
    assert {each.group for each in samples} == {None}
    assert {part: len(names) for part, names in by_part(samples).items()} == {
        "train": 100,
        "validation": 100,
        "test": 100,
    }
    assert "of 30 groups (such as 'g0') into several parts" in notes[0]
    path.write_text("id,split\n" + "".join(f"{e.id},{'test' if e.group == 'g1' else 'train'}\n" for e in GROUPED))
    samples, _ = divide(GROUPED, str(path))
    assert by_part(samples, "group")["test"] == {"g1"} and None not in {each.group for each in samples}


def test_all_mistakes_of_a_file_come_in_one_message(tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    path.write_text("id,split\ns000,train\nnobody,test\ns001,exam\ns000,test\n")
    with pytest.raises(DataError) as error:
        divide(GROUPED, str(path))
    said = str(error.value)
    assert "line 3 ('nobody')" in said and "line 4 ('exam')" in said and "line 5 ('s000')" in said
    path.write_text("id,split\ns000,train\n")
    with pytest.raises(DataError, match=r"parts\.csv: puts no sample into test"):
        divide(GROUPED, str(path))
    with pytest.raises(ConfigError, match=r"'offical' is neither official, drawn nor a file.*Did you mean 'official'"):
        divide(GROUPED, "offical")
