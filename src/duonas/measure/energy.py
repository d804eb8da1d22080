"""Energy of one image, by the meter of the machine or else by time and a power that the user gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.rng import stream
from duonas.measure.options import MeasureOptions
from duonas.measure.sessions import bound, threads_of
from duonas.runtime.energy import GivenPower, Meter, MeterError, energy_mj
from duonas.runtime.files import FILE_OF, MODEL
from duonas.runtime.meters import Found
from duonas.runtime.session import open_session

ROUNDS = 3  # in which all networks take turns, so that drift affects all equally
LITTLE, BIG = -np.inf, np.inf  # the taus at which an image stays little, or goes to big
Call = Callable[[], object]


def energies(
    bundle: Path, found: Found, speed: Mapping[str, Any], options: MeasureOptions, little_share: float
) -> dict[str, Any]:
    """Return the energy of one image at batch 1 for each network that was timed.

    Args:
        bundle: an export folder.
        found: the meter.
        speed: ``latency_ms`` with its ``mean``, by role.
        options: the ``[measure]`` table.
        little_share: fraction of the images that stays little.

    Returns:
        ``energy``, which says what was the meter, and ``energy_mj`` by role. The first is ``None`` without a meter;
        its ``meter`` is, and it has a ``hint``, where there is one that cannot be read; the second is empty then.
    """
    meter = found.meter
    if meter is None:
        return {"energy": {"meter": None, "hint": found.hint} if found.hint else None, "energy_mj": {}}
    timed = {role: each for role, each in speed.items() if isinstance(each, Mapping) and "latency_ms" in each}
    times = {role: each["latency_ms"]["mean"] for role, each in timed.items()}
    if isinstance(meter, GivenPower):
        by_role = {role: meter.watts * mean for role, mean in times.items()}
        return {"energy": meter.describe(), "energy_mj": by_role}
    try:
        measured = in_turn(meter, _calls(bundle, options))
    except MeterError as error:
        return {"energy": {"meter": None, "hint": str(error)}, "energy_mj": {}}
    easy, hard = measured.pop(str(LITTLE)), measured.pop(str(BIG))
    routed = little_share * easy + (1 - little_share) * hard
    return {"energy": meter.describe(), "energy_mj": measured | {"routed": routed}}


def route_energy(bundle: Path, meter: Meter, times: PairCost, options: MeasureOptions) -> PairCost:
    """Return the energy of an image in mJ, of one that stays little and of one that goes to big.

    As in ``time_routes``, little and big in the result stand for the two ways through the deployed graph.

    Args:
        bundle: an export folder.
        meter: of the machine, or of a given power.
        times: what ``time_routes`` found.
        options: the ``[measure]`` table.

    Raises:
        MeterError: the meter cannot be read.
    """
    if isinstance(meter, GivenPower):
        return times.scaled(meter.watts)
    found = in_turn(meter, _ways(bundle, options))
    easy, hard = found[str(LITTLE)], found[str(BIG)]
    return PairCost(stem=0.0, router=0.0, little=easy, big=hard if times.before else hard - easy, before=times.before)


def in_turn(meter: Meter, calls: Mapping[str, Call]) -> dict[str, float]:
    """Return the energy of each call in mJ: the median over rounds in which all take turns."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            found[name].append(energy_mj(meter, call))
    return {name: median(each) for name, each in found.items()}


def _calls(bundle: Path, options: MeasureOptions) -> dict[str, Call]:
    files = {role: bundle / name for role, name in FILE_OF.items() if role != "routed"}
    alone = {role: _call(path, options) for role, path in files.items() if path.is_file()}
    return {**alone, **_ways(bundle, options)}


def _ways(bundle: Path, options: MeasureOptions) -> dict[str, Call]:
    return {str(tau): _call(bundle / MODEL, options, tau=np.array(tau, np.float32)) for tau in (LITTLE, BIG)}


def _call(path: Path, options: MeasureOptions, **more: np.ndarray) -> Call:
    session = open_session(path, threads_of(path.parent, options), spinning=options.spinning)
    shape = next(each for each in session.get_inputs() if each.name == "images").shape[1:]
    image = stream(0, "energy").random((1, *shape), dtype=np.float32)  # pixels do not affect what is computed
    return bound(session, image, **more)
