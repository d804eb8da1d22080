"""Do the engines of a bundle decide as ONNX Runtime does, and what do they take?

    python engines.py BUNDLE [BUNDLE ...]

Every engine that is on this machine answers 64, 1 and 0 images at seven thresholds, and is then timed in turns with the
others, one thread: all images little and all big, one image and 64. Times are those of the processor, in ms,
all threads together (an engine may compute in one of its own): medians of --rounds bursts.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from statistics import median

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.registry import find, names
from duonas.runtime import Bundle, BundleError, Prediction

CASES = [(1, -np.inf), (1, np.inf), (64, -np.inf), (64, np.inf)]  # images, tau
SPEND = 0.05  # s of a burst


def images_of(bundle: Bundle, count: int) -> np.ndarray:
    """Images of all contrasts and colours, as in ``check.py``."""
    rng = np.random.default_rng(1)
    shape = (count, *bundle.image_shape)
    noise = rng.random(shape) * rng.random((count, 1, 1, 1)) + rng.random((count, 3, 1, 1)) * 0.5
    return np.clip(noise, 0, 1).astype(np.float32)


def apart(found: Prediction, expected: Prediction) -> tuple[int, float]:
    """How many decisions differ, and the largest difference of a logit or score where they do not."""
    assert [each.shape for each in found] == [each.shape for each in expected]
    same = found.is_little == expected.is_little
    pairs = ((found.logits[same], expected.logits[same]), (found.score, expected.score))
    return int((~same).sum()), max(float(np.abs(one - other).max(initial=0)) for one, other in pairs)


def burst(bundle: Bundle, images: np.ndarray) -> float:
    bundle.predict(images)
    times: list[float] = []
    while len(times) < 3 or sum(times) < SPEND:
        start = time.process_time()
        bundle.predict(images)
        times.append(time.process_time() - start)
    return 1e3 * median(times)


def opened(folder: Path) -> dict[str, Bundle]:
    found = {}
    for name in names("target"):
        try:
            found[name] = Bundle.load(folder, threads=1, engine=find("target", name).engine)
        except (BundleError, DuonasError) as error:
            print(f"  {name:12} not here: {str(error)[:110]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for folder in given.bundles:
        print(f"{folder.name}: {Bundle.load(folder).image_shape}", flush=True)
        engines = opened(folder)
        reference = engines["onnxruntime"]
        images = images_of(reference, 64)
        scores = np.sort(reference.predict(images).score)
        widest = np.sort(np.argsort(np.diff(scores)[4:-4])[-5:] + 4)
        taus = [-np.inf, *(float((scores[i] + scores[i + 1]) / 2) for i in widest), np.inf]
        times: dict[tuple[str, int, float], list[float]] = {}
        differ = {}
        for name, bundle in engines.items():
            decisions, largest = 0, 0.0
            for count in (64, 1, 0):
                for tau in taus:
                    bundle.tau = reference.tau = tau
                    wrong, most = apart(bundle.predict(images[:count]), reference.predict(images[:count]))
                    decisions, largest = decisions + wrong, max(largest, most)
            differ[name] = decisions, largest
        for _ in range(given.rounds):
            order = [(name, *case) for name in engines for case in CASES]
            random.shuffle(order)
            for name, count, tau in order:
                engines[name].tau = tau
                times.setdefault((name, count, tau), []).append(burst(engines[name], images[:count]))
        for name in engines:
            took = ", ".join(
                f"{count} {'little' if tau < 0 else 'big'} {median(times[name, count, tau]):.3f}"
                for count, tau in CASES
            )
            decisions, largest = differ[name]
            print(f"  {name:12} 21 calls, {decisions} decisions differ, largest {largest:.1e}; ms: {took}", flush=True)


if __name__ == "__main__":
    main()
