"""The program of a device kit: ``python measure.pyz``, with numpy and ONNX Runtime alone."""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from . import machine
from .arguments import figure, thread_count
from .command_line import Parser
from .device import Device, open_call
from .device_kit import EMPTY, PROGRAM, Manifest, RawTable, Settings
from .errors import BundleError
from .files import check_out
from .meters import find_meter
from .session import known_provider
from .timing import clock_for
from .units import WATTS

ENDING = ".csv"  # of the table, by which a search knows how to read it
WORST_BUSY = 0.1  # share of busy looks from which a table is doubted
DONE = "done"  # begins a line of progress that another program reads
SECONDS_BETWEEN_LINES = 5.0
TIMEOUT = 120  # s for the process of one network
RESET = Path("/proc/self/clear_refs")  # to which 5 is written to forget the most memory so far (Linux)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the kit beside which this program lies, and end the process."""
    program = Path(sys.argv[0])
    try:
        sys.exit(_run(program, sys.argv[1:] if arguments is None else arguments))
    except BundleError as error:
        print(f"{program.name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(program: Path, arguments: Sequence[str]) -> int:
    folder = program.parent
    manifest = Manifest.load(folder)
    given = _parser(manifest.settings).parse_args(arguments)
    settings = _settings(manifest.settings, given)
    if given.memory_of is not None:
        print(peak_memory(folder, given.memory_of, settings))
        return 0
    out = check_out(Path(given.out))
    if out.suffix.lower() != ENDING:
        raise BundleError(f"--out {out}: expected the name of a file that ends in {ENDING}.")
    watts = None if given.watts is None else figure(given.watts, WATTS, "--watts")
    found = find_meter(watts, settings.provider)
    if found.hint:
        print(f"{PROGRAM}: {found.hint}", file=sys.stderr)
    report = report_lines if given.progress == "lines" else TextReport()
    clock = clock_for(settings.threads, settings.provider)
    memory = partial(peak_memory_of, program, settings)
    device = Device(folder, manifest, settings, found.meter, memory, report, clock)
    device.measure()
    table = device.table()
    table.save(out)
    if given.progress == "text":
        print(f"{out}: {summary(table, len(manifest.blocks))}")
    for doubt in doubts(table, device.failed, device.shortage):
        print(f"{program.name}: {doubt}", file=sys.stderr)
    return 0


def _parser(settings: Settings) -> Parser:
    parser = Parser(
        prog=PROGRAM, description="Measure what the networks of a search take on this machine, and write it as a table."
    )
    number = partial(parser.add_argument, metavar="N")
    number("--minutes", type=float, default=settings.minutes, help="the most that it may take (default: %(default)g)")
    number("--threads", type=int, default=settings.threads, help="CPU threads; 0: all cores (default: %(default)d)")
    parser.add_argument("--spinning", action="store_true", default=settings.spinning,
                        help="threads keep their cores busy while they wait for work")  # fmt: skip
    parser.add_argument("--provider", default=settings.provider, help="of ONNX Runtime (default: %(default)s)")
    parser.add_argument("--watts", metavar="W",
                        help="power that this machine draws while it computes, such as 5W")  # fmt: skip
    parser.add_argument("--out", default="table.csv", metavar="FILE", help="the table (default: %(default)s)")
    parser.add_argument("--progress", choices=("text", "lines"), default="text", help=argparse.SUPPRESS)
    parser.add_argument("--memory-of", metavar="FILE", help=argparse.SUPPRESS)
    return parser


def _settings(settings: Settings, given: argparse.Namespace) -> Settings:
    if not 0 < given.minutes < math.inf:
        raise BundleError(f"--minutes must be a finite number above 0, got {given.minutes:g}.")
    cores = os.cpu_count() or 1
    if thread_count(given.threads) > cores:
        raise BundleError(f"--threads must be at most {cores}, the cores of this machine, got {given.threads:,}.")
    return replace(
        settings,
        minutes=given.minutes,
        threads=given.threads,
        spinning=given.spinning,
        provider=known_provider(given.provider),
    )


def peak_memory_of(program: Path, settings: Settings, path: Path) -> int | None:
    """The memory in bytes that a network takes at its peak, in a process of its own; ``None`` if it is not known."""
    options = ["--threads", str(settings.threads), "--provider", settings.provider]
    options += ["--spinning"] if settings.spinning else []
    command = [sys.executable, str(program), *options, "--memory-of", str(path)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True)
        return int(found.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def peak_memory(folder: Path, file: str, settings: Settings) -> int | None:
    """The memory in bytes that a network adds to this process, which has a session of an empty network already."""
    open_call(folder / EMPTY, settings)
    with suppress(OSError):
        RESET.write_text("5")
    before = machine.resident_bytes() if os.access(RESET, os.W_OK) else machine.peak_bytes()
    call = open_call(Path(file), settings)
    call()
    after = machine.peak_bytes()
    return None if before is None or after is None else max(0, after - before)


def summary(table: RawTable, blocks: int) -> str:
    """What was measured, in one sentence."""
    measured = sum(row.latency_ms is not None for row in table.rows.values())
    parts = [f"{measured:,} of {blocks:,} blocks", _counted(len(table.networks), "network")]
    parts += [
        f"{name} adds {1e3 * each.keep_ms:.0f} us to every image and {1e3 * each.ask_ms:.0f} us to one that goes to big"
        for name, each in table.routers.items()
    ]
    return f"{', '.join(parts)}."


def doubts(table: RawTable, failed: Mapping[str, str], shortage: str = "") -> list[str]:
    """What makes a table worth less, in sentences.

    Args:
        table: the table.
        failed: why files could not be measured, by their name.
        shortage: a sentence, if the time was too short.
    """
    found = [shortage] if shortage else []
    if table.reference and table.reference.busy > WORST_BUSY:
        found.append(
            f"the machine was busy with other work in {table.reference.busy:.0%} of all looks, so times may be too "
            "long: measure again when it is not."
        )
    if failed:
        found.append(f"{_counted(len(failed), 'file')} could not be run, for example: {next(iter(failed.values()))}.")
    if not table.networks and not shortage:
        found.append("no whole network was measured, so the error of this table is not known: give it more minutes.")
    return found


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class TextReport:
    """Writes lines for a person, not more than one in some seconds.

    Args:
        clock: time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written = -math.inf

    def __call__(self, what: str, done: int, total: int, left: float) -> None:
        """Write how far the work is, and the seconds that are left."""
        if self._clock() - self._written >= SECONDS_BETWEEN_LINES:
            self._written = self._clock()
            print(f"{what}: {done:,} of {total:,}; {left:.0f} s left at most", file=sys.stderr, flush=True)


def report_lines(what: str, done: int, total: int, left: float) -> None:
    """Write one line for another program."""
    print(DONE, done, total, f"{left:.1f}", what, flush=True)
