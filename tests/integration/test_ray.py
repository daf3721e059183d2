"""The same comparison on a local Ray of two workers: the same numbers, and a mistake in a run is told."""

from __future__ import annotations

import numpy as np
import pytest

import equimodal as eq
from equimodal.errors import RunError

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def make_data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    return eq.Dataset({"a": rng.normal(y[:, None], 1, (120, 3)), "b": rng.normal(0, 1, (120, 2))}, y).split(seed=0)


def numbers(comparison):
    return {
        method: [comparison.values(method, column) for column in ("accuracy", "edm", "loss")]
        for method in comparison.methods
    }


def test_two_workers_give_the_numbers_of_one_process(cluster, tmp_path):
    options = {"seeds": 2, "epochs": 2, "quiet": True, "measure": {"bootstrap": 0}}
    plain = eq.compare(make_data(), ["joint", "alternating"], **options)
    spread = eq.compare(make_data(), ["joint", "alternating"], workers="ray", out=tmp_path / "out", **options)
    for method in plain.methods:
        for one, other in zip(numbers(plain)[method], numbers(spread)[method], strict=True):
            assert one == pytest.approx(other, abs=1e-4)
    assert (tmp_path / "out" / "joint" / "seed-1" / "metrics.json").is_file()


def test_a_run_that_fails_is_told_as_ours(cluster):
    with pytest.raises(RunError, match=r"Every run diverged, .*became nan"):
        eq.compare(make_data(), ["joint"], seeds=1, workers="ray", epochs=2, quiet=True, learning_rate=1e30)
