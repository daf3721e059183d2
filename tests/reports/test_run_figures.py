import dataclasses
import math

import pytest

from equimodal.contribution.bootstrap import Interval
from equimodal.reports.history_figures import updates_taken
from equimodal.reports.run_figures import RunCharts
from equimodal.training.ability import Ability
from equimodal.training.measure import Measurement

from .made_up import make_run


def lines(chart):
    return {line.label: line.values for line in chart.lines}


def test_lines_hold_the_historys_numbers(run):
    charts = RunCharts(run)
    validation = [line["validation"] for line in run.history]
    shares, accuracy, edm = lines(charts.shares()), lines(charts.accuracy()), lines(charts.edm())
    assert accuracy["all modalities"] == tuple(v["accuracy"] for v in validation)
    for name in ("image", "text"):
        assert shares[name] == tuple(v["contribution"]["shares"][name] for v in validation)
        assert accuracy[name] == tuple(v["unimodal"][name]["accuracy"] for v in validation)
    assert edm == {"EDM": tuple(v["contribution"]["edm"] for v in validation)}
    assert charts.shares().levels == (0.5,)


def test_two_modalities_edm_is_the_gap_of_their_values(run):
    for line, edm in zip(run.history, lines(RunCharts(run).edm())["EDM"], strict=True):
        alone = line["validation"]["alone"]
        assert edm == pytest.approx(abs(alone["image"] - alone["text"]) / (0.8 - 0.2))


def test_utilisation_is_gain_over_the_references(run):
    values = lines(RunCharts(run).utilisation())
    for i, line in enumerate(run.history):
        alone = line["validation"]["alone"]
        assert values["image"][i] == pytest.approx((alone["image"] - 0.2) / (0.72 - 0.2))
        assert values["text"][i] == pytest.approx((alone["text"] - 0.2) / (0.6 - 0.2))


def test_utilisation_is_a_gap_where_the_reference_is_no_better_than_the_prior():
    values = lines(RunCharts(make_run(reference=(0.72, 0.2))).utilisation())
    assert values["text"] == (None, None, None)
    assert None not in values["image"]


def test_no_reference_no_utilisation_and_no_strokes():
    charts = RunCharts(make_run(reference=None))
    assert charts.utilisation() is None
    assert "utilisation" not in [chart.key for chart in charts.all()]
    assert all(mark.reference is None for row in charts.alone().rows for mark in row.marks)


def test_bars_are_the_test_values_with_the_reference_beside(run):
    chart = RunCharts(run).alone()
    found = {row.label: (row.marks[0].value, row.marks[0].reference) for row in chart.rows}
    assert found == {"all modalities": (0.8, None), "image": (0.7, 0.72), "text": (0.4, 0.6)}
    assert chart.level == 0.2


def test_whom_the_pool_trusts():
    assert RunCharts(make_run()).trust() is None
    run = make_run(trust={"image": 1.3, "text": 0.7})
    chart = RunCharts(run).trust()
    assert chart is not None and chart.level == 1 and "image 1.30, text 0.70" in chart.caption
    assert [(row.label, row.marks[0].value) for row in chart.rows] == [("image", 1.3), ("text", 0.7)]
    assert chart.key in [each.key for each in RunCharts(run).all()]
    assert "weight in the fitted pool: image 1.30, text 0.70 (mean 1)" in str(run)
    assert str(run).splitlines()[-1] == "best epoch 2 of 3"
    assert str(run.test) in str(run) and "pool" not in str(make_run())


def test_utilisation_of_a_modality_that_knows_nothing_is_a_gap():
    run = make_run()
    gains = {"image": Interval(0.4, 0.5, 0.6), "text": Interval(-0.1, 0.0, 0.1)}
    ability = Ability({"image": 0.72, "text": 0.21}, None, gains)
    chart = RunCharts(dataclasses.replace(run, reference={"validation": ability, "test": ability})).utilisation()
    assert set(lines(chart)["text"]) == {None} and None not in lines(chart)["image"]


