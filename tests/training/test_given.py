"""What `fit` takes as a method and as options of training."""

import inspect
from typing import Any, get_type_hints

import pytest
import torch

import equimodal as eq
from equimodal.config.options import TrainingOptions
from equimodal.config.run import TrainingConfig
from equimodal.errors import ConfigError, Interrupted
from equimodal.methods.base import METHODS, MethodConfig, Update, cross_entropy
from equimodal.methods.joint import Joint
from equimodal.methods.ogm_ge import OGMGE
from equimodal.training.fit import fit
from equimodal.training.run import load
from synthetic import make_model
from training.runs import BATCHES, assert_same_run, assert_same_weights, fit_tiny


class ScaledConfig(MethodConfig):
    factor: float = 1.0


class Scaled(eq.Method):
    """Joint training with a scaled loss (ours); nobody registers it."""

    Config = ScaledConfig
    fusions = ("late",)

    def updates(self, batch):
        total, count = cross_entropy(self.model(batch), batch.labels, batch.anything)
        yield Update({"fused": (self.config.factor * total, count)}, batch.modalities)  # pyright: ignore


def state(run):
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def test_a_class_that_is_registered_is_its_name(tiny):
    by_name = fit_tiny(tiny, "ogm_ge:alpha=0.7")
    for method in ({"name": OGMGE, "alpha": 0.7},):
        by_class = fit_tiny(tiny, method)
        assert by_class.config.hash() == by_name.config.hash()
        assert_same_weights(state(by_name), state(by_class))
    assert fit_tiny(tiny, OGMGE).config == fit_tiny(tiny, "ogm_ge").config


def test_an_instance_trains_as_its_name_does(tiny):
    model = make_model(tiny, width=6, fusion="concat", encoders={"vector": {"dropout": 0.2}})
    other = make_model(tiny, width=6, fusion="concat", encoders={"vector": {"dropout": 0.2}})
    made = OGMGE(model, OGMGE.Config(alpha=0.7))  # pyright: ignore[reportCallIssue]
    one, two = fit_tiny(tiny, made, model=model), fit_tiny(tiny, "ogm_ge:alpha=0.7", model=other)
    assert one.config == two.config.model_copy(update={"method": one.config.method})
    assert one.config.hash() == two.config.hash()
    assert_same_weights(state(one), state(two))
    with pytest.raises(ConfigError, match="method: this OGMGE was made for another model"):
        fit_tiny(tiny, made, model=other)


@pytest.mark.parametrize("how", ["class", "options", "instance"])
def test_a_class_that_nobody_registered_trains_is_kept_and_resumed(tiny, tmp_path, how):
    def run(out, **options):
        model = make_model(tiny, width=6, fusion="late")
        method: Any = {
            "class": Scaled,
            "options": {"name": Scaled, "factor": 2.0},
            "instance": Scaled(model, ScaledConfig(factor=2.0)),
        }[how]
        return fit_tiny(tiny, method, out, model=model, **options)

    whole = run(tmp_path / "whole", reference=True)
    with at_batch_of(Scaled, BATCHES + 1), pytest.raises(Interrupted):
        run(tmp_path / "stopped")
    run(tmp_path / "stopped", resume=True)
    run(tmp_path / "plain")
    assert_same_run(tmp_path / "plain", tmp_path / "stopped")
    assert "Scaled" not in METHODS.names()
    again = load(tmp_path / "whole")
    assert again.config.method.name == "Scaled" and again.config == whole.config
    assert again.config.method.options == {"factor": 1.0 if how == "class" else 2.0}


def at_batch_of(cls, number):
    """Stop by Ctrl-C in a batch of a class that is not registered."""
    from equimodal.testing.watching import Diary, watched

    return watched(cls, Diary(number))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (3, "method: expected a name, a mapping with 'name', a subclass of equimodal.Method"),
        (dict, "got the class dict"),
        (torch.nn.Linear(2, 2), "got Linear"),
        ({"name": Scaled, "faktor": 2.0}, r"method\.faktor.*Did you mean 'factor'"),
        (type("joint", (Joint,), {}), "the class .*joint is not registered, and another method has its name"),
        ("jiont", "Unknown method 'jiont'"),
    ],
)
def test_what_is_no_method_is_an_error(tiny, method, message):
    with pytest.raises(ConfigError, match=message):
        fit_tiny(tiny, method)


def test_the_options_of_training_are_the_fields_of_the_configuration():
    hints, fields = get_type_hints(TrainingOptions), TrainingConfig.model_fields
    assert hints == {name: field.annotation for name, field in fields.items()}
    assert list(hints) == list(fields)
    shown = inspect.signature(eq.fit).parameters
    assert all(shown[name].default == field.default for name, field in fields.items())
    assert not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in shown.values())


def test_wrong_options_of_training_are_one_message(tiny):
    with pytest.raises(ConfigError, match=r"'training\.epoch'\. Did you mean 'epochs'\?"):
        fit(make_model(tiny), tiny, "joint", epoch=3)  # pyright: ignore[reportCallIssue]
    with pytest.raises(ConfigError, match=r"training\.batch_size"):
        fit(make_model(tiny), tiny, "joint", batch_size=0)
