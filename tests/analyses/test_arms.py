"""Which methods each analysis makes of a recipe."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from equimodal.analyses.ablation import PARTS, Ablation
from equimodal.analyses.arms import Arm, make_arm
from equimodal.analyses.order import Order
from equimodal.analyses.tau import OFF, Tau
from equimodal.config.method import parse_methods
from equimodal.errors import ConfigError
from equimodal.files import safe_name
from equimodal.methods.base import METHODS
from equimodal.training.names import NAMES as REGISTERED

NAMES = ["a", "b", "c", "d"]


def recipes(*names):
    return parse_methods(list(names), REGISTERED)


def options(arm) -> Any:
    return METHODS.get(arm.method.name).Config.model_validate(arm.method.options)


def test_order_crosses_every_strategy_with_every_sequence():
    arms, left_out = Order(recipes("equilibrium:memory.dropout=0.25", "paper")).arms(NAMES[:3])
    assert left_out == []
    seen = {(arm.recipe, options(arm).order, tuple(options(arm).initial or ())) for arm in arms}
    strategies = ("weak_to_strong", "strong_to_weak", "random", "fixed")
    names = ("equilibrium:memory.dropout=0.25", "paper")
    assert seen == {(r, s, i) for r in names for s in strategies for i in permutations("abc")}
    assert all(options(arm).memory.dropout == 0.25 for arm in arms if arm.recipe != "paper")
    assert all(arm.method.name == arm.recipe.partition(":")[0] for arm in arms)
    by_label = {arm.label: arm for arm in arms}
    assert len({safe_name(label) for label in by_label}) == len(arms) == 48
    for arm in arms:
        assert (arm.against is None) == (options(arm).order == "weak_to_strong")
        if arm.against:
            other = by_label[arm.against]
            assert (other.recipe, options(other).initial) == (arm.recipe, options(arm).initial)
            assert options(other).order == "weak_to_strong"


def test_order_of_many_modalities_tries_two_sequences():
    arms, _ = Order(recipes("equilibrium")).arms(NAMES)
    assert len(arms) == 8
    assert {tuple(options(arm).initial or ()) for arm in arms} == {tuple("abcd"), tuple("dcba")}


def test_order_of_some_strategies_from_one_sequence():
    arms, _ = Order(recipes("equilibrium"), strategies=["random", "strong_to_weak"], initial="declared").arms(NAMES[:2])
    assert [options(arm).order for arm in arms] == ["weak_to_strong", "strong_to_weak", "random"]
    assert {tuple(options(arm).initial or ()) for arm in arms} == {("a", "b")}
    assert [arm.against for arm in arms] == [None, arms[0].label, arms[0].label]


def test_tau_tries_the_alignment_term_where_the_method_has_one():
    arms, left_out = Tau(recipes("equilibrium", "paper"), values=[0.7, 0.2]).arms(NAMES)
    assert [arm.factors["tau"] for arm in arms] == 3 * [OFF, "tau 0.2", "tau 0.7"]
    assert [options(arm).mapping.sample for arm in arms] == 3 * [False, True, True]
    assert [arm.factors["term"] for arm in arms] == 6 * ["no alignment"] + 3 * ["alignment 0.1"]
    assert [options(arm).mapping.alignment for arm in arms[3:]] == 3 * [0.0] + 3 * [0.1]
    assert [arm.recipe for arm in arms] == 3 * ["equilibrium"] + 6 * ["paper"] and left_out == []
    assert [arm.against for arm in arms[3:6]] == [None, arms[3].label, arms[3].label]
    own, _ = Tau(recipes("paper:mapping.alignment=0.3"), values=[0.5]).arms(NAMES)
    assert {options(arm).mapping.alignment for arm in own} == {0.0, 0.3}


@pytest.mark.parametrize("values", [[0.0], [1.5], [float("nan")], [0.5, 0.5], []])
def test_impossible_thresholds(values):
    with pytest.raises(ConfigError, match="--values"):
        Tau(recipes("equilibrium"), values)


OURS = {"gradient into the encoders", "random coalitions", "balanced gradients", "exploration", "fitted pool"}
ADDED = {"equilibrium": ["with sample mapping"], "paper": ["with frozen order"]}


@pytest.mark.parametrize("name", ["equilibrium", "paper"])
def test_ablation_switches_each_part_once(name):
    """Parts that are off are switched on; what only the other method has is not listed."""
    arms, left_out = Ablation(recipes(name)).arms(NAMES)
    full, *others = arms
    assert full.method.options == recipes(name)[0].options
    parts = [part for part in PARTS if name == "equilibrium" or part not in OURS]
    assert left_out == [] and len(others) == len(parts)
    for part, arm in zip(parts, others, strict=True):
        assert arm.factors["part"] in (f"without {part}", f"with {part}")
        assert arm.against == full.label
        before, now = options(full).model_dump(), options(arm).model_dump()
        changed = {key for key in before if before[key] != now[key]}
        assert len(changed) == 1, (part, changed)
    assert [arm.factors["part"] for arm in others if arm.factors["part"].startswith("with ")] == ADDED[name]


def test_what_a_part_switches():
    arms, _ = Ablation(recipes("equilibrium:memory.coalitions=0.2,freeze=0")).arms(NAMES)
    by_part = {arm.factors["part"]: options(arm) for arm in arms}
    assert (
        not by_part["without memory"].memory.enabled
        and not by_part["without gradient into the encoders"].memory.encoders
    )
    assert (
        by_part["without random coalitions"].memory.coalitions == 0 and by_part["without fitted pool"].pool == "equal"
    )
    assert by_part["with frozen order"].freeze == 0.5 and by_part["without order"].order == "random"
    assert by_part["without inheritance"].memory.inherit == "none"


def test_ablation_of_chosen_parts_keeps_the_order_of_all_parts():
    arms, left_out = Ablation(recipes("equilibrium", "paper"), ["exploration", "memory"]).arms(NAMES)
    found = [(arm.recipe, arm.factors["part"]) for arm in arms]
    assert found == [
        ("equilibrium", "full"),
        ("equilibrium", "without memory"),
        ("equilibrium", "without exploration"),
        ("paper", "full"),
        ("paper", "without memory"),
    ]
    assert left_out == []


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["memry"], "--parts: unknown part 'memry'. Did you mean 'memory'?"),
        (["memory", "order", "memory"], "--parts: memory is there twice."),
        ([], "--parts: expected some of order, frozen order, feature mapping"),
        (["order", "exploration", "fitted pool"], "--parts: paper cannot switch 'exploration'. Leave it out."),
    ],
)
def test_parts_that_cannot_be_switched(parts, message):
    with pytest.raises(ConfigError) as raised:
        Ablation(recipes("paper"), parts)
    assert message in str(raised.value)


def test_other_methods_have_nothing_to_analyse():
    for analysis in (Order, Tau, Ablation):
        with pytest.raises(ConfigError, match=r"'joint' is no recipe of equilibrium or paper.*-m"):
            analysis(recipes("joint", "paper"))
    with pytest.raises(ConfigError, match="no memory, and so no mapping"):
        Tau(recipes("equilibrium:memory.enabled=false"))


def test_an_arm_is_kept_as_it_was():
    (recipe,) = recipes("paper")
    arm = make_arm(recipe, {"strategy": "random"}, {"order": "random"}, "paper, full")
    assert Arm.from_dict(arm.to_dict()) == arm
