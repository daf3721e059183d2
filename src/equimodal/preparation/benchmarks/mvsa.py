"""MVSA-Single and MVSA-Multiple: tweets with a picture, and their sentiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal

from equimodal.preparation.benchmark import BENCHMARKS, Benchmark
from equimodal.preparation.division import Share, divide
from equimodal.preparation.encodings import read_undeclared
from equimodal.preparation.layout import Cell, Layout, Sample
from equimodal.preparation.lists import read_lines
from equimodal.preparation.tree import Tree, count_notes

LIST = "labelResultAll.txt"
SENTIMENTS = ("negative", "neutral", "positive")
_PAIR = r"\s*({0})\s*,\s*({0})\s*".format("|".join(SENTIMENTS))


class Tweets(Benchmark):
    """Tweets of MVSA (Niu et al., 2016): each has a picture, a text, and for both a sentiment by annotators.

    Where there are three annotators, the majority holds, for the text and for the picture. A pair without one is left
    out. Texts are of any encoding: UTF-8 where they can be, else Windows-1252.

    Args:
        rule: how text and picture make one sentiment. `merge`: the same of both; or that of one where the other is
            neutral; opposite ones are left out. `strict`: only the same of both.
        split: `drawn`, or a file with the columns id and split; see `equimodal.preparation.division`.
        validation: share of training that becomes validation where the file has none.
    """

    annotators: ClassVar[int]
    published: ClassVar[dict[str, int]]
    source = "https://mcrlab.net/research/mvsa-sentiment-analysis-on-multi-view-social-data/"
    terms = "free for research; cite Niu et al. (2016)"
    expected = f"""
data/1.jpg, data/1.txt, data/2.jpg, ...
{LIST}
"""

    rule: Literal["merge", "strict"] = "merge"
    split: str = "drawn"
    validation: Share = 0.1

    def read(self, tree: Tree) -> Layout:
        """Return one sample per line of the list that has one sentiment."""
        path = tree.one(LIST)
        if path is None:
            raise tree.unlike(f"{LIST} was")
        example = "1<tab>" + "<tab>".join(["positive,neutral"] * self.annotators)
        form = r"(?P<id>\d+)" + rf"\t{_PAIR}" * self.annotators
        lines = read_lines(path, form, example, header=r"id\s.*")
        files = {each.name.lower(): each for each in tree.files if each.parent.name.lower() == "data"}
        if not files:
            raise tree.unlike("the folder data, with pictures and texts, was", "Finish the download and unpack it.")
        why: Counter[str] = Counter()
        gone: Counter[str] = Counter()
        samples: dict[str, Sample] = {}
        for _, match in lines:
            name, words = match["id"], match.groups()[1:]
            label, cause = one_sentiment(words[::2], words[1::2], self.rule)
            if label is None or name in samples:
                why[cause if label is None else "the id is there again"] += 1
                continue
            here = {ending: files.get(f"{name}.{ending}") for ending in ("jpg", "txt")}
            gone.update(ending for ending, file in here.items() if file is None)
            cells: dict[str, Cell] = {"image": here["jpg"] or path.parent / "data" / f"{name}.jpg"}
            if here["txt"] is not None and (text := read_undeclared(here["txt"]).strip()):
                cells["text"] = text
            samples[name] = Sample(name, cells, label)
        endings = {f"data/*.{ending}": len(samples) - gone[ending] for ending in ("jpg", "txt")}
        tree.check_whole(dict.fromkeys(endings, len(samples)), endings, "files")
        found = {"lines": len(lines), f"pairs by rule={self.rule}": len(samples)}
        notes = count_notes(found, {name: count for name, count in self.published.items() if name in found})
        notes += [f"Left out because {cause}: {count}." for cause, count in sorted(why.items())]
        notes += [f"Files *.{ending} that are not there: {count}." for ending, count in sorted(gone.items())]
        divided, more = divide(list(samples.values()), self.split, self.validation, ways=("drawn",))
        return Layout({"image": "image", "text": "text"}, divided, tree.root, notes + more, classes=SENTIMENTS)


def one_sentiment(
    texts: Sequence[str], images: Sequence[str], rule: Literal["merge", "strict"]
) -> tuple[str | None, str]:
    """Return the sentiment of a pair, or None and why it has none.

    Args:
        texts: sentiment of the text by each annotator.
        images: sentiment of the picture by each annotator.
        rule: see `Tweets`.

    Example:
        >>> one_sentiment(["positive"], ["neutral"], "merge"), one_sentiment(["positive"], ["neutral"], "strict")
        (('positive', ''), (None, 'text and picture differ'))
        >>> one_sentiment(["positive"], ["negative"], "merge")
        (None, 'text and picture are opposite')
    """
    text, image = _majority(texts), _majority(images)
    if text is None or image is None:
        return None, "annotators have no majority"
    if text == image:
        return text, ""
    if rule == "strict":
        return None, "text and picture differ"
    if "neutral" not in (text, image):
        return None, "text and picture are opposite"
    return (image if text == "neutral" else text), ""


def _majority(words: Sequence[str]) -> str | None:
    word, count = Counter(words).most_common(1)[0]
    return word if 2 * count > len(words) else None


@BENCHMARKS.register("mvsa_single")
class MvsaSingle(Tweets):
    """MVSA-Single (Niu et al., 2016): tweets with a picture, sentiment by one annotator.

    See `Tweets` for its options.
    """

    title = "MVSA-Single: tweets with a picture, 3 sentiments, one annotator"
    annotators = 1
    published: ClassVar[dict[str, int]] = {"lines": 4869, "pairs by rule=merge": 4511, "pairs by rule=strict": 2592}


@BENCHMARKS.register("mvsa_multiple")
class MvsaMultiple(Tweets):
    """MVSA-Multiple (Niu et al., 2016): tweets with a picture, sentiment by three annotators.

    See `Tweets` for its options.
    """

    title = "MVSA-Multiple: tweets with a picture, 3 sentiments, three annotators"
    annotators = 3
    published: ClassVar[dict[str, int]] = {"lines": 19_600, "pairs by rule=merge": 17_024}
