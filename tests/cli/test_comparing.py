"""Mistakes in `compare`: reported before anything is trained or written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.test_mistakes import SHORT, own, refuses, run
from equimodal.comparison import jobs as module

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*arguments: object, **options: object) -> None:
        raise AssertionError("a run was begun")

    monkeypatch.setattr(module, "train", train)


def no_file(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-m", "joint", "-s", "method.order=random"], ["method.order", "-m equilibrium:order=random"]),
        (["-m", "joint", "-s", "method=uniform"], ["compare trains", "-m uniform"]),
        (["-m", "joint", "-s", "model.encoders.imag=cnn"], ["'imag'", "Did you mean 'image'?"]),
        (["-m", "joint", "-s", "measure.target={image: 0.9, txt: 0.1}"], ["txt", "Did you mean 'text'?"]),
        (["-m", "joint", "-s", "data.labels=100000"], ["100000"]),
        (["-m", "joint", "-s", "training.accelerator=tpuu"], ["tpuu"]),
        (["-m", "joint", "-m", "paper:order=[audio,imge]"], ["each modality once", "image, text"]),
        (["-m", "joint", "-s", "seed=4294967295", "--seeds", "2"], ["4294967296"]),
        (["paper"], ["at least one method"]),
    ],
)
def test_a_mistake_is_reported_first_and_leaves_nothing(
    run: Run, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    refuses(run("compare", "--data", "emoji", *SHORT, *arguments), *parts)
    assert no_file(tmp_path)


def test_a_described_method_that_would_not_be_trained_is_refused(run: Run, own: Path, tmp_path: Path) -> None:
    recipe = {
        "data": {"name": str(own)},
        "method": {"name": "equilibrium", "order": "random"},
        "compare": {"methods": ["joint", "equilibrium"]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    refuses(run("compare", "mine.yaml", *SHORT), "'equilibrium' with its options is not among compare.methods")
    assert {path.name for path in tmp_path.iterdir()} == {"mine.yaml", own.name}
    listed = {**recipe, "compare": {"methods": ["joint", recipe["method"]]}}
    for name, content in {"listed": listed, "mine": recipe}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    for arguments in (["listed.yaml"], ["mine.yaml", "-m", "joint"]):
        with pytest.raises(AssertionError, match="a run was begun"):
            run("compare", *arguments, *SHORT, "-q", "-o", arguments[0].removesuffix(".yaml"))


def test_the_name_of_data_does_not_lead_out_of_the_folder(run: Run, own: Path, tmp_path: Path) -> None:
    described = {
        "name": "../../escaped",
        "arrays": {"image": "image.npy", "physio": "physio.npy"},
        "labels": "labels.txt",
    }
    (own / "data.yaml").write_text(yaml.safe_dump(described))
    with pytest.raises(AssertionError, match="a run was begun"):
        run("compare", "--data", own, "-m", "joint", *SHORT)
    assert (tmp_path / "comparisons" / "escaped" / "compare.yaml").is_file()
