"""A device under sustained load: throughput and heat, latency, and memory over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.formatting import TIMES, milliseconds, number, size, tick, tick_count, whole
from duonas.report.scale import powers, span
from duonas.report.svg import Frame, canvas, frame
from duonas.runtime.bench import drift

Windows = Sequence[Mapping[str, Any]]
STEADY = 0.05  # change of the time below which a device is called steady
PERCENTILES = {"p50_ms": "routed", "p95_ms": "little", "p99_ms": "big"}  # and their colours
MINUTE = 60.0


def throttling(windows: Windows) -> Figure:
    """Images a second over time, and below it the temperature and the clock, as far as the device tells them."""
    x, times = _axis(windows)
    below = [
        (key, title, colour)
        for key, title, colour in (
            ("temperature_c", "Temperature (°C)", "wrong"), ("clock_mhz", "Clock (MHz)", "right"),
        )
        if _is_known(windows, key)
    ]  # fmt: skip
    panels = [("images_per_s", "Images a second", "routed"), *below]

    def draw(width: int) -> Markup:
        plots = _panels(width, x, [_domain(windows, key, zero=key == "images_per_s") for key, _, _ in panels])
        parts = []
        for place, ((key, title, colour), plot) in enumerate(zip(panels, plots, strict=True)):
            last = place == len(panels) - 1
            parts += [*plot.axes("Minutes" if last else "", title, tick if last else None, tick_count, y_ticks=4)]
            parts += [*_lines(plot, times, windows, key, colour), *_hover(plot, times, windows, {key: colour})]
        return canvas(width, plots[0].height, "Images a second, temperature and clock over time", parts)

    caption = steadiness(windows).removesuffix(".") or "Too few windows to tell a change"
    if _is_known(windows, "temperature_c"):
        heat = [row["temperature_c"] for row in windows if row["temperature_c"] is not None]
        caption += f", at {number(heat[0])} °C in the beginning and at most {number(max(heat))} °C"
    else:
        caption += "; this machine does not tell its temperature"
    keys = [Key("line", colour, title.partition(" (")[0].lower()) for _, title, colour in panels]
    return figure("Throttling", draw, f"{caption}.", keys)


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
    x, times = _axis(windows)
    known = [row[key] for row in windows for key in PERCENTILES if row[key] > 0]
    y = powers(known or [1.0])

    def draw(width: int) -> Markup:
        plot = frame(width, 320, x, y, logarithmic=True)
        return canvas(
            width, 320, "Percentiles of the time of one image over time",
            plot.axes("Minutes", "Time of one image (ms, logarithmic)", tick, tick),
            *(_lines(plot, times, windows, key, colour) for key, colour in reversed(PERCENTILES.items())),
            _hover(plot, times, windows, PERCENTILES),
        )  # fmt: skip

    worst = max(windows, key=lambda row: row["p99_ms"])
    caption = (
        f"Each point is a window of {number(windows[0]['seconds'], 2)} s. The slowest window began after "
        f"{number(worst['start_s'] / MINUTE, 2)} minutes: there 1 % of the images took more than "
        f"{milliseconds(worst['p99_ms'])}."
    )
    keys = [Key("line", colour, name.removesuffix("_ms")) for name, colour in PERCENTILES.items()]
    return figure("Timeline of the latency", draw, caption, keys)


def memory(windows: Windows) -> Figure | None:
    """Memory of the process over time; ``None`` where the device does not tell it."""
    if not _is_known(windows, "memory_bytes"):
        return None
    x, times = _axis(windows)
    y = _domain(windows, "memory_bytes", zero=True)

    def draw(width: int) -> Markup:
        plot = frame(width, 260, x, y)
        return canvas(
            width, 260, "Memory of the process over time",
            plot.axes("Minutes", "Resident memory (bytes)", tick, tick_count, y_ticks=4),
            _lines(plot, times, windows, "memory_bytes", "routed"),
            _hover(plot, times, windows, {"memory_bytes": "routed"}),
        )  # fmt: skip

    known = [row["memory_bytes"] for row in windows if row["memory_bytes"] is not None]
    caption = f"From {size(known[0])} in the first window to {size(known[-1])} in the last, at most {size(max(known))}."
    return figure("Memory", draw, caption)


def _axis(windows: Windows) -> tuple[tuple[float, float], np.ndarray]:
    """The domain in minutes, and the middle of each window."""
    ends = windows[-1]["start_s"] + windows[-1]["seconds"]
    middles = np.array([row["start_s"] + row["seconds"] / 2 for row in windows]) / MINUTE
    return (0.0, max(ends / MINUTE, 1e-3)), middles


def _domain(windows: Windows, key: str, *, zero: bool) -> tuple[float, float]:
    values = [row[key] for row in windows if row[key] is not None]
    return span([0.0, *values] if zero else values, pad=0.08, floor=0.0 if zero else -np.inf)


def _panels(width: int, x: tuple[float, float], domains: Sequence[tuple[float, float]]) -> list[Frame]:
    """Frames below each other over one axis; the first is the highest."""
    heights = [200.0, *([110.0] * (len(domains) - 1))]
    gap, top, bottom = 46.0, 36.0, 54.0
    total = top + sum(heights) + gap * (len(domains) - 1) + bottom
    plots, start = [], top
    for domain, height in zip(domains, heights, strict=True):
        plots.append(frame(width, total, x, domain, top=start, bottom=total - start - height))
        start += height + gap
    return plots


def _lines(plot: Frame, times: np.ndarray, windows: Windows, key: str, colour: str) -> list[Markup]:
    known = [(time, row[key]) for time, row in zip(times, windows, strict=True) if row[key] is not None]
    if len(known) == 1:
        return [plot.dot(*known[0], colour, _tip(windows[0]))]
    return [plot.line([time for time, _ in known], [value for _, value in known], colour)]


def _hover(plot: Frame, times: np.ndarray, windows: Windows, colours: Mapping[str, str]) -> list[Markup]:
    marks = [[(row[key], colour) for key, colour in colours.items() if row[key] is not None] for row in windows]
    return list(plot.strips(times.tolist(), marks, [_tip(row) for row in windows]))


def _tip(row: Mapping[str, Any]) -> str:
    lines = [f"after {number(row['start_s'] / MINUTE, 2)} min: {number(row['images_per_s'])} images/s"]
    lines += [f"{key.removesuffix('_ms')} {milliseconds(row[key])}" for key in PERCENTILES]
    optional = {
        "temperature_c": lambda value: f"{number(value)} °C", "clock_mhz": lambda value: f"{whole(value)} MHz",
        "memory_bytes": size, "watts": lambda value: f"{number(value)} W",
    }  # fmt: skip
    lines += [write(row[key]) for key, write in optional.items() if row[key] is not None]
    return "\n".join(lines)


def _is_known(windows: Windows, key: str) -> bool:
    return any(row[key] is not None for row in windows)
