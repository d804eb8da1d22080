"""Does a routed pair answer the same in other runtimes, with tau moved in every call?

    python check.py WORK BUNDLE [BUNDLE ...] [--only RUNTIME ...]

WORK is a folder for throw-away environments, which are made where they are not there (venv and pip, and npm; 2 GB). The
reference is the ONNX Runtime that this is run with. Decisions at thresholds in the widest gaps between scores must be
equal, logits and scores within 1e-3, and shapes exact, for N = 64, 1 and 0. What differs, fails or ends its process is
printed as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

HERE = Path(__file__).parent
NEAR = 1e-3
PYTHON = {  # runtime: what pip installs
    "onnxruntime-oldest": ["onnxruntime==1.15.0", "numpy==1.24.4"],
    "onnxruntime-1.16": ["onnxruntime==1.16.3", "numpy==1.26.4"],
    "onnxruntime-1.18": ["onnxruntime==1.18.1", "numpy==1.26.4"],
    "onnxruntime-1.20": ["onnxruntime==1.20.1"],
    "onnxruntime-1.23": ["onnxruntime==1.23.2"],
    "onnxruntime-newest": ["onnxruntime"],
    "openvino": ["openvino"],
    "openvino-default": ["openvino"],
    "mnn": ["MNN"],
    "onnxslim": ["onnxslim", "onnxruntime"],
}
NAMES = ("logits", "score", "is_little")
NODE = ("onnxruntime-node", "onnxruntime-web")


def environment(work: Path, runtime: str) -> list[str]:
    """The command that runs a probe, in an environment of its own."""
    if runtime in NODE:
        folder = work / "node"
        if not (folder / "node_modules" / runtime).exists():
            folder.mkdir(parents=True, exist_ok=True)
            # Without scripts: the one of onnxruntime-node downloads CUDA, and its CPU library is in the package.
            subprocess.run(
                ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *NODE], cwd=folder, check=True
            )
        return ["node", str(HERE / "probe.mjs")]
    folder = work / runtime.removesuffix("-default")
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PYTHON[runtime]], check=True)
    return [str(python), str(HERE / "probe.py")]


def prepare(bundle: Path, folder: Path) -> tuple[dict[str, Any], list[list[np.ndarray]]]:
    """Write images and calls for the probes; return them and the reference's answers."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(bundle / "dynamic.onnx", folder)
    session = onnxruntime.InferenceSession(str(folder / "dynamic.onnx"), providers=["CPUExecutionProvider"])
    shape = [64, *session.get_inputs()[0].shape[1:]]
    rng = np.random.default_rng(1)
    noise = rng.random(shape) * rng.random((64, 1, 1, 1)) + rng.random((64, 3, 1, 1)) * 0.5
    images = np.clip(noise, 0, 1).astype(np.float32)
    images.tofile(folder / "images.bin")

    def answer(count: int, tau: float) -> list[np.ndarray]:
        feeds = {"images": images[:count], "tau": np.array(tau, np.float32)}
        return session.run(["logits", "score", "is_little"], feeds)

    scores = np.sort(answer(64, 0)[1])
    gaps = np.diff(scores)
    widest = np.sort(np.argsort(gaps[4:-4])[-5:] + 4)
    taus = [-np.inf, *(float((scores[i] + scores[i + 1]) / 2) for i in widest), np.inf]
    calls = [[count, str(tau)] for count in (64, 1, 0) for tau in taus]
    case = {"shape": shape, "calls": calls}
    (folder / "case.json").write_text(json.dumps(case))
    return case, [answer(count, float(tau)) for count, tau in calls]


def judge(found: dict[str, Any], calls: list[list[Any]], reference: list[list[np.ndarray]]) -> tuple[str, str]:
    """A verdict in one word, and its figures."""
    decisions, largest, wrong_shapes = 0, 0.0, []
    for (count, tau), got, expected in zip(calls, found["answers"], reference, strict=False):
        if len(got["shapes"]) != len(NAMES):
            wrong_shapes.append(f"{len(got['shapes'])} outputs instead of {len(NAMES)} at N = {count}, tau = {tau}")
            continue
        for name, shape, values, value in zip(NAMES, got["shapes"], got["values"], expected, strict=True):
            if shape != list(value.shape):
                wrong_shapes.append(f"{name} {shape} at N = {count}, tau = {tau}")
                continue
            other = np.array(values, np.float64).reshape(shape)
            if name == "is_little":
                decisions += int((other.astype(bool) != value).sum())
            elif other.size:
                largest = max(largest, float(np.abs(other - value).max()))
    figures = (
        f"{len(found['answers'])} of {len(calls)} calls, {decisions} decisions differ, largest difference {largest:.1e}"
    )
    figures += f"; {len(wrong_shapes)} wrong shapes, as {wrong_shapes[0]}" if wrong_shapes else ""
    verdict = "agrees" if not decisions and not wrong_shapes and largest < NEAR else "DIFFERS"
    if error := found.get("error"):
        only_empty = calls[len(found["answers"])][0] == 0  # all calls with images were answered
        verdict = f"{verdict}, not N = 0" if only_empty else "FAILS"
        figures += f"; {' '.join(error.split())[:300]}"
    return verdict, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", choices=[*PYTHON, *NODE], default=[*PYTHON, *NODE])
    given = parser.parse_args()
    work = given.work.resolve()
    # A probe sees no other environment, and none of what it runs may install anything.
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    clean["PIP_NO_INDEX"] = "1"
    for bundle in given.bundles:
        folder = work / "cases" / bundle.name
        case, reference = prepare(bundle, folder)
        print(f"{bundle.name}: images {case['shape'][1:]}, reference onnxruntime {onnxruntime.__version__}", flush=True)
        for runtime in given.only:
            command = environment(work, runtime)
            target = folder / f"{runtime}.json"
            target.unlink(missing_ok=True)
            cwd = work / "node" if runtime in NODE else folder
            done = subprocess.run([*command, runtime, str(folder)], cwd=cwd, env=clean, capture_output=True, text=True)
            found = (
                json.loads(target.read_text())
                if target.exists()
                else {"version": "?", "answers": [], "error": done.stderr}
            )
            verdict, figures = judge(found, case["calls"], reference)
            ended = f"; exit status {done.returncode}" if done.returncode else ""
            print(f"  {runtime:20} {found['version'][:22]:24} {verdict:18} {figures}{ended}", flush=True)


if __name__ == "__main__":
    main()
