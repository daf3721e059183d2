"""Users' files through the commands: read as they were meant, or refused with the remedy; never silently wrong."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equimodal.cli.main import main
from equimodal.data.catalogue import load
from equimodal.training.fit import train
from equimodal.training.folder import read_config
from programs import program

N = 60
SHORT = ["-q", "-s", "training.epochs=1", "-s", "model.width=4", "-s", "measure.bootstrap=0", "-s", "reference=false"]
Result = tuple[int, str, str]
Command = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Call the program as a shell would, from an empty folder; give its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    return program("equimodal", main, monkeypatch, capsys)


def write(folder: Path, rows: int = N, seed: int = 0) -> Path:
    """Write two modalities, a and b, of three classes."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(rows) % 3
    np.save(folder / "a.npy", random.normal(size=(rows, 3)) + labels[:, None])
    np.save(folder / "b.npy", random.normal(size=(rows, 2)))
    (folder / "labels.txt").write_text("".join(f"{('calm', 'glad', 'sad')[label]}\n" for label in labels))
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write(tmp_path / "own")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made once; tests copy it."""
    place = tmp_path_factory.mktemp("trained")
    write(place / "own")
    arguments = ["train", "joint", "--data", str(place / "own"), *SHORT, "-o", str(place / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["equimodal", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
    return place / "run"


def refuses(result: Result, *parts: str) -> None:
    code, out, err = result
    assert code == 2, (code, out, err)
    assert err.startswith("error: ") and "Traceback" not in err, err
    for part in parts:
        assert part in err, f"{part!r} is not in: {err}"


def trains(run: Command, own: Path, out: str = "out") -> Path:
    code, printed, err = run("train", "joint", "--data", own, *SHORT, "-o", out)
    assert code == 0, (printed, err)
    return Path(out)


def as_csv(folder: Path, name: str, head: str | None = None, index: range | None = None, end: str = "\n") -> None:
    """Turn an array into CSV, as pandas would write it."""
    values = np.load(folder / f"{name}.npy")
    (folder / f"{name}.npy").unlink()
    rows = [",".join(f"{value!r}" for value in row) for row in values.tolist()]
    rows = rows if index is None else [f"{i},{row}" for i, row in zip(index, rows, strict=True)]
    (folder / f"{name}.csv").write_text(end.join(rows if head is None else [head, *rows]) + end, newline="")


# Headers and index columns


@pytest.mark.parametrize("head", [None, "x,y,z", "0,1,2", "2001,2002,2003"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_is_no_sample(run: Command, own: Path, tmp_path: Path, head: str | None, end: str) -> None:
    expected = (trains(run, own, "plain") / "model.safetensors").read_bytes()
    as_csv(own, "a", head, end=end)
    assert (trains(run, own) / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("head", [",x,y,z", "Unnamed: 0,x,y,z", ",0,1,2"])
def test_the_index_of_pandas_is_no_feature(run: Command, own: Path, head: str) -> None:
    expected = (trains(run, own, "plain") / "model.safetensors").read_bytes()
    as_csv(own, "a", head, range(N))
    assert (trains(run, own) / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("head", [None, "id,x,y,z", "index,x,y,z"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_column_of_row_numbers_is_refused(run: Command, own: Path, head: str | None, first: int) -> None:
    as_csv(own, "a", head, range(first, N + first))
    refuses(run("train", "--data", own, *SHORT), "a.csv", "counts the rows", "index=False")


def test_headers_of_numbers_that_nothing_decides(run: Command, trained: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other")
    (other / "labels.txt").unlink()
    as_csv(other, "a", "0,1,2")
    as_csv(other, "b", "0,1")
    refuses(run("predict", trained, other), "a.csv", "b.csv", "may be a header of numbers or a sample")
    (other / "labels.txt").write_text("unknown\n" * N)  # not read for predictions
    refuses(run("predict", trained, other), "may be a header")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "emotion\n" + "calm\nglad\nsad\n" * (N // 3)),
        ("labels.txt", "emotion\n" + "calm\nglad\nsad\n" * (N // 3)),
        ("labels.csv", "0\n" + "2\n0\n1\n" * (N // 3)),
        ("groups.csv", "speaker\n" + "s1\ns2\ns3\ns4\ns5\n" * (N // 5)),
        ("ids.txt", "clip\n" + "".join(f"c{row}\n" for row in range(N))),
        ("notes.txt", "text\n" + "a dog\n" * N),
        ("a_present.csv", "has a\n" + "1\n" * N),
    ],
)
def test_one_row_more_is_said_to_be_a_header(run: Command, own: Path, name: str, content: str) -> None:
    for old in own.glob(f"{Path(name).stem}.*"):
        old.unlink()
    (own / name).write_text(content)
    if name == "labels.csv" and content[0] == "0":  # pandas writes the header 0, which the other files tell apart
        assert run("train", "joint", "--data", own, *SHORT)[0] == 0
    else:
        first = content.split("\n")[0]
        refuses(run("train", "--data", own, *SHORT), name, "one more than the other files", f"'{first}'", "header")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("x;y\n1;2\n", ["semicolons", "sep=';'"]),
        ("1,5;2,5\n", ["semicolons"]),
        ("x\ty\n1\t2\n", ["tabs"]),
        ('"1,5","2,5"\n', ["decimals with a point"]),
        ("", ["is empty"]),
        ("1,2\n3\n", ["ragged rows"]),
    ],
)
def test_other_tables_are_refused_with_the_remedy(run: Command, own: Path, content: str, parts: list[str]) -> None:
    (own / "c.csv").write_text(content)
    refuses(run("train", "--data", own, *SHORT), "c.csv", *parts)


def test_empty_cells_of_one_column_are_absent_rows(run: Command, own: Path, tmp_path: Path) -> None:
    lines = ['""' if row % 7 == 0 else "" if row % 5 == 0 else f"{row / 8}" for row in range(N)]
    (own / "c.csv").write_text("age\n" + "\n".join(lines) + "\n\n")
    assert (trains(run, own) / "metrics.json").is_file()
    from equimodal.data.own import load_path

    absent = [row for row in range(N) if row % 7 == 0 or row % 5 == 0]
    assert np.flatnonzero(~load_path(own).present["c"]).tolist() == absent  # pyright: ignore


# Identifiers


@pytest.mark.parametrize("made", ["csv", "txt", "npy"])
def test_ids_and_groups_stay_text(run: Command, own: Path, made: str) -> None:
    names = [f"{row:03d}" if row % 2 else f"1_{row}" for row in range(N)]
    groups = [("007", "7", "1_11", "11_1", "+5", "5", "1e3", "1000", "٣", "3")[row // 6] for row in range(N)]
    if made == "npy":
        np.save(own / "ids.npy", np.array(names))
        np.save(own / "groups.npy", np.array(groups, dtype="U8"))
    else:
        (own / f"ids.{made}").write_text("\n".join(names) + "\n")
        (own / f"groups.{made}").write_text("\n".join(groups) + "\n", encoding="utf-8")
    out = trains(run, own)
    assert "groups: 10" in (out / "config.yaml").read_text()
    assert run("predict", out, own)[0] == 0
    with Path("predictions.csv").open(newline="") as file:
        assert [line["id"] for line in csv.DictReader(file)] == names


def test_labels_are_numbers_only_where_the_text_says_so(run: Command, own: Path) -> None:
    (own / "labels.txt").write_text("007\n7\n1_0\n" * (N // 3))
    assert run("predict", trains(run, own), own, "-o", "p.jsonl")[0] == 0
    assert set(json.loads(Path("p.jsonl").read_text().splitlines()[0])["probabilities"]) == {"007", "7", "1_0"}


def test_padded_names_are_one(run: Command, own: Path) -> None:
    (own / "groups.txt").write_text("".join(f"P{row // 6}{' ' * (row % 3)}\n" for row in range(N)))
    (own / "labels.txt").write_text("calm\n glad\nsad \n" * (N // 3))
    out = trains(run, own)
    assert "groups: 10" in (out / "config.yaml").read_text()
    np.save(own / "groups.npy", np.array([f"P{row // 6}{' ' * (row % 3)}" for row in range(N)]))
    (own / "groups.txt").unlink()
    assert "groups: 10" in (trains(run, own, "again") / "config.yaml").read_text()


def test_missing_groups_name_their_rows(run: Command, own: Path) -> None:
    groups = np.arange(N) // 6 * 1.0
    groups[[3, 9]] = np.nan
    np.save(own / "groups.npy", groups)
    refuses(run("train", "--data", own, *SHORT), "groups: rows 3, 9 have none")


# Names


def rename(folder: Path, old: str, new: str) -> None:
    (folder / f"{old}.npy").rename(folder / f"{new}.npy")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("form", ["folder", "npz", "yaml"])
def test_an_unknown_modality_is_refused(run: Command, trained: Path, tmp_path: Path, command: str, form: str) -> None:
    other = write(tmp_path / "other", seed=1)
    rename(other, "a", "A")
    data = other
    if form == "npz":
        arrays = {name: np.load(other / f"{name}.npy") for name in ("A", "b")}
        data = tmp_path / "other.npz"
        np.savez(data, **arrays, labels=np.array(["calm", "glad", "sad"] * (N // 3)))
    elif form == "yaml":
        data = tmp_path / "other.yaml"
        data.write_text("arrays: {A: other/A.npy, b: other/b.npy}\nlabels: other/labels.txt\n")
    arguments = [command, trained, data] if command == "predict" else [command, trained, "--data", data]
    refuses(run(*arguments), "does not know 'A'", "Did you mean 'a'?")
    assert not (tmp_path / "predictions.csv").exists()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_modality_that_is_lacking_counts_as_absent(run: Command, trained: Path, tmp_path: Path, command: str) -> None:
    other = write(tmp_path / "other", seed=1)
    given = [] if command == "predict" else ["--data"]
    (other / "b.npy").unlink()
    assert run(command, trained, *given, other)[0] == 0
    refuses(run(command, trained, *given, other, "--present", "b"), "none of which is asked for")
    (other / "a.npy").unlink()
    np.save(other / "c.npy", np.ones((N, 2)))
    refuses(run(command, trained, *given, other), "does not know 'c'", "made for a, b")


@pytest.mark.parametrize("name", ["a,b", "a b ", "a+b", " a", "a.b"])
def test_names_that_no_option_could_name_are_refused(run: Command, own: Path, name: str) -> None:
    (own / "data.yaml").write_text(f'arrays: {{"{name}": a.npy, b: b.npy}}\nlabels: labels.txt\n')
    refuses(run("train", "--data", own, *SHORT), f"The modality name '{name}'", "Rename it")


# Parts


def test_one_id_in_training_and_test(run: Command, own: Path) -> None:
    (own / "split.txt").write_text("train\nvalidation\ntest\n" * (N // 3))
    (own / "labels.txt").write_text("".join(f"{'calm' if row // 3 % 2 else 'sad'}\n" for row in range(N)))
    (own / "ids.txt").write_text("".join(f"c{row if row != 2 else 0}\n" for row in range(N)))
    refuses(run("train", "--data", own, *SHORT), "ids", "'c0'", "rows 0, 2")


def test_a_class_that_training_lacks_is_reported_before_training(run: Command, own: Path, tmp_path: Path) -> None:
    parts = ["test" if row % 3 == 2 else "validation" if row % 4 == 0 else "train" for row in range(N)]
    (own / "split.txt").write_text("\n".join(parts) + "\n")
    refuses(run("train", "--data", own, *SHORT, "-o", "out"), "train: holds no row of class sad, but test does")
    assert not (tmp_path / "out").exists()


# Labels at prediction


@pytest.mark.parametrize(
    "labels",
    [None, "?\n" * N, "calm\n" * N, "happy\n" * N, "1.5\n" * N, "calm\n\n" * (N // 2), "calm\n"],
    ids=["none", "placeholder", "one class", "unknown class", "floats", "blanks", "too few"],
)
def test_predict_ignores_labels(run: Command, trained: Path, tmp_path: Path, labels: str | None) -> None:
    other = write(tmp_path / "other", seed=1)
    assert run("predict", trained, other, "-o", "expected.csv")[0] == 0
    (other / "labels.txt").unlink()
    if labels is not None:
        (other / "labels.txt").write_text(labels)
    assert run("predict", trained, other)[0] == 0
    assert predicted(Path("predictions.csv")) == predicted(Path("expected.csv"))


def predicted(path: Path) -> list[dict[str, str]]:
    """Return the lines of predictions without what comes of labels."""
    with path.open(newline="") as file:
        return [
            {key: cell for key, cell in line.items() if key not in ("label", "right")} for line in csv.DictReader(file)
        ]


def test_predict_shows_labels_and_what_is_right(run: Command, trained: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", seed=1)
    truth = ["happy" if row % 4 == 0 else ("calm", "glad", "sad")[row % 3] for row in range(N)]  # one the model lacks
    (other / "labels.txt").write_text("\n".join(truth) + "\n")
    code, out, err = run("predict", trained, other)
    assert code == 0, err
    with Path("predictions.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["label"] for line in lines] == truth
    right = [line["prediction"] == line["label"] for line in lines]
    assert [line["right"] for line in lines] == [str(int(each)) for each in right]
    assert out.startswith(f"{N} predictions, {sum(right)} right ({np.mean(right):.1%})")
    assert run("predict", trained, other, "-o", "p.jsonl")[0] == 0
    assert [json.loads(line)["right"] for line in Path("p.jsonl").read_text().splitlines()] == right
    (other / "labels.txt").unlink()
    assert run("predict", trained, other)[1].startswith(f"{N} predictions in")
    assert "right" not in Path("predictions.csv").read_text().splitlines()[0]


def accuracy(result: Result) -> float:
    code, out, err = result
    assert code == 0, err
    return json.loads(out)["accuracy"]


def test_evaluate_counts_in_the_classes_of_the_run(run: Command, trained: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", seed=1)
    assert run("predict", trained, other)[0] == 0
    with Path("predictions.csv").open(newline="") as file:
        predicted = [line["prediction"] for line in csv.DictReader(file)]
    for truth in (["calm"] * N, ["sad"] * N, ["glad", "sad"] * (N // 2)):
        (other / "labels.txt").write_text("\n".join(truth) + "\n")
        expected = np.mean([a == b for a, b in zip(predicted, truth, strict=True)])
        assert accuracy(run("evaluate", trained, "--data", other, "--json")) == pytest.approx(expected)
    one = write(tmp_path / "one", rows=1)
    assert accuracy(run("evaluate", trained, "--data", one, "--json")) in (0, 1)


def test_evaluate_reads_classes_that_come_with_the_data(run: Command, trained: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", seed=1)
    expected = accuracy(run("evaluate", trained, "--data", other, "--json"))
    (other / "classes.txt").write_text("sad\nglad\ncalm\n")  # in another order than the run's
    (other / "labels.txt").write_text("2\n1\n0\n" * (N // 3))
    assert accuracy(run("evaluate", trained, "--data", other, "--json")) == expected


def test_evaluate_refuses_labels_outside_the_classes(run: Command, trained: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", seed=1)
    (other / "labels.txt").write_text("happy\ncalm\n?\n" * (N // 3))
    refuses(run("evaluate", trained, "--data", other), "?, happy", "calm, glad, sad", "predict needs no labels")
    (other / "labels.txt").unlink()
    refuses(run("evaluate", trained, "--data", other), "there are no labels")


# Words


@pytest.mark.parametrize(
    "classes", ["[no, yes, on]", "[y, n, off]", "[0, 1e3, 007]", "[2020-01-01, 1_0, .5]", "[true, True, 1]"]
)
def test_class_names_of_a_yaml_stay_as_they_are_written(run: Command, own: Path, classes: str) -> None:
    names = classes[1:-1].split(", ")
    (own / "data.yaml").write_text(f"arrays: {{a: a.npy, b: b.npy}}\nlabels: labels.txt\nclasses: {classes}\n")
    (own / "labels.txt").write_text("\n".join(names * (N // 3)) + "\n")
    assert run("predict", trains(run, own), own, "-o", "p.jsonl")[0] == 0
    assert list(json.loads(Path("p.jsonl").read_text().splitlines()[0])["probabilities"]) == names


def test_null_among_the_classes_says_quote_it(run: Command, own: Path) -> None:
    (own / "data.yaml").write_text("arrays: {a: a.npy, b: b.npy}\nlabels: labels.txt\nclasses: [calm, null, sad]\n")
    refuses(run("train", "--data", own, *SHORT), "classes: entry 1 is None", "quote it")


@pytest.mark.parametrize(
    ("yes", "no"), [("True", "False"), ("yes", "no"), ("1", "0"), ("TRUE", "false"), ("1.0", "0.0")]
)
@pytest.mark.parametrize("name", ["a_present.txt", "a_present.csv"])
def test_presence_in_words(run: Command, own: Path, name: str, yes: str, no: str) -> None:
    from equimodal.data.own import load_path

    (own / name).write_text("".join(f"{no if row % 4 == 0 else yes}\n" for row in range(N)))
    assert run("train", "joint", "--data", own, *SHORT)[0] == 0
    assert np.flatnonzero(~load_path(own).present["a"]).tolist() == list(range(0, N, 4))  # pyright: ignore
    (own / name).write_text("maybe\n" * N)
    refuses(run("train", "--data", own, *SHORT), "a_present", "'maybe'", "true or false, yes or no")


@pytest.mark.parametrize("form", ["column", "one-hot"])
def test_labels_of_another_shape_are_refused_with_the_remedy(run: Command, own: Path, form: str) -> None:
    (own / "labels.txt").unlink()
    labels = np.arange(N) % 3
    np.save(own / "labels.npy", labels[:, None] if form == "column" else np.eye(3)[labels])
    advice = "labels[:, 0]" if form == "column" else "labels.argmax(1)"
    refuses(run("train", "--data", own, *SHORT), "labels: expected one label per row", advice)


# One function draws splits


def few_groups(folder: Path) -> Path:
    """Write groups so large and few that parts cannot have the sizes asked for."""
    sizes = [17, 5, 11, 3, 9, 8, 7]
    names = np.repeat([f"s{number}" for number in range(len(sizes))], sizes)
    (folder / "groups.txt").write_text("\n".join(names) + "\n")
    return folder


@pytest.mark.parametrize("labels", [None, 12])
@pytest.mark.parametrize("redraw", ["split", "none"])
@pytest.mark.parametrize("ids", [False, True])
def test_the_runs_of_a_comparison_repeat_their_rows(
    run: Command, own: Path, labels: int | None, redraw: str, ids: bool
) -> None:
    few_groups(own)
    if ids:  # neither sorted nor whole numbers
        (own / "ids.txt").write_text("".join(f"c{row * 7 % N}\n" for row in range(N)))
    more = [] if labels is None else ["-s", f"data.labels={labels}"]
    compare = ["compare", "-m", "joint", "--seeds", "2", "-s", f"compare.redraw={redraw}", *more, *SHORT, "-o", "cmp"]
    code, _, err = run(*compare, "--data", own)
    assert code == 0, err
    for seed in (0, 1):
        folder = Path("cmp") / "joint" / f"seed-{seed}"
        told = json.loads((folder / "metrics.json").read_text())["test"]
        assert accuracy(run("evaluate", folder, "--json")) == told["accuracy"]
        code, out, err = run("predict", folder, own, "--split", "test")
        assert code == 0 and out.startswith(f"{told['samples']} predictions"), err


@pytest.mark.parametrize(
    "settings", [[], ["data.labels=12"], ["data.split_seed=3"], ["data.split_seed=3", "data.labels=12"]]
)
def test_a_fresh_run_repeats_its_rows(run: Command, own: Path, settings: list[str]) -> None:
    few_groups(own)
    options = [word for setting in settings for word in ("-s", setting)]
    code, _, err = run("train", "joint", "--data", own, *SHORT, *options, "-o", "out")
    assert code == 0, err
    told = json.loads(Path("out/metrics.json").read_text())["test"]["accuracy"]
    assert accuracy(run("evaluate", "out", "--json")) == told
    again = read_config(Path("out"))
    data = load(again.data.name, labels=again.data.labels, split_seed=again.data.split_seed)
    train(again, data, folder="again", quiet=True)
    assert Path("again/model.safetensors").read_bytes() == Path("out/model.safetensors").read_bytes()


def test_titles_name_the_data_and_not_where_they_are(run: Command, trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    assert run("explain", folder)[0] == 0
    for page in ("report.html", "explain.html"):
        assert "<h1>joint on own</h1>" in (folder / page).read_text()
    assert run("report", folder, "--out", tmp_path / "page.html")[0] == 0
    assert "<title>joint on own</title>" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", "null", "{}", '{"test": {}}', '{"test": 1, "validation": [2]}']
)
def test_numbers_of_a_run_that_are_not_its_own_are_one_message(
    run: Command, trained: Path, tmp_path: Path, content: str
) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / "metrics.json").write_text(content)
    for command in ("report", "evaluate", "explain"):
        result = run(command, folder)
        refuses(result, "metrics.json: is damaged (", "Train the run again")
        assert not any(word in result[2] for word in ("Error(", "object", "subscriptable", "indices"))
