"""Measure a classifier: one encoder pass, every coalition, and the numbers computed from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equimodal.config.run import MeasureConfig
from equimodal.contribution.coalitions import coalition_name
from equimodal.contribution.equilibrium import utilisation
from equimodal.contribution.measure import contribution
from equimodal.contribution.missing import value_missing
from equimodal.contribution.result import Contribution
from equimodal.contribution.shapley import plan
from equimodal.contribution.values import value_function
from equimodal.models.classifier import Classifier
from equimodal.models.encoded import Encoded
from equimodal.training.ability import Ability
from equimodal.training.outputs import Outputs, outputs_of


@dataclass(frozen=True)
class Measurement:
    """What a classifier does on one data set.

    Args:
        split: name of the part.
        samples: number of rows.
        scores: "accuracy", "macro_f1", "loss" and "ece" of all modalities together; each is an attribute too.
        unimodal: the same for each modality alone.
        subsets: accuracy of each coalition measured, by name.
        alone: v({m}) of each modality under the value function, the numerator of utilisation.
        contribution: Shapley contribution, shares, deviation, EDM, with intervals.
        utilisation: how much of what each modality could do alone it still does; None without a reference, and for a
            modality that knows nothing alone.
        right: which rows all modalities together classify correctly, see `pack`; None where not recorded.
        ability: what each modality can do alone on the same data (the unimodal ensemble); None without a reference.
    """

    split: str
    samples: int
    scores: dict[str, float]
    unimodal: dict[str, dict[str, float]]
    subsets: dict[str, float]
    alone: dict[str, float]
    contribution: Contribution
    utilisation: dict[str, float | None] | None = None
    right: str | None = None
    ability: Ability | None = None

    @property
    def accuracy(self) -> float:
        """Share of rows that all modalities together classify correctly."""
        return self.scores["accuracy"]

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur, of all modalities together."""
        return self.scores["macro_f1"]

    @property
    def loss(self) -> float:
        """Mean negative log-likelihood of all modalities together, in nats."""
        return self.scores["loss"]

    @property
    def ece(self) -> float:
        """Expected calibration error of all modalities together, see `expected_calibration_error`."""
        return self.scores["ece"]

    @property
    def phi(self) -> dict[str, float]:
        """Shapley contribution of each modality, in units of the value function."""
        return self.contribution.phi

    @property
    def shares(self) -> dict[str, float] | None:
        """Share of each modality in all contributions; None for a model no better than the label prior."""
        return self.contribution.shares

    @property
    def edm(self) -> float | None:
        """Equilibrium deviation metric; None for a model no better than the label prior."""
        return self.contribution.edm

    @property
    def ability_deviation(self) -> dict[str, float] | None:
        """Share of each modality less its share in the unimodal ensemble; None where one of them is undefined."""
        possible = None if self.ability is None else self.ability.shares
        if self.shares is None or possible is None:
            return None
        return {name: share - possible[name] for name, share in self.shares.items()}

    @property
    def edm_ability(self) -> float | None:
        r"""EDM against what each modality can do, $\sum_m |\psi_m - \psi^\mathrm{UME}_m|$, or None (ours).

        None without a reference, and where this model or the unimodal ensemble is no better than the label prior.
        """
        deviation = self.ability_deviation
        return None if deviation is None else sum(map(abs, deviation.values()))

    def knows(self, modality: str) -> bool | None:
        """Return whether a modality, trained alone, is better than the label prior by more than noise; None: unknown.

        See `equimodal.training.ability.Ability.knows`.
        """
        return None if self.ability is None else self.ability.knows(modality)

    def standing(self, modality: str) -> str:
        """Return how a modality stands to its target, see `equimodal.contribution.Contribution.standing`."""
        return self.contribution.standing(modality, self.knows(modality))

    def accuracy_missing(self, rate: float) -> float | None:
        """Return the accuracy where each entry (row, modality) is missing with probability `rate`, independently.

        Every row keeps at least one modality. The accuracy is exact for the rows measured; nothing is drawn. Where
        rows lack entries already, a subset is measured on what they have of it, and `rate` comes on top.

        Args:
            rate: from 0 to below 1.

        Returns:
            The weighted mean of `subsets`, see `equimodal.contribution.missing.value_missing`. None where not all
            subsets were measured (more than 10 modalities, or a budget).

        Raises:
            ConfigError: the rate is not a number from 0 to below 1.
        """
        return value_missing(self.subsets, len(self.unimodal), rate)

    @property
    def subset_mean(self) -> float:
        """Mean accuracy over all coalitions measured except the empty one."""
        return float(np.mean([value for name, value in self.subsets.items() if name]))

    def to_dict(self) -> dict[str, Any]:
        """Return the measurement as JSON-safe values."""
        return {
            "split": self.split,
            "samples": self.samples,
            **self.scores,
            "unimodal": self.unimodal,
            "subsets": self.subsets,
            "subset_mean": self.subset_mean,
            "alone": self.alone,
            "contribution": self.contribution.to_dict(),
            "utilisation": self.utilisation,
            "ability": None if self.ability is None else self.ability.to_dict(),
            "ability_deviation": self.ability_deviation,
            "edm_ability": self.edm_ability,
            **({} if self.right is None else {"right": self.right}),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Measurement:
        """Return the measurement whose `to_dict` is given."""
        ability = plain.get("ability")
        return cls(
            split=plain["split"],
            samples=plain["samples"],
            scores={key: plain[key] for key in ("accuracy", "macro_f1", "loss", "ece")},
            unimodal=plain["unimodal"],
            subsets=plain["subsets"],
            alone=plain["alone"],
            contribution=Contribution.from_dict(plain["contribution"]),
            utilisation=plain["utilisation"],
            right=plain.get("right"),
            ability=None if ability is None else Ability.from_dict(ability),
        )

    def __str__(self) -> str:
        scores = self.scores
        lines = [
            f"{self.split} ({self.samples} samples): accuracy {scores['accuracy']:.3f}, "
            f"macro F1 {scores['macro_f1']:.3f}, loss {scores['loss']:.3f}, ECE {scores['ece']:.3f}",
            "alone: " + ", ".join(f"{name} {own['accuracy']:.3f}" for name, own in self.unimodal.items()),
            self.contribution.describe({name: self.knows(name) for name in self.unimodal}),
        ]
        if self.utilisation is not None:
            lines.append("utilisation: " + ", ".join(self._used(name, u) for name, u in self.utilisation.items()))
        deviation = self.ability_deviation
        if deviation is not None:
            each = ", ".join(f"{name} {amount:+.3f}" for name, amount in deviation.items())
            lines.append(f"EDM against ability: {self.edm_ability:.3f} ({each})")
        return "\n".join(lines)

    def _used(self, name: str, used: float | None) -> str:
        if used is not None:
            return f"{name} {used:.2f}"
        return f"{name} undefined" + " (knows nothing alone)" * (self.knows(name) is False)


def expected_calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    r"""Return the expected calibration error, computed by torchmetrics.

    $$\mathrm{ECE} = \sum_b \frac{|b|}{N} \, |\mathrm{acc}(b) - \mathrm{conf}(b)|$$

    over bins of equal width of the confidence, the probability of the predicted class. 0 is calibrated.

    Args:
        logits: (N, C).
        labels: class numbers (N,).
        bins: the number of bins.

    Example:
        >>> sure, right = torch.tensor([[9.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1])
        >>> round(expected_calibration_error(sure, right), 3)  # confidence 1, accuracy 0.5
        0.5

    Source: Guo et al., 2017, "On calibration of modern neural networks", arXiv 1706.04599.
    """
    # Imported here: the first import takes seconds, and reading a finished run needs none of it.
    from torchmetrics.functional.classification import multiclass_calibration_error

    classes = logits.shape[-1]
    # As probabilities: torchmetrics would take logits that all lie in [0, 1] for probabilities.
    error = multiclass_calibration_error(logits.softmax(-1), labels, classes, bins, norm="l1", validate_args=False)
    return float(error)


def _scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    one = logits.unsqueeze(0)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    return {
        "accuracy": float(value_function("accuracy")[1](one, labels, None)),
        "macro_f1": float(value_function("macro_f1")[1](one, labels, None)),
        "loss": float(loss),
        "ece": expected_calibration_error(logits, labels),
    }


def measure(
    model: Classifier,
    encoded: Iterable[Encoded],
    config: MeasureConfig,
    *,
    split: str,
    seed: int = 0,
    reference: Ability | None = None,
    record: bool = False,
) -> Measurement:
    """Measure a classifier on one data set.

    The bootstrap draws whole groups where the data have groups: they come with the encodings.

    Args:
        model: the classifier.
        encoded: its encodings of the data, see `equimodal.models.encoded.encode_all`.
        config: value function, target, bootstrap, budget.
        split: name of the part, for provenance.
        seed: of bootstrap and sampling.
        reference: what each modality can do alone on the same data (the unimodal ensemble), for utilisation and for
            EDM against ability. A modality that knows nothing alone has no utilisation: a ratio of noise to noise.
        record: keep which rows are classified correctly.

    Raises:
        Diverged: an output of the model is infinite or NaN.
    """
    scheme = plan(len(model.modalities), budget=config.budget, seed=seed)
    outputs = outputs_of(model, encoded, scheme, split)
    return measure_outputs(
        outputs, model.modalities, config, split=split, seed=seed, reference=reference, record=record
    )


def measure_outputs(
    outputs: Outputs,
    modalities: Sequence[str],
    config: MeasureConfig,
    *,
    split: str,
    seed: int = 0,
    reference: Ability | None = None,
    record: bool = False,
) -> Measurement:
    """Return the numbers of what a classifier answered; see `measure`, whose plan of coalitions the outputs follow."""
    labels, scheme = outputs.labels, outputs.plan
    measured = contribution(
        outputs.coalitions,
        scheme,
        labels,
        modalities,
        value=config.value,
        target=config.target,
        bootstrap=config.bootstrap,
        seed=seed,
        split=split,
        groups=outputs.groups,
    )
    accuracies = value_function("accuracy")[1](outputs.coalitions, labels, None).tolist()
    value = value_function(config.value)[1]
    alone = value(outputs.alone, labels, None)
    used = None
    if reference is not None:
        empty = value(outputs.coalitions[:1], labels, None)
        possible = torch.tensor([reference[m] for m in modalities], dtype=alone.dtype)
        ratios = utilisation(alone, possible, empty).tolist()
        used = {
            m: None if math.isnan(u) or reference.knows(m) is False else u
            for m, u in zip(modalities, ratios, strict=True)
        }
    return Measurement(
        split=split,
        samples=len(labels),
        scores=_scores(outputs.full, labels),
        unimodal={m: _scores(outputs.alone[i], labels) for i, m in enumerate(modalities)},
        subsets={
            coalition_name(members, modalities): accuracy
            for members, accuracy in zip(scheme.coalitions, accuracies, strict=True)
        },
        alone=dict(zip(modalities, alone.tolist(), strict=True)),
        contribution=measured,
        utilisation=used,
        right=pack((outputs.full.argmax(-1) == labels).numpy()) if record else None,
        ability=reference,
    )


def pack(right: np.ndarray) -> str:
    """Return a bool for each row (N,) as hexadecimal digits, two digits for eight rows.

    Example:
        >>> pack(np.array([True, False, True])), unpack("a0", 3).tolist()
        ('a0', [True, False, True])
    """
    return np.packbits(right).tobytes().hex()


def unpack(text: str, samples: int) -> np.ndarray:
    """Return what `pack` packed, bool (N,)."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=samples).astype(bool)
