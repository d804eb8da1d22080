"""Run a routed pair in one runtime for Python: ``python probe.py RUNTIME CASE``; see ``check.py``.

Writes CASE/RUNTIME.json: the answers to every call in CASE/case.json, in order, or what went wrong. It needs numpy and
the runtime alone, so that it runs in the oldest environments.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

NAMES = ("logits", "score", "is_little")


def onnxruntime(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda images, tau: session.run(list(NAMES), {"images": images, "tau": tau})


def onnxslim(model):
    slim = model.parent / "slim.onnx"
    subprocess.run([Path(sys.executable).parent / "onnxslim", model, slim], check=True, capture_output=True)
    from onnxslim import __version__

    return __version__, onnxruntime(slim)[1]


def openvino(model, hint="f32"):
    import openvino

    core = openvino.Core()
    config = {"INFERENCE_PRECISION_HINT": hint} if hint else {}
    compiled = core.compile_model(core.read_model(str(model)), "CPU", config)

    def call(images, tau):
        found = compiled({"images": images, "tau": tau})
        return [found[name] for name in NAMES]

    return openvino.__version__, call


def openvino_default(model):
    return openvino(model, hint=None)


def mnn(model):
    # Not the command mnnconvert: it installs a package that reports its use, into whatever environment pip belongs to.
    import _tools
    import MNN

    converted = model.parent / "model.mnn"
    command = ["mnnconvert", "-f", "ONNX", "--modelFile", str(model), "--MNNModel", str(converted)]
    _tools.mnnconvert([*command, "--bizCode", "duonas", "--keepInputFormat=1"])
    module = MNN.nn.load_module_from_file(str(converted), ["images", "tau"], list(NAMES))

    def variable(values, kind=MNN.expr.NCHW):
        there = MNN.expr.placeholder(list(values.shape), kind)
        there.write(values.astype(np.float32).ravel().tolist())
        return there

    def call(images, tau):
        found = module.forward([variable(images), variable(tau)])
        return [MNN.expr.convert(each, MNN.expr.NCHW).read() for each in found]

    return MNN.version(), call


RUNTIMES = {"openvino": openvino, "openvino-default": openvino_default, "mnn": mnn, "onnxslim": onnxslim}


def main(runtime, folder):
    case = json.loads((folder / "case.json").read_text())
    images = np.fromfile(folder / "images.bin", np.float32).reshape(case["shape"])
    out = {"version": "?", "answers": []}
    target = folder / f"{runtime}.json"
    try:
        out["version"], call = RUNTIMES.get(runtime, onnxruntime)(
            folder / "dynamic.onnx"
        )  # all others are of ONNX Runtime
        for count, tau in case["calls"]:
            # Written before the call: a runtime may end the process.
            target.write_text(json.dumps(out | {"error": f"the process ended at N = {count}, tau = {tau}"}))
            found = [np.asarray(each) for each in call(images[:count], np.array(float(tau), np.float32))]
            shapes, values = [list(each.shape) for each in found], [each.ravel().tolist() for each in found]
            out["answers"].append({"shapes": shapes, "values": values})
    except Exception as error:
        out["error"] = f"{type(error).__name__}: {error}"
    target.write_text(json.dumps(out).replace("Infinity", "1e999"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
