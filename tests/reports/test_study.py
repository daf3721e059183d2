"""The page of a study: what was decided, the tables, the ranks, and where each setting's own page is."""

from __future__ import annotations

import re

from comparison.made_up import comparison
from equimodal.comparison.study import Study
from equimodal.config.compare import Primary
from equimodal.reports.study_figures import critical_differences, declared
from equimodal.reports.verdict import study_verdict
from equimodal.reports.write import report

A = [0.62, 0.66, 0.61, 0.70, 0.64, 0.66]
B = [0.60, 0.61, 0.60, 0.65, 0.62, 0.60]
C = [0.61, 0.60, 0.62, 0.64, 0.63, 0.60]


DECLARED = (Primary(method="a <b>", against="b"), Primary(method="c", against="b"))


def make(primary=DECLARED):
    return Study(
        {
            "one & only": comparison({"b": B, "a <b>": A, "c": C}, redraw="none"),
            "two": comparison({"b": C, "a <b>": A, "c": B}, redraw="none"),
        },
        primary,
    )


def test_the_verdict_counts_what_was_decided():
    verdict = study_verdict(make())
    assert (
        verdict.headline
        == "Of 2 comparisons declared beforehand, 1 shows a difference that can be distinguished from noise."
    )
    assert len(verdict.details) == 3  # a study that is about two methods has no losses of one
    assert verdict.details[0].startswith("a <b> vs b, accuracy: +0.0")
    assert "cannot be distinguished from noise" in verdict.details[1]
    assert verdict.details[2].startswith("Ranks over 2 settings: a <b> is first on average.")
    assert study_verdict(make(())).headline.startswith("Nothing was declared")


def test_the_page_holds_everything_escaped(tmp_path):
    study = make()
    page = report(study, tmp_path / "report.html").read_text()
    assert "a &lt;b&gt;" in page and "a <b>" not in page
    assert 'href="one-only/report.html"' in page and 'href="two/report.html"' in page
    assert report(study, tmp_path / "again.html").read_text() == page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_the_critical_differences_are_those_of_the_ranking():
    study = make()
    chart = critical_differences(study)
    ranking = study.ranking()
    assert [row.label for row in chart.rows] == list(ranking.ranks)
    for row in chart.rows:
        (mark,) = row.marks
        low, high = mark.interval or (0, 0)
        assert mark.value == ranking.ranks[row.label]
        assert abs(high - low - ranking.critical_difference) < 1e-12
    assert [entry.label for entry in declared(study).legend] == [f"{i}: {p}" for i, p in enumerate(DECLARED, 1)]


def test_the_text_has_a_column_a_setting_and_the_decisions():
    text = str(make())
    header = next(line for line in text.splitlines() if line.startswith("method"))
    assert header.split() == ["method", "one", "&", "only", "two"]
    assert "mean accuracy  mean rank  worst regret" in text
    assert "- a <b> vs b, accuracy: +0.0" in text


def test_one_setting_is_not_ranked(tmp_path):
    study = Study({"one": comparison({"b": B, "a <b>": A, "c": C})}, DECLARED)
    assert not study.ranked
    assert "rank" not in str(study).lower()
    assert "mean rank" not in report(study, tmp_path / "report.html").read_text()
    assert study.save(tmp_path).is_file()
