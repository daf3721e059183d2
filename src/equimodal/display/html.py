"""Write one self-contained HTML page from a template."""

from __future__ import annotations

from functools import cache
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
    write_text(path, _environment(package).get_template(f"{template}.html.jinja").render(**content), "write it again")
    return path


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
