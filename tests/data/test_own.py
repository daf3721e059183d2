"""Own features from disk: folder, npz and YAML, and every way in which they can be wrong."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from equimodal.data.archive import npz_keys, read_array, write_npz
from equimodal.data.dataset import Dataset
from equimodal.data.description import Description
from equimodal.data.own import load_path, load_unlabelled
from equimodal.data.splits import Splits
from equimodal.errors import ConfigError, DataError, EquimodalError, RunError

from .own_data import write_own_data

N = 12


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    np.save(folder / "audio.npy", np.arange(N * 10.0).reshape(N, 5, 2))
    np.save(folder / "face.npy", np.ones((N, 4), np.float32))
    np.save(folder / "labels.npy", np.arange(N) % 2)
    return folder


def fails(message, path, error: type[EquimodalError] = DataError):
    with pytest.raises(error, match=re.escape(message)) as caught:
        load_path(path)
    return str(caught.value)


def describe(folder, **content):
    (folder / "data.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / "data.yaml"


def test_the_generated_data_set(tmp_path):
    data = load_path(write_own_data(tmp_path / "study"))
    assert isinstance(data, Dataset)
    assert data.name == "study"
    assert data.kinds == {"image": "image", "motion": "sequence", "physio": "vector"}
    assert data.classes == ("calm", "glad", "sad")
    absent = 1 - np.mean(list(data.present.values()))
    assert 0.2 < absent < 0.35
    splits = data.split(seed=1)
    subjects = [set(part.groups) for part in splits.parts().values()]
    assert not subjects[0] & subjects[1] | subjects[0] & subjects[2] | subjects[1] & subjects[2]
    batch = splits.train.batch(slice(0, 50))
    assert all(values.isfinite().all() for values in batch.inputs.values())


def test_every_modality_of_the_generated_data_set_bears_signal(tmp_path):
    from sklearn.linear_model import LogisticRegression

    data = load_path(write_own_data(tmp_path / "study", samples=480)).split(seed=0)
    for modality in data.modalities:
        rows = {part: np.flatnonzero(half.present[modality]) for part, half in data.parts().items()}
        values = {
            part: half.batch(rows[part]).inputs[modality].float().flatten(1).numpy()
            for part, half in data.parts().items()
        }
        model = LogisticRegression(max_iter=500).fit(values["train"] / 20, data.train.labels[rows["train"]])
        assert model.score(values["test"] / 20, data.test.labels[rows["test"]]) > 0.5


def test_npy_is_memory_mapped(folder):
    assert isinstance(load_path(folder).arrays["audio"], np.memmap)


def test_columns_by_name_in_a_folder(folder):
    (folder / "split.txt").write_text("train\n" * 8 + "validation\n" * 2 + "test\n" * 2)
    (folder / "groups.csv").write_text("group\n" + "".join(f"s{row // 2}\n" for row in range(N)))
    (folder / "ids.txt").write_text("".join(f"clip {row}\n" for row in range(N)))
    (folder / "classes.txt").write_text("no\nyes\n")
    (folder / "audio_lengths.csv").write_text("audio_lengths\n" + "3\n" * N)
    np.save(folder / "face_present.npy", np.arange(N) > 0)
    (folder / "README.md").write_text("not data")
    splits = load_path(folder)
    assert isinstance(splits, Splits)
    assert [len(part) for part in splits.parts().values()] == [8, 2, 2]
    assert splits.classes == ("no", "yes")
    assert splits.test.ids.tolist() == ["clip 10", "clip 11"]
    assert splits.test.groups.tolist() == ["s5", "s5"]
    assert splits.train.lengths["audio"].tolist() == [3] * 8
    assert splits.train.present["face"].tolist() == [False] + [True] * 7
    assert splits.provenance["how"] == "given with the data"


def test_text_and_csv_arrays(folder):
    (folder / "words.txt").write_text("ä dog\n" * 11 + "\n", encoding="utf-8")
    (folder / "face.npy").unlink()
    (folder / "face.csv").write_text("age,height\n" + "1,2.5\n" * 11 + ",\n")
    data = load_path(folder)
    assert data.kinds["words"] == "text"
    assert data.arrays["words"][0] == "ä dog"
    assert data.present["words"].tolist() == [True] * 11 + [False]
    np.testing.assert_array_equal(data.arrays["face"][:11], [[1, 2.5]] * 11)
    assert data.present["face"].tolist() == [True] * 11 + [False]


def test_npz_with_y_and_split(tmp_path):
    path = tmp_path / "mine.npz"
    write_npz(
        path,
        {
            "audio": np.ones((N, 5, 2)),
            "words": np.full(N, "hello"),
            "audio_lengths": np.full(N, 2.0),
            "y": np.arange(N) % 3,
            "split": np.repeat([0, 1, 2], [6, 3, 3]),
        },
    )
    splits = load_path(path)
    assert [len(part) for part in splits.parts().values()] == [6, 3, 3]
    assert splits.name == "mine"
    assert splits.train.lengths["audio"].tolist() == [2] * 6


def test_yaml_describes_files_and_keys(folder, tmp_path):
    np.savez(tmp_path / "x.npz", pictures=np.ones((N, 4, 4), np.float32), face_on=np.ones(N, int))
    described = describe(
        folder,
        arrays={"audio": "audio.npy", "image": {"file": "../x.npz", "key": "pictures", "kind": "image"}},
        labels="labels.npy",
        classes=["no", "yes"],
        present={"image": {"file": "../x.npz", "key": "face_on"}},
        name="study",
    )
    for path in (folder, described):
        data = load_path(path)
        assert data.kinds == {"audio": "sequence", "image": "image"}
        assert data.classes == ("no", "yes")
        assert data.name == "study"


def test_yaml_beside_an_npz(tmp_path):
    np.savez(tmp_path / "x.npz", audio=np.ones((N, 5, 2)), other=np.ones((N, 2)), target=np.arange(N) % 2)
    path = tmp_path / "x.yaml"
    path.write_text("arrays: {audio: x.npz, b: {file: x.npz, key: other}}\nlabels: {file: x.npz, key: target}\n")
    assert load_path(path).modalities == ("audio", "b")
    assert load_path(path).name == "x"


def test_labels_may_be_missing_for_prediction(folder):
    (folder / "labels.npy").unlink()
    np.save(folder / "split.npy", np.arange(N) % 3)
    fails("there are no labels. Add labels.npy", folder)
    assert load_unlabelled(folder).labels is None


def test_a_split_that_shares_groups(folder):
    np.save(folder / "split.npy", np.arange(N) % 3)
    np.save(folder / "groups.npy", np.arange(N) // 2)
    fails("groups: 2 are in train and in validation (the first is '0')", folder)


def test_a_split_with_other_names(folder):
    (folder / "split.txt").write_text("train\n" * 11 + "dev\n")
    fails("split: row 11 neither 0, 1, 2 nor train, validation, test: row 11 is 'dev'", folder)
    np.save(folder / "split.npy", np.zeros(3))
    (folder / "split.txt").unlink()
    fails("split: expected one per row, shape (12,), got shape (3,)", folder)


def test_a_given_split_without_a_class_in_training(folder):
    np.save(folder / "split.npy", np.where(np.arange(N) % 2 == 0, 0, 1 + np.arange(N) // 2 % 2))
    fails("train: only one class (0)", folder)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickles_are_never_loaded(folder, suffix):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    bomb = np.empty(N, object)
    bomb[:] = [Bomb() for _ in range(N)]
    if suffix == ".npy":
        np.save(folder / "face.npy", bomb, allow_pickle=True)
        fails("face.npy: holds Python objects (a pickle), which is never loaded", folder)
    else:
        np.savez(folder.parent / "x.npz", face=bomb, audio=np.ones((N, 2)), y=np.arange(N))
        fails(
            "x.npz, array 'face': holds Python objects (a pickle), which is never loaded",
            folder.parent / "x.npz",
        )


@pytest.mark.parametrize("keep", [0, 3, 60, 200, 0.5, 0.99])
def test_a_truncated_npz(tmp_path, keep):
    path = tmp_path / "x.npz"
    random = np.random.default_rng(0)
    np.savez_compressed(path, a=random.normal(size=(N, 9)), b=random.normal(size=(N, 9)), y=np.arange(N) % 2)
    content = path.read_bytes()
    path.write_bytes(content[: keep if keep >= 1 or keep == 0 else int(keep * len(content))])
    fails("x.npz: not a whole .npz", path)


def test_a_damaged_npz(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones((N, 50)), b=np.ones((N, 50)), y=np.arange(N) % 2)
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content)
    fails("x.npz, array 'a': damaged or cut short (Bad CRC-32", path)


@pytest.mark.parametrize("keep", [0, 5, 100, 300])
def test_a_truncated_npy(folder, keep):
    path = folder / "face.npy"
    path.write_bytes(path.read_bytes()[:keep])
    fails("face.npy: damaged or cut short", folder)


def test_every_bad_file_is_named(folder):
    describe(folder, arrays={"audio": "audoi.npy", "face": "face.csv"}, labels={"file": "labels.npy", "key": "y"})
    message = fails("3 problems in mine", folder)
    assert "audoi.npy: there is no such file" in message
    assert "face.csv: there is no such file" in message
    assert "labels.npy: a key ('y') is for .npz files only" in message


def test_a_path_that_is_none(tmp_path):
    fails("no such file or folder", tmp_path / "nothing")
    (tmp_path / "x.pkl").write_bytes(b"")
    fails("cannot read '.pkl'", tmp_path / "x.pkl")
    (tmp_path / "empty").mkdir()
    fails("holds no array", tmp_path / "empty")


def test_strange_files_in_a_folder(folder):
    (folder / "image.pkl").write_bytes(b"")
    (folder / "audio.csv").write_text("1\n")
    message = fails("2 problems", folder)
    assert "image.pkl: in a folder each array is a .npy, .txt or .csv file" in message
    assert "audio.npy: 'audio' is also in audio.csv. Keep one of the two" in message


def test_many_strange_files_are_counted_and_not_all_named(folder):
    for number in range(30):
        (folder / f"{number:02d}.jpg").write_bytes(b"")
    message = fails("6 problems", folder)
    assert "04.jpg: in a folder" in message and "05.jpg" not in message and "25 more of the kind." in message
    assert "media are made ready first, with equimodal prepare" in message


def test_a_folder_in_a_folder_is_not_passed_over(folder):
    (folder / "faces").mkdir()
    np.save(folder / "faces" / "more.npy", np.ones((N, 2)))
    (folder / ".cache").mkdir()  # hidden ones are, like hidden files
    message = fails("faces: is a folder, and folders in a data folder are not read. Move it away", folder)
    assert "cache" not in message
    describe(folder, arrays={"audio": "audio.npy", "more": "faces/more.npy"}, labels="labels.npy")
    assert load_path(folder).modalities == ("audio", "more")


def test_lengths_without_a_modality(folder):
    np.save(folder / "adio_lengths.npy", np.ones(N, int))
    fails("'adio_lengths' belongs to no modality 'adio'. Did you mean 'audio'?", folder)


def test_a_key_that_is_not_there(folder, tmp_path):
    np.savez(tmp_path / "x.npz", picture=np.ones((N, 2)))
    describe(folder, arrays={"audio": "audio.npy", "image": "../x.npz"}, labels="labels.npy")
    fails("x.npz: holds no array 'image'. It has: picture.", folder)


def test_csv_that_is_not_a_table_of_numbers(folder):
    (folder / "face.npy").unlink()
    (folder / "face.csv").write_text("1,2\n3\n")
    fails("face.csv: ragged rows: row 1 has 1 cells, row 0 has 2", folder)
    (folder / "face.csv").write_text("a,b\n1,2\n3,many\n")
    fails("face.csv: row 1, column 1 is 'many', not a number", folder)
    (folder / "face.csv").write_bytes(b"1,2\n\xff\n")
    fails("face.csv: not UTF-8 text", folder)


def test_all_mistakes_of_a_yaml_are_reported(folder):
    describe(
        folder,
        arrays={
            "audio": "audio.npy",
            "face": {"file": "face.npy", "knd": "vector"},
            "b": {"file": "x", "kind": "vektor"},
        },
        lables="labels.npy",
        split=3,
    )
    message = fails("unknown key 'lables'. Did you mean 'labels'?", folder, ConfigError)
    assert "unknown key 'arrays.face.knd'. Did you mean 'kind'?" in message
    assert "arrays.b.kind: unknown kind 'vektor'. Did you mean 'vector'?" in message
    assert "split: " in message
    assert "4 problems" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("labels: labels.npy", "arrays: is missing. Name a file for each modality"),
        ("- a\n- b", "expected a mapping (key: value lines), got list"),
        ("arrays: {a: b", "not valid YAML at line 1"),
        ("arrays: {audio: audio.npy, face: {key: x}}", "arrays.face.file: is missing"),
        (
            "arrays: {audio: audio.npy, face: face.npy}\nclasses: 3",
            "classes: expected a list of names, or a file",
        ),
    ],
)
def test_a_yaml_that_is_wrong(folder, content, message):
    (folder / "data.yaml").write_text(content)
    text = fails(message, folder, ConfigError)
    assert "data.yaml" in text
    assert "problems" not in text


def test_the_errors_of_the_arrays_come_through(folder):
    values = np.ones((N, 4))
    values[5, 2] = np.nan
    np.save(folder / "face.npy", values)
    fails("face: row 5 holds NaN or infinite values among others (the first at index (5, 2))", folder)


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    write_npz(path, {"a": np.arange(3)})

    def full_disk(file, *_, **__):
        file.write(b"a part")
        raise OSError(28, "No space left")

    monkeypatch.setattr(np.lib.format, "write_array", full_disk)
    with pytest.raises(RunError, match="No space left"):
        write_npz(path, {"a": np.arange(4)})
    monkeypatch.undo()
    assert read_array(path, "a").tolist() == [0, 1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["x.npz"]


def test_written_bytes_do_not_depend_on_the_clock(tmp_path):
    for name in ("x.npz", "y.npz"):
        write_npz(tmp_path / name, {"a": np.arange(3), "words": np.array(["a", "bc"])})
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    assert npz_keys(tmp_path / "x.npz") == ("a", "words")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npz")["words"], ["a", "bc"])


def test_every_error_is_one_that_the_command_line_prints():
    assert issubclass(DataError, EquimodalError)
    assert issubclass(ConfigError, EquimodalError)


def test_the_yaml_in_the_docs(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "data" / "own.md"
    (tmp_path / "data.yaml").write_text(re.search(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)[1])
    np.save(tmp_path / "audio.npy", np.ones((N, 5, 2)))
    np.save(tmp_path / "audio_lengths.npy", np.full(N, 3))
    (tmp_path / "labels.csv").write_text("labels\n" + "calm\nglad\nsad\n" * 4)
    shown = {"pictures": np.ones((N, 4, 4, 3)), "subject": np.arange(N) // 3, "has_image": np.ones(N, bool)}
    np.savez(tmp_path / "x.npz", **shown)
    data = load_path(tmp_path)
    assert data.kinds == {"audio": "sequence", "image": "image"}
    assert data.lengths["audio"].tolist() == [3] * N
    documented = set(re.findall(r"^\| `(\w+)` \| (?:a |for |what )", page.read_text(encoding="utf-8"), re.M))
    assert documented == set(Description.model_fields)
