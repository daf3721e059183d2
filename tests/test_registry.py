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
from packages import install


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


def test_an_unknown_name_is_an_error_with_the_nearest_and_all_names():
    with pytest.raises(ConfigError) as caught:
        METHODS.get("alternatin")
    message = str(caught.value)
    assert message.startswith("Unknown method 'alternatin'. Did you mean 'alternating'? Known: ")
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


def run_beside(folder, code):
    """Run code in a new interpreter that finds the packages of `folder`."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{textwrap.dedent(code)}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)


THEIRS = """
    from equimodal.methods.joint import Joint

    class Theirs(Joint):
        '''A method from elsewhere.'''
"""


def test_a_package_outside_adds_a_method_by_an_entry_point(tmp_path):
    install(tmp_path, "theirs", THEIRS, "[equimodal.methods]\ntheirs_joint = theirs:Theirs\n")
    done = run_beside(
        tmp_path,
        """
        from equimodal.config.load import load_config
        from equimodal.training.names import NAMES
        from equimodal.methods.base import METHODS
        print(METHODS.get("theirs_joint").__name__, load_config("theirs_joint", names=NAMES).method.name)
        """,
    )
    assert done.stdout.split() == ["Theirs", "theirs_joint"], done.stderr


BROKEN = {  # by package: its module, and why its member Theirs cannot be loaded
    "needy": ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'."),
    "crashing": ("1 / 0\n", "ZeroDivisionError: division by zero."),
    "empty": ("x = 1\n", "AttributeError: module 'empty' has no attribute 'Theirs'."),
}


def test_broken_packages_are_errors_only_when_they_are_looked_up(tmp_path):
    for name, (code, _) in BROKEN.items():
        value = f"{name}:Theirs"
        points = f"[equimodal.methods]\n{name}_method = {value}\n[equimodal.datasets]\n{name}_faces = {value}\n"
        install(tmp_path, name, code, points)
    install(tmp_path, "sound", THEIRS, "[equimodal.methods]\nsound = sound:Theirs\n")
    done = run_beside(  # one interpreter for all of them: each new one imports torch
        tmp_path,
        f"""
        from equimodal.config.run import build_config
        from equimodal.data.catalogue import load
        from equimodal.errors import ConfigError
        from equimodal.methods.base import METHODS
        from equimodal.training.names import NAMES

        packages = {list(BROKEN)}
        build_config({{"method": "sound"}}, NAMES), build_config({{"method": "joint"}}, NAMES)
        methods = dict(METHODS.items())
        assert "sound" in methods and not any(name + "_method" in methods for name in packages)
        for name in packages:
            mine = name + "_method"
            for ask in (
                lambda: build_config({{"method": mine}}, NAMES),
                lambda: load(name + "_faces"),
                lambda: METHODS.get(mine),
            ):
                try:
                    ask()
                except ConfigError as error:
                    print(*error.problems)
        """,
    )
    expected = []
    for name, (_, reason) in BROKEN.items():
        message = (
            f"The {{}} '{{}}' of package {name} 1.0 (entry point {name}:Theirs) cannot be loaded: {reason} "
            "Mend or uninstall that package."
        )
        method, data = message.format("method", f"{name}_method"), message.format("data set", f"{name}_faces")
        expected += [method, data, method]
    assert done.stdout.splitlines() == expected, done.stderr


def test_a_name_taken_by_two_packages_is_an_error_when_it_is_looked_up(tmp_path):
    install(tmp_path, "theirs", THEIRS, "[equimodal.methods]\njoint = theirs:Theirs\n")
    done = run_beside(
        tmp_path,
        """
        from equimodal.methods.base import METHODS
        print(METHODS.get("uniform").__name__)
        METHODS.get("joint")
        """,
    )
    assert done.stdout.split() == ["Uniform"]
    assert "Two methods want the name 'joint'" in done.stderr
    assert "package theirs 1.0" in done.stderr


def test_the_list_marks_what_is_broken_and_continues(tmp_path):
    install(tmp_path, "theirs", "1 / 0\n", "[equimodal.methods]\nlost = theirs:Theirs\n")
    done = run_beside(
        tmp_path,
        """
        from equimodal.cli.main import main
        sys.argv = ["equimodal", "list"]
        main()
        """,
    )
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    shown = {line[0]: line[-1] for line in lines}
    assert shown["lost"].startswith("broken. The method 'lost' of package theirs 1.0")
    assert {"joint", "uniform", "mlp", "concat", "emoji", "paper"} <= set(shown), done.stderr
    assert not shown["joint"].startswith("broken")


def test_threads_that_look_up_first_at_once_all_see_everything(tmp_path):
    install(tmp_path, "theirs", THEIRS, "[equimodal.methods]\ntheirs_joint = theirs:Theirs\n")
    done = run_beside(
        tmp_path,
        """
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier
        from equimodal.methods.base import METHODS
        from equimodal.models.fusions.base import FUSIONS

        barrier = Barrier(8)

        def look(number):
            barrier.wait()
            METHODS.get("theirs_joint"), FUSIONS.get("late")  # an unknown name, if it came too early
            return METHODS.names(), FUSIONS.names()

        with ThreadPoolExecutor(8) as pool:
            print(len(set(pool.map(look, range(8)))))
        """,
    )
    assert done.stdout.split() == ["1"], done.stderr


def test_a_class_of_the_users_that_takes_a_name_first_is_an_error_at_every_lookup(tmp_path):
    done = run_beside(
        tmp_path,
        """
        from equimodal.errors import ConfigError
        from equimodal.methods.base import METHODS, Method

        @METHODS.register("joint")
        class Mine(Method):
            '''Mine.'''

        for _ in range(2):
            try:
                METHODS.names()
            except ConfigError as error:
                print(error)
        """,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and lines[0] == lines[1], done.stderr
    assert lines[0].startswith("Two methods want the name 'joint': ") and "Mine" in lines[0]
