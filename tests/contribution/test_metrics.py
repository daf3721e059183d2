import pytest
import torch
from torchmetrics import MetricCollection

from equimodal.contribution import EquilibriumDeviation, ModalityContribution, contribution, plan
from equimodal.errors import ConfigError, DataError

NAMES = ["audio", "image"]


def parts(outputs, targets, sizes):
    return zip(outputs.split(sizes, dim=1), targets.split(sizes), strict=True)


@pytest.mark.parametrize("value", ["accuracy", "macro_f1"])
def test_batches_equal_the_whole(classified, value):
    outputs, targets = classified
    whole = contribution(outputs, plan(2), targets, NAMES, value=value)
    phi, edm = ModalityContribution(NAMES, value=value), EquilibriumDeviation(NAMES, value=value)
    for batch in parts(outputs, targets, [50, 1, 69]):
        phi.update(*batch)
        edm.update(*batch)
    assert {name: amount.item() for name, amount in phi.compute().items()} == pytest.approx(whole.phi)
    assert edm.compute().item() == pytest.approx(whole.edm)
    assert phi.contribution() == whole


def test_reset_forgets(classified):
    outputs, targets = classified
    metric = EquilibriumDeviation(NAMES)
    metric.update(outputs.flip(1), targets)
    metric.reset()
    with pytest.raises(DataError, match="call update"):
        metric.contribution()
    metric.update(outputs, targets)
    assert metric.contribution() == contribution(outputs, plan(2), targets, NAMES)


def test_ranks_equal_the_whole(classified):
    """Two ranks with uneven shares: gathering is stood in for by handing each state the other rank's."""
    outputs, targets = classified
    (here, there) = parts(outputs, targets, [45, 75])
    other = {3: there[0].transpose(0, 1), 1: there[1]}  # by number of dimensions: outputs, targets
    metric = EquilibriumDeviation(
        NAMES,
        dist_sync_fn=lambda state, **_: [state, other[state.ndim]],
        distributed_available_fn=lambda: True,
    )
    metric.update(*here)
    assert metric.compute().item() == pytest.approx(contribution(outputs, plan(2), targets, NAMES).edm)
    assert len(metric.targets) == 1  # unsynced again


def test_states_are_tensors_that_load_without_pickle(classified, tmp_path):
    outputs, targets = classified
    metric = ModalityContribution(NAMES)
    metric.persistent(True)
    for batch in parts(outputs, targets, [100, 20]):
        metric.update(*batch)
    torch.save(metric.state_dict(), tmp_path / "state.pt")
    again = ModalityContribution(NAMES)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.contribution() == metric.contribution()


def test_undefined_edm_is_nan(classified):
    outputs, targets = classified
    metric = EquilibriumDeviation(NAMES)
    metric.update(outputs.flip(0), targets)
    assert metric.compute().isnan()


def test_metrics_work_in_a_collection(classified):
    outputs, targets = classified
    both = MetricCollection([ModalityContribution(NAMES), EquilibriumDeviation(NAMES)])
    both.update(outputs, targets)
    assert set(both.compute()) == {"audio", "image", "EquilibriumDeviation"}


def test_sampled_coalitions(classified):
    sampled = plan(12, budget=60, seed=1)
    targets = classified[1]
    outputs = torch.rand(len(sampled.coalitions), 120, 3, generator=torch.Generator().manual_seed(1))
    metric = ModalityContribution(list("abcdefghijkl"), coalitions=sampled)
    metric.update(outputs, targets)
    assert not metric.contribution().exact and len(metric.compute()) == 12


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="Unknown value function"):
        EquilibriumDeviation(NAMES, value="acuracy")
    with pytest.raises(ConfigError, match="must sum to 1"):
        EquilibriumDeviation(NAMES, target=[0.1, 0.1])
    with pytest.raises(DataError, match=r"outputs \(4, B, C\) and targets \(B,\), got \(4, 3, 2\) and \(2,\)"):
        EquilibriumDeviation(NAMES).update(torch.zeros(4, 3, 2), torch.zeros(2))