def test_order_has_places(run):
    chart = RunCharts(run).order()
    assert chart is not None
    assert chart.places == {"image": (2, 1, 1), "text": (1, 2, 2)}
    assert RunCharts(make_run(method="joint")).order() is None


def test_kept_epochs_and_phases():
    charts = RunCharts(make_run(method="unimodal_ensemble", phases=("image", "text"), epochs=4))
    assert charts.kept == (4, 8)
    assert [(p.name, p.first, p.last) for p in charts.phases] == [("image", 1, 4), ("text", 5, 8)]
    assert "Phases, in turn: image, text." in charts.accuracy().caption
    single = RunCharts(make_run())
    assert single.kept == (2,)
    assert single.phases == ()


def test_trials_are_left_out_and_said():
    phases = ("trial of image", "train", "trial of text", "train on")
    run = make_run(phases=phases, trials=("trial of image", "trial of text"), epochs=2)
    charts = RunCharts(run)
    main = [run.history[i] for i in (2, 3, 6, 7)]
    assert charts.lines == main
    assert charts.trials == 4
    accuracy = charts.accuracy()
    assert lines(accuracy)["all modalities"] == tuple(line["validation"]["accuracy"] for line in main)
    assert accuracy.kept == (2, 4)
    assert [(p.name, p.first, p.last) for p in accuracy.phases] == [("train", 1, 2), ("train on", 3, 4)]
    assert "4 epochs of trials are left out and not counted." in accuracy.caption
    order = charts.order()
    assert order is not None and [len(places) for places in order.places.values()] == [4, 4]
    assert sum(updates_taken(run.history).values()) == 8 * 10  # but they did cost


def test_a_history_from_before_trials_were_marked_has_none(run):
    for line in run.history:
        del line["trial"]
    charts = RunCharts(run)
    assert charts.trials == 0
    assert len(charts.epochs) == 3
    assert "trials" not in charts.accuracy().caption


def test_undefined_shares_are_gaps():
    charts = RunCharts(make_run(fused=0.1))
    assert lines(charts.shares())["image"] == (None, None, None)
    assert lines(charts.edm())["EDM"] == (None, None, None)
    assert charts.test_shares() is None


def test_cut_off_values_are_said():
    chart = RunCharts(make_run(fused=0.21)).edm()  # the gain is .01, the gap of values .3
    assert max(v for v in chart.lines[0].values if v is not None) > chart.limits[1]
    assert chart.caption.endswith("Values beyond the axis are cut off.")


def test_intervals_and_noise_floor_come_from_the_history(run):
    contribution = run.history[1]["validation"]["contribution"]
    contribution["noise_floor"] = 0.07
    contribution["intervals"] = {
        "phi": {"image": [0.1, 0.2, 0.3], "text": [0.1, 0.2, 0.3]},
        "shares": None,
        "edm": [0.3, 0.4, 0.6],
    }
    chart = RunCharts(run).edm()
    assert chart.lines[0].band == (None, (0.3, 0.6), None)
    assert lines(chart)["noise floor"] == (None, 0.07, None)


def test_six_modalities_make_six_lines():
    names = [f"view {i}" for i in range(6)]
    charts = RunCharts(make_run(names, [0.3 + 0.05 * i for i in range(6)], reference=[0.6] * 6))
    assert list(lines(charts.shares())) == names
    totals = [math.fsum(values) for values in zip(*lines(charts.shares()).values(), strict=True)]
    assert totals == pytest.approx([1.0] * 3)
    assert charts.shares().levels == (pytest.approx(1 / 6),)


def test_epochs_are_measurements(run):
    assert all(isinstance(epoch, Measurement) for epoch in RunCharts(run).epochs)
    assert updates_taken(run.history) == {"image": 15, "text": 15}
