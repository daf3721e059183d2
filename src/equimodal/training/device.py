"""The device and the precision that a run trains with."""

from __future__ import annotations

from lightning_fabric import Fabric

from equimodal.config.run import TrainingConfig
from equimodal.errors import ConfigError


def make_fabric(training: TrainingConfig) -> Fabric:
    """Return Fabric for one device.

    Raises:
        ConfigError: there is no such accelerator here.
    """
    try:
        return Fabric(accelerator=training.accelerator, devices=1, precision=training.precision)
    except (ValueError, RuntimeError) as error:  # Fabric's message says what this machine lacks
        raise ConfigError(
            f"training.accelerator '{training.accelerator}' with precision '{training.precision}' is not available "
            f"here: {' '.join(str(error).split())}"
        ) from error
