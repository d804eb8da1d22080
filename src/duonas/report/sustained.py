"""The sections of the report about devices under sustained load (paper D, appendices D.3 and D.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from duonas.report.energy import by_meter, millijoules
from duonas.report.figure import Figure
from duonas.report.figures.sustained import latency, memory, throttling
from duonas.report.formatting import TIMES, duration, milliseconds, number, percent, plural, size, whole
from duonas.report.tables import Table

STEADY = 0.05  # change of the median time below which a device is called steady


@dataclass(frozen=True)
class Section:
    """A section of the page."""

    id: str
    title: str
    intro: str
    figures: list[Figure]
    table: Table


def sections(benches: Mapping[str, Mapping[str, Any]]) -> list[Section]:
    """The sections of all devices; those of one device tell by the names of their files which is which.

    Args:
        benches: the content of each file by its name.
    """
    found = [section(name, bench, index) for index, (name, bench) in enumerate(benches.items())]
    titles = [each.title for each in found]
    return [
        replace(each, title=f"{each.title} ({name})") if titles.count(each.title) > 1 else each
        for each, name in zip(found, benches, strict=True)
    ]


def section(name: str, bench: Mapping[str, Any], index: int) -> Section:
    """The section of one device.

    Args:
        name: of its file.
        bench: content of the file.
        index: number of the section, from 0.
    """
    windows = bench["windows"]
    drawn = [throttling(windows), latency(windows), memory(windows)]
    title = f"{bench['machine'].get('device', name)} under load"
    return Section(
        f"device{index or ''}", title, intro(bench), [each for each in drawn if each is not None], table(bench)
    )


def intro(bench: Mapping[str, Any]) -> str:
    """What was done on the device, and whether it bore it."""
    machine, total, load = bench["machine"], bench["summary"], bench["load"]
    pace = f"as frames of a camera, {number(load['fps'])} a second" if load.get("fps") else "one after the other"
    said = [
        f"{plural(total['images'], 'image')} in {duration(total['seconds'])}, {pace}, with {machine.get('runtime')} "
        f"({_threads(machine.get('threads'))}, {machine.get('system')})."
    ]
    if bench.get("interrupted"):
        said.append("It was stopped before its time.")
    said.append(_test(bench.get("self_test")))
    said.append(_drift(total))
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


def _drift(total: Mapping[str, Any]) -> str:
    if total.get("drift") is None:
        return ""
    change = total["drift"] - 1
    if abs(change) < STEADY:
        return (
            f"It stayed steady: the median time changed by {percent(abs(change))} from the first quarter to the last."
        )
    way = "slower" if change > 0 else "faster"
    return (
        f"It became {way}: the median time of the last quarter is {number(total['drift'])} {TIMES} that of the first."
    )


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
