"""Latency of one image that stays little, and of one that goes to big, in the deployed graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.measure.options import MeasureOptions
from duonas.measure.sessions import bound, clock_of, threads_of
from duonas.runtime.session import open_session

BLOCK = 10  # consecutive calls at one tau


def time_routes(bundle: Path, *, before: bool, options: MeasureOptions, progress: Progress = silent) -> PairCost:
    """Return the latency of an image in ms with ONNX Runtime on this machine, at batch 1.

    The whole deployed graph is timed at a tau of -inf and of +inf, with its overhead of gathering, branching and
    scattering. So ``E = easy + (1 - a) (hard - easy)`` is the expected latency of one image at little share a, and
    little and big in the result stand for the two routes, not for the two networks. Medians are taken over short
    alternating blocks, so that drift affects both routes equally.
    With one thread it is processor time, see ``latency``.

    Args:
        bundle: an export folder.
        before: whether the router decides before little runs.
        options: the ``[measure]`` table.
        progress: called before the first block and after each.
    """
    clock = clock_of(bundle, options)
    session = open_session(bundle / "dynamic.onnx", threads_of(bundle, options), spinning=options.spinning)
    images = next(each for each in session.get_inputs() if each.name == "images")
    image = stream(0, "paths").random((1, *images.shape[1:]), dtype=np.float32)  # pixels do not affect the time
    ways = {tau: bound(session, image, tau=np.array(tau, np.float32)) for tau in (-np.inf, np.inf)}
    times: dict[float, list[float]] = {tau: [] for tau in ways}
    progress(0, options.latency_images)
    for start in range(0, options.latency_images, BLOCK):
        for tau, way in ways.items():
            way()  # the first call after a change of tau is not typical
            for _ in range(BLOCK):
                times[tau].append(clock.time(way))
        progress(min(start + BLOCK, options.latency_images), options.latency_images)
    easy, hard = (float(np.median(times[tau])) for tau in (-np.inf, np.inf))
    return PairCost(stem=0.0, router=0.0, little=easy, big=hard if before else hard - easy, before=before)
