"""Pages as a browser shows them: wide and narrow, light and dark, sorted, folded, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from equimodal.reports.pages import write_comparison_page, write_run_page
from reports.made_up import make_comparison, make_run

pytestmark = pytest.mark.browser

LONG = "a name of sixty letters that somebody gave to a modality, no. "
PAGES = ("run", "run of twelve", "run without reference", "comparison", "comparison of twenty")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of two and of twelve modalities, of three and of twenty methods, with long names."""
    folder = tmp_path_factory.mktemp("pages")
    many = [f"{LONG}{number}" for number in range(12)]
    methods = [f"{LONG}{number}" for number in range(20)]
    runs = {
        "run": make_run(),
        "run of twelve": make_run(many, [0.3 + 0.03 * n for n in range(12)], reference=[0.7] * 12, data=LONG),
        "run without reference": make_run(reference=None, method="joint"),
    }
    comparisons = {
        "comparison": make_comparison(seeds=10),
        "comparison of twenty": make_comparison(
            methods, many[:6], seeds=10, fused=[0.6 + 0.01 * n for n in range(20)], weak=[0.3] * 20
        ),
    }
    written = {name: write_run_page(run, folder / f"{name}.html") for name, run in runs.items()}
    return written | {name: write_comparison_page(one, folder / f"{name}.html") for name, one in comparisons.items()}


@contextmanager
def opened(browser: Any, path: Path, *, width: int = 1280, scheme: str = "light", **options: Any) -> Iterator[Any]:
    """Open a page; what the console says and what the page requests are its attributes."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options)
    page = context.new_page()
    page.said, page.requested = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.requested.append(request.url))
    try:
        page.goto(path.as_uri())
        yield page
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_whole(browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    with opened(browser, pages[name], width=width, scheme=scheme) as page:
        assert page.said == []
        assert page.requested == [pages[name].as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"
        figures = page.locator("figure svg").all()
        assert figures
        for figure in (each for each in figures if each.is_visible()):
            box = figure.bounding_box()
            assert box["width"] > 10 and box["height"] > 5 and box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert _clipped(page) == []
        assert _overlapping(page) == []


def _clipped(page: Any) -> list[str]:
    """Return the texts of elements that hide a part of what they hold; tables may be scrolled."""
    return page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
            .filter((e) => getComputedStyle(e).overflowX === "hidden")
            .map((e) => e.textContent.trim().slice(0, 60))"""
    )


def _overlapping(page: Any) -> list[str]:
    """Return pairs of figures, tables and headings that lie over each other."""
    return page.evaluate(
        """() => {
            const all = [...document.querySelectorAll("h1, h2, figure, .scroll, .verdict")]
                .filter((e) => e.checkVisibility());
            const boxes = all.map((e) => e.getBoundingClientRect());
            const found = [];
            boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, k) => {
                const [one, other] = [all[i], all[i + 1 + k]];
                if (one.contains(other) || other.contains(one)) return;
                if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
                    found.push(`${one.textContent.slice(0, 40)} | ${other.textContent.slice(0, 40)}`);
            }));
            return found;
        }"""
    )


def test_tables_are_sorted_by_mouse_and_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["comparison of twenty"]) as page:
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
    with opened(browser, pages["comparison of twenty"]) as page:
        table = page.locator("table").first
        table.locator("thead th", has_text="difference").locator("button").click()
        cells = table.locator("tbody tr td:nth-of-type(2)").all_text_contents()
        numbers = [float(text.strip().split()[0].replace("\u2212", "-").replace("+", "")) for text in cells[:-1]]
        assert numbers == sorted(numbers) and numbers[-1] > numbers[0]
        assert cells[-1].strip() == "\u2013"


def test_all_modalities_stay_on_top(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["run of twelve"]) as page:
        table = page.locator("table").first
        table.locator("thead th").nth(1).locator("button").click()
        assert table.locator("tbody tr").first.locator("th").text_content() == "all modalities"


def test_folds_open_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["run"]) as page:
        fold = page.locator("details", has_text="Configuration").last
        assert fold.get_attribute("open") is None
        fold.locator("summary").press("Enter")
        assert fold.get_attribute("open") is not None
        assert fold.locator("pre").is_visible()


def test_without_script_everything_is_there(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["comparison"], java_script_enabled=False) as page:
        assert page.locator("table").first.is_visible()
        assert page.locator("thead button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_fault(browser: Any, pages: dict[str, Path], axe: str, name: str, scheme: str) -> None:
    with opened(browser, pages[name], scheme=scheme, bypass_csp=True) as page:
        page.evaluate(axe)
        found = page.evaluate("async () => (await axe.run(document)).violations")
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []
