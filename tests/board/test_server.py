"""The board as a browser meets it: pages, and everything that must not be served."""

import asyncio
import base64
import hashlib
import html
import json
import re
import sys
from pathlib import Path

import pytest

from equimodal.board import pages
from equimodal.board.server import bind, make_app
from equimodal.errors import ConfigError, RunError

from .folders import age, write_comparison, write_run

pytest.importorskip("starlette", reason="starlette comes with the extra 'board'")
pytest.importorskip("httpx", reason="httpx, which starlette's TestClient needs, comes with the extra 'test'")
from starlette.testclient import TestClient

HERE = "http://127.0.0.1:8765"


def visit(root: Path, **options) -> TestClient:
    return TestClient(make_app(root), base_url=HERE, **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    write_run(root / "mine", finished=True)
    write_run(root / "deep" / "er" / "it trains", method="alternating")
    write_comparison(root / "both")
    write_run(root / "both" / "joint" / "seed-0", finished=True, fused=0.75)
    write_run(root / "both" / "alternating" / "seed-0", method="alternating")
    write_run(tmp_path / "secret", finished=True)
    (tmp_path / "secret" / "report.html").write_text("SECRET")
    return root


def test_the_first_page_lists_everything(root: Path):
    page = visit(root).get("/")
    assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
    for place in ("mine", "deep/er/it%20trains", "both"):
        assert f'href="/at/{place}"' in page.text
    assert "2 runs train now" in page.text and "3 of 60" in page.text and "1 of 9" in page.text
    assert 'href="/at/both/' not in page.text  # the runs of a comparison are counted there
    assert 'href="/at/both/alternating/seed-0"' in visit(root).get("/at/both").text
    assert 'href="/at/both/joint/seed-0"' in visit(root).get("/at/both").text
    assert 'href="/report/mine/report.html"' in page.text and "it%20trains/report.html" not in page.text


def test_a_comparison_on_the_first_page_counts_its_runs_and_names_the_best(root: Path):
    def cells() -> list[str]:
        row = re.findall(r'<tr><th scope="row"><a href="/at/both">.*', visit(root).get("/").text)[0]
        return re.findall("<td.*?>(.*?)</td>", row)[2:6]

    assert cells() == ["1 of 9", "1", "0", "\u2013"]
    write_run(root / "both" / "alternating" / "seed-0", method="alternating", finished=True, fused=0.7)
    age(write_run(root / "both" / "joint" / "seed-1"))
    assert cells() == ["2 of 9", "0", "1", "joint 0.750 (1 seed)"]
    comparison = {"methods": [], "failures": [{"method": "joint", "seed": 1, "reason": "a loss became nan"}]}
    (root / "both" / "comparison.json").write_text(json.dumps(comparison))
    assert cells()[2] == "1 (1 diverged)"


def test_without_runs_of_their_own_comparisons_stand_alone(tmp_path: Path):
    write_comparison(tmp_path / "both")
    page = visit(tmp_path).get("/").text
    assert "<h2>Comparisons</h2>" in page and "runs</h2>" not in page and "no run here yet" not in page
    write_run(tmp_path / "mine")
    assert "<h2>Other runs</h2>" in visit(tmp_path).get("/").text


def test_an_empty_folder_has_a_page(tmp_path: Path):
    assert "There is no run here yet" in visit(tmp_path).get("/").text


def test_a_runs_page_draws_its_history(root: Path):
    page = visit(root).get("/at/deep/er/it%20trains").text
    for figure in ("accuracy", "shares", "edm", "loss"):
        assert f'<figure id="{figure}">' in page
    assert 'id="utilisation"' not in page  # there is no reference yet
    assert '<figure id="utilisation">' in visit(root).get("/at/mine").text


def test_a_run_without_an_epoch_and_one_with_strange_lines(root: Path):
    history = root / "mine" / "history.jsonl"
    history.write_text("")
    board = visit(root)
    assert "No epoch is finished yet" in board.get("/at/mine").text
    for line in ({"epoch": 1}, {"validation": {"accuracy": "high"}}, {"trial": []}, {"validation": 3, "train": 4}):
        history.write_text(json.dumps(line) + "\n")
        page = board.get("/at/mine")
        assert page.status_code == 200 and "another form" in page.text
        assert board.get("/").status_code == 200
    history.write_bytes(b"\xff\xfe\x00")
    assert board.get("/at/mine").status_code == 200


def test_figures_are_drawn_again_only_where_something_has_changed(root: Path, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    run_page = pages._run_page
    monkeypatch.setattr(pages, "_run_page", lambda run, *rest: drawn.append(run.epochs) or run_page(run, *rest))
    board = visit(root)
    place = root / "deep" / "er" / "it trains"
    board.get("/at/deep/er/it%20trains")
    board.get("/at/deep/er/it%20trains")
    write_run(place, epochs=5, method="alternating")
    assert "5 of 60" in board.get("/at/deep/er/it%20trains").text
    assert drawn == [3, 5]


def test_a_comparisons_page_has_the_means_so_far(root: Path):
    page = visit(root).get("/at/both").text
    assert '<th scope="row">joint</th><td>1 of 3</td><td>0.750</td>' in page
    assert '<th scope="row">alternating</th><td>0 of 3</td><td>\u2013</td>' in page
    (root / "study").mkdir()
    (root / "both").rename(root / "study" / "both")
    (root / "study" / "study.yaml").write_text("")
    (root / "study" / ".lock").write_text("")
    assert 'href="/at/study/both"' in visit(root).get("/at/study").text


def test_a_report_is_served_as_it_is(root: Path):
    answer = visit(root).get("/report/mine/report.html")
    assert answer.content == (root / "mine" / "report.html").read_bytes()
    assert "sandbox" in answer.headers["content-security-policy"]
    (root / "report.html").write_text("of the folder itself")
    assert visit(root).get("/report/report.html").text == "of the folder itself"


def test_what_vanishes_is_not_found(root: Path):
    board = visit(root)
    (root / "mine" / "report.html").unlink()
    for address in ("/report/mine/report.html", "/at/gone", "/at/deep", "/nothing", "/at"):
        answer = board.get(address)
        assert answer.status_code == 404 and "<main>" in answer.text, address


def raw(root: Path, path: str, raw_path: bytes, method: str = "GET") -> tuple[int, bytes]:
    """Ask with a path that no client would send as it is."""
    sent: list[dict] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw_path,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "scheme": "http",
        "server": ("127.0.0.1", 8765),
        "http_version": "1.1",
    }

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(make_app(root)(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("start", ["/at/", "/report/"])
@pytest.mark.parametrize(
    ("path", "raw_path"),
    [
        ("../secret", "../secret"),
        ("../secret", "%2e%2e/secret"),
        ("mine/../../secret", "mine/%2E%2E/../secret"),
        ("../secret", "..%2fsecret"),
        ("mine/../../secret", "mine%2F..%2F..%2Fsecret"),
        ("both/joint/seed-0", "both%2Fjoint/seed-0"),  # inside, but with a slash that is hidden
        ("..\\secret", "..%5Csecret"),
        ("{root}/../secret", "{root}/../secret"),
        ("/{root}/mine", "%2F{root}/mine"),
        ("mine\0", "mine%00"),
        ("link", "link"),
        ("deep/link", "deep/link"),
    ],
)
def test_nothing_outside_is_served(root: Path, start: str, path: str, raw_path: str):
    (root / "link").symlink_to(root.parent / "secret", target_is_directory=True)
    (root / "deep" / "link").symlink_to(root.parent / "secret", target_is_directory=True)
    end = "/report.html" if start == "/report/" else ""
    asked = start + path.format(root=root) + end
    status, body = raw(root, asked, (start + raw_path.format(root=root) + end).encode())
    assert status == 404 and b"SECRET" not in body


def test_files_that_are_links_are_not_read(root: Path):
    for name in ("report.html", "history.jsonl", "config.yaml", "metrics.json"):
        (root / "mine" / name).unlink()
        (root / "mine" / name).symlink_to(root.parent / "secret" / name)
    board = visit(root)
    assert board.get("/report/mine/report.html").status_code == 404
    assert board.get("/at/mine").status_code == 404
    assert 'href="/at/mine"' not in board.get("/").text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "10.0.0.1"]
)
def test_another_host_is_refused(root: Path, host: str):
    answer = visit(root).get("/", headers={"host": host})
    assert answer.status_code == 400 and "mine" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1", "127.0.0.1:9"])
def test_this_machine_is_answered(root: Path, host: str):
    assert visit(root).get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_nothing_can_be_changed(root: Path, method: str):
    before = sorted(root.rglob("*"))
    for address in ("/", "/at/mine", "/report/mine/report.html"):
        assert getattr(visit(root), method)(address).status_code == 405
    assert sorted(root.rglob("*")) == before


def test_hostile_names_stay_text(tmp_path: Path):
    name = "<script>alert(1)<&script>'\" onload=x"
    write_run(tmp_path / name, names=("<img src=x>", "b&b"))
    board = visit(tmp_path)
    first = board.get("/").text
    page = board.get(f"/at/{pages.quote(name)}")
    assert page.status_code == 200
    for text in (first, page.text):
        main = text.partition("<main>")[2].partition("</main>")[0]
        assert "<script" not in main and "<img" not in main
        assert "&lt;script&gt;alert(1)" in main
    assert "&lt;img src=x&gt;" in page.text


def test_the_script_is_the_only_one_that_may_run(root: Path):
    text = visit(root).get("/").text
    (script,) = re.findall("<script>(.*?)</script>", text, flags=re.DOTALL)
    (policy,) = re.findall('Content-Security-Policy" content="(.*?)"', text)
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert html.unescape(policy).split("; ") == [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        f"script-src 'sha256-{checksum}'",
        "connect-src 'self'",
    ]
    assert '<noscript><meta http-equiv="refresh"' in text


def test_a_port_in_use_is_one_message():
    with bind(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=rf"^Port {port} of 127\.0\.0\.1 is in use\. Choose another with --port"):
            bind(port)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(ConfigError, match=r"The live view needs Starlette, .*pip install 'equimodal\[board\]'"):
        make_app(tmp_path)
