"""A device under sustained load: throughput and heat, latency, and memory over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from duonas.report.charts import COUNT, FILTERED, chart, colours, crosshair, of, x, y
from duonas.report.fields import Field, Row, table
from duonas.report.figure import Figure
from duonas.report.formatting import TIMES, milliseconds, number, size
from duonas.report.theme import colour
from duonas.runtime.bench import drift

Windows = Sequence[Mapping[str, Any]]
STEADY = 0.05  # change of the time below which a device is called steady
PERCENTILES = {"p50": "routed", "p95": "little", "p99": "big"}  # and their colours
MINUTE = 60.0
FIELDS = [
    Field("minute", "Minute"), Field("images_per_s", "Images a second"),
    *(Field(f"{name}_ms", f"{name} (ms)") for name in PERCENTILES),
]  # fmt: skip
OPTIONAL = [  # null where a device does not tell
    Field("temperature_c", "Temperature (°C)"), Field("clock_mhz", "Clock (MHz)", "whole"),
    Field("memory_bytes", "Memory (bytes)", "count"), Field("watts", "Power (W)"),
]  # fmt: skip


def throttling(windows: Windows) -> Figure:
    """Images a second over time, and below it the temperature and the clock, as far as the device tells them."""
    panels = [("images_per_s", "Images a second", "routed", COUNT, 180)]
    panels += [
        (key, title, name, format, 100)
        for key, title, name, format in (
            ("temperature_c", "Temperature (°C)", "wrong", ""), ("clock_mhz", "Clock (MHz)", "right", COUNT),
        )
        if _is_known(windows, key)
    ]  # fmt: skip
    caption = steadiness(windows).removesuffix(".") or "Too few windows to tell a change"
    if _is_known(windows, "temperature_c"):
        heat = [row["temperature_c"] for row in windows if row["temperature_c"] is not None]
        caption += f", at {number(heat[0])} °C in the beginning and at most {number(max(heat))} °C"
    else:
        caption += "; this machine does not tell its temperature"
    rows, fields = _rows(windows)
    specs = [over_time(rows, fields, *panel) for panel in panels]
    return Figure("Throttling", specs, f"{caption}.", table(rows, fields))


def steadiness(windows: Windows) -> str:
    """Say whether a device became slower, see ``duonas.runtime.bench.drift``; empty where there are too few windows."""
    found = drift(windows)
    if found is None:
        return ""
    times = f"{number(found)} {TIMES} that of the first tenth (medians of the windows)"
    if abs(found - 1) < STEADY:
        return f"It stayed steady: the mean time of an image in the last tenth of the time is {times}."
    way = "slower" if found > 1 else "faster"
    return f"It became {way}: the mean time of an image in the last tenth of the time is {times}."


def latency(windows: Windows) -> Figure:
    """Percentiles of the time of one image, window by window."""
    worst = max(windows, key=lambda row: row["p99_ms"])
    caption = (
        f"Each point is a window of {number(windows[0]['seconds'], 2)} s. The slowest window began after "
        f"{number(worst['start_s'] / MINUTE, 2)} minutes: there 1 % of the images took more than "
        f"{milliseconds(worst['p99_ms'])}."
    )
    rows, fields = _rows(windows)
    return Figure("Timeline of the latency", [percentiles(rows, fields)], caption, table(rows, fields))


def memory(windows: Windows) -> Figure | None:
    """Memory of the process over time; ``None`` where the device does not tell it."""
    if not _is_known(windows, "memory_bytes"):
        return None
    known = [row["memory_bytes"] for row in windows if row["memory_bytes"] is not None]
    caption = f"From {size(known[0])} in the first window to {size(known[-1])} in the last, at most {size(max(known))}."
    rows, fields = _rows(windows)
    spec = over_time(rows, fields, "memory_bytes", "Memory of the process (bytes)", "routed", COUNT, 200)
    return Figure("Memory", [spec], caption, table(rows, fields))


def over_time(
    rows: Sequence[Row], fields: Sequence[Field], key: str, title: str, name: str, format: str, height: int
) -> dict[str, Any]:
    """A line for one value over the minutes; ``name`` is its colour."""
    zero = key not in ("temperature_c", "clock_mhz")
    line = of("rows").transform_filter(f"isValid(datum.{key})").mark_line(
        color=colour(name), point=len(rows) == 1, clip=True
    )  # fmt: skip
    along = x("minute", "Minutes", nice=False)
    layers = [line.encode(x=along, y=y(key, title, format, zero=zero)), crosshair(of("rows"), along, fields)]
    return chart(f"{title} over the minutes", {"rows": rows}, layers, height, zoom="x")


def percentiles(rows: Sequence[Row], fields: Sequence[Field]) -> dict[str, Any]:
    """A line for each percentile of the time of an image over the minutes."""
    long = [
        {"series": name, "minute": row["minute"], "ms": row[f"{name}_ms"]}
        for name in reversed(PERCENTILES)
        for row in rows
        if row[f"{name}_ms"] > 0
    ]
    along = x("minute", "Minutes", nice=False)
    return chart(
        "Percentiles of the time of one image over the minutes",
        {"long": long, "rows": rows},
        [
            of("long").mark_line(point=len(rows) == 1, clip=True).encode(
                x=along, y=y("ms", "Time of one image (ms, logarithmic)", type="log"), color=colours(PERCENTILES),
                opacity=FILTERED,
            ),
            crosshair(of("rows"), along, fields),
        ],
        300, zoom="x", filtered=True,
    )  # fmt: skip


def _rows(windows: Windows) -> tuple[list[dict[str, Any]], list[Field]]:
    """The middle and the figures of each window, and which figures there are."""
    fields = [*FIELDS, *(field for field in OPTIONAL if _is_known(windows, field.name))]
    rows = []
    for row in windows:
        minute = (row["start_s"] + row["seconds"] / 2) / MINUTE
        rows.append({field.name: row.get(field.name) for field in fields} | {"minute": round(minute, 4)})
    return rows, fields


def _is_known(windows: Windows, key: str) -> bool:
    return any(row[key] is not None for row in windows)
