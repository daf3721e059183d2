import numpy as np
import pytest

from equimodal.errors import ConfigError
from research.theory import Cycle, gains, outcome, random_problems, simulate, sweep
from research.theory.order import difference

BOTH = Cycle(ratio=0.1, step=0.1, transfer=1.0)


@pytest.mark.parametrize("agreement", [-1, -0.3, 0.8, None])
def test_problems_are_drawn_as_said(agreement):
    drawn = random_problems(300, agreement, dimension=5)
    values = np.linalg.eigvalsh(drawn.curvatures)
    lengths = np.linalg.norm(drawn.optima, axis=-1)
    cosines = np.sum(drawn.optima[:, 0] * drawn.optima[:, 1], -1) / lengths.prod(-1)
    assert values.min() + 1e-9 >= 0.1 and values.max() <= 1 + 1e-9
    assert lengths.min() >= 0.5 and lengths.max() <= 2
    if agreement is None:
        assert cosines.min() < -0.95 and cosines.max() > 0.95
    else:
        assert cosines == pytest.approx(agreement)
    assert np.median(np.log10(values)) == pytest.approx(-0.5, abs=0.05)


def test_a_seed_says_all_but_the_cosine():
    one, same, other = (random_problems(5, 0.2, seed=seed) for seed in (1, 1, 2))
    assert (one.optima == same.optima).all() and (one.curvatures == same.curvatures).all()
    assert (one.optima != other.optima).all()
    assert (random_problems(5, -0.4, seed=1).curvatures == one.curvatures).all()


@pytest.mark.parametrize("arguments", [(0, 0.0, 4), (3, 0.0, 1), (3, 1.5, 4)])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ConfigError, match=f"{arguments[0]}, {arguments[2]} and {arguments[1]}"):
        random_problems(*arguments)


def test_an_outcome_counts_and_averages():
    drawn = random_problems(400, 0.2)
    starts = simulate(drawn, BOTH, "weak_to_strong")[0]
    ends = [simulate(drawn, BOTH, order)[1] for order in ("weak_to_strong", "strong_to_weak")]
    relative = (ends[0] - ends[1]) / starts
    found = outcome(drawn, BOTH)
    assert found.share == pytest.approx((ends[0] < ends[1]).mean())
    assert found.mean == pytest.approx(relative.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * relative.std(ddof=1) / 20)
    assert found.counted == 1


def test_several_cycles_are_simulated_and_lead_to_rest():
    drawn = random_problems(50, 0.2)
    one, rest = outcome(drawn, BOTH, 1), outcome(drawn, BOTH, None)
    ends = [simulate(drawn, BOTH, order, 7)[-1] for order in ("weak_to_strong", "strong_to_weak")]
    assert outcome(drawn, BOTH, 7).share == (ends[0] < ends[1]).mean()
    assert outcome(drawn, BOTH, 3000).mean == pytest.approx(rest.mean, abs=1e-12)
    assert one.mean != pytest.approx(rest.mean, abs=1e-3)


def test_ties_are_half_won_and_what_diverges_is_not_counted():
    drawn = random_problems(100)
    read = Cycle(ratio=0.1, step=0.1, transfer=1.0, in_step=False)
    assert outcome(drawn, read, None).share == 0.5  # c = 0: order does nothing at rest
    wild = outcome(drawn, Cycle(ratio=0.5, step=1.5, transfer=2.0), None)
    assert 0 < wild.counted < 1 and np.isfinite(wild.mean)
    none = outcome(drawn, Cycle(ratio=0.5, step=50.0), None)
    assert none.counted == 0 and np.isnan(none.share)


def test_a_sweep_is_an_outcome_for_each_combination():
    drawn = [random_problems(50, agreement) for agreement in (-0.5, 0.5)]
    shares = sweep(drawn, BOTH, step=[0.1, 0.5, 1.0], ratio=[0.2, 0.9])
    assert shares.shape == (3, 2, 2)
    cycle = Cycle(ratio=0.2, step=1.0, transfer=1.0)
    assert shares[2, 0, 1] == (difference(gains(drawn[1], cycle), cycle) < 0).mean()


def test_equal_weights_are_a_coin():
    equal = Cycle(ratio=1.0, step=0.1, transfer=1.0)
    for cycles in (1, None):
        assert outcome(random_problems(4000, seed=5), equal, cycles).share == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("dimension", [2, 8, 32])
def test_the_docs_findings_do_not_hang_on_the_dimension(dimension):
    def share(agreement, cycles=1, **changes):
        return outcome(random_problems(200, agreement, dimension), Cycle(**{**vars(BOTH), **changes}), cycles).share

    assert share(0.5) > 0.85 and share(-0.5) < 0.2  # the transfer: gradients decide
    assert share(-0.5, transfer=0.0) > 0.85  # the last word alone
    assert share(0.5, None) == share(-0.5, None) == 1.0
    assert share(0.5, None, weak="slow") < 0.05
