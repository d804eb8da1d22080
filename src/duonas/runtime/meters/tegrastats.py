"""NVIDIA's program ``tegrastats``, which prints the power of a Jetson's rails, also where sysfs hides them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from ..energy import MeterError, PowerMeter
from .ina3221 import TOTALS

INTERVAL = 100  # ms between the lines of the program
# A rail with its present and its mean power in mW, such as "VDD_IN 4943mW/4943mW" or "POM_5V_IN 2532/2698"; memory,
# such as "RAM 2411/3956MB", has another unit.
RAIL = re.compile(r"(?<!\S)([A-Z][A-Z0-9_]*) (\d+)(?:mW)?/\d+(?:mW)?(?!\S)")


class Tegrastats(PowerMeter):
    """The power of a Jetson board.

    Args:
        program: path of ``tegrastats``.
        rails: names of rails that do not overlap.
    """

    name = "tegrastats"
    every = INTERVAL / 1e3

    def __init__(self, program: str, rails: list[str]) -> None:
        super().__init__(", ".join(rails))
        self._program, self._rails = program, rails
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the program."""
        self._process = _started(self._program)

    def stop(self) -> None:
        """End the program."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def read(self) -> float:
        """Wait for the next line, and return the power in W."""
        assert self._process is not None  # between start and stop
        powers = _next_line(self._process)
        if any(rail not in powers for rail in self._rails):
            raise MeterError("tegrastats no longer prints the power of the rails that it printed before.")
        return sum(powers[rail] for rail in self._rails)


def find(root: Path) -> Tegrastats | None:
    """Return the meter, or ``None`` if there is no such program or it prints no power; ``root`` is not looked at."""
    program = shutil.which("tegrastats")
    if program is None:
        return None
    process = _started(program)
    try:
        powers = _next_line(process)
    finally:
        _end(process)
    rails = [name for name in powers if name in TOTALS][:1] or list(powers)
    return Tegrastats(program, rails) if rails else None


def rails_of(line: str) -> dict[str, float]:
    """Return the power in W of each rail in a line of the program."""
    return {name: int(power) / 1e3 for name, power in RAIL.findall(line)}


def _started(program: str) -> subprocess.Popen[str]:
    command = [program, "--interval", str(INTERVAL)]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError as error:
        raise MeterError(f"{program} cannot be started: {error.strerror or error}.") from error


def _next_line(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None  # it is a pipe
    line = process.stdout.readline()
    if not line:
        raise MeterError("tegrastats ended without a word: start it by hand to see why.")
    return rails_of(line)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate()
