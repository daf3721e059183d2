"""CMU-MOSI and CMU-MOSEI: opinions in videos, as arrays of features that were exported before."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

import numpy as np

from equimodal.data.assignment import PARTS
from equimodal.data.checks import list_rows, raise_problems
from equimodal.media.forms import Medium
from equimodal.preparation.array_files import read_arrays
from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.layout import Sample
from equimodal.preparation.manifest import SPLITS
from equimodal.preparation.stored import StoredLayout
from equimodal.preparation.tree import Tree, count_notes, nonzero_notes

MODALITIES = ("text", "audio", "video")
_OTHER_NAMES = {"vision": "video", "visual": "video", "regression_labels": "labels", "ids": "id"}
_NAMES = {name: name for name in (*MODALITIES, "labels", "id", "split")} | _OTHER_NAMES
EXPORT = """Pickles can run any code when they are loaded, so they are never loaded here. Where you trust them, run:
    import pickle, numpy as np
    for part, a in pickle.load(open("FILE.pkl", "rb"), encoding="latin1").items():
        keys = [k for k in ("text", "audio", "vision", "labels", "regression_labels", "id") if k in a]
        np.savez(part, **{k: np.array(a[k], str if k == "id" else "f4") for k in keys})
and name the folder of train.npz, valid.npz and test.npz with --root. Files .csd: align them with the SDK first."""


class Opinions(Benchmark):
    """Utterances of videos: features of text, audio and video, and a sentiment from -3 to 3.

    Steps of zeros before and after a sequence are padding. A row of zeros alone is missing. Numbers that are not finite
    become 0, as in published work.

    Args:
        classes: 2: below 0, and 0 or more; 3: below 0, 0, above; 7: the nearest whole number (of two the even one).
        zeros: for 2 classes: `keep`, or `drop` rows whose sentiment is 0.
        split: `official`, `drawn` (no video in two parts, if there are ids), or a file with the columns id and split.
        validation: share of training that becomes validation where there is none.
    """

    published: ClassVar[dict[str, int]]
    terms = "for research; the videos are under the terms of YouTube"
    source = "https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK"
    expected = """
