"""Each mistake a user can make: one message that says what to do, exit code 2, nothing half-written."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from data.own_data import write_own_data
from equimodal.cli.main import main
from programs import program

SHORT = ["-q", "-s", "training.epochs=1", "-s", "model.width=8", "-s", "measure.bootstrap=0"]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Call the program as a shell would, from an empty folder; give its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    return program("equimodal", main, monkeypatch, capsys)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_own_data(tmp_path / "own", samples=96)


def refuses(result: tuple[int, str, str], *parts: str) -> None:
    code, out, err = result
    assert code == 2, (code, out, err)
    assert err.startswith("error: "), err
    assert "Traceback" not in err
    for part in parts:
        assert part in err, f"{part!r} is not in: {err}"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["train", "equilibrum"], ["'equilibrum'", "Did you mean 'equilibrium'?"]),
        (["train", "-s", "method.name=jiont"], ["'jiont'", "Did you mean 'joint'?"]),
        (["compare", "-m", "joint", "-m", "altrnating"], ["'altrnating'", "Did you mean 'alternating'?"]),
        (["train", "-s", "training.epoch=3"], ["training.epoch", "Did you mean 'epochs'?"]),
        (["train", "-s", "method.memory.dropoot=0.1"], ["method.memory.dropoot", "Did you mean 'dropout'?"]),
        (["train", "-s", "training.epochs"], ["expected key=value", "'training.epochs'"]),
        (["train", "--data", "emojy"], ["'emojy'", "Did you mean 'emoji'?"]),
        (["train", "nothing.yaml"], ["nothing.yaml", "no such file"]),
        (["train", "-s", "model.encoders.imag=cnn"], ["'imag'", "Did you mean 'image'?"]),
        (["train", "-s", "model.encoders.image=cnnn"], ["'cnnn'", "Did you mean 'cnn'?"]),
        (["train", "-s", "model.encoders.text=cnn"], ["serves image", "of kind text"]),
        (["train", "-s", "model.encoders.image={name: cnn, height: 9}"], ["height", "Leave it out"]),
        (["train", "-s", "model.fusion=concat"], ["fusions memory", "'concat'"]),
        (["train", "-s", "method.order=[image,txt]"], ["each modality once", "image, txt"]),
        (["train", "-s", "measure.target={image: 0.9, text: 0.3}"], ["1.2"]),
        (["train", "-s", "data.labels=3"], ["3"]),
        (["train", "-s", "training.accelerator=tpuu"], ["tpuu"]),
        (["list", "method"], ["'method'", "Did you mean 'methods'?"]),
        (["report", "nowhere"], ["nowhere", "no such folder"]),
        (["evaluate", "nowhere"], ["nowhere", "no such folder"]),
        (["predict", "nowhere", "emoji", "-o", "p.xlsx"], [".csv or .jsonl", "p.xlsx"]),
    ],
)
def test_wrong_words(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    extra = SHORT if arguments[0] == "train" else []
    refuses(run(*arguments, *extra), *parts)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_all_mistakes_are_reported_at_once(run: Callable[..., tuple[int, str, str]]) -> None:
    result = run("train", "-s", "method.name=jiont", "-s", "training.epochs=0", "-s", "data.lables=4", "-s", "seeed=1")
    refuses(result, "4 problems", "jiont", "training.epochs", "data.lables", "seeed")


def _labels(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    path = folder / "labels.txt"
    path.write_text("\n".join(change(path.read_text().split())) + "\n")


def _array(folder: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))


def _out_of_range(folder: Path) -> None:
    (folder / "data.yaml").write_text(
        yaml.safe_dump(
            {
                "arrays": {"image": "image.npy", "physio": "physio.npy"},
                "labels": "labels.txt",
                "classes": ["calm", "glad"],
            }
        )
    )


def _pad(lengths: np.ndarray) -> np.ndarray:
    return np.full_like(lengths, 40)


def _nan_column(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[:, 2] = np.nan
    return values


def _nan_row(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values)
    values[7, 1] = np.nan
    return values


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (_out_of_range, ["labels", "row", "sad"]),
        (lambda f: _array(f, "motion_lengths", _pad), ["motion", "40", "12"]),
        (lambda f: _array(f, "motion_lengths", lambda a: a[:-1]), ["motion", "96", "95"]),
        (lambda f: _array(f, "physio", _nan_column), ["physio", "column 2", "NaN"]),
        (lambda f: _array(f, "physio", _nan_row), ["physio", "row 7", "NaN"]),
        (lambda f: _labels(f, lambda rows: ["calm"] * len(rows)), ["one class", "calm"]),
        (lambda f: _array(f, "image_present", np.zeros_like), ["image", "no sample"]),
        (lambda f: _array(f, "image", lambda a: a[:-3]), ["image", "93"]),
        (lambda f: [f.joinpath(n).unlink() for n in ("physio.npy", "motion.npy")], ["motion"]),
        (lambda f: (f / "image.npy").write_bytes((f / "image.npy").read_bytes()[:300]), ["image.npy"]),
        (lambda f: (f / "image.npy").write_bytes(b"not an array"), ["image.npy"]),
        (
            lambda f: np.save(f / "image.npy", np.array([[1], [2, 3]], dtype=object)),
            ["image.npy", "objects"],
        ),
        (lambda f: (f / "labels.txt").unlink(), ["labels"]),
    ],
    ids=[
        "label-out-of-range",
        "length-beyond-array",
        "lengths-too-few",
        "nan-column",
        "nan-row",
        "one-class",
        "never-present",
        "rows-differ",
        "leftover-column",
        "truncated-npy",
        "no-npy",
        "pickled",
        "no-labels",
    ],
)
def test_spoilt_data(
    run: Callable[..., tuple[int, str, str]],
    own: Path,
    tmp_path: Path,
    spoil: Callable[[Path], object],
    parts: list[str],
) -> None:
    spoil(own)
    refuses(run("train", "--data", own, *SHORT, "-o", "out"), *parts)
    assert not (tmp_path / "out").exists()


def test_one_modality(run: Callable[..., tuple[int, str, str]], own: Path) -> None:
    for name in ("physio.npy", "motion.npy", "motion_lengths.npy", "motion_present.npy"):
        (own / name).unlink()
    refuses(run("train", "--data", own, *SHORT), "at least two modalities", "image")


def test_truncated_npz(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    rng = np.random.default_rng(0)
    np.savez(path, a=rng.normal(size=(60, 3)), b=rng.normal(size=(60, 2)), labels=np.arange(60) % 2)
    path.write_bytes(path.read_bytes()[:900])
    refuses(run("train", "--data", path, *SHORT), "mine.npz")


def test_a_folder_of_another_configuration_is_left_alone(
    run: Callable[..., tuple[int, str, str]], own: Path, tmp_path: Path
) -> None:
    first = ["train", "alternating", "--data", own, *SHORT, "-s", "reference=false", "-o", "out"]
    assert run(*first)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    refuses(run(*first, "-s", "seed=3", "--resume"), "out", "seed: 0 there, 3 here")
    refuses(run(*first), "--resume")
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert run(*first, "--resume")[0] == 0

    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.tex").write_text("years of work")
    refuses(run(*first[:-1], "papers"), "papers", "not empty")
    assert [path.name for path in (tmp_path / "papers").iterdir()] == ["thesis.tex"]


def test_a_run_does_not_go_on_with_other_data(
    run: Callable[..., tuple[int, str, str]], own: Path, tmp_path: Path
) -> None:
    command = ["train", "alternating", "--data", own, *SHORT, "-s", "reference=false", "-o", "out", "--resume"]
    assert run(*command)[0] == 0
    _array(own, "physio", lambda values: values + 1)
    refuses(run(*command), "out", "the data themselves")


@pytest.mark.parametrize("name", ["state.safetensors", "model.safetensors", "metrics.json", "config.yaml"])
def test_a_full_disk_leaves_no_half_file_and_a_run_that_can_be_resumed(
    run: Callable[..., tuple[int, str, str]],
    own: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    command = ["train", "alternating", "--data", own, *SHORT, "-s", "reference=false", "-o", "out"]
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "replace", full)
        refuses(run(*command), name, "No space left on device", "--resume")
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert name not in left
    assert not [leftover for leftover in left if leftover.startswith(".") and leftover != ".lock"]
    assert run(*command, "--resume")[0] == 0
    whole = tmp_path / "whole"
    assert run(*command[:-1], whole)[0] == 0
    shutil.rmtree(tmp_path / "out" / "checkpoint")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_predicting_what_does_not_fit(run: Callable[..., tuple[int, str, str]], own: Path) -> None:
    assert run("train", "alternating", "--data", own, *SHORT, "-s", "reference=false", "-o", "out")[0] == 0
    refuses(run("evaluate", "out", "--present", "imgae"), "'imgae'", "Did you mean 'image'?")
    refuses(run("evaluate", "out", "--split", "tset"), "'tset'", "Did you mean 'test'?")
    refuses(run("predict", "out", "emoji"), "image", "the model was made for")
    refuses(run("predict", "out", "no/such/folder"), "no/such/folder")
    _array(own, "physio", lambda a: a[:, :4])
    refuses(run("predict", "out", own), "physio", "features 6", "features 4")
