"""Encodings that tell of each other, with gaps, in the forms that the package and scikit-learn take."""

import numpy as np
import torch

NAMES = ("a", "b", "c")


def related(samples=40, width=2, gaps=0.3, seed=0, names=NAMES):
    """Return encodings by modality (N, width), and presence; some rows lack everything."""
    torch.manual_seed(seed)
    hidden = torch.randn(samples, 2)
    encodings = {
        name: hidden @ torch.randn(2, width) + 0.3 * torch.randn(samples, width) + torch.randn(width) for name in names
    }
    present = {name: torch.rand(samples) >= gaps for name in names}
    return {name: z * present[name].unsqueeze(1) for name, z in encodings.items()}, present


def with_nan(encodings, present, names=NAMES):
    """Return rows (N, n * width) as scikit-learn takes them."""
    return np.concatenate(
        [torch.where(present[name].unsqueeze(1), encodings[name], torch.nan).double().numpy() for name in names], axis=1
    )


def filled(imputer, encodings, present):
    """Return the same rows, filled."""
    return torch.cat(imputer(encodings, present), dim=1).double().numpy()


def something(present):
    """Return which rows have anything."""
    return torch.stack(list(present.values())).any(0).numpy()
