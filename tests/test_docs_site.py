"""The built docs site: every page is read as a reader sees it, and nothing of its source shows through."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("mkdocs", reason="mkdocs comes with the extra 'docs'")
pytest.importorskip("latex2mathml", reason="latex2mathml comes with the extra 'docs'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="the source distribution comes without the docs"),
]

SOURCE = {
    "a Sphinx role": r":(?:class|func|meth|mod|attr|data|exc|obj|ref|math|doc):",
    "a Sphinx directive": r"\.\. (?:math|note|warning|code-block)::",
    "double backticks": r"``",
    "a formula that is not rendered": r"\\[(\[]|\\(?:frac|sum|sqrt|mathrm|varnothing|text)\b|\$[^$\s][^$]*\$",
    "a heading that is not rendered": r"^#{1,6} ",
}
QUAINT = [
    "to be had",
    "in nobody's way",
    "is wanting",
    "goes on with",
    "go on with it",
    "told apart",
    "of one's own",
    "what became of",
    "wants a ",
]
UNREAD = {"script", "style", "code", "pre", "math", "title", "nav", "header", "footer"}


class Reader(HTMLParser):
    """Gathers the text of a page outside code, formulas and navigation, a paragraph a line."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNREAD:
            self.open.append(tag)
        elif tag in ("p", "li", "td", "th", "h1", "h2", "h3", "h4", "dt", "dd", "div"):
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.text += re.sub(r"\s+", " ", data)


def text_of(page: Path) -> str:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader.text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def found_in(site: Path, pattern: str) -> list[str]:
    """Return where a pattern is found on the pages, with some text around it."""
    found = []
    for page in sorted(site.rglob("index.html")):
        text = text_of(page)
        for match in re.finditer(pattern, text, flags=re.MULTILINE | re.IGNORECASE):
            around = text[max(0, match.start() - 40) : match.end() + 40].replace("\n", " ")
            found.append(f"{page.parent.relative_to(site)}: ...{around}...")
    return found


@pytest.mark.parametrize("what", SOURCE)
def test_no_source_shows_through(site: Path, what: str) -> None:
    assert found_in(site, SOURCE[what]) == [], what


@pytest.mark.parametrize("phrase", QUAINT)
def test_the_english_is_plain(site: Path, phrase: str) -> None:
    assert found_in(site, re.escape(phrase)) == []


def test_formulas_and_pages_are_there(site: Path) -> None:
    """The checks above would pass on an empty site."""
    pages = {
        page.parent.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in site.rglob("index.html")
    }
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").with_suffix("").as_posix().removesuffix("/index")
        assert ("." if name == "index" else name) in pages
    assert "<math" in pages["methods/g_blending"] and "<math" in pages["api"]
    assert "Train a classifier" in text_of(site / "api" / "index.html")


def test_what_is_looked_for_would_be_found() -> None:
    reader = Reader()
    reader.feed("<p>See :class:<code>Batch</code>, ``x``, $v(S)$ and \\(a\\).</p><pre>:class: ``ok``</pre><p># A</p>")
    hits = [what for what, pattern in SOURCE.items() if re.search(pattern, reader.text, flags=re.MULTILINE)]
    assert hits == [
        "a Sphinx role",
        "double backticks",
        "a formula that is not rendered",
        "a heading that is not rendered",
    ]
