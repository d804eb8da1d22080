"""The energy meters that a machine may have, one file each; ``find_meter`` takes the first that covers the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..energy import GivenPower, Meter, MeterError
from . import hwmon, ina3221, nvml, powercap, tegrastats

Find = Callable[[Path], Meter | None]
# The first of these that a machine has is used. A whole board comes before its parts; what a graphics card computes
# is not seen by the meter of the processor, nor the other way round.
BOARD: tuple[Find, ...] = (ina3221.find, tegrastats.find)
CPU: tuple[Find, ...] = (powercap.find, hwmon.find)
GPU: tuple[Find, ...] = (nvml.find,)
ON_GPU = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")


class Found(NamedTuple):
    """The meter of a machine, or why there is none.

    Args:
        meter: ``None`` if there is none that can be read.
        hint: a sentence on meters that are there but cannot be read; empty if there are none.
    """

    meter: Meter | None
    hint: str


def find_meter(watts: float | None = None, provider: str = "CPUExecutionProvider", *, root: Path = Path("/")) -> Found:
    """Return the machine's meter, else one of the given power; and why a meter that is there is not used.

    Args:
        watts: power in W that the device draws while it computes, used where there is no meter.
        provider: execution provider of ONNX Runtime that does the work.
        root: folder that holds ``sys``.

    Raises:
        BundleError: watts is not above 0.
    """
    given = None if watts is None else GivenPower(watts)
    hints = []
    for find in candidates(provider):
        try:
            if (meter := find(root)) is not None:
                return Found(meter, "")
        except MeterError as error:
            hints.append(str(error))
    return Found(given, " ".join(dict.fromkeys(hints)))


def candidates(provider: str) -> Sequence[Find]:
    """Return the meters to look for, the best one first."""
    return (*BOARD, *(GPU if provider in ON_GPU else CPU))


def need_meter(found: Found, option: str) -> Meter:
    """Return the meter.

    Args:
        found: what was looked for.
        option: how watts are given, for the message, such as ``--watts 5``.

    Raises:
        MeterError: there is none.
    """
    if found.meter is not None:
        return found.meter
    raise MeterError(" ".join(filter(None, (f"this machine has no energy meter that can be read: give the power that "
                                            f"it draws by {option}.", found.hint))))  # fmt: skip
