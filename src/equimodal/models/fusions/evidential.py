"""Evidential fusion: each modality gives an opinion with its uncertainty, and opinions combine by Dempster's rule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equimodal.models.fusions.base import FUSIONS
from equimodal.models.fusions.late import Late


@FUSIONS.register("evidential")
class Evidential(Late):
    r"""The expected class probabilities, in logarithms, of the modalities' opinions combined by Dempster's rule.

    A modality's evidence $e_m = \mathrm{softplus}(z_m)$, with $z_m$ what its own linear head makes of its
    encoding, gives a Dirichlet distribution over the C classes' probabilities, and an opinion of beliefs b and
    uncertainty u:

    $$
    \alpha_m = e_m + 1, \quad S_m = \sum_k \alpha_{m,k}, \quad b_m = e_m / S_m, \quad u_m = C / S_m
    $$

    Two opinions are combined by the reduced rule, further ones in the same way,

    $$
    b_k = \frac{b_{1,k} b_{2,k} + b_{1,k} u_2 + b_{2,k} u_1}{1 - K}, \quad
    u = \frac{u_1 u_2}{1 - K}, \quad K = \sum_{i \ne j} b_{1,i} b_{2,j},
    $$

    and the logits are $\log(\alpha_k / S)$ of what results: their softmax is the expected probability. The rule
    is computed for all modalities at once, by `combined_support`.

    The paper's own loss, the expected cross entropy under each Dirichlet with an annealed divergence from the uniform
    one, belongs to a method, not to a fusion. Here the cross entropy of the expected probabilities trains them
    (ours).

    Example:
        >>> fusion = Evidential(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> logits = fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here})
        >>> torch.allclose(logits.exp().sum(1), torch.ones(2))
        True

    Source: Han, Zhang, Fu, Zhou, 2021, "Trusted Multi-View Classification" (TMC), ICLR, arXiv 2102.02051.
    """

    absence = "its opinion is vacuous (no belief, all uncertainty), which the rule passes over"

    def __init__(self, modalities: Sequence[str], width: int, classes: int) -> None:
        super().__init__(modalities, width, classes)
        self.options = {}  # it has none of late fusion's options

    def combine_decisions(self, each: Tensor, mask: Tensor) -> Tensor:
        """Return the logarithms of the probabilities that the combined opinion expects."""
        return log_expectation(combined_support(nn.functional.softplus(each.float()), mask))


def combined_support(evidence: Tensor, mask: Tensor) -> Tensor:
    r"""Return the support for each class that Dempster's rule makes of the modalities' evidence.

    Dempster's rule multiplies commonalities. Those of an opinion are $b_k + u$ for a class and u for all classes
    together, and with their ratio the normalisation 1 - K drops out. Its logarithm, the support

    $$
    s_k = \log\frac{b_k + u}{u} = \log(1 + e_k / C),
    $$

    is therefore summed over the modalities: 0, that of the vacuous opinion, changes nothing, and neither does the
    order. The combined evidence is $C (e^{s_k} - 1)$. This form of the rule is ours; it takes one sum, and no
    product of small numbers.

    Args:
        evidence: (n, B, C), not negative.
        mask: which modalities count, (n, B) or (K, n, B).

    Returns:
        (B, C) or (K, B, C).

    Example:
        >>> evidence = torch.tensor([[[2.0, 0.0]], [[4.0, 2.0]]])  # (b, u) = (1/2, 0, 1/2) and (1/2, 1/4, 1/4)
        >>> support = combined_support(evidence, torch.ones(2, 1, dtype=torch.bool))
        >>> 2 * support.expm1()  # K = 1/8, and (b, u) = (5/7, 1/7, 1/7): e = C b / u
        tensor([[10.,  2.]])
    """
    support = torch.log1p(evidence / evidence.shape[-1])
    return (mask.unsqueeze(-1) * support).sum(-3)


def log_expectation(support: Tensor) -> Tensor:
    r"""Return $\log(\alpha_k / S)$ of an opinion by its support: (..., C) -> (..., C).

    $\alpha_k$ is proportional to $e^{s_k} - 1 + 1/C$, of which the logarithm is
    $s_k + \log((1 - e^{-s_k}) + e^{-s_k} / C)$: nothing grows and nothing cancels.

    Example:
        >>> log_expectation(torch.tensor([10.0, 2.0]).div(2).log1p()).exp()  # 11 and 3 out of 14
        tensor([0.7857, 0.2143])
    """
    alpha = -torch.expm1(-support) + torch.exp(-support) / support.shape[-1]  # over exp(s)
    return (support + alpha.log()).log_softmax(-1)
