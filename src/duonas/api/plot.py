"""A figure of a run's report by itself."""

from __future__ import annotations

from html import escape
from os import PathLike
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes, write_text
from duonas.report.figure import Figure

HEIGHT = 700  # pixels of a notebook
SUFFIXES = (".html", ".png", ".svg")


class Plot:
    """A chart that notebooks show, with hovering, zoom and a legend that filters.

    Args:
        figure: the figure as the report draws it.
    """

    def __init__(self, figure: Figure) -> None:
        self.title, self.caption = figure.title, figure.caption
        self._figure = figure

    @property
    def html(self) -> str:
        """The chart as a page that works offline."""
        from duonas.report.page import render_page

        return render_page("figure.html.j2", self.title, figure=self._figure)

    @property
    def svg(self) -> str:
        """The chart as the text of an SVG file.

        Raises:
            DuonasError: the extra ``figures`` is not installed.
        """
        from duonas.report.export import svgs

        return next(svgs(self._figure))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the chart as a page, or, with the extra ``figures``, as SVG or PNG, and return its path.

        Raises:
            DuonasError: the name ends in something else, or the extra is not installed.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise DuonasError(
                f"a plot is saved as a page, SVG or PNG: expected a name that ends in {', '.join(SUFFIXES)}, "
                f"got {str(path)!r}."
            )
        if suffix == ".png":
            from duonas.report.export import png_of

            return write_bytes(path, png_of(self.svg))
        return write_text(path, self.html if suffix == ".html" else self.svg)

    def __repr__(self) -> str:
        return f"Plot({self.title!r}): {self.caption} Save it with .save('plot.html')."

    def _repr_html_(self) -> str:
        # In a frame, so that neither the notebook's styles and scripts nor the chart's reach the other.
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(self.title)}" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
        )
