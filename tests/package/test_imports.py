"""What may load torch and what may not."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "sklearn", "scipy", "onnxruntime", "pymoo", "lightning_fabric", "timm")


def loaded_by(code: str, *args: str) -> set[str]:
    """Which heavy packages a fresh interpreter holds after running ``code``."""
    show = "import sys; print('LOADED', *[name for name in sys.argv[1].split(',') if name in sys.modules])"
    script = f"try:\n    {code}\nexcept SystemExit:\n    pass\n{show}"
    command = [sys.executable, "-c", script, ",".join(HEAVY), *args]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(found.stdout.splitlines()[-1].split()[1:])


def command(*args: str) -> str:
    """Code that runs the command line in this process."""
    return f"import duonas.cli.app; duonas.cli.app.app({list(args)!r})"


@pytest.mark.parametrize(
    "code",
    [
        "import duonas",
        "import duonas.core.space, duonas.core.pair, duonas.core.registry, duonas.recipe.read",
        command("--help"),
        command("run", "--help"),
        command("--version"),
        command("list"),
        command("list", "router"),
        command("run", "quikstart"),
        command("explain", "no-such-run"),
        command("route", "no-such-run", "--floor", "0.5"),
        command("rank", "no-such-run"),
        "import duonas.cli.explain",
        command("run", "digits", "--set", "trian.epochs=3"),
        "import duonas.rundir.folder, duonas.cli.console, duonas.cli.parts",
    ],
)
def test_no_torch_before_there_is_work(code):
    assert loaded_by(code) == set()


def test_public_names_are_sorted_and_there():
    import duonas

    assert duonas.__all__ == sorted(duonas.__all__)
    for name in duonas.__all__:
        assert getattr(duonas, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = duonas.nothing


def test_the_python_verbs_stay_functions_when_their_modules_are_loaded():
    """``compare`` is also the name of its module, which the first use of the function imports."""
    names = "duonas.run, duonas.profile, duonas.rank, duonas.compare"
    script = f"import duonas, duonas.cli.app, duonas.pipeline.stages; {names}; print(*map(callable, ({names})))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True"] * 4


def test_the_package_lists_its_public_names_and_nothing_else():
    import duonas

    assert dir(duonas) == sorted([*duonas.__all__, "__version__"])
