import pytest

from .made_up import make_comparison, make_run


@pytest.fixture
def run():
    return make_run()


@pytest.fixture
def comparison():
    return make_comparison()
