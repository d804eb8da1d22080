"""NVIDIA's graphics cards, by their driver's library NVML."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..energy import Meter, MeterError, PowerMeter

LIBRARIES = ("libnvidia-ml.so.1", "libnvidia-ml.so", "nvml.dll")
FIRST = 0  # ONNX Runtime uses the first card, too, unless told otherwise
OK, NOT_SUPPORTED, NO_PERMISSION = 0, 3, 4  # return codes


class Card:
    """The first card.

    Args:
        library: NVML, loaded.

    Raises:
        OSError: there is no card, or no driver for it.
    """

    def __init__(self, library: Any) -> None:
        self._library, self._handle = library, ctypes.c_void_p()
        started = library.nvmlInit_v2()
        if started == OK:
            started = library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(FIRST), ctypes.byref(self._handle))
        if started != OK:
            raise OSError(f"NVML answers with code {started}")

    @property
    def name(self) -> str:
        """The card's name."""
        text = ctypes.create_string_buffer(96)
        code = self._library.nvmlDeviceGetName(self._handle, text, ctypes.c_uint(len(text)))
        return text.value.decode(errors="replace") if code == OK else f"card {FIRST}"

    def figure(self, function: str, kind: Callable[[], Any]) -> int | None:
        """Return a figure of the card; ``None`` if it has none.

        Raises:
            MeterError: the card does not answer.
        """
        found = kind()
        code = getattr(self._library, function)(self._handle, ctypes.byref(found))
        if code == NOT_SUPPORTED:
            return None
        if code != OK:
            why = "only root may ask it" if code == NO_PERMISSION else f"NVML answers with code {code}"
            raise MeterError(f"the graphics card does not tell its power: {why}.")
        return int(found.value)

    @property
    def energy(self) -> int | None:
        """Energy in mJ since the driver was loaded; cards before Volta do not count it."""
        return self.figure("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong)

    @property
    def power(self) -> int | None:
        """Power in mW."""
        return self.figure("nvmlDeviceGetPowerUsage", ctypes.c_uint)


class Energy(Meter):
    """The energy of a card with a counter."""

    name = "nvml"
    resolution = 0.5  # the counter is updated every 20 to 100 ms

    def __init__(self, card: Card) -> None:
        super().__init__(card.name)
        self._card = card

    def read(self) -> int:
        """Return the energy in mJ."""
        return _there(self._card.energy)

    def between(self, before: Any, after: Any, seconds: float) -> float:
        """Return the energy in J."""
        return float(after - before) / 1e3


class Power(PowerMeter):
    """The power of a card without a counter."""

    name = "nvml"

    def __init__(self, card: Card) -> None:
        super().__init__(card.name)
        self._card = card

    def read(self) -> float:
        """Return the power in W."""
        return _there(self._card.power) / 1e3


def find(root: Path, load: Callable[[str], Any] = ctypes.CDLL) -> Meter | None:
    """Return the meter, or ``None`` if there is no card of NVIDIA with a driver.

    Args:
        root: is not looked at.
        load: loads a library by its name.

    Raises:
        MeterError: the card does not tell its power.
    """
    for name in LIBRARIES:
        try:
            card = Card(load(name))
        except OSError:
            continue
        if card.energy is not None:
            return Energy(card)
        return Power(card) if card.power is not None else None
    return None


def _there(figure: int | None) -> int:
    if figure is None:
        raise MeterError("the graphics card no longer tells its power.")
    return figure
