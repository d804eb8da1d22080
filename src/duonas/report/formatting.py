"""Numbers written for people: the report formats every number that it shows with one of these functions."""

from __future__ import annotations

import math

THIN = "\u202f"  # narrow no-break space
MINUS = "\u2212"
TIMES = "\u00d7"
NOTHING = "\u2013"  # stands where there is no number
PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3))


def fixed(value: float, decimals: int) -> str:
    """Write ``value`` with a fixed number of decimals, a true minus sign and its thousands apart."""
    return f"{value:,.{decimals}f}".replace("-", MINUS).replace(",", THIN)


def number(value: float | None, digits: int = 3) -> str:
    """Write ``value`` with ``digits`` significant digits, tiny ones as ``1.20e-07``; missing values become a dash."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return f"{MINUS}∞" if value < 0 else "∞"
    if value == 0:
        return "0"
    rounded = abs(float(f"{value:.{digits - 1}e}"))
    if rounded < 1e-4:
        return f"{MINUS if value < 0 else ''}{abs(value):.{digits - 1}e}"
    return fixed(value, max(0, digits - 1 - math.floor(math.log10(rounded))))


def whole(value: float) -> str:
    """Write ``value`` rounded to an integer."""
    return fixed(round(value), 0)


def percent(fraction: float | None, decimals: int = 1) -> str:
    """Write a fraction in [0, 1] in per cent; missing values and NaN become a dash."""
    return NOTHING if fraction is None or math.isnan(fraction) else f"{fixed(100 * fraction, decimals)}{THIN}%"


def coefficient(value: float | None) -> str:
    """Write a correlation or an AUROC with three decimals; ``None``, where it is undefined, becomes a dash."""
    return NOTHING if value is None else fixed(value, 3)


def points(difference: float) -> str:
    """Write a difference of accuracies in percentage points, with its sign."""
    rounded = round(100 * difference, 1)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else "±"
    return f"{sign}{points_apart(difference)}"


def points_apart(difference: float, decimals: int = 1) -> str:
    """Write the absolute difference of two accuracies in percentage points."""
    return f"{fixed(abs(100 * difference), decimals)} points"


def count(value: float, unit: str = "") -> str:
    """Write a large count with three significant digits and a decimal prefix, such as ``2.44M``."""
    text, prefix = _prefixed(value)
    return f"{text}{prefix} {unit}".rstrip()


def size(value: float) -> str:
    """Write a number of bytes (1 KB has 1,000), such as ``131 KB``."""
    text, prefix = _prefixed(value)
    return f"{text}{THIN}{prefix.upper()}B"


def _prefixed(value: float) -> tuple[str, str]:
    for prefix, unit in PREFIXES:
        if abs(value) >= unit * 0.9995:
            return number(value / unit), prefix
    return whole(value), ""


def tick(value: float) -> str:
    """Write a round number at an axis, as short as it can be."""
    return f"{round(value, 9):g}".replace("-", MINUS)


def tick_percent(fraction: float) -> str:
    """Write a round fraction at an axis whose title says that it is in per cent (or in points)."""
    return tick(100 * fraction)


def tick_count(value: float) -> str:
    """Write a round large count at an axis, such as ``2M``."""
    prefix, unit = next(((prefix, unit) for prefix, unit in PREFIXES if abs(value) >= unit), ("", 1))
    return tick(value / unit) + prefix


def milliseconds(value: float) -> str:
    """Write a time in milliseconds."""
    return f"{number(value)}{THIN}ms"


def duration(seconds: float) -> str:
    """Write how long a stage took: ``1 h 05 min``, ``3 min 20 s`` or ``4.2 s``."""
    if seconds < 60:
        return f"{number(seconds, 2)}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}h {minutes:02d}{THIN}min" if hours else f"{minutes}{THIN}min {rest:02d}{THIN}s"


def plural(number: int, noun: str) -> str:
    """Write a number of things, such as ``1 arch`` or ``2 archs``."""
    return f"{whole(number)} {noun}{'' if number == 1 else 's'}"


def shorten(text: str, length: int) -> str:
    """Cut ``text`` to ``length`` characters by leaving out its middle: long names often differ only at their end."""
    end = length // 3
    return text if len(text) <= length else f"{text[: length - end - 1]}…{text[-end:]}"
