"""Visual Wake Words: is there a person in the image, built from the images and annotations of COCO by its rule."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.fields import Location
from duonas.core.files import expand
from duonas.core.text import listed
from duonas.data.listing import Listing
from duonas.data.options import DataOptions
from duonas.data.source import Source
from duonas.data.sources._walk import shown

SMALLEST = 0.005  # share of the image that an object must cover to count (section 3 of the paper)
YEARS = ("2017", "2014")
EXPECTED = "annotations/instances_train2017.json, annotations/instances_val2017.json, train2017/*.jpg and val2017/*.jpg"


class VisualWakeWords(Source):
    """COCO's images in two classes: with an object of a category, and without (Chowdhery et al., 2019).

    An image is of the category's class if an object of it covers more than 0.5 % of the image, by the area that COCO
    gives. COCO's validation images are the test split, or those of a list, such as the 8,059 that the paper tests on.
    """

    @dataclass(frozen=True)
    class Options(DataOptions):
        """Keys of ``[data]``."""

        name: str = "visual_wake_words"
        path: Annotated[str | None, Location()] = None
        """Folder of COCO, 2017 or 2014, with its images and its annotations of instances."""
        category: str = "person"
        """The category of COCO that is looked for."""
        test_ids: Annotated[str | None, Location()] = None
        """File with the numbers of the images to test on, one a line, such as mscoco_minival_ids.txt; default: val."""

    def list(self) -> Listing:
        """List the images.

        Raises:
            DuonasError: a file is missing or damaged, COCO has no such category, or one of two classes has no image.
        """
        given = self.options
        if given.path is None:
            raise DuonasError(f"data.name = 'visual_wake_words' needs data.path: a folder of COCO, with {EXPECTED}.")
        root = expand(given.path, "[data] path")
        year = _year(root)
        test_ids = None if given.test_ids is None else _numbers(expand(given.test_ids, "[data] test_ids"))
        images, labels, splits = list[Path](), list[int](), list[str]()
        for part in ("train", "val"):
            annotations = root / "annotations" / f"instances_{part}{year}.json"
            for number, name, there in _labelled(annotations, given.category):
                images.append(root / f"{part}{year}" / name)
                labels.append(int(there))
                splits.append("test" if (part == "val" if test_ids is None else number in test_ids) else "train")
        names = (f"not-{given.category}", given.category)
        _check_classes(root, names, labels, splits)
        return Listing(
            names=list(map(shown, images)), images=images, labels=np.array(labels, np.int64),
            splits=np.array(splits, object), class_names=names, root=root,
        )  # fmt: skip


def _year(root: Path) -> str:
    """The newest edition of COCO whose annotations are there."""
    for year in YEARS:
        if all((root / "annotations" / f"instances_{part}{year}.json").is_file() for part in ("train", "val")):
            return year
    raise DuonasError(f"{root} is not a folder of COCO; expected {EXPECTED} (or the same of 2014).")


def _labelled(annotations: Path, category: str) -> list[tuple[int, str, bool]]:
    """Number, file name and whether an object of the category is large enough in it, of each image."""
    content = _read(annotations)
    try:
        numbers = {each["name"]: each["id"] for each in content["categories"]}
        area = {each["id"]: each["width"] * each["height"] for each in content["images"]}
        large = {
            (each["category_id"], each["image_id"]) for each in content["annotations"]
            if each["image_id"] in area and each["area"] > SMALLEST * area[each["image_id"]]
        }  # fmt: skip
        names = {each["id"]: each["file_name"] for each in content["images"]}
    except (LookupError, TypeError) as error:
        raise DuonasError(f"{annotations} is damaged: an entry lacks {error}.") from error
    if category not in numbers:
        raise DuonasError(f"[data] category: {annotations} has no {category!r}: {nearest(category, numbers)}.")
    return [(number, name, (numbers[category], number) in large) for number, name in names.items()]


def _read(annotations: Path) -> dict[str, Any]:
    try:
        content = json.loads(annotations.read_bytes())
    except (OSError, ValueError) as error:
        raise DuonasError(f"cannot read {annotations}: {error}.") from error
    wanted = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not set(wanted) <= set(content):
        raise DuonasError(f"{annotations} has no annotations of instances; expected the tables {listed(wanted, 3)}.")
    return content


def _numbers(file: Path) -> set[int]:
    try:
        return {int(line) for line in file.read_text().split()}
    except (OSError, ValueError) as error:
        raise DuonasError(f"[data] test_ids: cannot read {file}, expected a number on each line: {error}.") from error


def _check_classes(root: Path, names: tuple[str, str], labels: list[int], splits: list[str]) -> None:
    there = {label for label, split in zip(labels, splits, strict=True) if split == "train"}
    for label, name in enumerate(names):
        if label not in there:
            raise DuonasError(f"{root} has no image of the class {name!r} to train on.")
