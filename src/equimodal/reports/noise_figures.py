"""The figures of a model where one modality is noisy."""

from __future__ import annotations

from collections.abc import Sequence

from equimodal.display.charts import CurveChart, Entry, Line, Style, modality_styles
from equimodal.files import safe_name
from equimodal.inference.noise_report import AtStrength, NoiseReport

_ACROSS = {
    "words dropped": "share of words dropped",
    "signal-to-noise ratio": "signal-to-noise ratio (dB)",
    "blur": "blur (pixels)",
    "noise": "noise (standard deviations of the modality)",
}


def noise_charts(report: NoiseReport, modalities: Sequence[str]) -> list[CurveChart]:
    """Return a figure for each kind of noise: accuracy by its strength, a line for each modality that has it.

    Args:
        report: what was measured.
        modalities: of the model; they look as in its other figures.
    """
    styles = modality_styles(modalities)
    return [_chart(report, kind, styles) for kind in dict.fromkeys(each.kind for each in report.measured)]


def _chart(report: NoiseReport, kind: str, styles: dict[str, Style]) -> CurveChart:
    of_kind = [each for each in report.measured if each.kind == kind]
    places = tuple(sorted({each.strength for each in of_kind}))
    names = list(dict.fromkeys(each.modality for each in of_kind))
    lines = []
    for name in names:
        at = {each.strength: each for each in of_kind if each.modality == name}
        lines.append(_line(name, [at.get(place) for place in places], styles[name]))
    which = "further left is noisier" if kind == "signal-to-noise ratio" else "further right is noisier"
    intervals = ", with 95% bootstrap intervals" if any(line.band for line in lines) else ""
    return CurveChart(
        key="-".join(dict.fromkeys(["noise", safe_name(kind)])),
        title=f"Accuracy with {'noise' if kind == 'signal-to-noise ratio' else kind} on one modality",
        caption=f"On {report.split} ({report.samples} rows), the other modalities as they are{intervals}; {which}. The "
        f"dashed line is the accuracy without noise, {report.accuracy:.3f}.",
        axis="accuracy",
        across=_ACROSS[kind],
        places=places,
        limits=(0.0, 1.0),
        lines=tuple(lines),
        level=report.accuracy,
        legend=tuple(Entry(name, styles[name]) for name in names),
    )


def _line(name: str, at: Sequence[AtStrength | None], style: Style) -> Line:
    ends = tuple(None if each is None else each.ends for each in at)
    return Line(name, tuple(None if each is None else each.accuracy for each in at), style, ends if any(ends) else ())
