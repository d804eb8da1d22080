"""What an installation has: a device the runtime alone, and a sentence for all else; the extra ``full`` the rest."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

import duonas
from duonas.core.extras import FULL
from duonas.deploy.kit import write_kit

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = {
    "cv2",
    "gradio",
    "mlflow",
    "pandas",
    "pillow_heif",
    "ray",
    "trackio",
    "vl_convert",
    "wandb",
}  # used where they are installed
UNSEEN = {"onnxscript", "tensorboard"}  # imported by torch
COMMAND = "from duonas.__main__ import main; main()"
USE = """
import sys
import numpy as np
from duonas import Bundle, BundleError
bundle = Bundle.load(sys.argv[1])
bundle.set_share(0.5)
print(*bundle.predict(np.zeros((3, 3, 12, 12), np.uint8)).logits.shape)
"""


def requirements(lines):
    """The names of distributions in requirements."""
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}


def test_a_device_gets_numpy_and_onnx_runtime():
    assert requirements(PROJECT["dependencies"]) == {"numpy", "onnxruntime"}


def test_all_other_packages_are_those_of_the_extra():
    full = requirements(PROJECT["optional-dependencies"]["full"]) - requirements(PROJECT["dependencies"])
    homes = packages_distributions()
    assert {each.lower().replace("_", "-") for name in FULL for each in homes[name]} == full
    assert "duonas[full]" in PROJECT["optional-dependencies"]["test"]


def test_whatever_duonas_imports_is_of_the_extra_or_of_the_device():
    imported = set()
    for path in Path(duonas.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(str(node.module).partition(".")[0])
    assert imported - sys.stdlib_module_names - {"duonas", "numpy", "onnxruntime"} - OPTIONAL == FULL - UNSEEN


def test_help_and_version_need_no_package(without_full):
    for arguments in ((), ("-h",), ("--help",)):
        shown = without_full(COMMAND, *arguments)
        assert shown.returncode == 0 and shown.stderr == ""
        assert "from duonas import Bundle" in shown.stdout and "pip install 'duonas[full]'" in shown.stdout
    assert without_full(COMMAND, "--version").stdout == f"duonas {duonas.__version__}\n"


@pytest.mark.parametrize("arguments", [("run", "digits"), ("explain", "--help"), ("data",), ("--verbose",)])
def test_every_command_says_in_one_line_what_to_install(without_full, arguments):
    told = without_full(COMMAND, *arguments)
    assert told.returncode == 2 and told.stdout == ""
    assert told.stderr == (
        f"duonas: `duonas {arguments[0]}` needs the full tool, which pip install 'duonas[full]' installs "
        "(typer is missing here).\n"
    )


def test_a_package_that_is_missed_later_is_told_the_same(without_full):
    """The command line is there, since typer is, but not what a command needs."""
    code = """
import types
app = types.ModuleType("duonas.cli.app")
def main():
    import torch.nn
app.main = main
sys.modules["duonas.cli.app"] = app
"""
    told = without_full(code + COMMAND, "train", "digits")
    assert told.returncode == 2
    assert told.stderr.startswith("duonas: `duonas train` needs the full tool, which pip install")
    bug = without_full(code.replace("torch.nn", "duonas.no_such") + COMMAND, "train")
    assert bug.returncode == 1 and "No module named 'duonas.no_such'" in bug.stderr


def test_every_public_name_is_there_or_says_what_to_install(without_full):
    code = """
import duonas
for name in duonas.__all__:
    try:
        getattr(duonas, name)
    except ImportError as error:
        print(name, error, sep="|")
