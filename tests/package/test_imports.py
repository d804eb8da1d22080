"""What may load torch and what may not."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "torchvision",
    "sklearn",
    "scipy",
    "onnxruntime",
    "pymoo",
    "lightning_fabric",
    "timm",
    "altair",
    "vl_convert",
)


SHOW = "print('LOADED', *[name for name in sys.argv[1].split(',') if name in sys.modules])"


def loaded_by(*codes: str) -> list[set[str]]:
    """Which heavy packages a fresh interpreter holds after each of these pieces of code, one after another."""
    pieces = (f"try:\n    {code}\nexcept SystemExit:\n    pass\n{SHOW}" for code in codes)
    command = [sys.executable, "-c", "\n".join(("import sys", *pieces)), ",".join(HEAVY)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return [set(line.split()[1:]) for line in found.stdout.splitlines() if line.startswith("LOADED")]


def command(*args: str) -> str:
    """Code that runs the command line in this process."""
    return f"import duonas.cli.app; duonas.cli.app.app({list(args)!r})"


LIGHT = (
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
)


def test_no_torch_before_there_is_work():
    """In one process, as a process takes a second; whatever one of them loads stays loaded."""
    assert dict(zip(LIGHT, loaded_by(*LIGHT), strict=True)) == {code: set() for code in LIGHT}


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
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert found.stdout.split() == ["True"] * 4


def test_the_package_lists_its_public_names_and_nothing_else():
    import duonas

    assert dir(duonas) == sorted([*duonas.__all__, "__version__"])
