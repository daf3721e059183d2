"""Recipes that users write, and a run's own `config.yaml` as one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.test_mistakes import SHORT, own, refuses, run

__all__ = ["own", "run"]

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("training.epochs=true", ["training.epochs: input should be a valid integer, got True."]),
        ("seed=true", ["seed: input should be a valid integer, got True."]),
        ("data.labels=yes", ["data.labels: input should be a valid integer", "got 'yes'."]),
        ("training.batch_size=1.5", ["training.batch_size: input should be a valid integer", "got 1.5."]),
        ("training.learning_rate=.nan", ["training.learning_rate: input should be a finite number"]),
        ("method.memory.dropout=true", ["method.memory.dropout: input should be a valid number, got True."]),
        ("model.encoders.image={name: cnn, hidden: [8, true]}", ["model.encoders.image.hidden.1: input"]),
        (
            "model.encoders.image={name: cnn, dropout: true}",
            ["model.encoders.image.dropout: input"],
        ),
        ("method=no", ["Unknown method 'no'."]),
    ],
)
def test_a_word_that_is_no_number_is_refused(run: Run, tmp_path: Path, setting: str, parts: list[str]) -> None:
    refuses(run("train", "--data", "emoji", *SHORT, "-s", setting), *parts)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_runs_own_configuration_repeats_it(run: Run, own: Path, tmp_path: Path) -> None:
    first = [
        "train",
        "paper",
        "--data",
        own,
        *SHORT,
        "-s",
        "reference=false",
        "-s",
        "data.split_seed=3",
        "-s",
        "seed=4",
    ]
    assert run(*first, "-o", "first")[0] == 0
    code, _, err = run("train", "first/config.yaml", "-q", "-o", "again")
    assert code == 0, err
    for name in ("config.yaml", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    code, _, err = run("train", "first/config.yaml", "-q", "-s", "seed=5", "-o", "other")
    assert code == 0, err
    assert yaml.safe_load((tmp_path / "other" / "config.yaml").read_text())["seed"] == 5


def test_relative_paths_in_a_recipe_are_seen_from_it_and_typed_ones_from_the_folder(
    run: Run, own: Path, tmp_path: Path
) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    shutil.move(own, recipes / "own")
    content = {"training": {"epochs": 1}, "model": {"width": 4}, "measure": {"bootstrap": 0}, "reference": False}
    for name in ("own", "own/", "./own", "../recipes/own"):
        (recipes / "mine.yaml").write_text(yaml.safe_dump({**content, "data": {"name": name}}))
        refuses(run("train", "recipes/mine.yaml", "-q", "-s", "seed=-1"), "seed")  # the form is checked as ever
        code, _, err = run("train", "recipes/mine.yaml", "-q", "-s", "method=joint", "-o", f"out-{len(name)}")
        assert code == 0, err
        written = yaml.safe_load((tmp_path / f"out-{len(name)}" / "config.yaml").read_text())
        assert Path(written["data"]["name"]) == (recipes / "own").resolve()
    refuses(run("train", "recipes/mine.yaml", "--data", "own", "-q"), "called 'own'")
    (recipes / "mine.yaml").write_text(yaml.safe_dump({**content, "data": {"name": "elsewhere/own.npz"}}))
    refuses(run("train", "recipes/mine.yaml", "-q"), str(recipes / "elsewhere" / "own.npz"))


def test_a_cache_is_seen_from_its_recipe_too_and_its_name_is_kept_with_the_run(
    run: Run, own: Path, tmp_path: Path
) -> None:
    (tmp_path / "recipes").mkdir()
    content = {
        "data": {"name": str(own)},
        "training": {"epochs": 1},
        "model": {"width": 4},
        "measure": {"bootstrap": 0},
        "features": {"cache": "kept"},
        "reference": False,
    }
    (tmp_path / "recipes" / "mine.yaml").write_text(yaml.safe_dump(content))
    typed = ["-s", "features.cache=typed"]
    for name, settings, where in (("one", [], tmp_path / "recipes" / "kept"), ("two", typed, tmp_path / "typed")):
        code, _, err = run("train", "recipes/mine.yaml", "-q", "-s", "method=joint", *settings, "-o", name)
        assert code == 0, err
        assert yaml.safe_load((tmp_path / name / "config.yaml").read_text())["features"] == {"cache": str(where)}
        assert (where / "equimodal-features.json").is_file()
    refuses(run("train", "recipes/mine.yaml", "-q", "-s", "features.cache=[a]"), "features.cache: expected a folder")
    refuses(run("train", "recipes/mine.yaml", "-q", "-s", f"features.cache={own}"), "not a cache of features")
    # Whether there is a cache changes no run: one can be resumed without it.
    code, _, err = run("train", "two/config.yaml", "-q", "-s", "features.cache=null", "--resume", "-o", "two")
    assert code == 0, err


def test_settings_of_a_comparison_are_seen_from_its_recipe(run: Run, own: Path, tmp_path: Path) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    shutil.move(own, recipes / "own")
    setting = {"label": "mine", "data": {"name": "./own"}}
    content = {
        "training": {"epochs": 1},
        "model": {"width": 4},
        "measure": {"bootstrap": 0},
        "compare": {
            "methods": ["joint", "uniform"],
            "seeds": 1,
            "settings": [setting],
        },
    }
    (recipes / "two.yaml").write_text(yaml.safe_dump(content))
    code, _, err = run("compare", "recipes/two.yaml", "-q")
    assert code == 0, err
    assert (tmp_path / "comparisons" / "two" / "mine" / "report.html").is_file()
    # A folder's own recipe says the same from anywhere.
    for recipe in ("two/study.yaml", "two/mine/compare.yaml"):
        folder = Path("comparisons") / recipe
        code, _, err = run("compare", folder, "-o", folder.parent)
        assert code == 0, err
        assert "3 runs, 3 finished" in err
