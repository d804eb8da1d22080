"""Estimate the time left, and format figures and times."""

from __future__ import annotations

from collections.abc import Mapping


class Pace:
    """Estimates the time left in seconds.

    The speed is measured from the first report, since resumed work does not start at 0. New work begins if the total
    changes or ``done`` decreases.

    Args:
        now: start time of the stage in seconds.
    """

    def __init__(self, now: float) -> None:
        self._since, self._first, self._done = now, 0, 0
        self._total: int | None = None
        self.left: float | None = None

    def update(self, now: float, done: int, total: int) -> bool:
        """Update the estimate by a report, and return true where new work begins."""
        starts = total != self._total or done < self._done
        if starts:
            self._since, self._first = now, done
        self._done, self._total = done, total
        gained = done - self._first
        self.left = (now - self._since) / gained * (total - done) if gained > 0 else None
        return starts


def format_figures(figures: Mapping[str, float]) -> str:
    """Format figures as ``loss 0.4321, accuracy 91.2 %``: accuracies and shares in percent."""
    return ", ".join(f"{name.replace('_', ' ')} {_format(name, value)}" for name, value in figures.items())


def _format(name: str, value: float) -> str:
    return f"{100 * value:.1f} %" if "accuracy" in name or "share" in name else f"{value:.4g}"
