"""Under-use is claimed beyond two standard errors: against a bound worked out by hand, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from equimodal.reports.verdict import run_verdict

from .made_up import make_run


def claims(alone: float, reference: float, samples: int) -> bool:
    """Return whether text is called under-used; image does all that it can."""
    run = make_run(alone=(0.7, alone), reference=(0.7, reference), samples=samples)
    return run_verdict(run).headline.startswith("text is under-used")


# Standard error of the difference of .5 and .6 in n samples: sqrt((.25 + .24) / n). The gap of .1 is then ... of it:
@pytest.mark.parametrize(
    ("samples", "errors", "claimed"),
    [(49, 1.0, False), (110, 1.498, False), (190, 1.969, False), (202, 2.030, True), (441, 3.0, True)],
)
def test_a_gap_within_two_standard_errors_is_noise(samples, errors, claimed):
    assert 0.1 / np.sqrt(0.49 / samples) == pytest.approx(errors, abs=1e-3)
    assert claims(0.5, 0.6, samples) == claimed


def test_without_a_difference_under_use_is_rarely_claimed():
    """Two models of the same accuracy: a loss is claimed with probability P(Z < -2), 2.3%, not P(Z < -1), 16%."""
    rng, samples, tries = np.random.default_rng(0), 200, 1500
    alone, reference = rng.binomial(samples, 0.5, (2, tries)) / samples
    rate = np.mean([claims(a, r, samples) for a, r in zip(alone, reference, strict=True)])
    assert rate == pytest.approx(stats.norm.cdf(-2), abs=0.012)
