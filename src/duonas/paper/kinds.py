"""The kinds of drawing by name."""

from __future__ import annotations

from duonas.core.errors import DuonasError, nearest
from duonas.paper.drawing import Drawing
from duonas.paper.drawings.curve import TradeOff
from duonas.paper.drawings.recipes import Settings
from duonas.paper.drawings.report import ReportFigures
from duonas.paper.drawings.scatter import Scatter
from duonas.paper.drawings.space import SpaceSize
from duonas.paper.drawings.table import FigureTable

KINDS: dict[str, type[Drawing]] = {
    "table": FigureTable, "curve": TradeOff, "scatter": Scatter, "report": ReportFigures, "recipes": Settings,
    "space": SpaceSize,
}  # fmt: skip


def find_kind(name: str, where: str) -> type[Drawing]:
    """Return a kind of drawing.

    Raises:
        DuonasError: there is none of this name.
    """
    if name not in KINDS:
        raise DuonasError(f"{where}: there is no kind of drawing {name!r}: {nearest(name, KINDS)}.")
    return KINDS[name]
