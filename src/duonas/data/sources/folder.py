"""A folder of your own images: one subfolder per class, in one folder for all or in one for each split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from duonas.core.errors import DuonasError
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._layout import list_classes


class Folder(Source):
    """Images from ``path/CLASS/*``, or from ``path/train/CLASS/*`` and beside it val and test, where they exist.

    Splits may be called train or training; val, valid, validation, dev or eval; test, tests, testing or holdout; in any
    case, and also train_set, or seg_train beside seg_test. Class names are the sorted names of the folders; images may
    be in subfolders of a class folder.
    """

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "folder"
        path: Annotated[str | None, Location()] = None
        """Folder with one subfolder of images per class, or with train, val and test folders of such."""
        layout: Literal["auto", "classes"] = "auto"
        """classes: each folder in path is a class, also one that is called train or test; auto: these are splits."""

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: the folder is missing or has another layout.
        """
        return list_classes(self._root(), self.options.layout)

    def _root(self) -> Path:
        if self.options.path is None:
            raise DuonasError("data.name = 'folder' needs data.path: a folder with one subfolder of images per class.")
        root = expand(self.options.path, "[data] path")
        if not root.is_dir():
            raise DuonasError(
                f"data.path {str(root)!r} is not a folder; expected one with a subfolder of images per class."
            )
        return root
