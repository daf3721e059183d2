"""The one place where the version number is written, and the versions that results were made with."""

from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"


def versions(*libraries: str) -> dict[str, str]:
    """Return our version and those of other libraries, as far as they are installed.

    Example:
        >>> list(versions("torch", "no-such-library"))
        ['equimodal', 'torch']
    """
    found = {"equimodal": __version__}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
