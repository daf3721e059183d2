"""The tables as LaTeX: no compiler here, so that the structure is parsed and escapes are undone again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equimodal.tables.latex import as_latex, escaped

from .made_up import table

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
    return [cell.strip() for cell in re.split(r"(?<!\\) & ", line)]


def about(made):
    """The caption that the tests give."""
    return f"{made.title}: {made.note}"


@pytest.mark.parametrize("names", [["image", "text"], ["a_b", "50% & more"], ["#3", "1e5"]])
def test_every_table_is_a_float_with_all_its_cells(names):
    labels = ["joint", "paper:order=strong_to_weak", "a & b \\ {c} 5%"]
    made = [
        table({name: ["0.5 ± 0.1", "\u22121e5", "\u2013"] for name in names}, labels, title=t) for t in ("One", "Two")
    ]
    found = floats(as_latex(made, about, "my data_1"))
    assert len(found) == 2
    for (caption, label, spec, header, rows), one in zip(found, made, strict=True):
        assert label == f"tab:my-data-1-{one.title.lower()}"
        assert spec == "lrr"
        assert list(map(printed, header)) == ["method", *names]
        for row, (method, cells) in zip(rows, one.rows(), strict=True):
            assert list(map(printed, row)) == [method, *map(str, cells)]
        assert printed(caption) == about(one)


def test_rules_and_what_is_needed_are_there():
    text = as_latex([table(), table(title="Cost")], about, "data")
    assert text.startswith("% Needs")
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 2
    assert r"\hline" not in text


def test_a_name_that_is_a_rule_of_latex_is_text():
    found = floats(as_latex([table(labels=(r"\hline", "b", "c"))], about, "data"))
    assert [printed(row[0]) for row in found[0][4]] == [r"\hline", "b", "c"]


def test_the_best_is_bold():
    rows = floats(as_latex([table(best=("accuracy", 1))], about, "data"))[0][4]
    assert rows[1][1] == r"\textbf{0.72} $\pm$ 0.07"
    assert [r"\textbf" in cell for row in rows for cell in row].count(True) == 1


def test_labels_that_a_rows_end_would_take_for_its_own():
    rows = floats(as_latex([table(labels=["[2pt]", "*", "c"])], about, "data"))[0][4]
    assert [row[0] for row in rows] == ["{}[2pt]", "{}*", "c"]


def test_wide_tables_are_folded():
    names = [f"view number {i}" for i in range(12)]
    found = floats(as_latex([table({name: ["0.5", "0.6", "0.7"] for name in names})], about, "data"))
    headers = [cell for _, _, _, header, _ in found for cell in header]
    assert all(headers.count(name) == 1 for name in names)
    assert len({label for _, label, *_ in found}) == len(found) > 1


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30))
def test_any_name_is_printed_as_it_is(name):
    text = escaped(name)
    assert printed(text) == name
    assert not re.search(r"(?<!\\)[&%#_]", text)
    assert "--" not in text
