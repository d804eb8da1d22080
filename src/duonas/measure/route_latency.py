"""How long one image takes on either way through the deployed graph: little's alone, and the one that ends in big."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.options import MeasureOptions
from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.measure.sessions import bound, open_sessions

BLOCK = 10  # images between two changes of way


def time_paths(bundle: Path, *, before: bool, options: MeasureOptions, progress: Progress = silent) -> PairCost:
    """What an image costs in ms with ONNX Runtime on this machine, at batch 1.

    The whole deployed graph is timed, at a tau of -inf and of +inf, and not its parts: what gathering, branching and
    scattering cost is in it. So ``E = easy + (1 - a) (hard - easy)`` is the expected latency of one image at a little
    share of a; the cost's little and big are the two ways, not the two networks. A way's time is its median, and the
    ways alternate in short blocks, so that drift hits both alike.

    Args:
        bundle: an export folder.
        before: whether the router decides before little runs.
        options: the ``[measure]`` table.
        progress: told before the first block and after each.
    """
    session = open_sessions(bundle, options.threads).routed
    images = next(each for each in session.get_inputs() if each.name == "images")
    image = stream(0, "paths").random((1, *images.shape[1:]), dtype=np.float32)  # the time is the same for every image
    ways = {tau: bound(session, image, tau=np.array(tau, np.float32)) for tau in (-np.inf, np.inf)}
    times: dict[float, list[float]] = {tau: [] for tau in ways}
    progress(0, options.latency_images)
    for start in range(0, options.latency_images, BLOCK):
        for tau, way in ways.items():
            way()  # the first after a change is not typical
            for _ in range(BLOCK):
                begun = perf_counter()
                way()
                times[tau].append((perf_counter() - begun) * 1e3)
        progress(min(start + BLOCK, options.latency_images), options.latency_images)
    easy, hard = (float(np.median(times[tau])) for tau in (-np.inf, np.inf))
    return PairCost(stem=0.0, router=0.0, little=easy, big=hard if before else hard - easy, before=before)
