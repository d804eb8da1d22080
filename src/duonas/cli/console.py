"""Progress of a run on the console: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from duonas.cli.pace import Pace, format_figures
from duonas.core.progress import StageProgress
from duonas.core.protocols import Progress
from duonas.core.text import format_seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 20.0
UNITS = {
    "data": " images",
    "train": " steps",
    "finetune": " steps",
    "plain": " steps",
    "baselines": " steps",
    "search": " pairs",
    "quantize": " layers",
    "measure": " images",
    "rank": " archs",
    "blocks": " blocks",
    "device": " seconds",
}


class Lines:
    """Progress as plain lines, for logs and pipes.

    Args:
        write: called with each line.
        clock: monotonic time in seconds.
        every: seconds between two lines of a stage.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        every: float = SECONDS_BETWEEN_LINES,
    ) -> None:
        self._write = write
        self._clock = clock
        self._every = every

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Write a line when the stage starts, every ``every`` seconds, and when it is done."""
        self._write(f"{name}: started")
        start = written = self._clock()
        pace = Pace(start)
        latest = ""

        def report(done: int, total: int, **figures: float) -> None:
            nonlocal written, latest
            now = self._clock()
            if pace.update(now, done, total) and _resumes(done, total):
                self._write(f"{name}: {_resumes_from(name, done, total)}")
            latest = f", {format_figures(figures)}" if figures else latest
            if now - written >= self._every:
                written = now
                left = f", {format_seconds(pace.left)} left" if pace.left is not None else ""
                self._write(f"{name}: {done:,} of {total:,}{UNITS.get(name, '')}{left}{latest}")

        yield report
        self._write(f"{name}: done in {format_seconds(self._clock() - start)}{latest}")

    def skip(self, name: str, why: str) -> None:
        """Write one line."""
        self._write(f"{name}: {why}")

    def note(self, text: str) -> None:
        """Write the text as it is."""
        self._write(text)

    def warn(self, sentence: str) -> None:
        """Write one line on stderr."""
        complain(sentence, "yellow")


class Bars:
    """Progress as a bar for each stage on a terminal, with the time left and the latest figures.

    Args:
        console: the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Draw a bar, which is filled and stays when the stage is done."""
        with self._bars() as bars:
            task = bars.add_task(name, total=None, figures="")
            yield _bar_reporter(bars, task, name)
            total = bars.tasks[0].total or 1
            bars.update(task, total=total, completed=total)

    def skip(self, name: str, why: str) -> None:
        """Write one line that is aligned with the bars."""
        self._console.print(f"{name:<8} [dim]{why}[/dim]", highlight=False)

    def note(self, text: str) -> None:
        """Write the text as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def warn(self, sentence: str) -> None:
        """Write one line on stderr."""
        complain(sentence, "yellow")

    def _bars(self) -> RichProgress:
        from rich import progress

        return progress.Progress(
            progress.TextColumn("{task.description:<8}"),
            progress.BarColumn(bar_width=30),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("[dim]left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("[dim]{task.fields[figures]}"),
            console=self._console,
        )


def complain(sentence: str, style: str = "") -> None:
    r"""Write one line on stderr, with the name of the program; items and paragraphs in it begin lines."""
    from rich.console import Console
    from rich.text import Text

    lines = [" ".join(line.split()) for line in re.split(r"\n(?=- )|\n\n", sentence)]
    text = Text("duonas: " + "\n".join(lines), style=style)
    Console(stderr=True).print(text, soft_wrap=True, highlight=False)


def watch(console: Console) -> StageProgress:
    """Return bars if ``console`` is a terminal, else plain lines."""
    if console.is_terminal:
        return Bars(console)
    return Lines(tell(console))


def _resumes(done: int, total: int) -> bool:
    """Whether work that starts at ``done`` resumes earlier work; a stage of one step cannot."""
    return done > 0 and total > 1


def _resumes_from(name: str, done: int, total: int) -> str:
    counted = f"{done:,} of {total:,}{UNITS.get(name, '')}"
    if name == "search":  # a search replays, also in a new run with the supernet of another one
        return f"{counted} need no evaluation, since their archs were evaluated before"
    return f"resumes from {counted}"


def _bar_reporter(bars: RichProgress, task: TaskID, name: str) -> Progress:
    pace = Pace(time.monotonic())

    def report(done: int, total: int, **figures: float) -> None:
        if pace.update(time.monotonic(), done, total):
            bars.reset(task, total=total, completed=done)  # earlier work must not count as speed
            if _resumes(done, total):
                bars.console.print(f"{name:<8} [dim]{_resumes_from(name, done, total)}[/dim]", highlight=False)
        bars.update(task, total=total, completed=done)
        if figures:
            bars.update(task, figures=format_figures(figures))

    return report


def open_console() -> Console:
    """The terminal, or whatever stands in for it."""
    from rich.console import Console

    return Console()


def tell(console: Console) -> Callable[[str], object]:
    """Return what writes a sentence on the console as one line."""
    return lambda sentence: console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def show(*parts: Any) -> None:
    """Print tables and texts with empty lines between them; only texts of one line are wrapped."""
    console = open_console()
    for number, part in enumerate(parts):
        text = isinstance(part, str)  # tables have colours, texts may hold brackets of their own
        lines = text and "\n" in part
        console.print(*([""] if number else []), part, sep="\n", markup=not text, highlight=False, soft_wrap=lines)
