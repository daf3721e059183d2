"""Write one self-contained HTML page from a template."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from equimodal.display.charts import Chart
from equimodal.display.drawing import draw
from equimodal.files import write_text
from equimodal.tables.words import interval, number


def write_page(path: Path, package: str, template: str, **content: Any) -> Path:
    """Write a page; the same content gives the same bytes.

    Args:
        path: the file; its folder is made if it does not exist.
        package: its folder `templates` holds the template; the shared templates are found too.
        template: its name, without the suffix.
        content: what it shows.

    Returns:
        The path.

    Raises:
        RunError: if the file could not be written.
    """
    write_text(path, render_page(package, template, **content), "write it again")
    return path


def render_page(package: str, template: str, live: bool = False, **content: Any) -> str:
    """Return a page as text.

    Its one script sorts tables. The page's own policy lets the browser run nothing else and load nothing. A live page
    has the script `live.js` of its package in that place, which may fetch from where the page came from.

    Args:
        package: its folder `templates` holds the template; the shared templates are found too.
        template: its name, without the suffix.
        live: whether the page keeps itself up to date.
        content: what it shows.
    """
    script = (
        _script(package, "live.js", "; connect-src 'self'") if live else _script("equimodal.display", "sort.js", "")
    )
    return _environment(package).get_template(f"{template}.html.jinja").render(**script, **content)


@cache
def _script(package: str, name: str, also: str) -> dict[str, str]:
    """Return a script, and a policy that allows no other script, and no address but what `also` allows."""
    script = resources.files(package).joinpath("templates", name).read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'{also}"
    return {"script": Markup(script), "policy": policy}


def count(number: int, one: str, several: str) -> str:
    """Return a number with its noun.

    Example:
        >>> count(1, "setting", "settings"), count(2, "setting", "settings")
        ('1 setting', '2 settings')
    """
    return f"{number} {one if number == 1 else several}"


def as_yaml(plain: Any) -> str:
    """Return plain values as YAML, in their own order."""
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _figure(chart: Chart) -> Markup:
    return Markup(draw(chart))  # drawn by us; matplotlib and ElementTree escape its text


@cache
def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("equimodal.display")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "interval": interval, "count": count, "figure": _figure, "yaml": as_yaml}
    return environment
