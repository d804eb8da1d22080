"""Which progress a function shows where none is asked for."""

from __future__ import annotations

from rich.console import Console

from duonas.cli.console import Lines, complain, watch
from duonas.core.errors import DuonasError
from duonas.core.processes import is_main_process
from duonas.core.progress import Silent, StageProgress

SECONDS_IN_NOTEBOOKS = 5.0  # between two lines of a stage


class WarningsOnly(Silent):
    """Shows warnings on stderr, and no progress."""

    def warn(self, sentence: str) -> None:
        """Write one line on stderr."""
        complain(sentence, "yellow")


def watching(progress: StageProgress | bool | None) -> StageProgress:
    """Return the progress to show.

    Args:
        progress: a ``StageProgress`` of one's own; true or false to show progress or warnings only; ``None`` to show it
            in a terminal (bars on stderr) and in a notebook (lines), and warnings only elsewhere, as in logs and pipes.

    Raises:
        DuonasError: it is none of these.
    """
    if not is_main_process():
        return Silent()
    if progress is None or progress is True:
        return _shown(Console(stderr=True), always=progress is True)
    if progress is False:
        return WarningsOnly()
    if not all(callable(getattr(progress, name, None)) for name in ("stage", "skip", "note", "warn")):
        raise DuonasError(f"progress must be True, False, None or a StageProgress, got {progress!r:.80}.")
    return progress


def _shown(console: Console, *, always: bool) -> StageProgress:
    if console.is_jupyter:  # plain lines, since bars would need ipywidgets
        return Lines(print, every=SECONDS_IN_NOTEBOOKS)
    return watch(console) if always or console.is_terminal else WarningsOnly()
