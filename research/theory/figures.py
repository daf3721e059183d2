"""The figures of the theory: where weak to strong wins, and what free-riding does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from equimodal.display.charts import INK, MUTED, Style, modality_styles
from equimodal.display.drawing import GRID, LOOK
from equimodal.files import write_whole
from research.theory.free_riding import Setting, closed_form, shrinkage, train
from research.theory.order import isotropic_gain
from research.theory.quadratic import Cycle
from research.theory.summary import STRONG, WEAK, free_riding_rows
from research.theory.sweeps import random_problems, sweep

_PROBLEMS = 200
_CELLS = 17
_AGREEMENT = 0.5
_COLOURS = "PuOr_r"  # orange where weak to strong wins, white at a tie, purple where it loses
_STYLES = modality_styles(["strong", "weak"])


def order_map(seed: int = 0) -> Figure:
    """Return maps of the share of random problems in which weak to strong wins.

    Args:
        seed: of the problems.
    """
    with matplotlib.style.context(LOOK, after_reset=True):
        figure = Figure(figsize=(9.2, 6.2))
        margins = {"left": 0.07, "right": 0.88, "bottom": 0.08, "top": 0.95, "wspace": 0.35, "hspace": 0.32}
        grid = figure.subplots(2, 3, gridspec_kw=margins)  # not "constrained", which rounds differently each time
        _by_agreement(grid[0][0], "after 1 cycle", Cycle(ratio=0.1, step=0.1), seed, boundary=True)
        _by_agreement(grid[1][0], "after 1 cycle, weak also slow", Cycle(ratio=0.1, step=0.1, weak="slow"), seed)
        base = Cycle(ratio=0.1, step=0.1)
        _by_step(grid[0][1], "after 1 cycle, no transfer", base, 1, seed)
        _by_step(grid[0][2], "after 1 cycle, transfer 1", Cycle(ratio=0.1, step=0.1, transfer=1.0), 1, seed)
        _by_step(grid[1][1], "at rest, transfer 1", Cycle(ratio=0.1, step=0.1, transfer=1.0), None, seed)
        slow = Cycle(ratio=0.1, step=0.1, transfer=1.0, weak="slow")
        image = _by_step(grid[1][2], "at rest, transfer 1, weak also slow", slow, None, seed)
        steps = np.geomspace(0.02, 1, 100)
        grid[1][1].plot(steps, (2 - steps) / (2 - 0.1 * steps), color=INK, linewidth=1.4)
        grid[1][2].axhline(0.1, color="white", linewidth=1.4)
        bar = figure.colorbar(image, cax=figure.add_axes((0.91, 0.2, 0.014, 0.6)))
        bar.set_label("share of problems that weak to strong wins", fontsize=9)
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def free_riding_figure() -> Figure:
    """Return what the last modality learns alone by the memory's reliability, and what mends it."""
    with matplotlib.style.context(LOOK, after_reset=True):
        figure = Figure(figsize=(9.2, 3.5))
        places = ((0.04, 0.245), (0.435, 0.25), (0.735, 0.255))
        left, middle, right = (figure.add_axes((at, 0.14, width, 0.78)) for at, width in places)
        _by_memory(left)
        _by_setting(middle)
        _by_unimodal(right)
    return figure


def write_figures(folder: Path, seed: int = 0) -> list[Path]:
    """Write both figures as SVG and PNG, each file whole or not at all.

    Args:
        folder: made if need be.
        seed: of the random problems.

    Returns:
        The paths.

    Raises:
        RunError: a file could not be written.
    """
    written: list[Path] = []
    for name, figure in (("order", order_map(seed)), ("free_riding", free_riding_figure())):
        for ending, save in (("svg", _save_svg), ("png", _save_png)):
            path = folder / f"{name}.{ending}"
            write_whole(path, _with(figure, save), "ask for the figures again")
            written.append(path)
    return written


def _with(figure: Figure, save: Callable[[Figure, Path], None]) -> Callable[[Path], None]:
    return lambda path: save(figure, path)


def _save_svg(figure: Figure, path: Path) -> None:
    with matplotlib.style.context(LOOK, after_reset=True), path.open("wb") as file:
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})


def _save_png(figure: Figure, path: Path) -> None:
    with matplotlib.style.context(LOOK, after_reset=True), path.open("wb") as file:
        figure.set_dpi(150)
        FigureCanvasAgg(figure).print_png(file)


