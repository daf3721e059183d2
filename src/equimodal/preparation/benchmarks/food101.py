"""UPMC Food-101: pictures of dishes, and the titles of the pages that they come from."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Literal

from equimodal.errors import DataError
from equimodal.media.settings import MediaSettings
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.layout import Cell, Layout, Sample
from equimodal.preparation.lists import read_columns
from equimodal.preparation.tables import list_places, text_of
from equimodal.preparation.tree import Tree, count_notes, nonzero_notes, verb_of

_LISTS = {
    "titles": {"train": "train_titles.csv", "test": "test_titles.csv"},
    "jsonl": {"train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl"},
}
_OPTIONAL = "dev.jsonl"
_PUBLISHED = {"pairs": 90_840, "classes": 101}
_IMAGE = r"(?P<half>train|test)/(?P<label>[^/]+)/(?P<name>[^/]+\.(?:jpe?g|png))"

Row = tuple[str, str | None, str]
"""File name of a picture, its text, and its class."""


@BENCHMARKS.register("food101")
class Food101(Benchmark):
    """UPMC Food-101 (Wang et al., 2015): 101 dishes, each pair a picture and the title of its page.

    Args:
        lists: `titles` (`train_titles.csv` and `test_titles.csv`) or `jsonl` (`train.jsonl`, `dev.jsonl` where it is
            there, `test.jsonl`), which have a validation part.
        split: `official`, `drawn`, or a file with the columns id and split; see `equimodal.preparation.division`.
        validation: share of training that becomes validation where the lists have none.
    """

    title = "UPMC Food-101: picture and title, 101 dishes"
    source = "https://www.kaggle.com/datasets/gianmarco96/upmcfood101"
    terms = "collected from the web for research; no licence is given"
    expected = """
images/train/apple_pie/apple_pie_0.jpg
images/test/apple_pie/apple_pie_1.jpg
texts/train_titles.csv, texts/test_titles.csv (or train.jsonl, dev.jsonl, test.jsonl)
"""
    settings = MediaSettings(image_size=64)

    lists: Literal["titles", "jsonl"] = "titles"
    split: str = "official"
    validation: Share = 0.1

    def read(self, tree: Tree) -> Layout:
        """Return one sample per line of the lists."""
        images: dict[tuple[str, str], Path] = {}
        for match, path in tree.placed(_IMAGE):
            images.setdefault((match["half"].lower(), match["name"]), path)
        samples: list[Sample] = []
        again = 0
        seen: set[tuple[str, str]] = set()
        listed: Counter[str] = Counter()
        found: Counter[str] = Counter()
        for part, path in self._files(tree).items():
            half = "test" if part == "test" else "train"
            for name, text, label in self._rows(path):
                if (half, name) in seen:
                    again += 1
                    continue
                seen.add((half, name))
                folder = f"images/{half}/{label}"
                listed[folder] += 1
                image = images.get((half, name))
                found[folder] += image is not None
                cells: dict[str, Cell] = {"image": image or tree.root / folder / name}
                if text:
                    cells["text"] = text
                samples.append(Sample(f"{half}/{name.rsplit('.', 1)[0]}", cells, label, part))
        tree.check_whole(listed, found, "pictures of")
        classes = sorted({str(each.label) for each in samples})
        notes = count_notes({"pairs": len(samples), "classes": len(classes)}, _PUBLISHED)
        counted = {
            "Pictures that the lists name and that are not there (see --on-error)": listed.total() - found.total(),
            "Pictures in no list, left out": len(images.keys() - seen),
            "Lines that name a picture again, left out": again,
        }
        notes += nonzero_notes(counted)
        samples, more = divide(samples, self.split, self.validation)
        return Layout({"image": "image", "text": "text"}, samples, tree.root, notes + more, classes=classes)

    def _files(self, tree: Tree) -> dict[str, Path]:
        names = _LISTS[self.lists]
        files = {part: tree.one(name) for part, name in names.items()}
        missing = [names[part] for part, path in files.items() if path is None and names[part] != _OPTIONAL]
        if missing:
            other = next(each for each in _LISTS if each != self.lists)
            there = [name for name in _LISTS[other].values() if tree.one(name)]
            advice = f"There is {there[0]}: read these lists with -s lists={other}." if there else ""
            raise tree.unlike(f"{' and '.join(missing)} {verb_of(missing)}", advice)
        return {part: path for part, path in files.items() if path is not None}

    def _rows(self, path: Path) -> list[Row]:
        if self.lists == "titles":
            return _titles(path)
        table = read_columns(path, ("label", "text", "img"))
        names, labels = table.cells["img"], table.cells["label"]
        blank = [place for place, name, label in zip(table.places, names, labels, strict=True) if not name or not label]
        if blank:
            raise DataError(f"{path}: no img or no label in {list_places(blank)}. Download the list again.")
        cells = zip(names, table.cells["text"], labels, strict=True)
        return [(str(name).replace("\\", "/").rsplit("/", 1)[-1], text, str(label)) for name, text, label in cells]


def _titles(path: Path) -> list[Row]:
    """Return the lines `image name,title,class`; a title that is not in quotes may hold commas all the same."""
    lines = csv.reader(io.StringIO(text_of(path), newline=""))
    rows: list[Row] = []
    wrong: list[str] = []
    try:
        for cells in lines:
            if len(cells) > 2 and cells[0].lower().endswith((".jpg", ".jpeg", ".png")) and cells[-1].strip():
                rows.append((cells[0].strip(), ",".join(cells[1:-1]).strip() or None, cells[-1].strip()))
            elif cells:
                wrong.append(f"line {lines.line_num} ('{','.join(cells)[:60]}')")
    except csv.Error as error:
        raise DataError(f"{path}: line {lines.line_num} is not CSV ({error}). Download the list again.") from error
    if wrong or not rows:
        where = f", but not so in {list_places(wrong)}" if wrong else ", and there is no line"
        raise DataError(
            f"{path}: expected lines 'apple_pie_0.jpg,Apple Pie Recipe,apple_pie'{where}. Take the list as it is "
            "downloaded; other lists: -s lists=jsonl."
        )
    return rows
