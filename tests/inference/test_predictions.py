"""Predictions that cannot be written."""

from __future__ import annotations

import pytest

from data.own_data import write_own_data
from equimodal.config.run import build_config
from equimodal.data.catalogue import load
from equimodal.errors import RunError
from equimodal.inference.predictions import write_predictions
from equimodal.training.fit import train


def test_a_failing_write_is_answered_by_fitting_advice(tmp_path):
    own = write_own_data(tmp_path / "own", samples=96)
    settings = {"method": "alternating", "training": {"epochs": 1}, "model": {"width": 4}, "reference": False}
    train(build_config({**settings, "measure": {"bootstrap": 0}}), load(own), folder=tmp_path / "run", quiet=True)
    for ending in (".csv", ".jsonl"):
        out = (tmp_path / "predictions").with_suffix(ending)
        out.mkdir()
        with pytest.raises(RunError) as caught:
            write_predictions(tmp_path / "run", str(own), out)
        assert "choose another name, for a folder has this one, then write it again." in str(caught.value)
        assert list(out.iterdir()) == []
