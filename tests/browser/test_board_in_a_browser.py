"""The live view in a browser: it follows a run that trains, and asks nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from board.folders import write_comparison, write_run
from browser.watching import assert_shown_whole, serious_faults, watched
from equimodal.board.server import bind, make_app

pytestmark = pytest.mark.browser
uvicorn = pytest.importorskip("uvicorn", reason="uvicorn comes with the extra 'board'")
STUDY = "a study with a name of sixty letters that nobody wants to type again"
PLACES = ("/", "/at/mine", f"/at/{STUDY}", f"/at/{STUDY}/both", f"/at/{STUDY}/both/joint/seed-0", "/at/nothing")
pytest.importorskip("starlette", reason="starlette comes with the extra 'board'")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with a run that trains and a comparison in a study, and the address at which it is shown."""
    write_run(tmp_path / "mine", epochs=2)
    (tmp_path / STUDY).mkdir()
    (tmp_path / STUDY / "study.json").write_text("{}")
    write_comparison(tmp_path / STUDY / "both")
    write_run(tmp_path / STUDY / "both" / "joint" / "seed-0", finished=True)
    write_run(tmp_path / STUDY / "both" / "alternating" / "seed-0", method="alternating")
    with bind(0) as opened:
        server = uvicorn.Server(uvicorn.Config(make_app(tmp_path), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{opened.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that keeps what the console says and what it requests."""
    with watched(browser) as page:
        yield page


def test_pages_follow_the_history(board: tuple[Path, str], page: Any) -> None:
    root, address = board
    page.goto(address + "/")
    assert "2 of 60" in page.inner_text("main")
    write_run(root / "mine", epochs=4)
    page.get_by_text("4 of 60").wait_for(timeout=20_000)
    page.get_by_role("link", name="mine").click()
    page.wait_for_url("**/at/mine")
    assert page.locator("figure svg").count() >= 4
    loaded = page.evaluate("performance.timeOrigin")
    before = page.inner_html("#accuracy svg")
    page.get_by_role("link", name="All runs").focus()
    with (root / "mine" / "history.jsonl").open("a") as history:
        history.write('{"epoch": 5, "half of a li')
    write_run(root / "mine", epochs=6)
    page.get_by_text("6 of 60 at most").wait_for(timeout=20_000)
    assert page.inner_html("#accuracy svg") != before
    assert page.evaluate("performance.timeOrigin") == loaded  # the page was not loaded again
    assert page.evaluate("document.activeElement.textContent") == "All runs"
    assert page.said == []
    assert {url.removeprefix(address) for url in page.requested} == {"/", "/at/mine"}


def test_nothing_is_replaced_where_nothing_has_changed(board: tuple[Path, str], page: Any) -> None:
    _, address = board
    page.goto(address + "/")
    page.evaluate("document.querySelector('main').dataset.mark = 'as it was'")
    asked = len(page.requested)
    deadline = time.monotonic() + 20
    while len(page.requested) < asked + 2 and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert len(page.requested) >= asked + 2
    assert page.evaluate("document.querySelector('main').dataset.mark") == "as it was"


def test_without_script_the_page_asks_to_be_loaded_again(board: tuple[Path, str], browser: Any) -> None:
    root, address = board
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(address + "/")
        write_run(root / "mine", epochs=5)
        page.get_by_text("5 of 60").wait_for(timeout=20_000)
    finally:
        context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_shown_whole_and_has_no_serious_fault(
    board: tuple[Path, str], browser: Any, axe: str, width: int
) -> None:
    for place in PLACES:
        with watched(browser, board[1] + place, width=width, bypass_csp=True) as page:
            assert_shown_whole(page, width)
            assert serious_faults(page, axe) == [], place