"""
    shown = without_full(code)
    assert shown.returncode == 0, shown.stderr
    told = dict(line.split("|") for line in shown.stdout.splitlines())
    assert not {"Bundle", "BundleError", "DuonasError"} & told.keys() and {"run", "load_recipe", "rank"} <= told.keys()
    for name, sentence in told.items():
        install = r"pip install 'duonas\[full\]' installs"
        assert re.fullmatch(rf"duonas\.{name} needs the full tool, which {install} \(\w+ is missing here\)\.", sentence)


@pytest.mark.slow
def test_a_wheel_runs_a_bundle_with_its_two_requirements_alone(export, tmp_path):
    """Installed in a fresh environment; numpy and ONNX Runtime are links to those at hand, since no test downloads."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=600)
    (wheel,) = tmp_path.glob("*.whl")
    python = fresh_environment(tmp_path / "device")
    install = ["pip", "--python", str(python), "install", "--no-index", "--no-compile", str(wheel)]
    subprocess.run(
        [sys.executable, "-m", *install], check=True, capture_output=True, timeout=600
    )  # fails if more is required
    folder = export(True, "after_little")[2]
    told = [
        subprocess.run(
            [python, *command], cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False, timeout=600
        )
        for command in (["-c", USE, str(folder)], ["-m", "duonas", "--version"], ["-m", "duonas", "run", "x"])
    ]
    load = ["-m", "duonas.runtime", "bench", str(folder), "--minutes", "0.01", "--threads", "1"]
    bench = subprocess.run(
        [python, *load], cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False, timeout=600
    )
    assert bench.returncode == 0 and "Self-test passed" in bench.stdout, bench
    assert json.loads((tmp_path / "bench.json").read_text())["summary"]["images"] > 0
    assert [each.stdout for each in told] == ["3 5\n", f"duonas {duonas.__version__}\n", ""], told
    assert told[2].returncode == 2 and "pip install 'duonas[full]'" in told[2].stderr


def fresh_environment(folder):
    """Make an environment of numpy and ONNX Runtime, and return its Python."""
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    waiting, done = ["numpy", "onnxruntime"], set()
    while waiting:
        name = waiting.pop()
        done.add(name)
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (site / top).symlink_to(found.locate_file(top))
        needed = [line for line in found.requires or () if "extra" not in line]
        waiting += requirements(needed) - done - set(waiting)
    return folder / "bin" / "python"


@pytest.mark.slow
def test_a_kit_is_installed_tested_and_run_in_a_fresh_environment(export, tmp_path):
    """As on a device without network: pip finds numpy and ONNX Runtime of the pinned versions there."""
    write_kit(export(True, "after_little")[2], tmp_path / "kit.zip")
    shutil.unpack_archive(tmp_path / "kit.zip", tmp_path)
    home, python = tmp_path / "kit", fresh_environment(tmp_path / "device")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-compile"]
    for options in (["-r", "requirements.txt"], ["--no-deps", "--require-hashes", "-r", "runtime.txt"]):
        subprocess.run([*pip, *options], cwd=home, check=True, capture_output=True, timeout=600)

    def told(*command):
        return subprocess.run(
            [python, *command], cwd=home, env=clean(), capture_output=True, text=True, check=False, timeout=600
        )

    checked = told("check.py")
    assert checked.returncode == 0 and "Self-test passed: on 20 stored images" in checked.stdout, checked
    shown = told("camera.py", "--count", "3")
    assert shown.returncode == 0 and shown.stdout.count(" ms)") == 3, shown
    bench = told("bench.py", "--minutes", "0.01", "--threads", "1", "--out", "../bench.json")
    assert bench.returncode == 0 and json.loads((tmp_path / "bench.json").read_text())["summary"]["images"] > 0, bench
    whole = told("-m", "duonas", "run", "digits"), told("-c", "import duonas; duonas.run")
    assert whole[0].returncode == 2 and "pip install 'duonas[full]'" in whole[0].stderr, whole
    assert "ImportError: duonas.run needs the full tool" in whole[1].stderr, whole
    (home / "bundle" / "dynamic.onnx").write_bytes(b"another")
    for program in ("check.py", "bench.py", "camera.py"):
        refused = told(program)
        assert refused.returncode in (1, 2) and "is not the file that the kit was written with" in refused.stderr


def clean():
    """The environment variables without those that would find this duonas."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.mark.slow
def test_a_device_kit_is_measured_with_the_two_requirements_alone(kit, tmp_path):
    """Carried to a fresh environment, as to another machine."""
    python = fresh_environment(tmp_path / "device")
    shutil.copytree(kit, tmp_path / "carried")
    command = [python, tmp_path / "carried" / "measure.pyz", "--minutes", "0.1", "--watts", "5"]
    told = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False, timeout=600)
    assert told.returncode == 0, told.stderr
    assert " blocks, " in told.stdout and (tmp_path / "table.csv").read_text().startswith("# device = ")
