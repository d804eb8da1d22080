"""The kinds of drawing by name."""

from __future__ import annotations

from duonas.core.errors import DuonasError, nearest
from duonas.paper.drawing import Drawing
from duonas.paper.drawings.table import FigureTable

KINDS: dict[str, type[Drawing]] = {"table": FigureTable}


def find_kind(name: str, where: str) -> type[Drawing]:
    """Return a kind of drawing.

    Raises:
        DuonasError: there is none of this name.
    """
    if name not in KINDS:
        raise DuonasError(f"{where}: there is no kind of drawing {name!r}: {nearest(name, KINDS)}.")
    return KINDS[name]
