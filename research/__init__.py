"""Research code that stands beside the package: run from a clone, not part of the wheel."""
