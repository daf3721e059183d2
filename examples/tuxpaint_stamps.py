"""A manifest of the stamps of Tux Paint: pictures, their spoken names and their texts, by kind.

The stamps (GPL-2) are a package of Debian; nothing needs to be installed:

    apt-get download tuxpaint-stamps-default
    dpkg-deb -x tuxpaint-stamps-default_*.deb stamps
    python examples/tuxpaint_stamps.py stamps/usr/share/tuxpaint/stamps
    equimodal prepare stamps/usr/share/tuxpaint/stamps/stamps.csv --out data/stamps
    equimodal train --data data/stamps
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from pathlib import Path


def rows_of(folder: Path, language: str, least: int) -> list[dict[str, str]]:
    """Return one row per stamp that has a picture; kinds with fewer than `least` are left out."""
    rows = []
    for picture in sorted(folder.rglob("*.png")):
        stem = picture.with_suffix("")
        if stem.name.endswith("_mirror") or stem.name.endswith("_flip"):
            continue  # the same stamp again
        inside = stem.relative_to(folder)
        spoken = stem.with_name(f"{stem.name}_desc_{language}.ogg")
        text = stem.with_suffix(".txt")
        described = text.read_text("utf-8", errors="replace").splitlines()[:1] if text.is_file() else []
        rows.append(
            {
                "id": inside.as_posix(),
                "label": inside.parts[0],
                "group": re.split(r"[\d_-]", f"{inside.parts[0]}/{stem.name}")[0],  # frog, frog-1: one thing
                "image": picture.relative_to(folder).as_posix(),
                "audio": spoken.relative_to(folder).as_posix() if spoken.is_file() else "",
                "text": described[0] if described else "",
            }
        )
    counts = Counter(row["label"] for row in rows)
    return [row for row in rows if counts[row["label"]] >= least]


def main() -> None:
    """Write the manifest beside the stamps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of the stamps")
    parser.add_argument("--language", default="fr", help="of the spoken names")
    parser.add_argument("--least", type=int, default=30, help="fewest stamps of a kind")
    asked = parser.parse_args()
    rows = rows_of(asked.folder, asked.language, asked.least)
    if not rows:
        parser.error(f"{asked.folder} holds no stamp. Name the folder that holds animals, food, ...")
    path = asked.folder / "stamps.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} stamps of {len({row['label'] for row in rows})} kinds in {path}")


if __name__ == "__main__":
    main()
