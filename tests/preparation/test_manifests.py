"""Manifests in every form; what is wrong with one is said at once, and nothing is written before."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from equimodal.errors import ConfigError, DataError
from equimodal.media.clip import Clip
from equimodal.preparation.class_folders import read_class_folders
from equimodal.preparation.layout import Layout, Sample
from equimodal.preparation.manifest import read_manifest
from equimodal.preparation.prepare import prepare


def plain(layout: Layout) -> list[tuple[object, ...]]:
    return [
        (
            each.id,
            each.label,
            each.split,
            {name: layout.shown(c) if isinstance(c, Path) else c for name, c in each.cells.items()},
        )
        for each in layout.samples
    ]


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"content")


EXPECTED = [
    ("1", "7", "train", {"image": "a/1.jpg", "text": "a dog, barking"}),
    ("2", "8", "test", {"side": "2.png"}),
]


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    files(tmp_path, "a/1.jpg", "2.png")
    (tmp_path / "m.csv").write_text(
        '\ufeffid,label,split,image,text,side:image\n1,7,train,a/1.jpg,"a dog, barking",\n2,8,2,,,2.png\n', "utf-8"
    )
    rows = [
        {"id": 1, "label": 7.0, "split": "training", "image": "a/1.jpg", "text": "a dog, barking"},
        {"id": "2", "label": "8", "split": "TEST", "side:image": "2.png", "text": None},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    for name in ("m.csv", "m.jsonl"):
        layout = read_manifest(tmp_path / name)
        assert plain(layout) == EXPECTED
        assert layout.media == {"image": "image", "text": "text", "side": "image"}


def test_parquet_needs_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "m.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"needs pyarrow.*pip install 'equimodal\[parquet\]'.*\.csv or \.jsonl"):
        read_manifest(tmp_path / "m.parquet")


def test_parquet(tmp_path: Path) -> None:
    """Whole numbers beside empty cells are floats in such a table, and words may be categories."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    files(tmp_path, "a/1.jpg", "2.png")
    frame = pandas.DataFrame(
        {
            "id": [1, 2],
            "label": [7.0, 8.0],
            "split": pandas.Categorical(["train", "test"]),
            "image": ["a/1.jpg", None],
            "text": ["a dog, barking", None],
            "side:image": [None, "2.png"],
        }
    )
    frame.to_parquet(tmp_path / "m.parquet")
    assert plain(read_manifest(tmp_path / "m.parquet")) == EXPECTED
    frame.rename(columns={"image": "audio"}).assign(start=[0.5, None], end=[2, 3]).to_parquet(tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet").samples[0].cells["audio"] == Clip(
        (tmp_path / "a/1.jpg").resolve(), 0.5, 2
    )


