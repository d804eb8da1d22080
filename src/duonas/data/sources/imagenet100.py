"""ImageNet-100: the 100 classes of ImageNet that Contrastive Multiview Coding chose, from a folder of ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import numpy as np

from duonas.core.errors import DuonasError
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.core.text import listed, plural
from duonas.data.listing import Listing, Skipped
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._walk import find_images, shown

# Tian et al. (2020), Contrastive Multiview Coding, whose code publishes this draw; by their WordNet numbers.
CLASSES = tuple(files("duonas.data.sources").joinpath("imagenet100.txt").read_text().split())
SPLITS = {"train": "train", "val": "test"}  # ImageNet's validation images are what accuracies are published on
EXPECTED = "train/n01558993/*.JPEG and val/n01558993/*.JPEG"


class ImageNet100(Source):
    """The 100 of ImageNet's 1,000 classes that most papers call ImageNet-100 (paper D, section 4.1).

    Of a folder with ``train/CLASS`` and ``val/CLASS``, as ImageNet is usually kept, no other class is looked at. The
    images of val are the test split; duonas takes its own val and calib from train.
    """

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "imagenet100"
        path: Annotated[str | None, Location()] = None
        """Folder of ImageNet, with a folder of images for each class in train and in val."""

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: the folder is missing, has another layout, or lacks one of the classes.
        """
        if self.options.path is None:
            raise DuonasError(f"data.name = 'imagenet100' needs data.path: a folder of ImageNet, with {EXPECTED}.")
        root = expand(self.options.path, "[data] path")
        _check_layout(root)
        images, labels, splits, skipped = list[Path](), list[int](), list[str](), list[Skipped]()
        for folder, split in SPLITS.items():
            for label, name in enumerate(CLASSES):
                found = find_images(root / folder / name)
                images += [root / folder / name / path for path in found.images]
                labels += [label] * len(found.images)
                splits += [split] * len(found.images)
                skipped += found.skipped
        return Listing(
            names=list(map(shown, images)), images=images, labels=np.array(labels, np.int64),
            splits=np.array(splits, object), class_names=CLASSES, root=root, skipped=tuple(skipped),
        )  # fmt: skip


def _check_layout(root: Path) -> None:
    """Refuse a folder that is not ImageNet's, before its images are listed."""
    if not root.is_dir():
        raise DuonasError(f"data.path {str(root)!r} is not a folder; expected one of ImageNet, with {EXPECTED}.")
    for folder in SPLITS:
        lacking = [name for name in CLASSES if not (root / folder / name).is_dir()]
        if len(lacking) == len(CLASSES):
            raise DuonasError(
                f"{root} has no class folders of ImageNet-100 in {folder}; expected {EXPECTED}{_hint(root)}"
            )
        if lacking:
            raise DuonasError(
                f"{root / folder} lacks {plural(len(lacking), 'class folder')} of the {len(CLASSES)} of ImageNet-100: "
                f"{listed(lacking, 3)}."
            )


def _hint(root: Path) -> str:
    """What to do about a folder of another layout, as the end of a sentence."""
    inner = root / "ILSVRC" / "Data" / "CLS-LOC"  # of the archive
    if inner.is_dir():
        return f"; did you mean data.path = {str(inner)!r}?"
    loose = (root / "val").is_dir() and any(each.is_file() for each in (root / "val").iterdir())
    return " (sort the images of val into class folders first)." if loose else "."
