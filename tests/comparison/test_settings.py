"""Worst regret and significant losses over settings, against NumPy, SciPy and statsmodels."""

import csv
import itertools
import json

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from comparison.made_up import comparison
from equimodal.comparison.comparison import Comparison
from equimodal.comparison.settings import focus, regrets, significant_losses
from equimodal.comparison.study import Study
from equimodal.config.compare import Primary

RNG = np.random.default_rng(0)
BASE = {"one": 0.6, "two": 0.8, "three": 0.5}
SHIFT = {"a": (0.0, 0.02, 0.01), "b": (0.03, 0.0, -0.08), "c": (-0.05, -0.01, 0.0)}


def accuracies(seeds=10):
    wobble = RNG.normal(0, 0.004, (3, 3, seeds))
    return {
        label: {m: (base + SHIFT[m][i] + wobble[i, j]).tolist() for j, m in enumerate(SHIFT)}
        for i, (label, base) in enumerate(BASE.items())
    }


TABLE = accuracies()


def study(table, primary=(), redraw="split"):
    return Study({label: comparison(each, redraw=redraw) for label, each in table.items()}, primary)


def test_regret_is_the_largest_distance_to_the_best_of_a_setting():
    means = np.array([[np.mean(each[m]) for m in SHIFT] for each in TABLE.values()])
    behind = means.max(1, keepdims=True) - means
    assert list(study(TABLE).regrets()) == list(SHIFT)
    for j, found in enumerate(study(TABLE).regrets().values()):
        assert found.mean == pytest.approx(means[:, j].mean())
        assert found.worst == pytest.approx(behind[:, j].max())
        assert found.setting == list(TABLE)[int(behind[:, j].argmax())]


def test_the_best_everywhere_has_no_regret():
    table = {label: {**each, "a": [v + 0.5 for v in each["b"]]} for label, each in TABLE.items()}
    assert study(table).regrets()["a"].worst == 0


def test_a_method_without_a_number_in_a_setting_has_none():
    comparisons = study(TABLE).comparisons
    plain = comparisons["two"].to_dict()
    plain["results"] = [fields for fields in plain["results"] if fields["method"] != "b"]
    found = regrets({**comparisons, "two": Comparison.from_dict(plain)})
    assert (found["b"].mean, found["b"].worst, found["b"].setting) == (None, None, "two")
    assert found["a"].worst == pytest.approx(study(TABLE).regrets()["a"].worst)
    assert "undefined" in str(Study({**comparisons, "two": Comparison.from_dict(plain)}))


@pytest.mark.parametrize("method", list(SHIFT))
def test_losses_are_those_that_interval_and_corrected_test_both_show(method):
    found = significant_losses(study(TABLE).comparisons, method)
    expected = set()
    for other in SHIFT:
        if other == method:
            continue
        each = {label: np.array(values[method]) - np.array(values[other]) for label, values in TABLE.items()}
        p = [sign_flips(d) for d in each.values()]
        corrected = np.array(multipletests(p, method="holm")[1])
        for (label, d), p_holm in zip(each.items(), corrected, strict=True):
            half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) * np.sqrt(1 / len(d) + 50 / 100)
            if d.mean() + half < 0 and p_holm <= 0.05:
                expected.add((label, other))
                (loss,) = [loss for loss in found.found if (loss.setting, loss.against) == (label, other)]
                assert (loss.mean, loss.low, loss.high) == pytest.approx((d.mean(), d.mean() - half, d.mean() + half))
                assert loss.p_holm == pytest.approx(p_holm)
    assert {(loss.setting, loss.against) for loss in found.found} == expected
    assert expected  # each loses somewhere
    assert (found.settings, found.pairs) == (3, 10)


def sign_flips(d):
    sums = np.abs(np.array(list(itertools.product([1, -1], repeat=len(d)))) @ d)
    return np.mean(sums >= abs(d.sum()) - 1e-12)


def test_few_seeds_can_show_no_loss_and_that_is_said():
    primary = (Primary(method="b", against="a"),)
    few = study({label: {m: v[:5] for m, v in each.items()} for label, each in TABLE.items()}, primary)
    losses = few.losses()
    assert losses is not None and not losses.found
    assert "none, but 5 seeds cannot show one: at least 7 are needed." in str(few)


def test_the_focus_is_the_method_that_all_declared_comparisons_are_about():
    one, other = Primary(method="a", against="b"), Primary(method="b", against="c")
    assert focus([one, Primary(method="a", against="c", column="edm")]) == "a"
    assert focus([one, other]) is None and focus([]) is None
    assert study(TABLE, (one, other)).losses() is None
    assert "Significant losses" not in str(study(TABLE))


def test_text_json_and_csv_say_the_same(tmp_path):
    made = study(TABLE, (Primary(method="b", against="a", column="missing_50"),))
    text = " ".join(str(made).split())
    assert "Over all settings" in text and "worst regret" in text
    assert "Significant losses of b (3 settings, against a and c; 95% interval below 0" in text
    assert "three, behind a (\u22120.0" in text
    told = json.loads(made.save(tmp_path).read_text())
    rows = {row["method"]: row for row in csv.DictReader(made.to_csv(tmp_path / "table.csv").open())}
    for method, regret in made.regrets().items():
        assert told["regrets"][method] == {"mean": regret.mean, "worst": regret.worst, "setting": regret.setting}
        assert float(rows[method]["worst_regret"]) == regret.worst
        assert rows[method]["worst_setting"] == regret.setting
        assert float(rows[method]["mean_rank"]) == made.ranking().ranks[method]
        over = [
            np.mean([v for v in c.values(method, "missing_50") if v is not None]) for c in made.comparisons.values()
        ]
        assert float(rows[method]["missing_50"]) == pytest.approx(np.mean(over))
    losses = made.losses()
    assert losses is not None and told["losses"] == losses.to_dict()
    assert {(loss["setting"], loss["against"]) for loss in told["losses"]["found"]} == {
        (loss.setting, loss.against) for loss in losses.found
    }
