"""Progress of a run: one ``Progress`` for each stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from duonas.core.protocols import Progress, silent


class StageProgress(Protocol):
    """Shows the progress of a run, stage by stage."""

    def stage(self, name: str) -> AbstractContextManager[Progress]:
        """A context for the duration of the stage; it yields the ``Progress`` to report to."""
        ...

    def skip(self, name: str, why: str) -> None:
        """Show that a stage is skipped, and why, such as ``"done before"``."""
        ...

    def note(self, text: str) -> None:
        """Show text of several lines, such as a table."""
        ...

    def warn(self, sentence: str) -> None:
        """Show a warning of one sentence, before long work whose result could be better."""
        ...


class Silent:
    """Progress that shows nothing."""

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Show nothing."""
        yield silent

    def skip(self, name: str, why: str) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def warn(self, sentence: str) -> None:
        """Show nothing."""


@contextmanager
def lazy_stage(watch: StageProgress, name: str) -> Iterator[Progress]:
    """A stage that starts with the first report, so that nothing is shown when there is no work."""
    with ExitStack() as stack:
        stage: Progress | None = None

        def report(done: int, total: int, **figures: float) -> None:
            nonlocal stage
            stage = stage or stack.enter_context(watch.stage(name))
            stage(done, total, **figures)

        yield report
