"""Which parameters train, whose they are, and with which learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from torch import nn

from equimodal.config.run import TrainingConfig
from equimodal.errors import ConfigError
from equimodal.methods.base import Method
from equimodal.tables.words import join_names


def trainable_parameters(method: Method) -> list[nn.Parameter]:
    """Return what an optimiser is given: the parameters of the model and of the method that are not frozen."""
    return [p for p in (*method.model.parameters(), *method.parameters()) if p.requires_grad]


def owners_of(method: Method, parameters: Sequence[nn.Parameter]) -> list[set[str]]:
    """Return for each parameter the modalities that it belongs to.

    None of them: it is shared. Several: one encoder serves several modalities.
    """
    model = method.model
    own = {
        name: {id(p) for p in (*model.own_parameters(name), *method.own_parameters(name))} for name in model.modalities
    }
    return [{name for name, ids in own.items() if id(p) in ids} for p in parameters]


def parameter_groups(method: Method, config: TrainingConfig) -> list[dict[str, Any]]:
    """Return the parameters that train in groups for an optimiser, one for each learning rate and weight decay.

    `scale` of a group is its peak learning rate over `learning_rate`: the scheduled rate is multiplied by it.

    Args:
        method: with its model.
        config: learning rates by modality, and whether norms and biases decay.

    Raises:
        ConfigError: parameters of several modalities would have several learning rates.
    """
    parameters = trainable_parameters(method)
    grouped: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter, owners in zip(parameters, owners_of(method, parameters), strict=True):
        decays = config.decay_norms_and_biases or parameter.ndim > 1
        grouped.setdefault((_rate(owners, config), decays), []).append(parameter)
    return [
        {"params": group, "scale": rate / config.learning_rate, **({} if decays else {"weight_decay": 0.0})}
        for (rate, decays), group in grouped.items()
    ]


def _rate(owners: Collection[str], config: TrainingConfig) -> float:
    rates = {name: config.learning_rates.get(name, config.learning_rate) for name in sorted(owners)}
    if len(set(rates.values())) > 1:
        each = join_names([f"{rate:g} for '{name}'" for name, rate in rates.items()])
        raise ConfigError(
            f"training.learning_rates: {join_names([repr(name) for name in rates])} share parameters of one encoder, "
            f"which cannot have several learning rates: {each}. Give these modalities the same one."
        )
    return next(iter(rates.values()), config.learning_rate)