def test_what_is_wrong_with_parquet(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    path = tmp_path / "m.parquet"
    pandas.DataFrame({"text": ["a", "b"], "image": [b"PNG", None], "bag": [[1, 2], [3]]}).to_parquet(path)
    with pytest.raises(DataError) as error:
        read_manifest(path)
    for part in (
        "'image' holds bytes in row 0, expected a text, a number or nothing. For media that lie in a table, give its",
        "'bag' holds ndarray in row 0, row 1, expected",
    ):
        assert part in str(error.value)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_manifest(path)


def test_text_in_files_and_an_id_for_each_row(tmp_path: Path) -> None:
    files(tmp_path, "1.txt")
    (tmp_path / "m.csv").write_text("text,label\n1.txt,a\n,b\n")
    with pytest.raises(DataError, match="No modality at all in line 3"):
        read_manifest(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text("text,label\n1.txt,a\n")
    assert plain(read_manifest(tmp_path / "m.csv")) == [("0", "a", None, {"text": "1.txt"})]


def test_text_files_among_texts(tmp_path: Path) -> None:
    files(tmp_path, "1.txt")
    (tmp_path / "m.csv").write_text("text\n1.txt\na dog\n")
    with pytest.raises(DataError, match=r"Text files among texts, in line 2 \(text: '1.txt'\)"):
        read_manifest(tmp_path / "m.csv")


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    files(tmp_path / "in", "1.jpg")
    files(tmp_path, "secret.jpg")
    (tmp_path / "in/link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "in/m.csv").write_text(
        "id,label,split,image,imge,wave:sound\n"
        "a,x,train,1.jpg,q,\n"
        "a,x,trian,../secret.jpg,q,\n"
        "c,,test,gone.jpg,q,\n"
        "d,x,test,link.jpg,q,\n"
        "e,x,test,/etc/passwd,q,\n"
        "f,x,test,,,\n"
    )
    out = tmp_path / "out"
    with pytest.raises(DataError) as error:
        prepare(tmp_path / "in/m.csv", out)
    said = str(error.value)
    for part in (
        "8 problems in",
        "Column 'imge': unknown, and its cells are no .npy files. Did you mean 'image'?",
        "--ignore imge",
        "'sound' is no kind of media.",
        "Files outside of",
        "line 3 (image: '../secret.jpg'), line 5 (image: 'link.jpg'), line 6 (image: '/etc/passwd')",
        "No such file below",
        "line 4 (image: 'gone.jpg')",
        "Column 'label': empty in line 4",
        "the same id again in line 3 ('a', as in line 2)",
        "unknown words in line 3 ('trian'). Known: train, validation, test, 0, 1, 2",
        "No modality at all in line 7",
    ):
        assert part in said, f"{part!r} is not in {said}"
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.csv", "", "has no row"),
        ("m.csv", "id;label;image\n1;a;b\n", "separated by semicolons"),
        ("m.csv", "id,label,text\n1,a,b,c\n2,a,b\n", r"expected 3 cells.*line 2 \(4\)"),
        ("m.csv", 'id,text\n1,"open\n', "is not CSV"),
        ("m.csv", "id,id,text\n1,2,a\n", "'id' is there twice"),
        ("m.csv", "id,,text\n1,2,a\n", "column 2 has no name"),
        ("m.csv", "id,label\n1,a\n", "Expected at least one modality"),
        ("m.csv", "id,labels:text\n1,a\n", "cannot be called 'labels'"),
        ("m.csv", "id,../up:text\n1,a\n", "cannot be called"),
        ("m.jsonl", '{"id": 1\n[2]\n', "line 1 is not JSON(.|\n)*line 2 is no object"),
        ("m.jsonl", '{"id": [1], "text": "a"}\n', "'id' holds list"),
        ("m.csv", "id|label|text\n1|a|b\n", "separated by bars"),
        (
            "m.csv",
            "# mine\nid,text\n1,a\n",
            r"expected 1 cells in each line, as in the first \('# mine'\).*line 2 \(2\)",
        ),
        ("m.csv", "i\0d\0,\0a\0\n\0", "byte 1 is 0, as in UTF-16"),
        ("m.csv", "Unnamed: 0,id,text\n0,1,a\n", "' 0' is no kind of media.*--ignore 'Unnamed: 0'"),
        ("m.jsonl", '[{"id": 1, "text": "a"}]', "is JSON as a whole, expected one object in each line"),
        ("m.jsonl", '{\n"id": 1,\n"text": "a"\n}', "is JSON as a whole, expected one object in each line"),
        ("m.jsonl", '{"id": 1, "text": "a", "text": "b"}', r"a name twice in one object: line 1 \('text'\)"),
        ("m.jsonl", '{"id": "a\\ud800", "text": "b"}', "'id': half of a character in line 1"),
        ("m.txt", "id\n", "Give a manifest as .csv, .jsonl, .parquet"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=words):
        read_manifest(tmp_path / name)


def test_empty_lines_before_the_header(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("\r\n\r\nid,text\r\n01,a\r\n")
    assert plain(read_manifest(tmp_path / "m.csv")) == [("01", None, None, {"text": "a"})]


def test_an_index_of_parquet_that_has_a_name(tmp_path: Path) -> None:
    """It is a column, which pandas keeps apart."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    frame = pandas.DataFrame({"id": ["x", "y"], "text": ["a", "b"], "label": [True, False]})
    frame.set_index("id").to_parquet(tmp_path / "m.parquet")
    assert plain(read_manifest(tmp_path / "m.parquet"))[0] == ("x", "true", None, {"text": "a"})
    frame.set_index(["label", "text"]).to_parquet(tmp_path / "m.parquet")
    assert plain(read_manifest(tmp_path / "m.parquet"))[1] == ("y", "false", None, {"text": "b"})


def test_names_that_are_nearly_those_of_files(tmp_path: Path) -> None:
    """What looks right on the screen, or is right on another system, is said to be another name."""
    files(tmp_path, "a/1.jpg", "a/cafe\u0301.jpg", "a/B.jpg", "a/2.jpg")
    names = ["a\\1.jpg", "a/caf\u00e9.jpg", "A/b.JPG", "a/3.jpg", "2.jpg", "x" * 300 + ".jpg", "y/" * 3000]
    (tmp_path / "m.csv").write_text("image\n" + "\n".join(names), "utf-8")
    with pytest.raises(DataError) as error:
        read_manifest(tmp_path / "m.csv")
    for part in (
        r"line 2 (image: 'a\\1.jpg'; there is 'a/1.jpg')",
        "line 3 (image: 'a/caf\u00e9.jpg'; there is one whose accents are written in another way (NFC, NFD))",
        "line 4 (image: 'A/b.JPG'; there is 'a/B.jpg')",
        "line 5 (image: 'a/3.jpg'), line 6 (image: '2.jpg')",
        "in line 7 (image: 'xxx",
        "Correct the paths, name the folder that they lie in with --root",
    ):
        assert part in str(error.value)
    texts = ["a see 1.txt", "long" * 100 + " see 1.txt", "b"]
    (tmp_path / "m.csv").write_text("text\n" + "\n".join(texts))
    assert [each.cells["text"] for each in read_manifest(tmp_path / "m.csv", missing_ok=True).samples] == texts


def test_a_manifest_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes("id,text\n1,é\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 text"):
        read_manifest(tmp_path / "m.csv")


def test_sections(tmp_path: Path) -> None:
    """`start` and `end` are of all sounds and videos of a line, and of nothing else."""
    files(tmp_path, "a.avi", "1.jpg")
    (tmp_path / "m.csv").write_text(
        "start,end,video,audio,image,text\n1.5,2,a.avi,a.avi,1.jpg,x\n,2,a.avi,,,y\n3,,a.avi,,,z\n,,a.avi,,,z\n"
    )
    layout = read_manifest(tmp_path / "m.csv")
    path = (tmp_path / "a.avi").resolve()
    assert [each.cells["video"] for each in layout.samples] == [
        Clip(path, 1.5, 2.0),
        Clip(path, None, 2.0),
        Clip(path, 3.0),
        Clip(path),
    ]
    assert layout.samples[0].cells["audio"] == Clip(path, 1.5, 2.0)
    assert layout.samples[0].cells["image"] == (tmp_path / "1.jpg").resolve()
    assert layout.shown(Clip(path, 1.5, 2.0)) == "a.avi [1.5 to 2.0 s]"
    whole = read_manifest(tmp_path / "m.csv", ignore=["start", "end"])
    assert [each.cells["video"] for each in whole.samples] == [path] * 4


def test_what_is_wrong_with_sections(tmp_path: Path) -> None:
    files(tmp_path, "a.avi")
    (tmp_path / "m.csv").write_text(
        "start,end,video\n1,2,a.avi\nx,2,a.avi\n2,2,a.avi\n-1,2,a.avi\n,0,a.avi\nnan,inf,a.avi\n1,2,b.avi\n"
    )
    with pytest.raises(DataError) as error:
        read_manifest(tmp_path / "m.csv")
    for part in (
        "2 problems",
        "no section in line 3 (start 'x', end '2'), line 4 (start '2', end '2'), line 5 (start '-1', end '2'), "
        "line 6 (start None, end '0'), line 7 (start 'nan', end 'inf'). Give seconds, with 0 <= start < end",
        "line 8 (video: 'b.avi')",
    ):
        assert part in str(error.value)
    (tmp_path / "m.csv").write_text("start,text\n1,x\n")
    with pytest.raises(DataError, match="there is no sound and no video"):
        read_manifest(tmp_path / "m.csv")
    with pytest.raises(ValueError, match="s: text is text; only audio and video have sections"):
        Layout({"text": "text"}, [Sample("s", {"text": Clip(tmp_path / "t.txt", 1)})], tmp_path)


def test_a_folder_per_class(tmp_path: Path) -> None:
    files(tmp_path, "cat/1.jpg", "cat/1.wav", "cat/more/2.JPG", "dog/1.mp4", "dog/.hidden", "README.md")
    layout = read_class_folders(tmp_path)
    assert plain(layout) == [
        ("cat/1", "cat", None, {"image": "cat/1.jpg", "audio": "cat/1.wav"}),
        ("cat/more/2", "cat", None, {"image": "cat/more/2.JPG"}),
        ("dog/1", "dog", None, {"video": "dog/1.mp4"}),
    ]
    heard = read_class_folders(tmp_path, video_sound=True)
    assert plain(heard)[2][3] == {"video": "dog/1.mp4", "audio": "dog/1.mp4"}


def test_a_folder_per_part(tmp_path: Path) -> None:
    files(tmp_path, "train/cat/1.jpg", "val/cat/1.jpg", "test/dog/1.jpg")
    assert [found[:3] for found in plain(read_class_folders(tmp_path))] == [
        ("test/dog/1", "dog", "test"),
        ("train/cat/1", "cat", "train"),
        ("val/cat/1", "cat", "validation"),
    ]


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no file in a folder of a class"):
        read_class_folders(tmp_path)
    files(tmp_path, "cat/1.jpg", "cat/1.png", "cat/2.xyz", "loose.jpg")
    with pytest.raises(DataError) as error:
        read_class_folders(tmp_path)
    for part in ("3 problems", "cat/1.png and 1.jpg", "cat/2.xyz", "loose.jpg"):
        assert part in str(error.value)
    with pytest.raises(ConfigError, match="lies within"):
        for name in ("loose.jpg", "cat/1.png", "cat/2.xyz"):
            (tmp_path / name).unlink()
        prepare(tmp_path, tmp_path / "out")


def test_arrays_of_several_shapes(tmp_path: Path) -> None:
    shapes = [(2, 3), (4, 3), (4, 3), (4, 5), (3,)]
    for number, shape in enumerate(shapes):
        np.save(tmp_path / f"{number}.npy", np.zeros(shape, np.float32))
    (tmp_path / "m.csv").write_text("a,text\n" + "".join(f"{n}.npy,t\n" for n in range(5)))
    with pytest.raises(
        DataError, match=r"2 files are unreadable \(a wrong shape: 2\).*has shape \(4, 5\), most files have \(T, 3\)"
    ):
        prepare(tmp_path / "m.csv", tmp_path / "out")
