"""The tables as LaTeX: no compiler here, so that the structure is parsed and escapes are undone again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison.made_up import comparison
from equimodal.comparison.blocks import blocks
from equimodal.tables.latex import as_latex, escaped
from reports.made_up import make_comparison

PRINTED = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    r"\textasciigrave{}": "`",
    r"\textendash{}": "\u2013",
    r"$-$": "\u2212",
    r"$\pm$": "±",
    r"$\times$": "\u00d7",
    "{}": "",
    **{"\\" + character: character for character in "{}&%$#_"},
}


def printed(text):
    """What LaTeX would print: the longest escape first, from left to right."""
    pattern = "|".join(re.escape(key) for key in sorted(PRINTED, key=len, reverse=True))
    return re.sub(pattern, lambda match: PRINTED[match[0]], text)


def floats(text):
    """Of each float: caption, label, columns' specification, header, rows of cells; braces must match."""
    plain = re.sub(r"\\[\\{}]", "", text)
    assert plain.count("{") == plain.count("}")
    begun = re.findall(r"\\begin\{(\S+?)\}", text)
    assert sorted(begun) == sorted(re.findall(r"\\end\{(\S+?)\}", text))
    found = []
    for body in re.findall(r"\\begin\{table\*\}\n(.*?)\\end\{table\*\}", text, re.DOTALL):
        caption, label = found_in(r"\\caption\{(.*?)\}\n\\label\{(.*?)\}\n", body)
        spec, header, rows = found_in(
            r"\\begin\{tabular\}\{(\w+)\}\n\\toprule\n(.*?) \\\\\n\\midrule\n(.*?)\n\\bottomrule\n\\end\{tabular\}\}",
            body,
        )
        lines = rows.split("\n")
        assert all(line.endswith(r" \\") for line in lines)
        found.append((caption, label, spec, cells_of(header), [cells_of(line[: -len(r" \\")]) for line in lines]))
    return found


def found_in(pattern, text):
    match = re.search(pattern, text, re.DOTALL)
    assert match, pattern
    return match.groups()


def cells_of(line):
    return re.split(r"(?<!\\) & ", line)


@pytest.mark.parametrize("names", [["image", "text"], ["a_b", "50% & more", "#3"]])
def test_every_block_is_a_float_with_all_its_cells(names):
    labels = ["joint", "paper:order=strong_to_weak", "a & b \\ {c} 5%"]
    made = make_comparison(labels, names)
    found = floats(as_latex(made))
    made_blocks = blocks(made)
    assert len(found) == len(made_blocks) == 5
    assert len({label for _, label, *_ in found}) == 5
    for (caption, label, spec, header, rows), block in zip(found, made_blocks, strict=True):
        assert re.fullmatch(r"tab:[a-z0-9-]+", label)
        assert spec == "l" + "r" * len(block.columns)
        assert list(map(printed, header)) == ["method", *(c.header for c in block.columns)]
        for row, (method, cells) in zip(rows, block.rows(), strict=True):
            bare = [re.sub(r"\\textbf\{(.*?)\}", r"\1", cell) for cell in row]
            assert list(map(printed, bare)) == [method, *map(str, cells)]
        assert printed(caption).startswith(f"{block.title} on made-up. {block.note}")


def test_rules_and_what_is_needed_are_there():
    text = as_latex(make_comparison())
    assert text.startswith("% Needs")
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 5
    assert r"\hline" not in text


def test_bold_only_where_the_difference_to_the_runner_up_can_be_told():
    first = comparison({"joint": [0.5, 0.52, 0.54], "first": [0.70, 0.74, 0.72], "second": [0.6, 0.65, 0.63]})
    caption, _, _, _, rows = floats(as_latex(first))[0]
    assert [[r"\textbf" in cell for cell in row] for row in rows] == [
        [False] * 5,
        [False, True, False, False, True],  # accuracy and macro F1
        [False] * 5,
    ]
    assert r"\textbf{0.720} $\pm$ 0.079" in rows[1]
    assert "Bold: the best mean" in caption
    level = as_latex(comparison({"joint": [0.5, 0.52, 0.54], "first": [0.70, 0.74, 0.72], "second": [0.71, 0.7, 0.74]}))
    assert r"\textbf" not in floats(level)[0][4][1][1]
    assert "Bold" not in floats(level)[0][0]


def test_captions_say_how_to_read():
    captions = [printed(caption) for caption, *_ in floats(as_latex(make_comparison()))]
    assert "± and [ ]: t, 95%, over 4 redrawn splits" in captions[0]
    assert "the difference to joint is paired by seed." in captions[0]
    assert "±" not in captions[4]  # the cost has no intervals
    assert "One seed: no interval" in printed(floats(as_latex(make_comparison(seeds=1)))[0][0])


def test_labels_that_a_rows_end_would_take_for_its_own():
    rows = floats(as_latex(make_comparison(["[2pt]", "*", "c"])))[0][4]
    assert [row[0] for row in rows] == ["{}[2pt]", "{}*", "c"]


def test_wide_blocks_are_parted():
    names = [f"view {i}" for i in range(10)]
    found = floats(as_latex(make_comparison(names=names)))
    headers = [cell for _, _, _, header, _ in found for cell in header]
    assert all(headers.count(name) == 2 for name in names)
    assert len({label for _, label, *_ in found}) == len(found) > 5


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30))
def test_any_name_is_printed_as_it_is(name):
    text = escaped(name)
    assert printed(text) == name
    assert not re.search(r"(?<!\\)[&%#_]", text)
    assert "--" not in text
