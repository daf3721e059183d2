"""A small data set of one's own, on disk: three modalities of different shape, 30% of entries absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLASSES = ("calm", "glad", "sad")
SUBJECTS = 12


def write_own_data(folder: Path, seed: int = 0, samples: int = 240) -> Path:
    """Write a folder of own features and return it.

    Each class shows in every modality: as a drift of the sequence, a bright patch of the image, a shift of
    the vector. Every sample keeps at least one modality; absence is stored as NaN rows (vector) and as
    presence columns (the others).

    Args:
        folder: made if it is not there.
        seed: of all draws.
        samples: rows; each of the 12 subjects has its share of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    labels = np.arange(samples) % len(CLASSES)
    subjects = np.arange(samples) // len(CLASSES) % SUBJECTS

    lengths = random.integers(5, 13, samples)
    steps = np.arange(12)
    motion = random.normal(size=(samples, 12, 4))
    motion[..., 0] += (labels - 1)[:, None] * steps / 4
    motion[steps[None] >= lengths[:, None]] = np.nan

    image = random.integers(0, 120, (samples, 8, 8), dtype=np.uint8)
    for label in range(len(CLASSES)):
        image[labels == label, :, 2 * label : 2 * label + 3] += np.uint8(90)

    physio = (
        random.normal(size=(samples, 6)) + 1.5 * np.eye(6)[labels] + random.normal(size=(SUBJECTS, 6))[subjects] / 3
    )

    present = random.random((samples, 3)) >= 0.3
    empty = ~present.any(1)
    present[empty, random.integers(0, 3, empty.sum())] = True
    physio[~present[:, 2]] = np.nan

    np.save(folder / "motion.npy", motion.astype(np.float32))
    np.save(folder / "motion_lengths.npy", lengths)
    np.save(folder / "motion_present.npy", present[:, 0])
    np.save(folder / "image.npy", image)
    np.save(folder / "image_present.npy", present[:, 1])
    np.save(folder / "physio.npy", physio)
    (folder / "labels.txt").write_text("".join(f"{CLASSES[label]}\n" for label in labels), encoding="utf-8")
    (folder / "groups.csv").write_text("groups\n" + "".join(f"s{subject}\n" for subject in subjects), encoding="utf-8")
    return folder
