"""The wheel of the runtime alone: what a device installs, built without a network."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import duonas
from duonas import __version__
from duonas.core.errors import DuonasError

# Beside the runtime: what the names and the command `duonas` say where only this is installed.
MORE = ("__init__.py", "__main__.py", "py.typed", "core/__init__.py", "core/errors.py", "core/extras.py")
PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "duonas"
version = "{version}"
description = "The runtime of duonas: runs the bundle of a routed pair of image classifiers"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = [{dependencies}]

[project.scripts]
duonas = "duonas.__main__:main"

[tool.hatch.build.targets.wheel]
packages = ["duonas"]
"""


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the runtime, which needs numpy and ONNX Runtime only; the same sources give the same bytes.

    It has the name of the whole distribution, so that a device cannot have both, and a version that says what it is.

    Args:
        folder: where it is written.

    Raises:
        DuonasError: duonas is not installed, so that nobody knows what it requires.
    """
    from hatchling.builders.wheel import WheelBuilder

    source = Path(duonas.__file__).parent
    with tempfile.TemporaryDirectory(prefix="duonas-wheel-") as temporary:
        package = Path(temporary, "duonas")
        shutil.copytree(source / "runtime", package / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        for name in MORE:
            (package / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, package / name)
        required = ", ".join(f'"{each}"' for each in requirements())
        project = PROJECT.format(version=f"{__version__}+runtime", dependencies=required)
        Path(temporary, "pyproject.toml").write_text(project, encoding="utf-8")
        return Path(next(iter(WheelBuilder(temporary).build(directory=str(folder), versions=["standard"]))))


def requirements() -> list[str]:
    """What the runtime requires, such as ``numpy>=1.24``.

    Raises:
        DuonasError: duonas is not installed.
    """
    try:
        return [each for each in distribution("duonas").requires or () if "extra" not in each]
    except PackageNotFoundError as error:
        raise DuonasError("duonas is not installed, so what it requires is not known: pip install -e .") from error
