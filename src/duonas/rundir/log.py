"""The log of a run: figures as JSON lines, and those of steps for its trackers too."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import append_json_line, drop_broken_end, read_json_lines, write_json_lines
from duonas.rundir.tracker import Tracker


class RunLog:
    """``log.jsonl`` of a run, and what shows its figures elsewhere.

    Args:
        file: the JSON lines.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._trackers: list[Tracker] = []
        self._resumed: set[str] = set()

    def track(self, trackers: Sequence[Tracker]) -> None:
        """Show the steps that are logged from here on by these, too."""
        self._trackers = list(trackers)

    def repair(self) -> None:
        """Cut off the broken last line that a killed process can leave."""
        drop_broken_end(self._file)

    def add(self, stage: str, **figures: Any) -> None:
        """Add a line; where it has a ``step``, its numbers also go to the trackers.

        The first step that a stage logs is the one it resumed at: entries of a killed process from there on are
        dropped.
        """
        step = figures.get("step")
        if step is not None and stage not in self._resumed:
            self.truncate(stage, step - 1)
            self._resumed.add(stage)
        append_json_line(self._file, {"stage": stage, **figures})
        if step is not None:
            numbers = {name: value for name, value in figures.items() if isinstance(value, int | float)}
            self._show(stage, step, {name: value for name, value in numbers.items() if name != "step"})

    def read(self, stage: str | None = None) -> list[dict[str, Any]]:
        """All entries, oldest first; only those of ``stage`` where one is named."""
        return [entry for entry in read_json_lines(self._file) if stage is None or entry.get("stage") == stage]

    def truncate(self, stage: str, step: int) -> None:
        """Drop the entries of ``stage`` after ``step``."""
        entries = read_json_lines(self._file)
        kept = [entry for entry in entries if entry.get("stage") != stage or entry.get("step", 0) <= step]
        if len(kept) < len(entries):
            write_json_lines(self._file, kept)

    def close(self) -> None:
        """Have the trackers send what they have not sent yet."""
        for tracker in tuple(self._trackers):
            self._let(tracker, "close")

    def _show(self, stage: str, step: int, figures: dict[str, float]) -> None:
        for tracker in tuple(self._trackers):
            self._let(tracker, "add", stage, step, figures)

    def _let(self, tracker: Tracker, method: str, *arguments: Any) -> None:
        """Call a tracker; one that fails, as without a network, is left out, since no run should end for it."""
        try:
            getattr(tracker, method)(*arguments)
        except DuonasError:  # about the run's own folder
            raise
        except Exception as error:
            self._trackers.remove(tracker)
            reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
            warnings.warn(
                f"the tracker {tracker.name} is left out from here on ({reason}); {self._file.name} has all figures.",
                stacklevel=4,
            )
