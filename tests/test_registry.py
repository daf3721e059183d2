"""Registries: names, duplicates, and members from outside the package."""

import subprocess
import sys
import textwrap

import pytest

from equimodal.errors import ConfigError
from equimodal.methods.base import METHODS
from equimodal.models.encoders.base import ENCODERS
from equimodal.models.fusions.base import FUSIONS
from equimodal.registry import Registry


@pytest.mark.parametrize(
    ("registry", "known"),
    [
        (METHODS, {"joint", "uniform", "modality_dropout", "unimodal_ensemble", "alternating", "equilibrium"}),
        (ENCODERS, {"mlp", "gru", "conv1d", "cnn", "hashed_text"}),
        (FUSIONS, {"concat", "sum", "late", "gated", "memory"}),
    ],
)
def test_the_built_in_members(registry, known):
    assert known <= set(registry.names())
    assert list(registry.names()) == sorted(registry.names())
    for name, member in registry.items():
        assert registry.get(name) is member
        assert member.__doc__, f"{name} needs a docstring: 'equimodal list' shows its first sentence"


def test_an_unknown_name_is_answered_by_the_nearest_and_all():
    with pytest.raises(ConfigError) as caught:
        METHODS.get("alternatin")
    message = str(caught.value)
    assert message.startswith("Unknown method 'alternatin'. Did you mean 'alternating'? Known: alternating, ")
    assert all(name in message for name in METHODS.names())
    with pytest.raises(ConfigError, match=r"Unknown method 'zzz'\. Known: "):
        METHODS.get("zzz")


def test_a_name_cannot_be_taken_twice():
    registry: Registry[type] = Registry("method", "equimodal.methods")
    first, second = type("First", (), {}), type("Second", (), {})
    assert registry.register("mine")(first) is first
    registry.register("mine")(first)  # the same again, as a reimport does
    with pytest.raises(ConfigError, match=r"Two methods want the name 'mine': .*First.*Second.*Rename"):
        registry.register("mine")(second)
    assert registry.get("mine") is first


def test_a_package_outside_adds_a_method_by_an_entry_point(tmp_path):
    (tmp_path / "theirs.py").write_text(
        textwrap.dedent(
            """
            from equimodal.methods.joint import Joint

            class Theirs(Joint):
                '''A method from elsewhere.'''
            """
        )
    )
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[equimodal.methods]\ntheirs_joint = theirs:Theirs\n")
    code = textwrap.dedent(
        f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r})
        from equimodal.config import load_config
        from equimodal.methods.base import METHODS
        print(METHODS.get("theirs_joint").__name__, load_config("theirs_joint").method.name)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["Theirs", "theirs_joint"], done.stderr
