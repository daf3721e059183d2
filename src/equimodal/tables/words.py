"""Numbers, names and verdicts as tables and pages write them."""

from __future__ import annotations

from collections.abc import Sequence

VALUE_WORDS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_likelihood_gain": "log-likelihood gain",
    "true_class_probability": "true-class probability",
}
"""Value functions in words."""

_UNITS = ("B", "kB", "MB", "GB", "TB")


def number(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """Return a number as it is shown, a missing one as a dash.

    Example:
        >>> number(0.12345), number(0.5, 2, sign=True), number(-0.0001, 2)
        ('0.123', '+0.50', '0.00')
    """
    if value is None:
        return "\u2013"
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if not float(text):
        text = text.lstrip("+-")
    return text.replace("-", "\u2212")


def interval(low: float, high: float, digits: int = 3, *, sign: bool = False) -> str:
    """Return an interval as it is shown.

    Example:
        >>> interval(0.1, 0.25, 2)
        '[0.10, 0.25]'
    """
    return f"[{number(low, digits, sign=sign)}, {number(high, digits, sign=sign)}]"


def join_names(names: Sequence[str]) -> str:
    """Return names as a list in words.

    Example:
        >>> join_names(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def size_in_words(size: float) -> str:
    """Return a number of bytes in words.

    Example:
        >>> size_in_words(999), size_in_words(1.5e6), size_in_words(23e9)
        ('999 B', '1.5 MB', '23.0 GB')
    """
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"


def duration(seconds: float) -> str:
    """Return a rough duration in words.

    Example:
        >>> duration(42.2), duration(200), duration(7500)
        ('42 s', '3 min', '2 h 5 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
