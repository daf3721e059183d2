"""A method that names its fusion: the fusion that is trained is the one named, or the mistake is reported."""

import pytest

import equimodal as eq
from equimodal.errors import ConfigError
from equimodal.testing.data import make_splits

OPTIONS = {"epochs": 1, "reference": False, "quiet": True, "measure": {"bootstrap": 0}}


@pytest.fixture
def splits():
    return make_splits()


@pytest.mark.parametrize(
    ("method", "name", "expected"),
    [
        ("joint:fusion=mlp,fusion_options.hidden=7", "mlp", {"hidden": 7}),
        ("joint:fusion=concat,fusion_options.absent=zeros", "concat", {"absent": "zeros"}),
        ("joint:fusion_options.absent=zeros", "concat", {"absent": "zeros"}),
        ("alternating:fusion=late", "late", {"heads": "shared"}),
        ("alternating:fusion=late,pool=fitted", "late", {"heads": "shared", "pool": "fitted"}),
        ("equilibrium:fusion=memory,fusion_options.hidden=7", "memory", {"pool": "fitted", "hidden": 7}),
        ("paper:fusion=refined", "refined", {"sample_level": True}),
    ],
)
def test_the_named_fusion_is_trained_with_its_own_options_and_the_methods(splits, method, name, expected):
    model = eq.Classifier.for_data(splits)
    run = eq.fit(model, splits, method, **OPTIONS)
    assert run.model.fusion_name == name
    assert {key: run.model.fusion_options[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("joint:fusion=mlp", "the method names 'mlp', but the model has 'concat'"),
        ("joint:fusion_options.absent=zeros", "absent is 'zeros', but .* was made with 'mean'"),
        ("joint:fusion_options.hidden=7", "hidden is 7, but .* was made with 'no such option'"),
        ("joint:fusion=memmory", "trains the fusions concat"),
    ],
)
def test_a_model_that_has_another_fusion_is_refused(splits, method, message):
    model = eq.Classifier.for_data(splits, fusion="concat")
    with pytest.raises(ConfigError, match=message):
        eq.fit(model, splits, method, **OPTIONS)
