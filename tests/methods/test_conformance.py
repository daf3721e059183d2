"""The shipped checks: every registered method passes, and what breaks a rule is caught by the check of that rule."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from equimodal.data.splits import Splits
from equimodal.methods.base import METHODS
from equimodal.testing import MethodConformance
from equimodal.testing.runs import EPOCHS
from equimodal.training.run import Run

from .broken import CASES as BROKEN

pytest_plugins = ["pytester"]

# Where the defaults would leave something undone in two epochs.
OPTIONS = {
    "g_blending": {"super_epoch": 1},
    "modality_valuation": {"warmup": 1},
    "pmr": {"entropy_epochs": 1},
}
VARIANTS = {
    "equilibrium, equal pool, every coalition": (
        "equilibrium",
        {"pool": "equal", "memory": {"coalitions": 1.0}, "mapping": {"sample": True, "tau": 0.05}},
    ),
    "alternating, fitted pool": ("alternating", {"pool": "fitted"}),
    "unimodal_ensemble, fitted pool": ("unimodal_ensemble", {"pool": "fitted"}),
    "paper, alternating by epoch": ("paper", {"alternation": "epoch", "mapping": {"alignment": 0.1}}),
    "equilibrium, in random order": ("equilibrium", {"alternation": "epoch", "order": "random"}),
    "modality_valuation, by modality": ("modality_valuation", {"warmup": 1, "level": "modality"}),
}
SLOW = {"uniform": 12, "ogm_ge": 12, "g_blending, film": 12}
CASES = {name: (name, OPTIONS.get(name, {})) for name in METHODS.names()} | VARIANTS

for title, (method, options) in CASES.items():  # a class each, as an author writes one
    body = {"method": method, "options": options, "epochs": SLOW.get(title, 6)}
    globals()[f"Test {title}"] = type(f"Test {title}", (MethodConformance,), body)


class WithFusion(MethodConformance):
    """The checks with a fusion that is not the method's own."""

    fusion: ClassVar[str]

    @classmethod
    def train(cls, data: Splits, epochs: int = EPOCHS, *, fusion: str | None = None, **others: Any) -> Run:
        """Train with the fusion, where the check names no other."""
        if (model := others.get("model")) is not None:
            model.set_fusion(cls.fusion)
        return super().train(data, epochs, fusion=fusion or cls.fusion, **others)


# Under uniform losses the weak modality is learnt late by any fusion of the modalities' own decisions, "late" too.
for method in ("joint", "uniform", "modality_dropout", "g_blending"):
    for fusion in ("quality", "evidential", "mlp", "bilinear", "film"):
        title, options = f"{method}, {fusion}", OPTIONS.get(method, {})
        epochs = SLOW.get(title, SLOW.get(method, 6))
        body = {"method": method, "options": options, "fusion": fusion, "epochs": epochs}
        globals()[f"Test {title}"] = type(f"Test {title}", (WithFusion,), body)


# And they can fail

ONE = """
from equimodal.testing import MethodConformance


class TestIt(MethodConformance):
    method = "broken"
"""


@pytest.mark.parametrize(("method", "check", "words"), BROKEN, ids=[method.__name__ for method, *_ in BROKEN])
def test_what_breaks_a_rule_is_caught_by_its_check(monkeypatch, pytester, method, check, words):
    monkeypatch.setitem(METHODS._members, "broken", method)
    pytester.makepyfile(ONE)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they cost more than the check
    quick = ("-p", "no:cacheprovider", "-p", "no:unraisableexception")
    done = pytester.runpytest_inprocess(*quick, "-k", f"test_{check} and not three")
    outcomes = done.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1, outcomes
    assert words in " ".join(done.stdout.str().split())


def test_every_check_has_a_method_that_it_catches():
    checks = {name for name in vars(MethodConformance) if name.startswith("test_")}
    assert checks == {f"test_{check}" for _, check, _ in BROKEN}
