"""The examples in C++ and JavaScript answer as Python does, where a compiler and ONNX Runtime for them are there.

What they need beside a compiler and Node is not in the wheel of ONNX Runtime. Before a release:

    npm install --prefix NODE --ignore-scripts onnxruntime-node      # its script would download CUDA
    ONNXRUNTIME_INCLUDE=HEADERS ONNXRUNTIME_NODE=NODE pytest -m slow tests/docs/test_languages.py

where HEADERS has the C++ headers of ONNX Runtime, which are in the package libonnxruntime-dev from Debian 13 on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from duonas.runtime import Bundle

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"
HEADER = "onnxruntime_cxx_api.h"
INCLUDED = [Path(os.environ.get("ONNXRUNTIME_INCLUDE", "/nowhere")), Path("/usr/include/onnxruntime"),
            Path("/usr/local/include/onnxruntime")]  # fmt: skip


@pytest.fixture(scope="module")
def headers():
    found = next((folder for folder in INCLUDED if (folder / HEADER).is_file()), None)
    if found is None:
        pytest.skip(f"no {HEADER}: ONNXRUNTIME_INCLUDE=DIR says where it is")
    return found


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A folder with ONNX Runtime's library, which is in its wheel, by the names that linker and loader look for."""
    wheel = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not wheel:
        pytest.skip("this wheel of onnxruntime has no libonnxruntime.so")
    folder = tmp_path_factory.mktemp("library")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(wheel[-1])
    return folder


@pytest.fixture(scope="module")
def program(headers, library):
    """The example in C++, compiled."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no compiler for C++")
    command = [compiler, "-std=c++17", "-Wall", "-Werror", EXAMPLES / "cpp" / "classify.cpp", f"-I{headers}",
               f"-L{library}", "-lonnxruntime", f"-Wl,-rpath,{library}", "-o", library / "classify"]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert built.returncode == 0, built.stderr
    return library / "classify"


@pytest.fixture
def modules():
    """The folder of Node's modules."""
    if shutil.which("node") is None:
        pytest.skip("no node")
    found = Path(os.environ.get("ONNXRUNTIME_NODE", "/nowhere")) / "node_modules"
    if not (found / "onnxruntime-node").is_dir():
        pytest.skip("no onnxruntime-node: ONNXRUNTIME_NODE=DIR says in which folder npm installed it")
    return found


@pytest.fixture(params=[None, "inf", "-inf"], ids=["the chosen tau", "big alone", "little alone"])
def asked(request, export, images, tmp_path):
    """A bundle with a threshold, files of raw images, and what Python answers on them."""
    import onnx

    folder = Path(shutil.copytree(export(True, "after_little")[2], tmp_path / "export"))
    bundle = Bundle.load(folder, threads=1)
    if request.param:
        bundle.tau = float(request.param)
        text = (folder / "policy.json").read_text()
        chosen = next(line for line in text.splitlines() if line.strip().startswith('"tau"'))
        (folder / "policy.json").write_text(text.replace(chosen, f'  "tau": "{request.param}",', 1))
        model = onnx.load(folder / "dynamic.onnx")
        next(each for each in model.metadata_props if each.key == "tau").value = request.param
        onnx.save(model, folder / "dynamic.onnx")
    files = []
    for number, image in enumerate(images[:40]):
        files.append(tmp_path / f"{number}.rgb")
        files[-1].write_bytes(image.transpose(1, 2, 0).tobytes())
    return folder, files, bundle.predict(images[:40])


def check(command, expected):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [int(line[0]) for line in lines] == expected.labels.tolist()
    assert [line[1] == "little" for line in lines] == expected.is_little.tolist()
    assert np.allclose([float(line[2]) for line in lines], expected.score, atol=1e-4)
    return lines


def test_the_example_in_cpp_answers_as_python(asked, program):
    folder, files, expected = asked
    check([program, folder / "dynamic.onnx", *files], expected)


def test_the_example_in_javascript_answers_as_python(asked, modules, tmp_path):
    folder, files, expected = asked
    script = shutil.copy(EXAMPLES / "javascript" / "classify.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    lines = check(["node", script, folder, *files], expected)
    names = ("a", "b", "<c>", "d", "é")
    assert [line[3] for line in lines] == [names[label] for label in expected.labels]


@pytest.mark.parametrize("file", ["cpp/classify.cpp", "javascript/classify.mjs"])
def test_an_example_is_short(file):
    lines = [line for line in (EXAMPLES / file).read_text().splitlines() if line.strip()]
    assert len(lines) <= 36 and max(map(len, lines)) <= 120
