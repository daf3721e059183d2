"""Measure how much each modality contributes to a model, and how far that is from equilibrium.

Pure functions on tensors, from the bottom up: coalitions, value functions, Shapley values and interactions,
shares and EDM. `contribution` combines them for stored outputs, `diagnose` for any model.
Nothing here depends on how models are built or trained. The torchmetrics classes are imported when first used.
"""

from typing import TYPE_CHECKING, Any

from equimodal.contribution.bootstrap import Interval
from equimodal.contribution.coalitions import all_coalitions, coalition_name
from equimodal.contribution.diagnose import diagnose
from equimodal.contribution.equilibrium import (
    deviation,
    equilibrium_deviation,
    noise_floor,
    shares,
    target_vector,
    utilisation,
)
from equimodal.contribution.games import Game, coalition_outputs, play
from equimodal.contribution.interactions import interaction_index
from equimodal.contribution.measure import contribution
from equimodal.contribution.result import Contribution, Intervals
from equimodal.contribution.shapley import Plan, plan, sample_permutations, shapley, shapley_operator
from equimodal.contribution.values import VALUES, ValueFunction, value_function

if TYPE_CHECKING:
    from equimodal.contribution.metrics import EquilibriumDeviation, ModalityContribution

__all__ = [
    "VALUES",
    "Contribution",
    "EquilibriumDeviation",
    "Game",
    "Interval",
    "Intervals",
    "ModalityContribution",
    "Plan",
    "ValueFunction",
    "all_coalitions",
    "coalition_name",
    "coalition_outputs",
    "contribution",
    "deviation",
    "diagnose",
    "equilibrium_deviation",
    "interaction_index",
    "noise_floor",
    "plan",
    "play",
    "sample_permutations",
    "shapley",
    "shapley_operator",
    "shares",
    "target_vector",
    "utilisation",
    "value_function",
]


def __getattr__(name: str) -> Any:
    if name in ("EquilibriumDeviation", "ModalityContribution"):
        from equimodal.contribution import metrics

        return getattr(metrics, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
