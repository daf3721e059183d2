"""Pages as a browser shows them: wide and narrow, light and dark, sorted, folded, by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import equimodal as eq
from analyses.made_up import encoder_setting
from browser.watching import assert_shown_whole, serious_faults, watched
from equimodal.analyses.findings import Findings
from equimodal.comparison.study import Study
from equimodal.config.compare import Primary
from equimodal.inference.evaluation import Chosen
from equimodal.inference.explanation.explain import explain
from equimodal.reports.explanation import write_explanation_page
from equimodal.reports.write import report
from reports.made_up import make_comparison, make_run

pytestmark = pytest.mark.browser

LONG = "a name of sixty letters that somebody gave to some modality here "
MANY = [f"{LONG}{number}" for number in range(12)]
METHODS = [f"{LONG}{number}" for number in range(20)]
PAGES = (
    "run",
    "run of twelve",
    "run without reference",
    "comparison",
    "comparison of twenty",
    "study",
    "analysis",
    "explanation",
    "explanation of many classes",
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of two and of twelve modalities, of 3 and of 20 methods, of 2 and of 101 classes, with long names."""
    folder = tmp_path_factory.mktemp("pages")
    results = {
        "run": make_run(),
        "run of twelve": make_run(MANY, [0.3 + 0.03 * n for n in range(12)], reference=[0.7] * 12, data=LONG),
        "run without reference": make_run(reference=None, method="joint"),
        "comparison": make_comparison(seeds=10),
        "comparison of twenty": make_comparison(
            METHODS, MANY[:6], seeds=10, fused=[0.6 + 0.01 * n for n in range(20)], weak=[0.3] * 20
        ),
        "study": Study(
            {"one": make_comparison(seeds=6), "two": make_comparison(seeds=6)},
            (Primary(method="equilibrium", against="joint"),),
        ),
        "analysis": Findings("encoders", {LONG: encoder_setting(), "two": encoder_setting()}),
    }
    written = {name: report(result, folder / f"{name}.html") for name, result in results.items()}
    written["explanation"] = _explanation(folder / "explanation.html", ["image", "text"], ["yes", "no"])
    classes = [f"{LONG.replace('modality', 'class')}{number}" for number in range(101)]
    return written | {"explanation of many classes": _explanation(folder / "classes.html", MANY[:6], classes)}


def _explanation(path: Path, names: list[str], classes: list[str]) -> Path:
    """Write the explanation of a model that was trained for one epoch on rows that say little."""
    labels = np.arange(6 * len(classes)) % len(classes) if len(classes) > 20 else np.arange(120) % len(classes)
    draws = np.random.default_rng(0)
    columns = {name: draws.normal(labels[:, None] / len(classes), 1, (len(labels), 4)) for name in names}
    data = eq.Dataset(columns, np.array(classes)[labels]).split(seed=0)
    model = eq.Classifier.for_data(data, width=8)
    run = eq.fit(model, data, "joint", epochs=1, measure={"bootstrap": 0}, reference=False, quiet=True)
    found = explain(run, Chosen(data.test, "test", validation=data.validation))
    return write_explanation_page(found, LONG, path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_whole(browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    with watched(browser, pages[name].as_uri(), width=width, scheme=scheme) as page:
        assert page.said == []
        assert page.requested == [pages[name].as_uri()]
        assert page.locator("figure svg").count()
        assert_shown_whole(page, width)


def test_tables_are_sorted_by_mouse_and_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with watched(browser, pages["comparison of twenty"].as_uri()) as page:
        table = page.locator("table").first
        head = table.locator("thead th").nth(1)

        def column() -> list[float]:
            cells = table.locator("tbody tr td:nth-of-type(1)").all_text_contents()
            return [float(text.strip().split()[0]) for text in cells]

        first = column()
        assert len(first) == 20
        head.locator("button").click()
        assert column() == sorted(first) and head.get_attribute("aria-sort") == "ascending"
        head.locator("button").press("Enter")
        assert column() == sorted(first, reverse=True) and head.get_attribute("aria-sort") == "descending"
        head.locator("button").press("Space")
        assert column() == first and head.get_attribute("aria-sort") is None


def test_differences_are_sorted_as_numbers_and_what_is_none_comes_last(browser: Any, pages: dict[str, Path]) -> None:
    with watched(browser, pages["comparison of twenty"].as_uri()) as page:
        table = page.locator("table").first
        table.locator("thead th", has_text="difference").locator("button").click()
        cells = table.locator("tbody tr td:nth-of-type(2)").all_text_contents()
        numbers = [float(text.strip().split()[0].replace("\u2212", "-").replace("+", "")) for text in cells[:-1]]
        assert numbers == sorted(numbers) and numbers[-1] > numbers[0]
        assert cells[-1].strip() == "\u2013"


def test_all_modalities_stay_on_top(browser: Any, pages: dict[str, Path]) -> None:
    with watched(browser, pages["run of twelve"].as_uri()) as page:
        table = page.locator("table").first
        table.locator("thead th").nth(1).locator("button").click()
        assert table.locator("tbody tr").first.locator("th").text_content() == "all modalities"


def test_folds_open_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with watched(browser, pages["run"].as_uri()) as page:
        fold = page.locator("details", has_text="Configuration").last
        assert fold.get_attribute("open") is None
        fold.locator("summary").press("Enter")
        assert fold.get_attribute("open") is not None
        assert fold.locator("pre").is_visible()


def test_without_script_everything_is_there(browser: Any, pages: dict[str, Path]) -> None:
    with watched(browser, pages["comparison"].as_uri(), java_script_enabled=False) as page:
        assert page.locator("table").first.is_visible()
        assert page.locator("thead button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_fault(browser: Any, pages: dict[str, Path], axe: str, name: str, scheme: str) -> None:
    with watched(browser, pages[name].as_uri(), scheme=scheme, bypass_csp=True) as page:
        assert serious_faults(page, axe) == []


def test_what_is_over_all_rows_stays_on_top(browser: Any, pages: dict[str, Path]) -> None:
    with watched(browser, pages["explanation of many classes"].as_uri()) as page:
        table = page.locator("table").first
        head = table.locator("thead th").first
        for _ in range(3):  # upwards, downwards, as it was
            head.locator("button").click()
            assert table.locator("tbody tr").first.locator("th").text_content() == "all rows"


def test_a_large_page_is_small_and_opens_at_once(browser: Any, pages: dict[str, Path]) -> None:
    assert pages["comparison of twenty"].stat().st_size < 1_000_000
    with watched(browser, pages["comparison of twenty"].as_uri()) as page:
        milliseconds = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert 0 < milliseconds < 5000  # of a machine that may be busy; an idle one takes less than a fifth of that
