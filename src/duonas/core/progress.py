"""How long work says how it is going: one ``Progress`` a stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from duonas.core.protocols import Progress, silent


class StageProgress(Protocol):
    """Watches a run: one ``Progress`` a stage."""

    def stage(self, name: str) -> AbstractContextManager[Progress]:
        """Entered when a stage starts and left when it ends; gives what the stage's work reports to."""
        ...

    def skip(self, name: str, why: str) -> None:
        """Told of a stage that need not be done, with the reason, such as ``"done before"``."""
        ...

    def warn(self, sentence: str) -> None:
        """Told before long work of what will make it less worth than it could be."""
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Gives the progress that nobody watches."""
        yield silent

    def skip(self, name: str, why: str) -> None:
        """Says nothing."""

    def warn(self, sentence: str) -> None:
        """Says nothing."""


@contextmanager
def lazy_stage(watch: StageProgress, name: str) -> Iterator[Progress]:
    """A stage that starts with the first report, so that nothing is said of work that was done before."""
    with ExitStack() as stack:
        told: Progress | None = None

        def report(done: int, total: int, **figures: float) -> None:
            nonlocal told
            told = told or stack.enter_context(watch.stage(name))
            told(done, total, **figures)

        yield report
