"""Tables on a terminal: aligned, within 110 characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.tables.text import LABEL_WIDTH, WIDTH, as_text, text_section

from .made_up import table


def test_labels_are_to_the_left_and_numbers_to_the_right():
    made = table(
        {"accuracy": ["0.52 ± 0.08", "0.72 ± 0.079", "0.6"], "change": ["\u2013", "+0.1 [\u22120.1, +0.3]", "1e5"]}
    )
    assert text_section(made).split("\n") == [
        "Accuracy. On test.",
        "method             accuracy             change",
        "joint           0.52 ± 0.08                  \u2013",
        "first          0.72 ± 0.079  +0.1 [\u22120.1, +0.3]",
        "a longer name           0.6                1e5",
    ]


def test_stars_do_not_shift_the_numbers():
    _, header, joint, first, longer = text_section(table({"a": ["5", "7", "6"]}, best=("a", 1))).split("\n")
    assert (header, joint, first, longer) == (
        "method         a",
        "joint          5",
        "first          7 *",
        "a longer name  6",
    )


def test_sentences_are_below_and_say_what_a_star_means():
    text = as_text([table(), table(title="Cost", note="Seconds.")], ["One.", "- " + "word " * 40])
    first, second, sentences = text.split("\n\n")
    assert first.startswith("Accuracy. On test.\n") and second.startswith("Cost. Seconds.\n")
    one, item, *rest = sentences.split("\n")
    assert (one, item[:6], rest[0][:6]) == ("One.", "- word", "  word")
    assert as_text([table(best=("accuracy", 1))]).endswith("\n\n*: the highest mean.")
    assert as_text([table()]).endswith("0.6")


@pytest.mark.parametrize("count", [2, 3, 7, 10])
def test_many_columns_and_long_labels_stay_within_the_width(count):
    long = "paper:order=strong_to_weak,memory.enabled=true,memory.dropout=0.3"
    given = {f"view number {i}": ["0.5 ± 0.1", "0.6 ± 0.1", "0.7"] for i in range(count)}
    text = text_section(table(given, ["joint", long, "b"], ("view number 1", 1), note="How to read it. " * 12))
    lines = text.split("\n")
    assert max(map(len, lines)) <= WIDTH
    headers = [line for line in lines if line.startswith("method ")]
    assert all(sum(line.count(f"view number {i}") for line in headers) == 1 for i in range(count))
    own = [i for i, line in enumerate(lines) if line == long]
    assert len(own) == len(headers)  # a line of its own in each piece, its numbers below
    assert all(lines[i + 1].split()[0].startswith("0.6") for i in own)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), min_size=1, max_size=4))
def test_any_label_is_one_line(labels):
    text = text_section(table({"a": ["1"] * len(labels)}, labels))
    long = [label for label in labels if len(" ".join(label.split())) > LABEL_WIDTH]
    assert len(text.split("\n")) == 2 + len(labels) + len(long)


def test_rows_need_not_be_methods():
    assert text_section(table(row_header="seed")).split("\n")[1].startswith("seed ")
