"""A page that is watched while a test uses it, and what can be wrong with how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def watched(
    browser: Any, address: str = "", *, width: int = 1280, scheme: str = "light", **options: Any
) -> Iterator[Any]:
    """Open a page; what the console says and what the page requests are its attributes `said` and `requested`."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options)
    page = context.new_page()
    page.said, page.requested = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.requested.append(request.url))
    try:
        if address:
            page.goto(address)
        yield page
    finally:
        context.close()


def assert_shown_whole(page: Any, width: int) -> None:
    """Check that a page is as wide as its window, that its figures are in it, and that nothing is cut or covered."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"
    for figure in (each for each in page.locator("figure svg").all() if each.is_visible()):
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
            const all = [...document.querySelectorAll("h1, h2, h3, figure, .scroll, .verdict")]
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


def serious_faults(page: Any, axe: str) -> list[tuple[str, str]]:
    """Return the serious faults of accessibility that axe-core finds; the page must be open with `bypass_csp`."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run(document)).violations")
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in serious]
