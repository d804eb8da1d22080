"""Time a bundle with ONNX Runtime: does spinning pay, and does a transposition of the features?

    python waiting.py BUNDLE [--rounds 5] [--calls 300] [--seconds 2]

BUNDLE is an export folder. Every setting takes its turn in every round, so that a drift of the machine affects all of
them, and medians over the rounds are printed. On a quiet machine two processes must not run beside it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper

RATES = (6, 30)  # frames a second


SPINNING = {  # allow_spinning, force_spinning_stop
    "always": ("1", "0"),  # ONNX Runtime's default: threads spin while they wait, and for a while after a call
    "in calls": ("1", "1"),  # they spin while they wait in a call, and sleep between calls
    "never": ("0", "0"),
}


def open_session(model: bytes, threads: int = 0, spinning: str = "never") -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    allowed, stopped = SPINNING[spinning]
    options.add_session_config_entry("session.intra_op.allow_spinning", allowed)
    options.add_session_config_entry("session.force_spinning_stop", stopped)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def transposed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with the features gathered channels last, and transposed back inside the branch."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = list(copy.graph.node)
    first = next(i for i, node in enumerate(nodes) if node.op_type == "If")
    del copy.graph.node[:]
    copy.graph.node.extend(nodes[:first])
    copy.graph.node.append(helper.make_node("Transpose", ["stem/features"], ["features_last"], perm=[0, 2, 3, 1]))
    copy.graph.node.extend(nodes[first:])
    for node in nodes[first:]:
        for attribute in node.attribute:
            branch = attribute.g
            inside = list(branch.node)
            for place, each in enumerate(inside):
                if each.op_type == "Gather" and each.input[0] == "stem/features":
                    name = each.output[0]
                    each.input[0], each.output[0] = "features_last", f"{name}_last"
                    back = helper.make_node("Transpose", [f"{name}_last"], [name], perm=[0, 3, 1, 2])
                    del branch.node[:]
                    branch.node.extend([*inside[: place + 1], back, *inside[place + 1 :]])
                    del branch.value_info[:]
                    break
    del copy.graph.value_info[:]
    onnx.checker.check_model(copy, full_check=True)
    return copy


class Work:
    """Calls of one session: N random images, of which little answers all, none or half."""

    def __init__(self, session: onnxruntime.InferenceSession, size: int, tau: float) -> None:
        shape = session.get_inputs()[0].shape[1:]
        images = np.random.default_rng(0).random((size, *shape), dtype=np.float32)
        if np.isnan(tau):
            (score,) = session.run(["score"], {"images": images, "tau": np.array(0, np.float32)})
            tau = float(np.median(score))
        self.session, self.feeds = session, {"images": images, "tau": np.array(tau, np.float32)}

    def call(self) -> float:
        """One call, in ms."""
        begun = time.perf_counter()
        self.session.run(None, self.feeds)
        return (time.perf_counter() - begun) * 1e3

    def busy(self, calls: int) -> tuple[float, float]:
        """Median and 95th percentile in ms of calls back to back."""
        for _ in range(5):
            self.call()
        times = [self.call() for _ in range(calls)]
        return float(np.median(times)), float(np.percentile(times, 95))

    def paced(self, rate: int, seconds: float) -> tuple[float, float]:
        """Median in ms of calls at a frame rate, and the CPU time used, in percent of one core."""
        self.call()
        times, begun, used = [], time.perf_counter(), time.process_time()
        for frame in range(1, int(seconds * rate) + 1):
            times.append(self.call())
            time.sleep(max(0.0, begun + frame / rate - time.perf_counter()))
        return float(np.median(times)), 100 * (time.process_time() - used) / (time.perf_counter() - begun)


def spinning_turn(data: bytes, turn: int, given: argparse.Namespace) -> Iterator[tuple[str, tuple[float, float]]]:
    for name in list(SPINNING)[:: 1 if turn % 2 else -1]:
        for tau, way in ((-np.inf, "easy"), (np.inf, "hard")):
            work = Work(open_session(data, spinning=name), 1, tau)
            yield f"batch 1, {way}, back to back, spinning {name}: ms p50, p95", work.busy(given.calls)
            for rate in RATES:
                paced = work.paced(rate, given.seconds)
                yield f"batch 1, {way}, {rate} a second, spinning {name}: ms p50, % of a core", paced
            del work  # its threads would spin while the next one is timed
        work = Work(open_session(data, spinning=name), 64, np.nan)
        yield f"batch 64, half, back to back, spinning {name}: ms p50, p95", work.busy(given.calls // 10)
        del work


def layout_turn(
    both: dict[str, bytes], turn: int, given: argparse.Namespace
) -> Iterator[tuple[str, tuple[float, float]]]:
    for name in list(both)[:: 1 if turn % 2 else -1]:
        for size, tau, calls in ((1, np.inf, given.calls), (64, np.nan, given.calls // 10)):
            work = Work(open_session(both[name], threads=1), size, tau)
            yield f"batch {size}, 1 thread, {name}: ms p50, p95", work.busy(calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    model = onnx.load(given.bundle / "dynamic.onnx")
    data = model.SerializeToString()
    load = os.getloadavg()[0]
    print(f"onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores, load {load:.2f}, {given.bundle}", flush=True)
    stem = any(name == "stem/features" for node in model.graph.node for name in node.output)
    both = {"channels first": data} | ({"transposed": transposed(model).SerializeToString()} if stem else {})
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(given.rounds):
        for name, pair in (*layout_turn(both, turn, given), *spinning_turn(data, turn, given)):
            found.setdefault(name, []).append(pair)
    for name in sorted(found):
        first, second = np.median(np.array(found[name]), axis=0)
        print(f"{name:70} {first:9.3f} {second:9.3f}")


if __name__ == "__main__":
    main()