def _by_agreement(axes: Axes, title: str, base: Cycle, seed: int, *, boundary: bool = False) -> None:
    agreements, transfers = np.linspace(-1, 1, _CELLS), np.linspace(0, 2, _CELLS)
    problems = [random_problems(_PROBLEMS, agreement, seed=seed) for agreement in agreements]
    _shade(axes, agreements, transfers, sweep(problems, base, transfer=transfers))
    if boundary:
        x, y = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(0, 2, 401))
        axes.contour(x, y, isotropic_gain(x, base.step, y), levels=[0.0], colors=INK, linewidths=1.4)
    _name(axes, title, "agreement of the optima", "transfer κ")


def _by_step(axes: Axes, title: str, base: Cycle, cycles: int | None, seed: int) -> Any:
    steps, ratios = np.geomspace(0.02, 1, _CELLS), np.geomspace(0.01, 1, _CELLS)
    problems = [random_problems(_PROBLEMS, _AGREEMENT, seed=seed)]
    shares = sweep(problems, base, cycles, ratio=ratios, step=steps)[..., 0]
    image = _shade(axes, steps, ratios, shares)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, ticks in ((axes.xaxis, (0.02, 0.1, 0.5)), (axes.yaxis, (0.01, 0.1, 1))):
        axis.set_minor_locator(NullLocator())
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _name(axes, title, "step η", "ratio a1 / a2")
    return image


def _shade(axes: Axes, x: np.ndarray, y: np.ndarray, shares: np.ndarray) -> Any:
    """Draw shares as one picture, so that an SVG stays small."""
    return axes.pcolormesh(x, y, shares, cmap=_COLOURS, vmin=0, vmax=1, shading="nearest", rasterized=True)


def _name(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, loc="left", fontsize=9, color=MUTED)
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)


def _by_memory(axes: Axes) -> None:
    memory = np.linspace(0, 1, 101)
    for reliability, style in zip((0.2, 0.5, 0.8), modality_styles(["a", "b", "c"]).values(), strict=True):
        s = shrinkage(reliability, memory)
        _curve(axes, memory, np.asarray(s * (2 - s)), style, f"R = {reliability}")
        dots = np.linspace(0.1, 0.9, 5)
        found = [train(Setting(first=float(at), last=reliability)).utilisation[1] for at in dots]
        axes.plot(dots, found, style.marker, color=style.colour, markersize=4.5)
    axes.set_ylim(0, 1.05)
    axes.grid(color=GRID, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8, loc="lower left", handlelength=1.4)
    _name(axes, "utilisation of the last", "reliability of the memory", "")


def _by_setting(axes: Axes) -> None:
    rows = free_riding_rows()
    for place, (last, _, learnt) in enumerate(rows):
        weak, strong = learnt.alone if last == "strong" else learnt.alone[::-1]
        axes.plot([weak, strong], [place, place], color=GRID, linewidth=3, zorder=0)
        for value, name in ((strong, "strong"), (weak, "weak")):
            axes.plot(value, place, _STYLES[name].marker, color=_STYLES[name].colour, markersize=6)
        axes.plot([learnt.fused] * 2, [place - 0.25, place + 0.25], color=INK, linewidth=1.8)
    for name, could in (("strong", STRONG), ("weak", WEAK)):
        axes.plot(
            [could] * 2, [-0.5, len(rows) - 0.5], color=_STYLES[name].colour, linewidth=0.9, dashes=(4, 3), zorder=0
        )
        axes.plot([], [], _STYLES[name].marker, color=_STYLES[name].colour, markersize=6, label=name)
    axes.plot([], [], "|", color=INK, markersize=9, markeredgewidth=1.8, label="fused")
    axes.set_yticks(range(len(rows)), [f"{last} last\n{step}" for last, step, _ in rows], color=INK, fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -1.4)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=3, columnspacing=1, handletextpad=0.1)
    _name(axes, "each alone, and fused", "share of the target explained", "")


def _by_unimodal(axes: Axes) -> None:
    weights = np.linspace(0, 4, 81)
    for name, first, last in (("strong", WEAK, STRONG), ("weak", STRONG, WEAK)):
        learnt = [closed_form(Setting(first=first, last=last, unimodal=float(weight))) for weight in weights]
        style = _STYLES[name]
        used = [one.utilisation[1] for one in learnt]
        _curve(axes, weights, used, Style(style.colour, ""), f"utilisation, {name} last")
        _curve(axes, weights, [one.fused for one in learnt], Style(style.colour, "", (4, 2)), f"fused, {name} last")
    axes.set_ylim(0.2, 1.05)
    axes.grid(color=GRID, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _name(axes, "with a unimodal loss", "its weight λ in the step of the last", "")


def _curve(axes: Axes, x: np.ndarray, y: Sequence[float] | np.ndarray, style: Style, label: str) -> None:
    axes.plot(x, y, color=style.colour, linewidth=style.width, linestyle=(0, style.dashes or None), label=label)
