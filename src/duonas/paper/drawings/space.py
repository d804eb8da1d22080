"""How many archs and pairs a search space has (paper D, appendix E.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from duonas.core.errors import DuonasError
from duonas.core.registry import find
from duonas.paper.drawing import Drawing, Drawn
from duonas.paper.runs import Finished
from duonas.pipeline.profile import profile
from duonas.report.formatting import NOTHING, whole
from duonas.report.table import Table

COUPLINGS = ("nested", "partial", "sibling")


@dataclass(frozen=True)
class SpaceSize(Drawing):
    """``kind = "space"``: it needs the images of each study, whose size the space depends on, but no runs.

    To draw it downloads nothing: a run of the study does.
    """

    needs_runs: ClassVar[bool] = False

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """A row for each study, of its first variant."""
        rows, notes, values = [], [], {}
        for name, found in results.items():
            recipe = found.study.variants[0].recipe(found.study.seeds[0])
            try:
                if find("source", recipe.data.name)(recipe.data).downloads:
                    raise DuonasError(f"the images of {recipe.data.name} are not here yet; a run downloads them.")
                known = profile(recipe)
            except DuonasError as error:
                notes.append(f"{name}: not counted: {error}")
                continue
            pairs = [known.couplings.get(coupling) for coupling in COUPLINGS]
            values[name] = {"archs": str(known.archs)} | {key: str(count) for key, count in known.couplings.items()}
            rows.append([name, whole(known.archs), *(NOTHING if each is None else whole(each) for each in pairs)])
        head = ["Study", "Archs", *(f"{each.capitalize()} pairs" for each in COUPLINGS)]
        return Drawn(tables={"": Table(head, rows, {0: "words"})} if rows else {}, notes=notes, values=values)
