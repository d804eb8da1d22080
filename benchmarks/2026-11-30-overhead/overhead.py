"""What routing adds to the time of two networks in ONNX Runtime, and on how many threads a pair is fastest.

    OMP_NUM_THREADS=1 python benchmarks/2026-11-30-overhead/overhead.py [--minutes 7]

Every way takes its turn in shuffled rounds, and the lower quartile over the rounds of the median of a burst of calls is
printed, as the device tables have it. On one thread that is CPU time, which other processes hardly touch; on more it
is the clock, and they are timed once more beside as many busy processes as there are cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
from forms import forms
from pairs import SIZES, Files, make

from duonas.deploy.split import split
from duonas.runtime.session import open_session
from duonas.runtime.timing import Clock, burst, typical

SHARES = (0.0, 0.5, 0.8, 1.0)
BATCH = 64
NEVER, IN_CALLS, ALWAYS = ("0", "1"), ("1", "1"), ("1", "0")  # allow_spinning, force_spinning_stop
WAYS: dict[str, tuple[int, tuple[str, str], str | None]] = {  # threads (0: all), spinning, the longest in us
    "1 thread": (1, NEVER, None),
    "asleep": (0, NEVER, None),
    "spinning in calls": (0, IN_CALLS, None),
    "spinning in calls, 20 us": (0, IN_CALLS, "20"),
    "spinning in calls, 100 us": (0, IN_CALLS, "100"),
    "spinning always": (0, ALWAYS, None),
}
Calls = dict[Any, Callable[[], object]]


def rounds(calls: Calls, seconds: float) -> dict[Any, float]:
    """Time calls in shuffled rounds, at least three; ms by name."""
    times: dict[Any, list[float]] = {name: [] for name in calls}
    clock = Clock(time.thread_time)  # what other processes take does not count, on one thread
    rng, end = random.Random(0), time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, times.values())) < 3:
        for name in rng.sample(list(calls), len(calls)):
            times[name].append(burst(calls[name], clock))
    return {name: typical(each) for name, each in times.items()}


def bound(session: onnxruntime.InferenceSession, first: np.ndarray, tau: float | None = None) -> Callable[[], object]:
    """A call of a session."""
    feeds = {session.get_inputs()[0].name: first}
    return partial(session.run, None, feeds if tau is None else feeds | {"tau": np.array(tau, np.float32)})


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session on one thread."""
    return open_session(model.SerializeToString(), 1)


def images_of(model: onnx.ModelProto, count: int) -> np.ndarray:
    """Random images (count, 3, H, W)."""
    sides = [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    return np.random.default_rng(0).random((count, *sides), dtype=np.float32)


def one_image(files: Files, seconds: float) -> None:
    """Print the time of every form at batch 1 and its ratio to the ideal, by little share."""
    pieces, image, calls = split(files.routed), images_of(files.routed, 1), {}
    for name, model in (("little", files.little), ("big", files.big), ("light", pieces.light), ("stem", pieces.stem)):
        calls[name] = bound(opened(model), image)
    light, tower = opened(pieces.light), opened(pieces.big)
    features = opened(pieces.stem).run(None, {"images": image})[0]
    calls["two calls"] = lambda: (
        light.run(None, {"images": image}),
        tower.run(None, {tower.get_inputs()[0].name: features}),
    )
    for name, model in forms(files.routed).items():
        session = opened(model)
        calls |= {(name, tau): bound(session, image, tau) for tau in (-np.inf, np.inf)}
    ms = rounds(calls, seconds)
    dearer = ms["big"] - ms["stem"]
    parts = ", ".join(f"{name} {1e3 * ms[name]:.1f}" for name in ("stem", "little", "light", "big", "two calls"))
    print(
        f"\n{files.name} (little {files.macs[0] / 1e6:.2f}, big {files.macs[1] / 1e6:.1f}), batch 1, us: {parts}",
        flush=True,
    )
    print(f"  {'little share':50}" + "".join(f"{share:>16.0%}" for share in SHARES))
    ideal = [ms["light"] + (1 - share) * dearer for share in SHARES]
    print(f"  {'ideal':50}" + "".join(f"{1e3 * each:>16.1f}" for each in ideal))
    for name in forms(files.routed):
        mean = [share * ms[name, -np.inf] + (1 - share) * ms[name, np.inf] for share in SHARES]
        cells = "".join(f"{1e3 * m:>9.1f} ({m / i:.3f})" for m, i in zip(mean, ideal, strict=True))
        print(f"  {name:50}{cells}")


def many_images(files: Files, seconds: float) -> None:
    """Print the time of 64 images, half of them hard, and its ratio to the ideal."""
    pieces, images = split(files.routed), images_of(files.routed, BATCH)
    routed = opened(files.routed)
    score = routed.run(["score"], {"images": images, "tau": np.array(0, np.float32)})[0]
    tau = float(np.median(score))
    features = opened(pieces.stem).run(None, {"images": images})[0][score < tau]
    calls = {
        "light": bound(opened(pieces.light), images),
        "tower": bound(opened(pieces.big), features),
        "routed": bound(routed, images, tau),
    }
    ms = rounds(calls, seconds)
    ideal = ms["light"] + ms["tower"]
    print(
        f"{files.name}, batch {BATCH}, half hard: {ms['routed']:.2f} ms, {ms['routed'] / ideal:.3f} of the ideal",
        flush=True,
    )


def waiting(model: bytes, way: str) -> onnxruntime.InferenceSession:
    """A session whose threads wait in a way."""
    threads, (allowed, stopped), longest = WAYS[way]
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, threads
    options.add_session_config_entry("session.intra_op.allow_spinning", allowed)
    options.add_session_config_entry("session.force_spinning_stop", stopped)
    if longest:  # since ONNX Runtime 1.26 or so; earlier ones ignore it
        options.add_session_config_entry("session.intra_op.spin_duration_us", longest)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def threads(files: Files, seconds: float, busy: bool) -> None:
    """Print the time of a hard image by the number of threads and how they wait: median and mean in ms."""
    model, image = files.routed.SerializeToString(), images_of(files.routed, 1)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    end, rng = time.perf_counter() + seconds, random.Random(0)
    while time.perf_counter() < end or not all(times.values()):
        for way in rng.sample(list(WAYS), len(WAYS)):
            call = bound(waiting(model, way), image, np.inf)  # anew: threads of others must not spin beside it
            call()
            for _ in range(30):
                start = time.perf_counter()
                call()
                times[way].append((time.perf_counter() - start) * 1e3)
                if time.perf_counter() > end + 30:
                    break
            del call
    load = "beside busy processes" if busy else "alone"
    cells = ", ".join(f"{way} {np.median(each):.3f} ({np.mean(each):.3f})" for way, each in times.items())
    print(f"{files.name}, hard, {load}, ms median (mean): {cells}", flush=True)


def spin(until: float) -> None:
    """Keep a core busy."""
    while time.time() < until:
        pass


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=7)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores, load {load:.2f}", flush=True)
    pairs = [make(*size) for size in SIZES]
    slot = 60 * given.minutes / len(pairs)
    for files in pairs:
        one_image(files, 0.45 * slot)
        many_images(files, 0.15 * slot)
        threads(files, 0.2 * slot, busy=False)
    others = [
        multiprocessing.Process(target=spin, args=(time.time() + 2 * given.minutes * 60,), daemon=True)
        for _ in range(os.cpu_count() or 1)
    ]
    for other in others:
        other.start()
    for files in pairs:
        threads(files, 0.2 * slot, busy=True)
    for other in others:
        other.terminate()


if __name__ == "__main__":
    main()
