"""The verdict on modalities that know nothing alone, repeat others, or know something only together."""

import dataclasses

import pytest
import torch

from equimodal.config.run import build_config
from equimodal.contribution import contribution, plan
from equimodal.reports.pages import write_run_page
from equimodal.reports.verdict import run_verdict
from equimodal.training.ability import Ability
from equimodal.training.measure import Measurement
from equimodal.training.run import Run

from .made_up import made_model, make_run

CLASSES, SAMPLES = 4, 1200
LABELS = torch.arange(SAMPLES) % CLASSES


def right_in(rate, seed):
    """Predicted classes, right for `rate` of the rows and by chance in some of the others."""
    generator = torch.Generator().manual_seed(seed)
    said = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    rows = torch.randperm(SAMPLES, generator=generator)[: round(rate * SAMPLES)]
    said[rows] = LABELS[rows]
    return said


STRONG, CHANCE = right_in(0.75, 0), right_in(0.0, 1)


def measured(predictions, names, ability=None):
    said = torch.stack([torch.zeros(SAMPLES, dtype=torch.long), *predictions])
    c = contribution(torch.nn.functional.one_hot(said, CLASSES), plan(len(names)), LABELS, list(names), split="test")
    assert c.coalition_values is not None
    alone = {name: c.coalition_values[name] for name in names}
    used = None
    if ability is not None:
        used = {
            m: None if ability.knows(m) is False else (alone[m] - c.value_empty) / (ability[m] - c.value_empty)
            for m in names
        }
    return Measurement(
        split="test",
        samples=SAMPLES,
        scores={"accuracy": c.value_all, "macro_f1": c.value_all, "loss": 1.0, "ece": 0.1},
        unimodal={m: {"accuracy": alone[m], "macro_f1": alone[m], "loss": 1.0, "ece": 0.1} for m in names},
        subsets=c.coalition_values,
        alone=alone,
        contribution=c,
        utilisation=used,
        ability=ability,
    )


def run_of(model, ensemble, names=("a", "b"), method="joint"):
    """A run whose model and unimodal ensemble predict these classes, coalition by coalition."""
    ability = None
    if ensemble is not None:
        found = measured(ensemble, names)
        ability = Ability.of(found.alone, found.contribution)
    test = measured(model, names, ability)
    plain = {"train": 1.0, "probe": 0.1}
    line = {"epoch": 1, "phase": "train", "order": None, "train": {"loss": 1.0}, "updates": dict.fromkeys(names, 5)}
    line |= {"validation": test.to_dict(), "trial": False, "best": True, "seconds": plain, "memory": 300.0}
    return Run(
        model=made_model(),
        config=build_config({"data": {"name": "made-up"}, "method": method}),
        history=[line],
        validation=test,
        test=test,
        reference=None if ability is None else {"validation": ability, "test": ability},
    )


def told(run):
    verdict = run_verdict(run)
    return verdict.headline, " ".join(verdict.details)


def never_blamed(run, name):
    headline, details = told(run)
    text = f"{headline} {details}"
    assert f"{name} is under-used" not in text and f"{name} contributes least" not in text and "left behind" not in text
    line = next(line for line in str(run.test).splitlines() if line.split()[:1] == [name])
    assert "minor" not in line
    assert "drop" not in text and "can be left out" not in text


def test_a_modality_of_noise_knows_nothing_alone(tmp_path):
    run = run_of([STRONG, CHANCE, STRONG], [STRONG, right_in(0.0, 7), STRONG])
    headline, details = told(run)
    assert headline.startswith("Every modality that knows something alone does what it could do alone, or nearly: ")
    assert "b knows nothing alone: a model trained on it alone has 0.2" in details
    assert "What it adds to the others is within noise, too (+0.000 [+0.000, +0.000]): it is noise, or" in details
    assert "of the contribution, a has " in details and "b has" not in details
    never_blamed(run, "b")
    assert run.test.utilisation is not None and run.test.utilisation["b"] is None
    assert "b undefined (knows nothing alone)" in str(run.test)
    page = write_run_page(run, tmp_path / "page.html").read_text()
    assert "knows nothing alone" in page and ">minor<" not in page


def test_what_the_model_itself_shows_is_not_called_noise():
    weak = right_in(0.4, 5)
    run = run_of([STRONG, weak, STRONG], [STRONG, right_in(0.0, 7), STRONG])  # the reference of b has learnt nothing
    _, details = told(run)
    assert "What b knows alone is open: a model trained on it alone has 0.2" in details
    assert f"But in this model it has {run.test.alone['b']:.3f} alone" in details
    assert "it is noise" not in details and "b knows nothing alone" not in details


def test_a_copy_repeats_what_another_knows():
    run = run_of([STRONG, STRONG, STRONG], [STRONG, STRONG, STRONG])
    headline, details = told(run)
    assert "smallest utilisation is 1.00" in headline and "nothing alone" not in details
    assert "a and b repeat what others know" in details and "leaving out one of them, not all" in details
    never_blamed(run, "a")
    never_blamed(run, "b")


