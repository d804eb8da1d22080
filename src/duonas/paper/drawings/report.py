"""Figures and tables of the report, each of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.paper.drawing import Drawing, Drawn, check_variants
from duonas.paper.runs import Finished, Run
from duonas.recipe.study import Study
from duonas.report.examples import Group
from duonas.report.figure import Drawing as ReportDrawing
from duonas.report.figure import Figure
from duonas.report.files import read_run
from duonas.report.html import PARTS, Part, part_of
from duonas.report.table import Table


@dataclass(frozen=True)
class ReportFigures(Drawing):
    """``kind = "report"``.

    Args:
        figures: parts of the report, such as ``calibration``.
        variants: whose runs are shown, of the first seed; by default the first variant of each study.
    """

    figures: tuple[str, ...]
    variants: tuple[str, ...] = ()

    def wanted(self, study: Study) -> Study:
        """One seed of the variants that are shown."""
        return study.only(self.variants or [study.variants[0].name], study.seeds[:1])

    def check(self, results: Mapping[str, Finished]) -> None:
        """Check that the variants and the parts of the report exist."""
        check_variants(self.variants, results)
        for name in self.figures:
            if name not in PARTS:
                raise DuonasError(f"the report has no part {name!r}: {nearest(name, PARTS)}.")

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """The parts of each run."""
        tables: dict[str, Table] = {}
        figures: dict[str, Figure | ReportDrawing] = {}
        notes: list[str] = []
        images: list[Group] = []
        for name, found in results.items():
            for variant in self.variants or [found.study.variants[0].name]:
                run = next(iter(found.of_variant(variant)), None)
                if run is None:
                    notes.append(f"{name}: no run of {variant} is finished.")
                    continue
                notes.append(f"{name}: {variant}, seed {run.seed}.")
                several = f"{name}, {variant}" if len(results) > 1 or len(self.variants) > 1 else ""
                for key, part in self._parts(run).items():
                    title = ", ".join(filter(None, [key.replace("_", " "), several]))
                    notes += [f"{title}: {part.missing}"] if part.missing else []
                    values = part.value if isinstance(part.value, list) else [part.value]
                    tables.update((title, each) for each in values if isinstance(each, Table))
                    images += [each for each in values if isinstance(each, Group)]
                    drawn = [each for each in values if isinstance(each, Figure | ReportDrawing)]
                    for number, figure in enumerate(drawn, 1):
                        stem = _stem(key, several, number if len(drawn) > 1 else 0)
                        figures[stem] = figure
        return Drawn(tables=tables, figures=figures, notes=notes, images=images)

    def _parts(self, run: Run) -> dict[str, Part]:
        files = read_run(run.folder)
        return {name: part_of(files, name) for name in self.figures}


def _stem(*words: Any) -> str:
    """A part of a file's name."""
    text = "-".join(str(word).lower() for word in words if word)
    return "".join(each if each.isalnum() or each == "-" else "-" for each in text)
