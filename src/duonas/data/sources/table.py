"""A table of images and labels: CSV, JSON lines or Parquet, which names image files or holds the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from duonas.core.errors import DuonasError
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._rows import Columns
from duonas.data.sources._tables import list_table


class Table(Source):
    """Images by the rows of tables, such as labels.csv, Hugging Face's metadata.csv, or Parquet with images inside.

    In a folder of tables, files or folders named after splits (train, val, test) are these splits; so are the values of
    a column ``split``. Paths are relative to the table. Classes are the sorted labels.
    """

    base_key = "[data] images"

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "table"
        path: Annotated[str | None, Location()] = None
        """A .csv, .tsv, .jsonl or .parquet file, or a folder of such files."""
        images: Annotated[str | None, Location()] = None
        """Folder that the paths in the table are relative to; default: the table's own."""
        image_column: str | None = None
        """Column with the image or its path; default: file_name, image, path or another usual name."""
        label_column: str | None = None
        """Column with the class; default: label, class or another usual name."""
        split_column: str | None = None
        """Column with train, val or test; default: split where there is one; "none": not read."""

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: a table is missing, damaged or has other columns.
        """
        given = self.options
        if given.path is None:
            raise DuonasError(
                "data.name = 'table' needs data.path: a CSV, JSON-lines or Parquet file of images and labels."
            )
        images = None if given.images is None else expand(given.images, "[data] images")
        if images is not None and not images.is_dir():
            raise DuonasError(f"data.images {str(images)!r} is not a folder; expected one that holds the images.")
        columns = Columns(given.image_column, given.label_column, given.split_column)
        return list_table(expand(given.path, "[data] path"), columns, images)
