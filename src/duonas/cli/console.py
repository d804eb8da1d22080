"""How a run shows what it is doing: bars on a terminal, plain lines elsewhere, nothing from Python."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from duonas.core.progress import StageProgress
from duonas.core.protocols import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 20.0
UNITS = {
    "data": " images",
    "train": " steps",
    "finetune": " steps",
    "baselines": " steps",
    "search": " pairs",
    "measure": " images",
    "rank": " archs",
}


class Lines:
    """A plain line now and then, for logs and pipes.

    Args:
        write: is given each line.
        clock: seconds that only rise.
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
        """A line when the stage starts, now and then, and when it is done."""
        self._write(f"{name}: started")
        start = written = self._clock()
        pace = Pace(start)
        latest = ""

        def report(done: int, total: int, **figures: float) -> None:
            nonlocal written, latest
            now = self._clock()
            if pace.tell(now, done, total) and _goes_on(done, total):
                self._write(f"{name}: {_went_on(name, done, total)}")
            latest = f", {format_figures(figures)}" if figures else latest
            if now - written >= self._every:
                written = now
                left = f", {format_seconds(pace.left)} left" if pace.left is not None else ""
                self._write(f"{name}: {done:,} of {total:,}{UNITS.get(name, '')}{left}{latest}")

        yield report
        self._write(f"{name}: done in {format_seconds(self._clock() - start)}{latest}")

    def skip(self, name: str, why: str) -> None:
        """One line."""
        self._write(f"{name}: {why}")

    def warn(self, sentence: str) -> None:
        """One line on stderr."""
        complain(sentence, "yellow")


class Bars:
    """A bar a stage on a terminal, with the time left and the latest figures.

    Args:
        console: where they are drawn.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """A bar that stays, filled, when the stage is done."""
        with self._bars() as bars:
            task = bars.add_task(name, total=None, figures="")
            yield _bar_reporter(bars, task, name)
            total = bars.tasks[0].total or 1
            bars.update(task, total=total, completed=total)

    def skip(self, name: str, why: str) -> None:
        """One line that lines up with the bars."""
        self._console.print(f"{name:<8} [dim]{why}[/dim]", highlight=False)

    def warn(self, sentence: str) -> None:
        """One line on stderr."""
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


class Pace:
    """Estimates the seconds that are left.

    The first report of a piece of work says where it starts, which is in the middle where it was stopped before: the
    pace is measured from there. Where the total changes or less is done than before, a new piece of work begins.

    Args:
        now: the time in seconds when the stage starts.
    """

    def __init__(self, now: float) -> None:
        self._since, self._first, self._done = now, 0, 0
        self._total: int | None = None
        self.left: float | None = None

    def tell(self, now: float, done: int, total: int) -> bool:
        """Take a report in; true where a piece of work starts."""
        starts = total != self._total or done < self._done
        if starts:
            self._since, self._first = now, done
        self._done, self._total = done, total
        gained = done - self._first
        self.left = (now - self._since) / gained * (total - done) if gained > 0 else None
        return starts


def complain(sentence: str, style: str = "") -> None:
    """One line on stderr, with the name of the program."""
    from rich.console import Console
    from rich.text import Text

    text = Text(f"duonas: {' '.join(sentence.split())}", style=style)
    Console(stderr=True).print(text, soft_wrap=True, highlight=False)


def watch(console: Console) -> StageProgress:
    """Bars where ``console`` is a terminal, plain lines elsewhere."""
    if console.is_terminal:
        return Bars(console)
    return Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))


def format_figures(figures: Mapping[str, float]) -> str:
    """``loss 0.4321, accuracy 91.2 %``: accuracies and shares in percent, the rest to four digits."""
    return ", ".join(f"{name.replace('_', ' ')} {_format(name, value)}" for name, value in figures.items())


def format_seconds(seconds: float) -> str:
    """``8 s``, ``2:05`` or ``1:02:05``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _goes_on(done: int, total: int) -> bool:
    """Whether work that starts so was begun in an earlier time; a stage of one step only says that it is done."""
    return done > 0 and total > 1


def _went_on(name: str, done: int, total: int) -> str:
    return f"goes on from {done:,} of {total:,}{UNITS.get(name, '')}"


def _format(name: str, value: float) -> str:
    return f"{100 * value:.1f} %" if "accuracy" in name or "share" in name else f"{value:.4g}"


def _bar_reporter(bars: RichProgress, task: TaskID, name: str) -> Progress:
    pace = Pace(time.monotonic())

    def report(done: int, total: int, **figures: float) -> None:
        if pace.tell(time.monotonic(), done, total):
            bars.reset(task, total=total, completed=done)  # else what was done before would count as speed
            if _goes_on(done, total):
                bars.console.print(f"{name:<8} [dim]{_went_on(name, done, total)}[/dim]", highlight=False)
        bars.update(task, total=total, completed=done)
        if figures:
            bars.update(task, figures=format_figures(figures))

    return report
