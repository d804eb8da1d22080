"""The sections of the report about devices: the verdict there, and sustained load (paper D, appendices D.3, D.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from duonas.measure.on_device import verdict_on
from duonas.measure.wording import NAMES
from duonas.report.energy import by_meter, millijoules
from duonas.report.figure import Figure
from duonas.report.figures.sustained import latency, memory, steadiness, throttling
from duonas.report.formatting import duration, milliseconds, number, percent, plural, size, whole
from duonas.report.table import Table
from duonas.runtime.comparison import times_of


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    id: str
    title: str
    verdict: str
    intro: str
    figures: list[Figure]
    networks: Table | None
    table: Table


def sections(benches: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Any]) -> list[Section]:
    """The sections of all devices; those of one device tell by the names of their files which is which.

    Args:
        benches: the content of each file by its name.
        measured: the content of ``measure.json``.
    """
    found = [section(name, bench, index, measured) for index, (name, bench) in enumerate(benches.items())]
    titles = [each.title for each in found]
    return [
        replace(each, title=f"{each.title} ({name})") if titles.count(each.title) > 1 else each
        for each, name in zip(found, benches, strict=True)
    ]


def section(name: str, bench: Mapping[str, Any], index: int, measured: Mapping[str, Any]) -> Section:
    """The section of one device.

    Args:
        name: of its file.
        bench: content of the file.
        index: number of the section, from 0.
        measured: the content of ``measure.json``, whose accuracies the verdict uses.
    """
    windows = bench["windows"]
    drawn = [throttling(windows), latency(windows), memory(windows)]
    title = f"On {bench['machine'].get('device', name)}"
    return Section(
        f"device{index or ''}",
        title,
        verdict_on(measured, bench),
        intro(bench),
        [each for each in drawn if each is not None],
        networks(bench),
        table(bench),
    )


def intro(bench: Mapping[str, Any]) -> str:
    """What was done on the device, and whether it bore it."""
    machine, total, load, windows = bench["machine"], bench["summary"], bench["load"], bench["windows"]
    pace = f"as frames of a camera, {number(load['fps'])} a second" if load.get("fps") else "one after the other"
    said = [
        f"{plural(total['images'], 'image')} in {duration(total['seconds'])}, {pace}, with {machine.get('runtime')} "
        f"({_threads(machine.get('threads'))}, {machine.get('system')})."
    ]
    if bench.get("interrupted"):
        said.append("It was stopped before its time.")
    said.append(_test(bench.get("self_test")))
    said.append(steadiness(windows))
    if total["dropped"]:
        said.append(f"{plural(total['dropped'], 'frame')} came while another was classified, and were dropped.")
    if total.get("memory_growth") is not None and total.get("memory_bytes"):
        more = total["memory_growth"] / total["memory_bytes"]
        kept = "grew by" if more >= 0.01 else "did not grow: it changed by"
        said.append(f"The memory of the process {kept} {size(abs(total['memory_growth']))} from the second quarter on.")
    if total.get("energy_mj") is not None:
        said.append(f"An image took {millijoules(total['energy_mj'])}, {by_meter(bench['energy'])}.")
    return " ".join(said)


def _threads(number: Any) -> str:
    return plural(number, "thread") if isinstance(number, int) else "its default of threads"


def _test(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "Its answers were not checked, since the bundle has no stored images."
    return (
        f"Before, its answers on {plural(found['images'], 'stored image')} were those of the export, to within "
        f"{number(found['largest_difference'], 2)}."
    )


def networks(bench: Mapping[str, Any]) -> Table | None:
    """What each network takes on the device; ``None`` where it was not measured."""
    if not bench.get("times"):
        return None
    times = times_of(bench["times"])
    rows = [
        (NAMES.get(role, "Routed").capitalize(), milliseconds(time.mean), *map(milliseconds, (time.lower, time.upper)))
        for role, time in times.items()
    ]
    return Table(("One image on this device", "Time", "At least (95 %)", "At most (95 %)"), rows)


def table(bench: Mapping[str, Any]) -> Table:
    """The figures of the first and the last window and of the whole time."""
    windows, total = bench["windows"], bench["summary"]
    columns = [("First window", windows[0]), ("Last window", windows[-1]), ("All", total)]
    rows = [("Images a second", *(number(column["images_per_s"]) for _, column in columns))]
    for rank in ("p50", "p95", "p99", "mean", "max"):
        rows.append((f"Time, {rank}", *(milliseconds(column[f"{rank}_ms"]) for _, column in columns)))
    shares = {"Little share": "little_share", "Cores in use": "cpu_share"}
    rows += [(name, *(percent(column[key]) for _, column in columns)) for name, key in shares.items()]
    written = {
        "Temperature": ("temperature_c", lambda value: f"{number(value)} °C"), "Clock": ("clock_mhz", _clock),
        "Memory": ("memory_bytes", size), "Energy an image": ("energy_mj", millijoules),
        "Power": ("watts", lambda value: f"{number(value)} W"),
    }  # fmt: skip
    for name, (key, write) in written.items():
        if any(column.get(key) is not None for _, column in columns):
            cells = ("–" if column.get(key) is None else write(column[key]) for _, column in columns)
            rows.append((name, *cells))
    return Table(("Figure", *(title for title, _ in columns)), rows)


def _clock(value: float) -> str:
    return f"{whole(value)} MHz"
