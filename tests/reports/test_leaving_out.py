"""Fewer modalities that are better than all of them: said first, beyond noise only, and never chosen on test."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
import torch

from equimodal.contribution import contribution, plan
from equimodal.reports.leaving_out import leaving_out
from equimodal.reports.verdict import run_verdict
from equimodal.training.measure import Measurement
from equimodal.training.run import Run

from .made_up import make_run

NAMES = ("image", "audio", "noise")
HARMFUL = {"image+audio": 0.788, "image": 0.7, "audio": 0.6, "image+noise": 0.6, "audio+noise": 0.5, "noise": 0.2}


def accuracies(part: Measurement, values: Mapping[str, float], together: float) -> Measurement:
    subsets = {"": 0.2, **values, "+".join(NAMES): together}
    return dataclasses.replace(part, subsets=subsets, scores={**part.scores, "accuracy": together})


def run_with(
    test: Mapping[str, float],
    together: float = 0.672,
    *,
    validation: Mapping[str, float] | None = None,
    samples: int = 1000,
) -> Run:
    run = make_run(NAMES, (0.7, 0.6, 0.2), reference=(0.7, 0.6, 0.2), samples=samples)
    return dataclasses.replace(
        run,
        test=accuracies(run.test, test, together),
        validation=accuracies(run.validation, test if validation is None else validation, together),
    )


def test_it_is_said_first_and_with_what_to_do() -> None:
    verdict = run_verdict(run_with(HARMFUL))
    assert verdict.headline == (
        "It is better without noise: image and audio reach 0.788 accuracy on test, all modalities together 0.672 "
        "(chosen on validation, beyond noise on test). Predict with --present image,audio, or train without noise."
    )
    assert any("does what it could do alone" in detail for detail in verdict.details)


def test_one_modality_alone_may_be_best() -> None:
    said = leaving_out(run_with({**HARMFUL, "image": 0.85}))
    assert said is not None
    assert said.startswith("It is better without audio and noise: image alone reaches 0.850")


@pytest.mark.parametrize(
    "run",
    [
        run_with(HARMFUL, together=0.79),  # all of them are best
        run_with({**HARMFUL, "image+audio": 0.68}),  # within noise of 1000 samples
        run_with(HARMFUL, samples=50),
        run_with(HARMFUL, validation=dict.fromkeys(HARMFUL, 0.5)),  # validation saw no such thing
        run_with(HARMFUL, validation={**HARMFUL, "audio": 0.9}),  # validation chose one that is worse on test
    ],
)
def test_otherwise_nothing_is_said(run: Run) -> None:
    assert leaving_out(run) is None


@pytest.mark.parametrize(("rows", "said"), [(400, True), (24, False)])
def test_with_a_bootstrap_the_interval_of_what_the_modality_adds_decides(rows: int, said: bool) -> None:
    labels = torch.arange(rows) % 2
    scheme = plan(3)
    generator = torch.Generator().manual_seed(0)
    outputs = torch.zeros(8, rows, 2)
    for k, members in enumerate(scheme.coalitions.tolist()):
        correct = (
            0.5 if not any(members) else 0.9 - 0.12 * members[2]
        )  # with the third the answers are wrong more often
        right = torch.rand(rows, generator=generator) < correct
        outputs[k, torch.arange(rows), torch.where(right, labels, 1 - labels)] = 5.0
    found = contribution(outputs, scheme, labels, list(NAMES), bootstrap=300, split="test")
    assert found.intervals is not None and found.coalition_values is not None
    values = found.coalition_values
    run = run_with(values, values["image+audio+noise"])
    run = dataclasses.replace(run, test=dataclasses.replace(run.test, contribution=found, samples=rows))
    run = dataclasses.replace(run, validation=accuracies(run.validation, HARMFUL, 0.672))
    assert (found.intervals.last["noise"].high < 0) == said
    assert (leaving_out(run) is not None) == said
