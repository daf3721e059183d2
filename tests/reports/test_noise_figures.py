"""The figures of noise, and the file that they are drawn from again."""

import numpy as np
import pytest

from equimodal.errors import RunError
from equimodal.inference.noise_report import AtStrength, NoiseReport, read_noise, save_noise
from equimodal.reports.noise_figures import noise_charts


def at(modality: str, kind: str, unit: str, strength: float, accuracy: float, half: float | None = 0.05) -> AtStrength:
    ends = None if half is None else (accuracy - half, accuracy + half)
    return AtStrength(modality, kind, unit, strength, accuracy, ends, 0.9 - accuracy, None)


REPORT = NoiseReport(
    split="test",
    samples=80,
    accuracy=0.9,
    ends=(0.85, 0.95),
    measured=(
        at("wave", "signal-to-noise ratio", "dB", 20, 0.9),
        at("wave", "signal-to-noise ratio", "dB", -10, 0.5),
        at("facts", "noise", "SD", 0.5, 0.8),
        at("facts", "noise", "SD", 1, 0.7),
        at("steps", "noise", "SD", 0.5, 0.6, None),
        at("steps", "noise", "SD", 1, 0.4, None),
    ),
    notes={},
)


def test_each_kind_of_noise_is_a_figure_with_a_line_for_each_modality():
    ratio, noise = noise_charts(REPORT, ["facts", "steps", "wave"])
    assert (ratio.key, noise.key) == ("noise-signal-to-noise-ratio", "noise")
    assert ratio.places == (-10, 20) and ratio.lines[0].values == (0.5, 0.9)  # ascending, as the axis is
    assert np.allclose([ends or () for ends in ratio.lines[0].band], [(0.45, 0.55), (0.85, 0.95)])
    assert "further left is noisier" in ratio.caption
    assert [(line.label, line.values) for line in noise.lines] == [("facts", (0.8, 0.7)), ("steps", (0.6, 0.4))]
    assert noise.lines[0].band and noise.lines[1].band == ()
    assert noise.level == 0.9 and "80 rows" in noise.caption
    assert [entry.label for entry in noise.legend] == ["facts", "steps"]


def test_a_modality_looks_the_same_in_every_figure():
    ratio, noise = noise_charts(REPORT, ["facts", "steps", "wave"])
    colours = [line.style.colour for line in (*noise.lines, *ratio.lines)]
    assert len(set(colours)) == 3


def test_the_file_is_read_as_it_was_written(tmp_path):
    save_noise(REPORT, tmp_path / "noise.csv")
    assert read_noise(tmp_path / "noise.csv") == REPORT


@pytest.mark.parametrize("cell", ["nan", "inf", "17", "-2", "many"])
def test_a_number_that_cannot_be_is_said(tmp_path, cell):
    save_noise(REPORT, tmp_path / "noise.csv")
    lines = (tmp_path / "noise.csv").read_text().splitlines()
    for column in ("accuracy", "drop"):
        cells = lines[2].split(",")
        cells[lines[0].split(",").index(column)] = cell
        (tmp_path / "noise.csv").write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]))
        with pytest.raises(RunError, match=rf"damaged \(expected a number from \S+ to 1, got '{cell}'\)"):
            read_noise(tmp_path / "noise.csv")


@pytest.mark.parametrize("text", ["", "kind,accuracy\nnoise,0.5\n", "kind,accuracy\nnone,\n"])
def test_a_damaged_file_is_said(tmp_path, text):
    (tmp_path / "noise.csv").write_text(text)
    with pytest.raises(RunError, match=r"noise\.csv: is missing or damaged .*--noise"):
        read_noise(tmp_path / "noise.csv")
