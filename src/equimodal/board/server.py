"""Serving the pages to a browser on this machine: nothing is written, and nothing outside one folder is read."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equimodal.board.finding import inside
from equimodal.board.pages import Pages, missing_page
from equimodal.board.reading import read_bytes
from equimodal.errors import RunError
from equimodal.extras import need

ADDRESS = "127.0.0.1"
HOSTS = ["localhost", ADDRESS]
"""What a request may call this machine: a page elsewhere, whose name leads here, is refused (DNS rebinding)."""
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-inline'"
)
"""On top of a report's own policy: whatever it holds, it can read no page of the board."""


def make_app(root: Path) -> Any:
    """Return the application that serves what a folder holds.

    Args:
        root: the folder.

    Returns:
        A Starlette application. It answers one request after the other: figures are drawn by matplotlib, which does not
        work in several threads.

    Raises:
        ConfigError: Starlette is not installed.
    """
    applications, routing = need("starlette.applications"), need("starlette.routing")
    answers, hosts = need("starlette.responses"), need("starlette.middleware.trustedhost")
    middleware = need("starlette.middleware")
    root = root.resolve()
    pages = Pages(root)

    def answer(text: str | bytes | None, headers: Mapping[str, str] = HEADERS) -> Any:
        found = text is not None
        return answers.HTMLResponse(
            text if found else missing_page(), 200 if found else 404, headers=dict(headers if found else HEADERS)
        )

    async def first(request: Any) -> Any:
        return answer(pages.first())

    async def at(request: Any) -> Any:
        place = place_of(request.scope)
        return answer(None if place is None else pages.at(place))

    async def report(request: Any) -> Any:
        place = place_of(request.scope)
        folder = None if place is None else inside(root, place.removesuffix("report.html").removesuffix("/"))
        page = None if folder is None else read_bytes(folder / "report.html")
        return answer(page, HEADERS | {"Content-Security-Policy": REPORT_POLICY})

    async def nothing(request: Any, error: Exception) -> Any:
        return answer(None)

    return applications.Starlette(
        routes=[
            routing.Route("/", first),
            routing.Route("/at/{place:path}", at),
            routing.Route("/report/report.html", report),
            routing.Route("/report/{place:path}/report.html", report),
        ],
        middleware=[middleware.Middleware(hosts.TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={404: nothing},
    )


def place_of(scope: Mapping[str, Any]) -> str | None:
    """Return the place that an address names after its first part; None for slashes that are hidden in a name.

    Args:
        scope: of the request (ASGI).

    Example:
        >>> place_of({"path": "/at/a b/c", "raw_path": b"/at/a%20b/c"})
        'a b/c'
        >>> place_of({"path": "/at/a/b", "raw_path": b"/at/a%2Fb"})
    """
    if any(hidden in scope["raw_path"].lower() for hidden in (b"%2f", b"%5c", b"%00")):
        return None
    return scope["path"].lstrip("/").partition("/")[2]


def bind(port: int) -> socket.socket:
    """Return a socket at a port of this machine that no other machine can reach.

    Args:
        port: its number; 0: any free one.

    Raises:
        RunError: the port is in use, or may not be used.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((ADDRESS, port))
        opened.listen()
    except OSError as error:
        opened.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror or error})"
        raise RunError(
            f"Port {port} of {ADDRESS} {reason}. Choose another with --port, or 0 for any free one."
        ) from error
    return opened


def serve(app: Any, opened: socket.socket) -> None:
    """Serve an application until Ctrl-C.

    Args:
        app: see `make_app`.
        opened: see `bind`.

    Raises:
        ConfigError: Uvicorn is not installed.
        KeyboardInterrupt: after Ctrl-C, when everything is closed.
    """
    uvicorn = need("uvicorn")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[opened])
