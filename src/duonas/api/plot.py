"""A figure of a run's report as a picture of its own."""

from __future__ import annotations

import base64
from html import escape
from os import PathLike
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.files import write_text
from duonas.report.figure import Figure
from duonas.report.standalone import standalone


class Plot:
    """A picture that notebooks show.

    Args:
        figure: the figure as the report draws it.
    """

    def __init__(self, figure: Figure) -> None:
        self.title, self.caption = figure.title, figure.caption
        self.svg: str = standalone(figure)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the picture as an SVG file, and return its path.

        Raises:
            DuonasError: the name does not end in ``.svg``.
        """
        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise DuonasError(f"a plot is saved as SVG: expected a name that ends in .svg, got {str(path)!r}.")
        return write_text(path, self.svg)

    def __repr__(self) -> str:
        return f"Plot({self.title!r}): {self.caption} Save it with .save('plot.svg')."

    def _repr_html_(self) -> str:
        # As an image, so that neither the notebook's styles nor the picture's reach the other.
        data = base64.b64encode(self.svg.encode()).decode()
        picture = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(self.title)}" style="max-width: 100%">'
        return f"{picture}<p>{escape(self.caption)}</p>"