def test_few_rows_do_not_show_that_a_modality_repeats_others():
    """In 24 rows the interval of what b adds includes 0, and half of what it does alone as well."""
    rows = torch.arange(24)
    truth, strong = LABELS[:24], LABELS[:24].clone()
    strong[rows < 10] = (truth[rows < 10] + 1) % CLASSES
    both = torch.where(rows == 0, truth, strong)
    said = torch.stack([torch.zeros(24, dtype=torch.long), strong, strong, both])
    c = contribution(torch.nn.functional.one_hot(said, CLASSES), plan(2), truth, ["a", "b"])
    assert c.intervals is not None and c.intervals.last["b"].low <= 0 < c.intervals.last["b"].high
    run = run_of([STRONG, STRONG, STRONG], [STRONG, STRONG, STRONG])
    run.test = dataclasses.replace(run.test, contribution=c)
    assert "repeat" not in told(run)[1]


def test_what_two_know_only_together_is_kept():
    chance = [right_in(0.0, seed) for seed in (2, 3, 4)]
    run = run_of([CHANCE, chance[0], right_in(0.9, 5)], [CHANCE, *chance[1:]])
    headline, details = told(run)
    assert headline.endswith("What this model knows, it knows from modalities together.")
    for name, other in (("a", "b"), ("b", "a")):
        assert f"{name} knows nothing alone" in details and f"with {other} above all (interaction +0." in details
        never_blamed(run, name)
    assert details.count("keep it.") == 2 and "it is noise" not in details


def test_an_ordinary_minor_modality_is_under_used():
    run = run_of([STRONG, right_in(0.2, 2), right_in(0.77, 3)], [STRONG, right_in(0.5, 4), right_in(0.8, 5)])
    headline, details = told(run)
    assert headline.startswith("b is under-used: alone it reaches 0.") and "nothing alone" not in details
    assert run.test.standing("b") == "minor" and "b repeats" not in details


def test_a_modality_left_behind_altogether_is_under_used_and_minor():
    """In the joint model b alone is at chance; trained alone it knows something: that is what being left behind is."""
    run = run_of([STRONG, CHANCE, STRONG], [STRONG, right_in(0.5, 4), right_in(0.8, 5)])
    headline, details = told(run)
    assert headline.startswith("b is under-used") and run.test.standing("b") == "minor"
    assert "nothing alone" not in details and "repeat" not in details


def test_without_a_reference_only_what_the_model_shows_is_said():
    run = run_of([STRONG, CHANCE, STRONG], None)
    _, details = told(run)
    assert "b alone is no better than the prior in this model" in details
    assert "this model cannot tell" in details and "nothing alone" not in details
    assert run.test.standing("b") == "below target"


def test_many_are_counted():
    names = "abcdef"
    n = len(names)
    predictions = [STRONG if k & 1 else CHANCE for k in range(1, 2**n)]
    _, details = told(run_of(predictions, predictions, names))
    assert details.count("knows nothing alone:") == 3 and "2 more modalities know nothing alone." in details


def test_edm_against_ability():
    run = run_of([STRONG, right_in(0.2, 2), right_in(0.77, 3)], [STRONG, right_in(0.5, 4), right_in(0.8, 5)])
    test, ability = run.test, run.test.ability
    assert ability is not None and ability.shares is not None and test.shares is not None
    distance = {m: test.shares[m] - ability.shares[m] for m in "ab"}
    assert test.ability_deviation == pytest.approx(distance)
    assert test.edm_ability == pytest.approx(abs(distance["a"]) + abs(distance["b"]))
    assert f"EDM against ability: {test.edm_ability:.3f} (a {distance['a']:+.3f}" in str(test)
    assert f"the unimodal ensemble) EDM is {test.edm_ability:.2f}." in told(run)[1]
    own = run_of([STRONG, CHANCE, STRONG], [STRONG, CHANCE, STRONG]).test
    assert own.edm_ability == 0  # as even as it can be, whatever EDM says
    assert own.edm is not None and own.edm > 0.9


def test_edm_against_ability_is_undefined_where_shares_are():
    wrong = (LABELS + 1) % CLASSES
    assert run_of([wrong, wrong, wrong], [STRONG, CHANCE, STRONG]).test.edm_ability is None
    assert run_of([STRONG, CHANCE, STRONG], [wrong, wrong, wrong]).test.edm_ability is None
    assert run_of([STRONG, CHANCE, STRONG], None).test.edm_ability is None


def test_measurements_of_older_runs_are_read():
    plain = make_run().test.to_dict()
    for key in ("ability", "ability_deviation", "edm_ability"):
        del plain[key]
    found = Measurement.from_dict(plain)
    assert found.ability is None and found.edm_ability is None and found.knows("text") is None
    assert Ability.from_dict({"image": 0.7, "alone": 0.2}) == Ability({"image": 0.7, "alone": 0.2})
    assert Ability.from_dict(Ability({"a": 0.5}).to_dict()) == Ability({"a": 0.5})
    full = run_of([STRONG, CHANCE, STRONG], [STRONG, CHANCE, STRONG]).test
    assert Measurement.from_dict(full.to_dict()) == full
    assert dataclasses.replace(full) == full
