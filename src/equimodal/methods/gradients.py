"""What methods that change gradients share: whose a parameter is, whose a part of the logits, and sums of gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from equimodal.methods.base import Gradients
from equimodal.models.fusions.base import Encodings
from equimodal.models.fusions.concat import Concat
from equimodal.models.fusions.late import Late

if TYPE_CHECKING:
    from equimodal.models.classifier import Classifier


def encoder_parameters(model: Classifier, modality: str) -> list[nn.Parameter]:
    """Return the trainable parameters between a modality and its encoding: its own but for those in the fusion.

    Example:
        >>> from equimodal.models.classifier import Classifier
        >>> model = Classifier({"a": nn.Linear(3, 8), "b": nn.Linear(5, 8)}, ["no", "yes"], width=8, fusion="late")
        >>> [tuple(p.shape) for p in encoder_parameters(model, "a")]
        [(8, 3), (8,)]
    """
    in_fusion = {id(parameter) for parameter in model.fusion.parameters()}
    own = [parameter for parameter in model.own_parameters(modality) if parameter.requires_grad]
    return [parameter for parameter in own if id(parameter) not in in_fusion]


def encoder_owners(model: Classifier) -> dict[nn.Parameter, tuple[str, ...]]:
    """Return, for each trainable parameter of an encoder, the modalities that it encodes: several if they share it.

    Example:
        >>> from equimodal.models.classifier import Classifier
        >>> one = nn.Linear(3, 8, bias=False)
        >>> model = Classifier({"left": one, "right": one}, ["no", "yes"], width=8, fusion="late")
        >>> list(encoder_owners(model).values())
        [('left', 'right')]
    """
    owners: dict[nn.Parameter, tuple[str, ...]] = {}
    for name in model.modalities:
        for parameter in encoder_parameters(model, name):
            owners[parameter] = (*owners.get(parameter, ()), name)
    return owners


def own_logits(model: Classifier, encodings: Encodings, modality: str) -> Tensor:
    r"""Return a modality's part of the logits (B, C), of concat or late fusion; without meaning where it is absent.

    With concat $z_m = W_m h_m + b / n$, where $W = [W_1 .. W_n]$, so that the parts add up to the fused
    logits; with late fusion what the modality's head says.
    """
    fusion = model.fusion
    if isinstance(fusion, Late):
        return fusion.head(modality)(encodings[modality])
    head, n = cast(Concat, fusion).head, len(fusion.modalities)
    block = head.weight.unflatten(1, (n, fusion.width))[:, fusion.modalities.index(modality)]
    return nn.functional.linear(encodings[modality], block, head.bias / n)


def added(each: Iterable[Gradients]) -> dict[nn.Parameter, Tensor]:
    """Return the sum of several losses' gradients, for the parameters that any of them reaches.

    Example:
        >>> import torch
        >>> p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
        >>> total = added([{p: torch.ones(2)}, {p: torch.ones(2), q: torch.ones(1)}])
        >>> total[p], total[q]
        (tensor([2., 2.]), tensor([1.]))
    """
    total: dict[nn.Parameter, Tensor] = {}
    for gradients in each:
        for parameter, gradient in gradients.items():
            total[parameter] = total[parameter] + gradient if parameter in total else gradient
    return total
