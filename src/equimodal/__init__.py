"""Measure how much each modality contributes, train the weak ones first, and show what that bought.

The names below are imported when they are first used, so that `import equimodal` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from equimodal._version import __version__

if TYPE_CHECKING:
    from equimodal.batch import Batch
    from equimodal.comparison.compare import compare
    from equimodal.contribution.diagnose import diagnose
    from equimodal.contribution.shapley import shapley
    from equimodal.data.dataset import Dataset
    from equimodal.methods.base import Method
    from equimodal.methods.schedule import WeakToStrong
    from equimodal.models.classifier import Classifier
    from equimodal.models.mapping import CrossModalMapping
    from equimodal.models.memory import CrossModalMemory
    from equimodal.models.predict import predict
    from equimodal.reports.write import report
    from equimodal.training.fit import fit
    from equimodal.training.run import load

_HOMES = {
    "Batch": "equimodal.batch",
    "Classifier": "equimodal.models.classifier",
    "CrossModalMapping": "equimodal.models.mapping",
    "CrossModalMemory": "equimodal.models.memory",
    "Dataset": "equimodal.data.dataset",
    "Method": "equimodal.methods.base",
    "WeakToStrong": "equimodal.methods.schedule",
    "compare": "equimodal.comparison.compare",
    "diagnose": "equimodal.contribution.diagnose",
    "fit": "equimodal.training.fit",
    "predict": "equimodal.models.predict",
    "report": "equimodal.reports.write",
    "load": "equimodal.training.run",
    "shapley": "equimodal.contribution.shapley",
}

__all__ = [
    "Batch",
    "Classifier",
    "CrossModalMapping",
    "CrossModalMemory",
    "Dataset",
    "Method",
    "WeakToStrong",
    "__version__",
    "compare",
    "diagnose",
    "fit",
    "load",
    "predict",
    "report",
    "shapley",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'equimodal' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