train.npz, valid.npz, test.npz, each with text, audio, video (n, steps, features), labels (n,) and id (n,) if known
or all in one .npz, or in text.npy, audio.npy, ..., with split (n,) as well
"""

    classes: Literal[2, 3, 7] = 2
    zeros: Literal["keep", "drop"] = "keep"
    split: str = "official"
    validation: Share = 0.1

    def read(self, tree: Tree) -> StoredLayout:
        """Return one sample per row of the arrays."""
        arrays = read_arrays(tree, _NAMES, "labels", EXPORT)
        if self.split == "official" and "split" not in arrays:
            raise tree.unlike("train.npz and test.npz, or an array split, were", "Or say -s split=drawn.")
        given = [name for name in MODALITIES if name in arrays]
        count = len(arrays["labels"])
        words = [str(word) for word in arrays.get("split", ["train"] * count)]
        names, videos = names_of(arrays.get("id"), count)
        raise_problems(_problems(arrays, given, words, names), str(tree.root))
        parts = [SPLITS[word.lower()] for word in words]
        scores = arrays["labels"].reshape(count).astype(float)
        labels, classes = classes_of(scores, self.classes)
        kept = [row for row in range(count) if self.classes != 2 or self.zeros == "keep" or scores[row]]
        samples = [
            Sample(
                names[row],
                dict.fromkeys(given, tree.root),
                labels[row],
                parts[row] if "split" in arrays else None,
                videos[row] if videos and self.split == "drawn" else None,
            )
            for row in kept
        ]
        counts = {"rows": count, **{f"rows of {part}": parts.count(part) for part in PARTS}}
        known = {what: number for what, number in self.published.items() if "split" in arrays or what == "rows"}
        counted = {"Rows of sentiment 0, left out": count - len(kept)}
        for name in given:
            counted[f"Numbers of {name} that are not finite, taken as 0"] = int((~np.isfinite(arrays[name])).sum())
        notes = count_notes(counts, known) + nonzero_notes(counted)
        samples, more = divide(samples, self.split, self.validation)
        place = dict(zip(names, range(count), strict=True))
        rows = np.array([place[each.id] for each in samples], np.int64)
        values = {name: arrays[name] if len(rows) == count else arrays[name][rows] for name in given}
        media: dict[str, Medium] = dict.fromkeys(given, "array")
        return StoredLayout(media, samples, tree.root, notes + more, classes, values)


def classes_of(scores: np.ndarray, count: Literal[2, 3, 7]) -> tuple[list[str], list[str]]:
    """Return the class of each sentiment, and all classes in order.

    Example:
        >>> classes_of(np.array([-0.2, 0.0, 1.8]), 3)[0], classes_of(np.array([-0.2, 0.0, 1.8]), 7)[0]
        (['negative', 'neutral', 'positive'], ['0', '0', '2'])
    """
    if count == 7:
        return [str(int(value)) for value in np.round(scores)], [str(value) for value in range(-3, 4)]
    words = ["negative", "neutral", "positive"] if count == 3 else ["negative", "not negative"]
    places = np.sign(scores) + 1 if count == 3 else scores >= 0
    return [words[int(place)] for place in places], words


def names_of(ids: np.ndarray | None, count: int) -> tuple[list[str], list[str]]:
    """Return what identifies each row, and its video where ids say it.

    Example:
        >>> names_of(np.array(["a_b$_$3", "a_b_12"]), 2), names_of(np.array([["a_b[0]", "1.2", "3.4"]]), 1)
        ((['a_b$_$3', 'a_b_12'], ['a_b', 'a_b']), (['a_b[0] 1.2 3.4'], ['a_b']))
    """
    if ids is None:
        return [str(row) for row in range(count)], []
    words = [[str(cell) for cell in row] for row in ids.astype(str).reshape(len(ids), -1)]
    videos = [row[0].split("$_$")[0].split("[")[0] for row in words]
    alone = all(len(row) == 1 for row in words)
    return [" ".join(row) for row in words], [
        video.rsplit("_", 1)[0] if alone and video == row[0] else video
        for video, row in zip(videos, words, strict=True)
    ]


def _problems(arrays: dict[str, np.ndarray], given: list[str], words: list[str], names: list[str]) -> list[str]:
    """Return what is wrong with the arrays."""
    problems = [] if given else [f"There is none of the arrays {', '.join(MODALITIES)}. Export them too."]
    for name in given:
        if arrays[name].ndim not in (2, 3) or arrays[name].dtype.kind not in "fiu":
            found = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            problems.append(f"{name}: holds {found}, expected numbers (n, steps, features) or (n, features).")
    labels = arrays["labels"]
    if labels.size != len(labels) or labels.dtype.kind not in "fiu":
        problems.append(f"labels: holds {labels.dtype} of shape {labels.shape}, expected a number for each row.")
    elif len(strange := np.flatnonzero(~(np.abs(labels.reshape(-1)) <= 3))):
        problems.append(
            f"labels: {list_rows(strange)} not within -3 and 3. Export sentiments, not classes or emotions."
        )
    unknown = [row for row, word in enumerate(words) if word.lower() not in SPLITS]
    if unknown:
        problems.append(f"split: {list_rows(np.array(unknown))} none of {', '.join(SPLITS)}.")
    again = sum(number - 1 for number in Counter(names).values())
    if again:
        problems.append(f"id: {again} rows have the id of another one. Leave the array out, or number them.")
    return problems


@BENCHMARKS.register("mosi")
class Mosi(Opinions):
    """CMU-MOSI (Zadeh et al., 2016): 2199 opinions on films, as exported features.

    See `Opinions` for its options.
    """

    title = "CMU-MOSI: opinions on films, features of text, audio and video"
    published: ClassVar[dict[str, int]] = {
        "rows": 2199,
        "rows of train": 1284,
        "rows of validation": 229,
        "rows of test": 686,
    }


@BENCHMARKS.register("mosei")
class Mosei(Opinions):
    """CMU-MOSEI (Zadeh et al., 2018): 22,856 opinions on many subjects, as exported features.

    See `Opinions` for its options.
    """

    title = "CMU-MOSEI: opinions on many subjects, features of text, audio and video"
    published: ClassVar[dict[str, int]] = {
        "rows": 22_856,
        "rows of train": 16_326,
        "rows of validation": 1871,
        "rows of test": 4659,
    }
