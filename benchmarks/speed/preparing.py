"""Clips per second of `prepare`, beside decoding the same files with PyAV and nothing else; its peak memory.

python benchmarks/speed/preparing.py [--clips 500] [--folder DIR]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from equimodal.extras import need

av = need("av")

RATE, SECONDS, HEIGHT, WIDTH = 25, 2, 360, 640
WORKERS = 2


def make(path: Path, seed: int) -> None:
    """Write a clip of moving squares and a tone."""
    generator = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.height, video.width, video.pix_fmt, video.options = HEIGHT, WIDTH, "yuv420p", {"preset": "veryfast"}
        audio = container.add_stream("aac", rate=22050, layout="mono")
        ground = generator.integers(0, 200, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, 0).repeat(8, 1)
        for number in range(RATE * SECONDS):
            pixels = np.roll(ground, 4 * number, axis=1).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(22050 * SECONDS) * generator.uniform(0.05, 0.3)).astype(np.float32)[None] / 2
        part = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        part.sample_rate, part.pts = 22050, 0
        container.mux(audio.encode(part))
        container.mux(audio.encode(None))


def decode(path: Path) -> int:
    """Decode every frame and every sound of a clip, one thread, as plainly as can be."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        return sum(1 for _ in container.decode(video=0)) + _sound(path)


def _sound(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


def prepare(folder: Path, clips: int) -> None:
    """Prepare the first clips in a process of its own, with its workers."""
    lines = [f"{n},{'ab'[n % 2]},{n}.mp4,{n}.mp4" for n in range(clips)]
    manifest = folder / f"first{clips}.csv"
    manifest.write_text("\n".join(["id,label,video,audio", *lines]) + "\n")
    shutil.rmtree(folder / "out", ignore_errors=True)
    command = [sys.executable, "-m", "equimodal.cli.main", "prepare", str(manifest), "--out", str(folder / "out"), "-q"]
    subprocess.run([*command, "--workers", str(WORKERS)], check=True, stdout=subprocess.DEVNULL)


def decode_all(paths: list[Path]) -> None:
    """Decode clips in as many processes, and nothing else."""
    with multiprocessing.Pool(WORKERS) as pool:
        pool.map(decode, paths, chunksize=16)


def measured(folder: Path, work: Callable[[], None]) -> tuple[float, float, float]:
    """Return seconds, seconds of computing, and the peak memory in MiB of the largest process that work starts."""
    child = os.fork()
    if child == 0:
        began = time.perf_counter()
        work()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, computing = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
        (folder / "measured").write_text(f"{seconds} {computing} {usage.ru_maxrss / 1024}")
        os._exit(0)
    os.waitpid(child, 0)
    seconds, computing, peak = map(float, (folder / "measured").read_text().split())
    return seconds, computing, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the clips there")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n}.mp4" for n in range(asked.clips)]
    with multiprocessing.Pool(WORKERS) as pool:
        pool.starmap(make, [(path, n) for n, path in enumerate(paths) if not path.is_file()])
    few = max(1, asked.clips // 10)
    for _ in range(asked.rounds):
        plain, plain_cpu, _ = measured(folder, partial(decode_all, paths))
        _, start_cpu, least = measured(folder, partial(prepare, folder, few))
        ours, ours_cpu, peak = measured(folder, partial(prepare, folder, asked.clips))
        each, alone = (ours_cpu - start_cpu) / (asked.clips - few), plain_cpu / asked.clips
        print(f"plain: {asked.clips / plain:.1f} clips/s, {1e3 * alone:.1f} ms of computing a clip", flush=True)
        print(
            f"prepare: {asked.clips / ours:.1f} clips/s, without the start {1e3 * each:.1f} ms of computing a clip "
            f"({alone / each:.2f} of plain), start {start_cpu - few * each:.1f} s, peak {peak:.0f} MiB "
            f"({least:.0f} with {few} clips)",
            flush=True,
        )


if __name__ == "__main__":
    main()
