"""What methods can learn on problems whose interactions are known."""

from __future__ import annotations

import pytest

import equimodal as eq
from research.family import limits, place, splits
from research.family.sweep import MODEL, TRAINING


@pytest.mark.slow
@pytest.mark.parametrize("interactions", [1, 3])
def test_the_method_learns_interactions_that_no_modality_shows_and_alternating_cannot(interactions):
    """Held against what is possible: with all modalities, and for experts on one modality each."""
    design = place(interactions, weak=2.0)
    data, possible = splits(design, seed=0), limits(design)
    runs = {
        method: eq.fit(eq.Classifier.for_data(data, **MODEL), data, method, reference=False, quiet=True, **TRAINING)
        for method in ("alternating", "equilibrium")
    }
    assert runs["alternating"].test.accuracy < possible.late + 0.04
    assert runs["equilibrium"].test.accuracy > possible.together - 0.2
    assert runs["equilibrium"].test.accuracy > possible.late + 0.3
