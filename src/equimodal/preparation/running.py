"""Decoding all pieces: by this process, or by several side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait as wait_for_any

from equimodal.errors import RunError
from equimodal.preparation.decoding import Files, Work, decode_piece
from equimodal.preparation.outcomes import Outcome, Piece

_AHEAD = 3
"""Pieces that each worker finds waiting: enough to be busy, and few enough to need no memory."""

_work: Work | None = None
"""In a worker: what it needs for every piece."""


def decode_all(work: Work, pieces: list[range], files_of: Callable[[range], Files], workers: int) -> Iterator[Piece]:
    """Yield each piece when it is done, in any order.

    A file that ends the process that decodes it, by a fault of a decoder or for want of memory, or that takes longer
    than `max_decode`, is found and counted as unreadable; that takes at least two workers and two pieces.

    Args:
        work: what every process needs.
        pieces: rows.
        files_of: returns the files of a piece.
        workers: processes; 1: this one.
    """
    if min(workers, len(pieces)) < 2:
        yield from (decode_piece(work, piece, files_of(piece)) for piece in pieces)
        return
    left = list(reversed(pieces))
    while left:
        running: dict[Future[Piece], range] = {}
        pool = _pool(work, workers)
        try:
            while left or running:
                while left and len(running) < _AHEAD * workers:
                    piece = left.pop()
                    running[pool.submit(_decode, piece, files_of(piece))] = piece
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    piece = running[future]
                    result = future.result()
                    del running[future]
                    yield result
        except BrokenProcessPool:
            yield from _rescued(work, list(running.values()), files_of)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _rescued(work: Work, pieces: list[range], files_of: Callable[[range], Files]) -> Iterator[Piece]:
    """Yield pieces that were being decoded when a worker ended: whole if they can be, else file by file."""
    alone = _Alone(work)
    try:
        for piece in pieces:
            files = files_of(piece)
            yield alone.decode(piece, files) or _without_deadly(alone, piece, files)
    finally:
        alone.close()


def _without_deadly(alone: _Alone, piece: range, files: Files) -> Piece:
    """Decode a piece without those of its files that end the process by themselves."""
    deadly: dict[tuple[int, str], Outcome] = {}
    for row, cells in files:
        for name, file in cells.items():
            began = time.monotonic()
            if alone.decode(range(row, row + 1), [(row, {name: file})]) is None:
                deadly[row, name] = _ended(time.monotonic() - began, alone.limit)
    good = [(row, {n: file for n, file in cells.items() if (row, n) not in deadly}) for row, cells in files]
    done = alone.decode(piece, good)
    if done is None:
        raise RunError(
            f"Decoding rows {piece.start} to {piece.stop - 1} ended the process each time, though none of their files "
            "does so alone. Is there enough memory? Start again with fewer --workers: what was finished is kept."
        )
    for (row, name), outcome in deadly.items():
        done.outcomes[row][name] = outcome
    return done


def _ended(seconds: float, limit: float) -> Outcome:
    """Return what came of a file that ended the process after so many seconds."""
    if seconds < limit:
        return Outcome(cause="crash", reason="ends the process that decodes it")
    return Outcome(cause="took too long", reason=f"took more than --max-decode {limit:g} seconds to decode")


class _Alone:
    """One worker, and another one after each that ended."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._pool = _start(work)

    @property
    def limit(self) -> float:
        """Seconds after which a file ends the worker."""
        return self._work.settings.max_decode

    def decode(self, piece: range, files: Files) -> Piece | None:
        """Return the piece, or None if the worker ended."""
        try:
            return self._pool.submit(_decode, piece, files).result()
        except BrokenProcessPool:
            self.close()
            self._pool = _start(self._work)
            return None

    def close(self) -> None:
        """End the worker."""
        self._pool.shutdown(cancel_futures=True)


def _start(work: Work) -> ProcessPoolExecutor:
    """Start one worker, and wait until it works: how long a file takes then tells why it ended the worker."""
    pool = _pool(work, 1)
    pool.submit(os.getpid).result()
    return pool


def _pool(work: Work, workers: int) -> ProcessPoolExecutor:
    # Started afresh, not forked: a forked process would hold the folder's lock after this one was killed.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(replace(work, ends=True),))


def _begin(work: Work) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however it did."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)


def _decode(piece: range, files: Files) -> Piece:
    assert _work is not None
    return decode_piece(_work, piece, files)
