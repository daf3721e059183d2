import pytest
import torch


@pytest.fixture
def classified():
    """Outputs (4, N, C) of two modalities of unequal strength, and targets."""
    generator = torch.Generator().manual_seed(3)
    targets = torch.randint(3, (120,), generator=generator)
    signal = torch.nn.functional.one_hot(targets, 3).float()

    def noisy(strength):
        return strength * signal + torch.randn(120, 3, generator=generator)

    strong, weak = noisy(2.5), noisy(0.8)
    return torch.stack([torch.zeros(120, 3), strong, weak, strong + weak]), targets
