"""Prepare data from a manifest, a folder per class, a data set of Hugging Face, or a public data set by name."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from joblib import cpu_count

from equimodal.data.description import DESCRIPTION
from equimodal.errors import ConfigError, DataError, Interrupted, RunError, did_you_mean
from equimodal.locks import FILE as LOCK
from equimodal.locks import locked
from equimodal.media.settings import MediaSettings
from equimodal.preparation.arrays import Target, checks_of, writing
from equimodal.preparation.benchmark import BENCHMARKS, read_benchmark
from equimodal.preparation.class_folders import read_class_folders
from equimodal.preparation.decoding import Work
from equimodal.preparation.finishing import COLUMNS, DUPLICATES, UNREADABLE, Decoded, OnError, finish
from equimodal.preparation.huggingface.choice import Choice
from equimodal.preparation.huggingface.dataset import read_dataset
from equimodal.preparation.huggingface.recognition import is_dataset
from equimodal.preparation.layout import Layout, path_of
from equimodal.preparation.manifest import read_manifest
from equimodal.preparation.outcomes import Journal, Piece
from equimodal.preparation.own import own_layout
from equimodal.preparation.plan import Plan, check_space
from equimodal.preparation.record import FILE as RECORD
from equimodal.preparation.record import WORK, Prepared, check, read_record
from equimodal.preparation.running import decode_all
from equimodal.preparation.stored import StoredLayout, store, stored_plan
from equimodal.preparation.tables import list_places
from equimodal.progress import Reporter
from equimodal.tables.words import duration
from equimodal.training.progress import make_reporter

_OTHERS = "not for data sets of Hugging Face"


def prepare(
    source: str | Path,
    folder: str | Path,
    settings: MediaSettings | None = None,
    *,
    root: str | Path | None = None,
    options: Sequence[str] = (),
    ignore: Sequence[str] = (),
    video_sound: bool = False,
    choice: Choice | None = None,
    on_error: OnError = "stop",
    workers: int | None = None,
    quiet: bool = True,
) -> Prepared:
    """Decode media into a data folder: of a manifest, a folder per class, a data set of Hugging Face, or a public one.

    The folder is what `equimodal train --data` and `load` take. The same files and settings give the same bytes,
    whatever the number of workers. A call that was interrupted or killed is continued by the same call.

    Args:
        source: a `.csv`, `.jsonl` or `.parquet` (see `equimodal.preparation.manifest.read_manifest`); a folder per
            class (see `equimodal.preparation.class_folders.read_class_folders`); a data set of Hugging Face (see
            `equimodal.preparation.huggingface.dataset.read_dataset`); or the name of a public data set (see
            `equimodal.preparation.benchmark`), which goes before a folder of that name.
        folder: to make.
        settings: sizes, lengths, rates and limits; None: the defaults, or those of the public data set.
        root: of a manifest: the folder that paths are relative to. Of a public data set: the download.
        options: of the public data set's reader, `key=value`.
        ignore: columns of the manifest or data set that are not looked at.
        video_sound: of a folder per class: take the modality `audio` out of the videos.
        choice: of a data set of Hugging Face: its label, group, configuration, splits and columns; None: the usual
            ones.
        on_error: what an unreadable file means: `stop` (decode the others, then say which), `missing` (the sample lacks
            that modality) or `drop` (the sample is left out).
        workers: processes; None: one for each core. More than one are started afresh, so that a script needs its
            `if __name__ == "__main__":`.
        quiet: show no progress.

    Returns:
        What was prepared.

    Raises:
        DataError: the manifest is wrong (nothing is written then), or files are unreadable.
        ConfigError: a package that is needed is not installed, or options do not fit.
        RunError: the folder is in use, holds something else, or cannot be written to.
        Interrupted: Ctrl-C; what was finished is kept.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> place = Path(tempfile.mkdtemp())
        >>> for number in range(2):
        ...     np.save(place / f"{number}.npy", np.full(3, number))
        >>> _ = (place / "all.csv").write_text("label,touch,text\\nlow,0.npy,nothing\\nhigh,1.npy,\\n")
        >>> prepare(place / "all.csv", place / "made").rows
        2
        >>> from equimodal.data.own import load_path
        >>> load_path(place / "made")
        Dataset('made', 2 samples, touch: vector (3,), text: text, 2 classes, 25% absent)
    """
    source, folder = Path(source), Path(folder)
    if on_error not in get_args(OnError):
        raise ConfigError(f"--on-error: unknown word '{on_error}'.{did_you_mean(on_error, get_args(OnError))}")
    layout = _layout(source, root, options, replace(choice or Choice(), ignore=tuple(ignore)), video_sound, on_error)
    settings = settings or default_settings(source)
    plan = stored_plan(layout, settings) if isinstance(layout, StoredLayout) else Plan.make(layout, settings)
    _check_place(folder, layout, source)
    with locked(folder, "prepared data"):
        found = _prepared_before(folder, plan, on_error)
        if found is None and isinstance(layout, StoredLayout):
            found = store(layout, plan, folder, folder / WORK)
        elif found is None:
            found = _prepare(plan, folder, on_error, workers or cpu_count(), make_reporter(quiet))
        shutil.rmtree(folder / WORK, ignore_errors=True)
    return found


def default_settings(source: str | Path) -> MediaSettings:
    """Return how media of a source are decoded where nothing else is said.

    Example:
        >>> default_settings("clips/all.csv").sampling_rate
        16000
    """
    return BENCHMARKS.get(str(source)).settings if _is_benchmark(source) else MediaSettings()


def _is_benchmark(source: str | Path) -> bool:
    return str(source) in BENCHMARKS.names()


def _layout(
    source: Path,
    root: str | Path | None,
    options: Sequence[str],
    choice: Choice,
    video_sound: bool,
    on_error: OnError,
) -> Layout:
    if source.is_dir() and not _is_benchmark(source) and is_dataset(source):
        _refuse({"--root": root, "-s": options, "--video-sound": video_sound}, _OTHERS, source)
        return read_dataset(source, choice)
    ignore = choice.ignore
    _refuse(choice.options(), "for data sets of Hugging Face", source)
    if _is_benchmark(source):
        _refuse({"--ignore": ignore, "--video-sound": video_sound}, "not for public data sets", source)
        return read_benchmark(str(source), None if root is None else Path(root), options)
    _refuse({"-s": options}, "for public data sets", source)
    if not source.exists():
        raise DataError(
            f"{source}: no such file or folder. Give a manifest (.csv, .jsonl, .parquet), a folder per class, a "
            f"data set of Hugging Face, or a public data set.{did_you_mean(str(source), BENCHMARKS.names())}"
        )
    if (source / RECORD).is_file():
        raise DataError(f"{source}: is prepared already. Take it as it is: equimodal train --data {source}.")
    if not source.is_dir():
        if video_sound:
            raise ConfigError("--video-sound is for folders: in a manifest, name the videos in the column 'audio' too.")
        missing_ok = on_error != "stop"
        return own_layout(read_manifest(source, None if root is None else Path(root), ignore, missing_ok), source)
    _refuse({"--root": root, "--ignore": ignore}, "for manifests", source)
    return own_layout(read_class_folders(source, video_sound), source)


def _refuse(options: Mapping[str, object], why: str, source: Path) -> None:
    problems = [
        f"{name} is {why}, and the source is {source}. Leave it out." for name, given in options.items() if given
    ]
    if problems:
        raise ConfigError(problems)


def _check_place(folder: Path, layout: Layout, source: Path) -> None:
    """Check that the folder is new, or one of ours, and lies outside of the folder that is read."""
    if source.is_dir() and any(folder.resolve().is_relative_to(root) for root in (layout.root, source.resolve())):
        raise ConfigError(f"--out: {folder} lies within {source}, among what is read. Choose a folder elsewhere.")
    if not folder.is_dir():
        return
    finished = {COLUMNS, DESCRIPTION} if (folder / RECORD).is_file() else set()
    ours = {WORK, RECORD, UNREADABLE, DUPLICATES, LOCK, *finished}
    strange = sorted(path.name for path in folder.iterdir() if path.name not in ours and not path.name.startswith("."))
    if strange:
        raise RunError(
            f"{folder}: holds other files ('{strange[0]}'). Choose a folder that is new or empty with --out."
        )


def _prepared_before(folder: Path, plan: Plan, on_error: OnError) -> Prepared | None:
    """Return what the folder holds if it is what would be made; None if it holds nothing finished."""
    if not (folder / DESCRIPTION).is_file():
        return None
    record = read_record(folder)
    same = record.on_error == on_error or not record.unreadable
    if record.identity != plan.identity() or not same:
        raise RunError(
            f"{folder}: holds data that were prepared from another manifest or with other options. Choose another "
            "folder with --out, or remove this one."
        )
    changed = _changed_since(folder / RECORD, plan.layout)
    if changed:
        raise RunError(
            f"{folder}: holds data of files that were changed, or copied anew, since: {list_places(changed)}. Choose "
            "another folder with --out, or remove this one."
        )
    return check(folder)


def _changed_since(record: Path, layout: Layout) -> list[str]:
    """Return the files that are newer than what was made of them."""
    then = record.stat().st_mtime_ns
    cells = (cell for each in layout.samples for cell in each.cells.values() if not isinstance(cell, str))
    paths = {path_of(cell): cell for cell in cells}
    return [layout.shown(cell) for path, cell in paths.items() if path.is_file() and path.stat().st_mtime_ns > then]


def _prepare(plan: Plan, folder: Path, on_error: OnError, workers: int, reporter: Reporter) -> Prepared:
    work, count = folder / WORK, len(plan.layout.samples)
    targets = {name: Target(work / f"{name}.npy", form, count) for name, form in plan.arrays().items()}
    journal = Journal(work / "journal.jsonl", plan.stamp())
    if not journal.fits() or not all(target.path.is_file() for target in targets.values()):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        check_space(plan, folder)
        with writing(work):
            for target in targets.values():
                target.create()
            journal.begin()
    pieces = {piece.start: piece for piece in plan.pieces()}
    done = {each.start: each for each in journal.pieces() if _is_sound(each, pieces, targets)}
    left = [piece for start, piece in pieces.items() if start not in done]
    decoding = decode_all(Work(targets, plan.forms, plan.settings), left, plan.files, workers)
    began, rows = time.monotonic(), 0
    reporter.start("pieces", len(pieces), len(done))
    try:
        for piece in decoding:
            with writing(journal.path):
                journal.add(piece)
            done[piece.start] = piece
            rows += len(piece.outcomes)
            seconds = (time.monotonic() - began) / rows * (sum(map(len, left)) - rows)
            reporter.step(f"{rows / (time.monotonic() - began):.0f} rows/s, {duration(seconds)} left")
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. What was finished is kept: the same command continues in {folder}.") from None
    finally:
        reporter.finish()
    outcomes = {row: cells for piece in done.values() for row, cells in piece.outcomes.items()}
    with writing(folder):
        return finish(Decoded(plan, outcomes, targets), folder, work, on_error)


def _is_sound(piece: Piece, pieces: dict[int, range], targets: dict[str, Target]) -> bool:
    """Return whether what the journal says of a piece is what is on disk."""
    rows = pieces.get(piece.start)
    return rows is not None and set(piece.outcomes) == set(rows) and piece.checks == checks_of(targets, rows)
