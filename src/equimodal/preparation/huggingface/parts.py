"""Which part each split of a data set becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from equimodal.data.assignment import PARTS
from equimodal.errors import ConfigError, did_you_mean
from equimodal.preparation.huggingface.choice import DRAWN
from equimodal.preparation.layout import WORDS


def parts_of(splits: Iterable[str], given: Sequence[str], labelled: bool) -> dict[str, str | None]:
    """Return the splits that are taken, in order, each with its part; None where a split is to be drawn.

    A single split is drawn from. Two splits are never one part unless the user says so.

    Args:
        splits: of the data set.
        given: what the user says, see `Choice`.
        labelled: whether there are labels: data to predict have no parts.

    Raises:
        ConfigError: a split is unknown, or becomes no part; all such mistakes are reported at once.

    Example:
        >>> parts_of(["train", "dev", "test"], (), True)
        {'train': 'train', 'dev': 'validation', 'test': 'test'}
        >>> parts_of(["train", "unseen"], ["train", "unseen=test"], True)
        {'train': 'train', 'unseen': 'test'}
    """
    known = list(splits)
    if tuple(given) == (DRAWN,) and DRAWN not in known:
        return dict.fromkeys(known)
    asked = dict(_asked(each) for each in given) if given else dict.fromkeys(known, "")
    problems = [
        f"--split: there is no split '{name}'.{did_you_mean(name, [*known, DRAWN])}"
        for name in asked
        if name not in known
    ]
    problems += [
        f"--split: '{name}' cannot become '{part}'. Known parts: {', '.join(PARTS)}."
        for name, part in asked.items()
        if part and part not in PARTS
    ]
    if problems:
        raise ConfigError(problems)
    if not labelled or (len(asked) == 1 and not any(asked.values())):
        return dict.fromkeys(asked)
    parts = {name: part or WORDS.get(name.lower(), "") for name, part in asked.items()}
    _check_parts(parts, asked)
    return dict(parts)


def _check_parts(parts: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Check that splits become training and test, each of its own.

    Raises:
        ConfigError: they do not.
    """
    listed = ", ".join(parts)
    how = f"Say what each becomes, for instance --split {next(iter(parts))}=train; or --split {DRAWN} to draw parts."
    unclear = [name for name, part in parts.items() if not part]
    own = [part for name, part in parts.items() if not asked[name]]
    problems = []
    if unclear:
        problems.append(f"--split: which part are {', '.join(unclear)}? The splits are {listed}. {how}")
    problems += [
        f"--split: {' and '.join(name for name in parts if parts[name] == part)} are {part} both. {how}"
        for part in PARTS
        if own.count(part) > 1
    ]
    lacking = [part for part in ("train", "test") if part not in parts.values()]
    if lacking and not problems:
        problems.append(
            f"--split: no split is {' and '.join(lacking)}: there are {listed}. {how} Where nothing is validation, a "
            "tenth of training becomes it."
        )
    if problems:
        raise ConfigError(problems)


def _asked(said: str) -> tuple[str, str]:
    name, _, part = said.partition("=")
    return name, part
