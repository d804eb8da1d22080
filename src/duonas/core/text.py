"""Parts of messages: numbers of things, and lists of names."""

from __future__ import annotations

from collections.abc import Sequence


def plural(number: int, noun: str, several: str = "") -> str:
    """Write a number of things, such as ``1 image`` or ``1,234 images``; ``several`` is a plural without an s alone."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def listed(names: Sequence[str], most: int) -> str:
    """Write the first ``most`` names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def format_seconds(seconds: float) -> str:
    """Format a duration as ``8 s``, ``2:05`` or ``1:02:05``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
