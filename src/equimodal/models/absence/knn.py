"""Imputation by the nearest training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equimodal.errors import ConfigError
from equimodal.models.absence.imputer import ROWS, Imputer


class NearestNeighbours(Imputer):
    r"""The mean encoding of the k training rows that have the modality and are nearest in what both rows have.

    The distance of rows a and b with encodings $a_m$ and $b_m$ is Euclidean over the set S of modalities that both
    have, as if those were typical of all n:

    $$
    d(a, b)^2 = \frac{n}{|S|} \sum_{m \in S} \lVert a_m - b_m \rVert^2 .
    $$

    Rows that share nothing are no neighbours; a row without any gets the mean of the training rows. This is what
    scikit-learn's `KNNImputer` does with whole encodings in the place of single features.

    In training with modalities hidden at random, a row may find itself among its neighbours.

    Args:
        modalities: names.
        width: size of the encodings.
        neighbours: k.

    Raises:
        ConfigError: k is below 1 or above `ROWS`.

    Example:
        >>> imputer = NearestNeighbours(["a", "b"], width=1, neighbours=2)
        >>> here = torch.tensor([True, True, True])
        >>> imputer.fit({"a": torch.tensor([[0.0], [1.0], [9.0]]), "b": torch.tensor([[2.0], [4.0], [8.0]])},
        ...             {"a": here, "b": here})
        >>> imputer({"a": torch.tensor([[0.4]]), "b": torch.zeros(1, 1)}, {"a": here[:1], "b": ~here[:1]})[1]
        tensor([[3.]])

    Source: Troyanskaya et al., 2001, "Missing value estimation methods for DNA microarrays", Bioinformatics 17.
    """

    donors: Tensor
    have: Tensor

    def __init__(self, modalities: Sequence[str], width: int, neighbours: int = 5) -> None:
        super().__init__(modalities, width)
        if not 1 <= neighbours <= ROWS:
            raise ConfigError(f"fusion option 'neighbours': expected a number from 1 to {ROWS}, got {neighbours}.")
        self.neighbours = neighbours
        n = len(self.modalities)
        self.register_buffer("donors", torch.zeros(ROWS, n, width))
        self.register_buffer("have", torch.zeros(ROWS, n, dtype=torch.bool))

    def learn(self, known: Tensor, have: Tensor) -> None:
        """Keep the rows."""
        self.donors.zero_()[: len(known)] = known
        self.have.zero_()[: len(known)] = have

    def relate(self, encodings: Mapping[str, Tensor]) -> Tensor:
        """Return the squared distance of each row from each training row, by modality (n, B, N)."""
        donors = self.donors[: int(self.rows)]
        each = [  # directly: by matrix products a distance would depend on the number of rows, in its last digits
            torch.cdist(encodings[name].float(), donors[:, i], compute_mode="donot_use_mm_for_euclid_dist")
            for i, name in enumerate(self.modalities)
        ]
        return torch.stack(each).square()

    def impute(
        self, encodings: Mapping[str, Tensor], present: Mapping[str, Tensor], related: Tensor
    ) -> dict[str, Tensor]:
        """Return the mean of the nearest rows' encodings."""
        donors, have = self.donors[: int(self.rows)], self.have[: int(self.rows)]
        here = torch.stack([present[name] for name in self.modalities])
        both = here.unsqueeze(-1) & have.T.unsqueeze(1)  # (n, B, N)
        distances = torch.where(both, related, 0.0).sum(0) / both.sum(0)  # 0 / 0 is NaN: nothing in common
        found = {}
        for i in self.lacking(present):
            usable = have[:, i] & ~distances.isnan()
            nearest = torch.where(usable, distances, torch.inf).topk(min(self.neighbours, len(donors)), largest=False)
            counts = nearest.values.isfinite().unsqueeze(-1)  # (B, k, 1)
            total = torch.where(counts, donors[nearest.indices, i], 0.0).sum(1)
            some = counts.sum(1)
            found[self.modalities[i]] = torch.where(some > 0, total / some.clamp(min=1), self.centre[i])
        return found
