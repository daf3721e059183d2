"""The YAMLs of the accuracy benchmarks say nothing that the package does not know."""

from pathlib import Path

import pytest

from equimodal.config.load import load_config
from equimodal.training.names import NAMES

YAMLS = sorted((Path(__file__).parents[2] / "benchmarks" / "accuracy").glob("*.yaml"))

pytestmark = pytest.mark.skipif(not YAMLS, reason="the source distribution comes without the benchmarks")


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_a_benchmark_is_a_configuration_without_mistakes(path):
    config = load_config(path, names=NAMES)
    assert config.compare.problems() == [] and config.compare.seeds >= 10
