"""Numbers as a reader wants to see them."""

from __future__ import annotations

import math

THIN = "\u202f"  # narrow no-break space
MINUS = "\u2212"
TIMES = "\u00d7"
NOTHING = "\u2013"  # where there is no number
UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))


def number(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits, and a true minus sign; infinities as they are written by hand."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return f"{MINUS}∞" if value < 0 else "∞"
    if value == 0:
        return "0"
    rounded = abs(float(f"{value:.{digits - 1}e}"))
    decimals = max(0, digits - 1 - math.floor(math.log10(rounded)))
    return f"{value:,.{decimals}f}".replace("-", MINUS).replace(",", THIN)


def whole(value: float) -> str:
    """A whole number with its thousands apart."""
    return f"{round(value):,}".replace("-", MINUS).replace(",", THIN)


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction in [0, 1] as per cent."""
    return NOTHING if math.isnan(fraction) else f"{100 * fraction:.{decimals}f}{THIN}%".replace("-", MINUS)


def correlation(value: float | None) -> str:
    """A correlation; with what never varies there is none."""
    return NOTHING if value is None else f"{value:.3f}".replace("-", MINUS)


def points(difference: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    rounded = round(100 * difference, 1)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else "±"
    return f"{sign}{abs(rounded):.1f} points"


def count(value: float, unit: str = "") -> str:
    """A large count with three digits and a prefix: ``2.44M``."""
    for prefix, size in UNITS:
        if abs(value) >= size * 0.9995:
            return number(value / size) + prefix + (f" {unit}" if unit else "")
    return whole(value) + (f" {unit}" if unit else "")


def size(value: float) -> str:
    """A number of bytes."""
    for prefix, unit in UNITS:
        if abs(value) >= unit * 0.9995:
            return f"{number(value / unit)}{THIN}{prefix}B"
    return f"{whole(value)}{THIN}B"


def tick(value: float) -> str:
    """A round number at an axis, as short as it can be."""
    return f"{round(value, 9):g}".replace("-", MINUS)


def tick_percent(fraction: float) -> str:
    """A round fraction at an axis whose title says that it is in per cent."""
    return tick(100 * fraction)


def tick_count(value: float) -> str:
    """A round large count at an axis: ``2M``."""
    prefix, size = next(((prefix, size) for prefix, size in UNITS if abs(value) >= size), ("", 1))
    return tick(value / size) + prefix


def milliseconds(value: float) -> str:
    """A time in ms."""
    return f"{number(value)}{THIN}ms"


def duration(seconds: float) -> str:
    """A stage's time: ``1 h 05 min``, ``3 min 20 s`` or ``4.2 s``."""
    if seconds < 60:
        return f"{number(seconds, 2)}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}h {minutes:02d}{THIN}min" if hours else f"{minutes}{THIN}min {rest:02d}{THIN}s"


def shorten(text: str, length: int) -> str:
    """``text`` in ``length`` characters, the middle left out: long names often differ only at their end."""
    end = length // 3
    return text if len(text) <= length else f"{text[: length - end - 1]}…{text[-end:]}"
