"""Decoding all pieces: by this process, or by several side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_any

from equimodal.preparation.decoding import Files, Work, decode_piece
from equimodal.preparation.outcomes import Outcome, Piece

_AHEAD = 3
"""Pieces that each worker finds waiting: enough to be busy, and few enough to need no memory."""

_work: Work | None = None
"""In a worker: what it needs for every piece."""


def decode_all(work: Work, pieces: list[range], files_of: Callable[[range], Files], workers: int) -> Iterator[Piece]:
    """Yield each piece when it is done, in any order.

    A file that ends the process that decodes it, by a fault of a decoder or for want of memory, is found and counted as
    unreadable; that takes at least two workers.

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
            for piece in running.values():
                yield _one_by_one(work, piece, files_of(piece))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(work: Work, piece: range, files: Files) -> Piece:
    """Decode a piece's files each in a process of its own, so that those which end it are found."""
    outcomes = {}
    for row, cells in files:
        outcomes[row] = {}
        for name, path in cells.items():
            with _pool(work, 1) as pool:
                try:
                    alone = pool.submit(_decode, range(row, row + 1), [(row, {name: path})]).result()
                    outcomes[row][name] = alone.outcomes[row][name]
                except BrokenProcessPool:
                    outcomes[row][name] = Outcome(cause="crash", reason="ended the process that decoded it")
    good = [(row, {n: path for n, path in cells.items() if outcomes[row][n].cause != "crash"}) for row, cells in files]
    with _pool(work, 1) as pool:
        done = pool.submit(_decode, piece, good).result()
    return Piece(piece.start, {row: outcomes[row] | done.outcomes[row] for row in outcomes}, done.checks)


def _pool(work: Work, workers: int) -> ProcessPoolExecutor:
    # Started afresh, not forked: a forked process would hold the folder's lock after this one was killed.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(work,))


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
