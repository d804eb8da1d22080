"""Measure this machine, or write the kit that measures another one, for the search of a recipe."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from duonas.core.cost import ON_DEVICE
from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import Progress
from duonas.core.registry import find
from duonas.costs.device import TooFewMeasured, complete
from duonas.costs.device_table import DeviceTable, read_device_table
from duonas.costs.options import HERE
from duonas.costs.table import column_names
from duonas.data.splits import Splits, load_splits
from duonas.data.store import DEFAULT_CACHE
from duonas.deploy.device_kit import KitSource, write_kit
from duonas.pipeline.spaces import pairs_of
from duonas.recipe.schema import Recipe, check_recipe
from duonas.runtime.device_kit import PROGRAM, Manifest, Settings
from duonas.runtime.measure_kit import DONE
from duonas.runtime.session import known_provider, provider_of_any
from duonas.search.routers import make_routers
from duonas.supernet.family import Family

BLOCKS = Path(DEFAULT_CACHE, "blocks").expanduser()  # graphs of blocks that were exported before
GIVE = re.compile(r"give it ([0-9.]+) minutes")  # in the sentence of the program on a time that was too short
LONGER = 4  # times the minutes that were too short, where it has none
GRACE = 10.0  # s that the program has to end after an interrupt
PREFIX = f"{PROGRAM}: "  # of its sentences on stderr


@dataclass(frozen=True)
class Bench:
    """How this machine is measured.

    Args:
        settings: minutes, threads, spinning, provider and precision.
        watts: power in W that the machine draws while it computes, where it has no meter; ``None``: not known.
    """

    settings: Settings
    watts: float | None = None


def settings_of(recipe: Recipe, *, spinning: bool = False) -> Settings:
    """How ``[search.device]`` says that a device is measured."""
    device = recipe.search.device
    return Settings(device.minutes, device.threads, spinning, device.provider, device.precision)


def kit_source(recipe: Recipe, pairs: PairSpace, cache: Path | None = BLOCKS) -> KitSource:
    """What the kit of a recipe's pairs is made of; graphs of blocks are kept in ``cache`` for the next one."""
    return KitSource(pairs, make_routers(recipe.search, recipe.route), recipe.export.opset, cache)


def pairs_to_measure(recipe: Recipe, family: type[Family] | None = None, splits: Splits | None = None) -> PairSpace:
    """The pairs of a recipe, whose images say how large they are and how many classes there are.

    Args:
        recipe: the recipe.
        family: kind of network, if not the recipe's.
        splits: the recipe's images, if they are loaded already.
    """
    check_recipe(recipe)
    found = splits or load_splits(recipe.data, recipe.seed)
    return pairs_of(recipe, family or find("space", recipe.space.name), found)


def write_device_kit(
    recipe: Recipe, settings: Settings, folder: Path, progress: StageProgress | None = None
) -> Manifest:
    """Write the kit that measures another machine for a recipe; see ``write_kit``.

    Raises:
        DuonasError: the recipe cannot be used, or the folder is there already or cannot be written.
        BundleError: no build of ONNX Runtime has the provider.
    """
    settings = replace(settings, provider=provider_of_any(settings.provider))
    source = kit_source(recipe, pairs_to_measure(recipe))
    with (progress or Silent()).stage("blocks") as report:
        return write_kit(source, settings, folder, report)


def measure_here(source: KitSource, bench: Bench, out: Path, progress: StageProgress | None = None) -> DeviceTable:
    """Measure this machine by the program of a kit, as another one is, and write its device table.

    Blocks that there was no time for are fitted, and the table is calibrated on the whole networks; see ``complete``.

    Args:
        source: what is measured.
        bench: how.
        out: the table, CSV if the name ends in ``.csv``, else Parquet.
        progress: of the export of blocks, and of the measurement in seconds.

    Returns:
        The table that was written.

    Raises:
        DuonasError: the machine cannot be measured so, or the table cannot be written.
        BundleError: ONNX Runtime does not have the provider here.
    """
    known_provider(bench.settings.provider)
    watch = progress or Silent()
    with tempfile.TemporaryDirectory(prefix="duonas-kit-") as temporary:
        kit, raw = Path(temporary, "kit"), Path(temporary, "table.csv")
        with watch.stage("blocks") as report:
            write_kit(source, bench.settings, kit, report)
        with watch.stage("device") as report:
            said = _run(_command(kit, bench, raw), 60 * bench.settings.minutes, report)
        for sentence in said:
            watch.warn(sentence)
        there = column_names(raw, str(raw))
        figures: dict[str, str] = {name: name for name in ON_DEVICE if name in there}
        table = _completed(read_device_table(raw, figures), source.pairs, bench.settings.minutes, said)
    table.write(out)
    return table


def _completed(table: DeviceTable, pairs: PairSpace, minutes: float, said: Sequence[str]) -> DeviceTable:
    """The completed table of a measurement that may have been too short, of which its program says what would do."""
    try:
        return complete(table, pairs, "fit", HERE)
    except TooFewMeasured as error:
        told = next(filter(None, map(GIVE.search, said)), None)
        enough = told[1] if told else f"{max(1, math.ceil(LONGER * minutes))}"
        raise DuonasError(
            f"{minutes:g} minutes were too short to measure this machine: {error.reason}; give it more time, as by "
            f"--set search.device.minutes={enough}."
        ) from error


def _command(kit: Path, bench: Bench, raw: Path) -> list[str]:
    watts = [] if bench.watts is None else ["--watts", str(bench.watts)]
    return [sys.executable, str(kit / PROGRAM), "--progress", "lines", "--out", str(raw), *watts]


def _run(command: Sequence[str], seconds: float, report: Progress) -> list[str]:
    """Run the program of a kit, report the seconds that passed of those that it may take, and return its warnings."""
    total = max(1, round(seconds))
    report(0, total)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, _started(command, errors.fileno()) as process:
        for line in process.stdout or ():
            word, *rest = line.split(maxsplit=4)
            if word == DONE and len(rest) == 4:
                report(min(total, max(0, total - round(float(rest[2])))), total)
        code = process.wait()
        errors.seek(0)
        said = [line.removeprefix(PREFIX) for line in errors.read().splitlines() if line.startswith(PREFIX)]
    if code:
        why = said[-1] if said else f"its program ended with exit code {code}."
        raise DuonasError(f"this machine cannot be measured: {why}")
    report(total, total)
    return said


@contextmanager
def _started(command: Sequence[str], errors: int) -> Iterator[subprocess.Popen[str]]:
    """Start a process, and end it with the block, also after an interrupt."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout:
            process.stdout.close()
