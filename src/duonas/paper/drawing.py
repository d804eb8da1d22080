"""What a kind of drawing is, and what comes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from duonas.core.errors import DuonasError, nearest
from duonas.paper.runs import Finished
from duonas.recipe.study import Study
from duonas.report.examples import Group
from duonas.report.figure import Drawing as ReportDrawing
from duonas.report.figure import Figure
from duonas.report.table import Table


@dataclass(frozen=True)
class Drawn:
    """What a part shows.

    Args:
        tables: with the names that stand above them, which may be empty.
        figures: charts and drawings by their names in file names.
        notes: sentences below.
        values: the figures of each run, as JSON.
        images: groups of example images.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure | ReportDrawing] = field(default_factory=dict)
    notes: Sequence[str] = ()
    values: Any = None
    images: Sequence[Group] = ()


class Drawing(ABC):
    """A kind of drawing: its fields are the keys of a part, beside those that all parts have."""

    needs_runs: ClassVar[bool] = True

    def wanted(self, study: Study) -> Study:
        """The part of a study that it is drawn from; by default all of it."""
        return study

    def check(self, results: Mapping[str, Finished]) -> None:  # noqa: B027  (most have nothing to check)
        """Check before anything is run that the variants that are named exist.

        Raises:
            DuonasError: one of them does not.
        """

    @abstractmethod
    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """Draw what is finished.

        Args:
            results: of the part's studies, by name.
        """


def check_variants(named: Sequence[str], results: Mapping[str, Finished]) -> None:
    """Check that each study has all variants of these names.

    Raises:
        DuonasError: it does not.
    """
    for found in results.values():
        known = [variant.name for variant in found.study.variants]
        for name in named:
            if name not in known:
                raise DuonasError(f"study {found.study.name} has no variant {name!r}: {nearest(name, known)}.")
