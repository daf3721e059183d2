import dataclasses
import re
from html.parser import HTMLParser

import pytest
import yaml

from equimodal.comparison.reading import reading
from equimodal.comparison.result import Failure
from equimodal.errors import RunError
from equimodal.reports.pages import MOST_SUBSETS, subset_rows, write_comparison_page, write_run_page

from .made_up import make_comparison, make_run

EVIL = '<script>alert("x")</script>&\'é{{ 7 * 7 }}'
VOID = {"meta", "br", "line", "path", "use"}


class Page(HTMLParser):
    """What a page holds: tables by label, elements, attributes, text; its tags must match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.stack, self.ids = [], [], [], []
        self.tables, self.rows, self.inside, self.words = {}, [], False, []
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "div" and dict(attrs).get("class") == "scroll":
            self.rows = self.tables.setdefault(dict(attrs)["aria-label"], [])
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.stack.pop() == tag
        if tag in ("td", "th"):
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())
            self.inside = False

    def handle_data(self, data):
        self.words.append(data)
        if self.inside:
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(thing, folder):
    write = write_run_page if hasattr(thing, "history") else write_comparison_page
    path = folder / "page.html"
    assert write(thing, path) == path
    return path.read_text(encoding="utf-8")


def things():
    names = [f"{EVIL}{i}" for i in range(6)]
    return [
        make_run(),
        make_run(reference=None, method="joint"),
        make_run(fused=0.1),
        make_run(names, [0.3 + 0.05 * i for i in range(6)], reference=[0.6] * 6, data=EVIL),
        make_run(method="unimodal_ensemble", phases=("image", "text")),
        make_comparison(),
        make_comparison(["joint"], seeds=1),
        make_comparison([EVIL, "b", "c"], names[:3], fused=(0.1, 0.7, 0.78)),
    ]


@pytest.mark.parametrize("thing", things())
def test_page_is_whole_self_contained_accessible_and_repeatable(thing, tmp_path):
    text = page_of(thing, tmp_path)
    page = Page(text)
    assert len(text) < 300_000
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert list(page.tags).count("script") == 1  # the one that sorts tables
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "src", "xlink:href"))
    assert "@import" not in text
    assert "url(" not in re.sub(r'"url\(#[^"]*\)"', "", text)
    assert ("lang", "en") in page.attributes
    assert len(set(page.ids)) == len(page.ids)
    assert page.tags.count("figure") == text.count('role="img"') > 0
    assert page.tags.count("table") == page.tags.count("thead") > 0
    assert page_of(thing, tmp_path) == text


def test_scores_are_the_runs(run, tmp_path):
    tables = Page(page_of(run, tmp_path)).tables
    assert tables["Scores on test"] == [
        ["present", "accuracy", "macro F1", "loss", "ECE", "trained alone", "utilisation"],
        ["all modalities", "0.800", "0.789", "0.712", "0.046", "", ""],
        ["●image", "0.700", "0.678", "1.500", "0.100", "0.720", "0.96"],
        ["■text", "0.400", "0.378", "1.500", "0.100", "0.600", "0.50"],
    ]
    assert tables["Accuracy of every subset"][1:] == [
        ["none: the label prior", "0.200"],
        ["image", "0.700"],
        ["text", "0.400"],
        ["image + text", "0.800"],
    ]
    # v: 0, .2; image .7; text .4; both .8, so phi = (.5 + .4) / 2 and (.2 + .1) / 2
    assert tables["Contribution on test"][1:] == [
        ["●image", "0.450", "", "0.750", "", "0.500", "+0.250", "dominant"],
        ["■text", "0.150", "", "0.250", "", "0.500", "\u22120.250", "minor"],
    ]
    assert tables["Interactions of pairs"][1] == ["image + text", "\u22120.100", "repeat each other"]


def test_configuration_and_provenance(run, tmp_path):
    page = Page(page_of(run, tmp_path))
    (start,) = [i for i, words in enumerate(page.words) if words == "Configuration"]
    shown = next(words for words in page.words[start + 1 :] if words.strip())
    assert yaml.safe_load(shown) == run.config.to_dict()
    assert run.config.hash() in page.text
    assert "seed 7" in page.text


def test_folders_provenance_is_shown(run, tmp_path):
    run.folder = tmp_path
    content = {"provenance": {"torch": "1.2.3", "split": {"how": "stratified <by class>"}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    text = Page(page_of(run, tmp_path)).text
    assert "1.2.3" in text
    assert "how: stratified <by class>" in text


def test_malicious_names_are_text(tmp_path):
    names = [f"{EVIL}{i}" for i in range(3)]
    for thing in (
        make_run(names, [0.5, 0.4, 0.3], reference=[0.6] * 3, data=EVIL),
        make_comparison([EVIL, "b", "c"], names),
    ):
        text = page_of(thing, tmp_path)
        assert text.count("<script") == 1  # our own, which the page's policy names by its checksum
        page = Page(text)
        assert EVIL in page.text
        assert "49" not in page.text.replace("0.49", "")
        assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_undefined_edm_is_said_with_its_reason(tmp_path):
    text = Page(page_of(make_run(fused=0.1), tmp_path)).text
    assert "EDM undefined: all modalities together score 0.1" in text


def test_without_reference_no_utilisation_column(tmp_path):
    tables = Page(page_of(make_run(reference=None), tmp_path)).tables
    assert tables["Scores on test"][0] == ["present", "accuracy", "macro F1", "loss", "ECE"]


def test_many_subsets_are_summed_up_by_size():
    subsets = {"+".join(f"m{i}" for i in range(8) if k >> i & 1): k / 256 for k in range(256)}
    assert len(subsets) > MOST_SUBSETS
    rows = dict(subset_rows(subsets))
    assert len(rows) == 9
    ones = [2**i / 256 for i in range(8)]
    assert rows["1 modality (8 subsets)"] == f"{sum(ones) / 8:.3f} on average, {min(ones):.3f} to {max(ones):.3f}"
    assert len(subset_rows({str(i): 0.5 for i in range(MOST_SUBSETS)})) == MOST_SUBSETS


def test_many_modalities_and_epochs_stay_small(tmp_path):
    names = [f"a modality with a name that goes on and on {i}" for i in range(9)]
    run = make_run(names, [0.3 + 0.03 * i for i in range(9)], reference=[0.6] * 9, epochs=1)
    run.history = [{**run.history[0], "epoch": e + 1, "order": names[e % 9 :] + names[: e % 9]} for e in range(100)]
    assert len(page_of(run, tmp_path)) < 300_000


def test_comparison_tables_hold_their_numbers(comparison, tmp_path):
    page = Page(page_of(comparison, tmp_path))
    assert list(page.tables)[:6] == [table.title for table in comparison.tables()]
    for table in comparison.tables():
        header, *rows = page.tables[table.title]
        assert [name.lstrip("●■") for name in header] == ["method", *(column.header for column in table.columns)]
        assert rows == [[method, *map(str, cells)] for method, cells in table.rows()]
    assert page.tables["Accuracy"][3][2].startswith("+0.080 [+0.074, +0.086]")
    assert page.tables["Cost"][1:] == [[method, "20", "1.0", "514"] for method in comparison.methods]
    everything = {row[0]: row[1:] for row in page.tables["All numbers"]}
    assert everything["p of the difference in accuracy"][::2] == ["\u2013", "0.125"]  # one sign: 2 of 16 patterns
    assert everything["the same, Holm-corrected"][::2] == ["\u2013", "0.250"]
    assert set(comparison.columns) < set(everything)
    assert "abc123" in page.text
    assert "epochs: 7" in page.text
    for sentence in reading(comparison):
        assert sentence in page.text


def test_the_best_is_bold_where_it_can_be_told(tmp_path):
    comparison = make_comparison(seeds=6)
    text = page_of(comparison, tmp_path)
    cells = re.findall(r'<td class="best">([^ <]*)', text)
    assert cells == [c.text for table in comparison.tables() for _, row in table.rows() for c in row if c.best]
    assert len(cells) > 2
    assert "Bold: the best mean" in text
    alone = page_of(make_comparison(["joint"]), tmp_path)
    assert 'class="best"' not in alone
    assert "Bold" not in alone


def test_undefined_runs_of_a_comparison_are_counted(tmp_path):
    page = Page(page_of(make_comparison(fused=(0.195, 0.701, 0.78)), tmp_path))
    assert page.tables["Balance"][1][1].endswith("(1 undefined)")


def test_a_runs_page_says_what_it_cost_and_leaves_trials_out(tmp_path):
    phases = ("trial of image", "train")
    page = Page(page_of(make_run(phases=phases, trials=phases[:1]), tmp_path))
    assert "3 epochs, 2 kept (and 3 epochs of trials)" in page.text
    assert "Trained for 9.0 s, highest memory 350 MiB; updates of each encoder: image 30, text 30." in page.text
    plain = make_run()
    for line in plain.history:
        del line["memory"]  # from before it was measured
    text = Page(page_of(plain, tmp_path)).text
    assert "3 epochs, 2 kept ·" in text
    assert "Trained for 4.5 s; updates" in text


def test_a_failing_write_leaves_what_was_there(run, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("before")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(RunError, match="No space left"):
        write_run_page(run, path)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(("made", "write"), [("run", write_run_page), ("comparison", write_comparison_page)])
def test_a_folder_in_the_way_is_answered_by_fitting_advice(made, write, request, tmp_path):
    (tmp_path / "page").mkdir()
    with pytest.raises(RunError) as caught:
        write(request.getfixturevalue(made), tmp_path / "page")
    assert "choose another name, for a folder has this one, then write it again." in str(caught.value)
    assert "--resume" not in str(caught.value) and "space" not in str(caught.value)


def test_a_comparison_states_its_splits_and_what_each_seed_tuned(comparison, tmp_path):
    def with_design(result, rate):
        split = {"how": "stratified by <class>", "seed": result.seed, "scarce": {"labels": 60, "seed": result.seed}}
        sizes = {"train": 60, "validation": 50, "test": 50, "pool": 100}
        return dataclasses.replace(result, split=split, sizes=sizes, tuned={"training.learning_rate": rate})

    results = {method: tuple(with_design(r, 0.1 + r.seed) for r in each) for method, each in comparison.results.items()}
    tune = {"trials": 2, "grid": {"training.learning_rate": [0.1, 1.1]}, "own": {}}
    provenance = {**comparison.provenance, "configuration": {"compare": {"tune": tune}}, "test_groups": [7] * 50}
    page = Page(page_of(dataclasses.replace(comparison, results=results, provenance=provenance), tmp_path))
    assert page.tables["Splits"] == [
        ["seed", "training", "validation", "test", "labels used"],
        *([str(s), "100 (50%)", "50 (25%)", "50 (25%)", f"60 of 100, drawn with seed {s}"] for s in range(4)),
    ]
    assert page.tables["Tuning"][:2] == [["method", "training.learning_rate"], ["joint, seed 0", "0.1"]]
    assert len(page.tables["Tuning"]) == 1 + 3 * 4
    assert "Each seed drew its own split: stratified by <class>." in page.text
    assert "At most 2 candidates per method" in page.text
    assert "test_groups" not in page.text


def test_runs_that_diverged_are_named(comparison, tmp_path):
    lost = comparison.results["equilibrium"][1]
    kept = tuple(r for r in comparison.results["equilibrium"] if r is not lost)
    results = {**comparison.results, "equilibrium": kept}
    failed = dataclasses.replace(
        comparison, results=results, failures=(Failure("equilibrium", 1, "epoch 2: the loss is not finite"),)
    )
    page = Page(page_of(failed, tmp_path))
    assert "1 run diverged and has no numbers: equilibrium, seed 1." in page.text
    assert "(1 undefined)" in page.tables["Accuracy"][3][1]
    assert "EDM is undefined" not in page.text


def test_a_method_that_never_finished_is_not_judged(comparison, tmp_path):
    failures = tuple(Failure("equilibrium", seed, "nan") for seed in comparison.seeds)
    results = {**comparison.results, "equilibrium": ()}
    page = Page(page_of(dataclasses.replace(comparison, results=results, failures=failures), tmp_path))
    assert page.tables["Accuracy"][3][1:] == ["undefined", "\u2013", "not judged", "undefined"]
    only = dataclasses.replace(comparison, methods=("equilibrium", "joint"), results=results, failures=failures)
    assert "4 runs diverged and have no numbers" in Page(page_of(only, tmp_path)).text


def test_a_run_says_what_it_does_with_entries_missing_and_whom_it_trusts(tmp_path):
    run = make_run(trust={"image": 1.3, "text": 0.7})
    text = Page(page_of(run, tmp_path)).text
    for rate in (0.3, 0.5, 0.7):
        assert f"{rate:.0%} missing {run.test.accuracy_missing(rate):.3f}" in text
    assert "Weight in the fitted pool" in text and "image 1.30, text 0.70" in text
    assert "Weight in the fitted pool" not in page_of(make_run(), tmp_path)
