"""The recipes of public data sets, end to end: from small trees of real media, as downloads unpack, to a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from equimodal.config.load import load_config
from equimodal.config.recipes import read_recipe
from equimodal.data.catalogue import load_configured
from equimodal.media.options import settings_of
from equimodal.preparation.benchmarks.kinetics import SOUNDS
from equimodal.preparation.prepare import default_settings, prepare
from equimodal.training.fit import train
from media.making import need, tone, video

from . import test_cremad, test_food101, test_iemocap, test_mvsa, test_ravdess

need("av", "soundfile", "PIL")

SMALL = {"frame_size": 16, "image_size": 16, "frames": 2, "sampling_rate": 4000, "seconds": 0.5, "hop": 256}


def sounds(root: Path) -> Path:
    """Four clips of each class of Kinetics-Sounds."""
    for place, (label, number) in enumerate(product(SOUNDS, range(4))):
        part = "train" if number < 3 else "val"
        folder = root / part / label
        folder.mkdir(parents=True, exist_ok=True)
        wave = tone(300 + 10 * place, 0.2, 22050)
        video(folder / f"{place:011}_000000_000010.mp4", [20 + place] * 2, wave=wave)
    return root


def tweets(root: Path) -> Path:
    """Three sentiments, five tweets each."""
    words = ("positive", "neutral", "negative")
    lines = {str(number): f"{words[number % 3]},{words[number % 3]}" for number in range(1, 16)}
    return test_mvsa.build(root, lines)


CASES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "cremad": ("cremad", test_cremad.build),
    "ravdess": ("ravdess", test_ravdess.build),
    "kinetics_sounds": ("kinetics_sounds", sounds),
    "food101": ("food101", test_food101.build),
    "mvsa": ("mvsa_single", tweets),
    "iemocap": ("iemocap", test_iemocap.build),
}


@pytest.mark.parametrize("recipe", CASES)
def test_from_the_download_to_a_model(recipe: str, tmp_path: Path) -> None:
    name, make = CASES[recipe]
    settings = settings_of(default_settings(name), **SMALL)
    prepare(name, tmp_path / "data", settings, root=make(tmp_path / "download"), on_error="missing", workers=1)
    config = load_config(recipe, [f"data.name={json.dumps(str(tmp_path / 'data'))}", *_shrunk(read_recipe(recipe))])
    run = train(config, load_configured(config.data), quiet=True)
    assert set(run.model.modalities) == set(config.model.encoders)
    assert 0 <= run.test.accuracy <= 1


def _shrunk(content: dict[str, Any]) -> list[str]:
    encoders = content["model"]["encoders"]
    small = [f"model.encoders.{name}.hidden=2" for name, one in encoders.items() if one["name"] == "resnet18"]
    short = ["model.width=4", "training.accelerator=cpu", "training.epochs=1", "measure.bootstrap=0", "reference=false"]
    return [*short, *small]


@pytest.mark.parametrize("recipe", CASES)
def test_the_data_are_where_the_recipe_looks_for_them_and_methods_are_declared(recipe: str) -> None:
    config = load_config(recipe)
    assert config.data.name == f"data/{recipe}"
    command = f'"equimodal prepare {CASES[recipe][0]} --root DOWNLOAD --out data/{recipe}"'
    assert command in read_recipe(recipe)["about"]
    assert {"joint mlp", "paper", "equilibrium"} <= {method.label for method in config.compare.methods}
