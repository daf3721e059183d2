"""Real processes that start at once: a server that has imported the library forks them."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["equimodal.analyses.running", "equimodal.comparison.study", "equimodal.reports.write", "torchmetrics"]
)


def start(work: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Start a process that carries out `work`.

    It leads a session of its own, so that `os.killpg` reaches its workers too.
    """
    process = PROCESSES.Process(target=_carry_out, args=(work, *arguments))
    process.start()
    return process


def start_command(*arguments: object, errors: Path) -> BaseProcess:
    """Start the command line with arguments; what it prints to stderr goes to the file `errors`."""
    return start(_command, [str(argument) for argument in arguments], errors)


def _carry_out(work: Callable[..., Any], *arguments: Any) -> None:
    import torch

    os.setsid()
    torch.set_num_threads(1)
    work(*arguments)


def _command(arguments: Sequence[str], errors: Path) -> None:
    from equimodal.cli.main import main

    with errors.open("w") as err, Path(os.devnull).open("w") as out:
        os.dup2(err.fileno(), 2)
        os.dup2(out.fileno(), 1)
        sys.argv = ["equimodal", *arguments]
        code: object = None
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        if "joblib" in sys.modules:  # idle workers would be waited for, or left behind
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor().shutdown(kill_workers=True)
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else code is not None)
