"""What a data set holds, and what is wrong with it: known before any training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from duonas.data.checks import find_problems
from duonas.data.counts import Part, certifies, count
from duonas.data.describe import describe, readable
from duonas.data.duplicates import Copies, find_copies
from duonas.data.inspect import Inspected
from duonas.data.listing import Problem, Skipped
from duonas.data.modes import scales
from duonas.runtime.prepare import Preparation

VERSION = 1  # of data.json


@dataclass(frozen=True, repr=False)
class DataReport:
    """What a data set holds and what is wrong with it.

    Args:
        class_names: names (K,).
        preparation: how the images become squares.
        whole: all images that can be read.
        splits: train, val, calib and test by name, without broken images.
        skipped: files that are not used.
        copies: images that occur more than once.
        squares: whether all images are squares.
        scales: the value that is white in images of each mode of more than 8 bits.
        enlarged: fraction of the images that are smaller than what the networks see.
        problems: errors, which stop a run, then warnings.
        can_skip: whether some of the errors concern what ``on_error = "skip"`` would leave out.
        root: the folder of the data, which the names of files are relative to; ``None`` if there is none.
        table: the table, or folder of tables, of the images; ``None`` if there is none.
    """

    class_names: tuple[str, ...]
    preparation: Preparation
    whole: Part
    splits: Mapping[str, Part]
    skipped: tuple[Skipped, ...]
    copies: tuple[Copies, ...]
    squares: bool
    scales: Mapping[str, float]
    enlarged: float
    problems: tuple[Problem, ...]
    can_skip: bool = False
    root: Path | None = None
    table: Path | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that stop a run."""
        return tuple(each for each in self.problems if each.error)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems that do not stop a run."""
        return tuple(each for each in self.problems if not each.error)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON, with all names; fractions are in [0, 1] and sizes in pixels."""
        splits = {
            name: self._part_json(part)
            | {"own": part.own, "origin": part.origin, "certifies": certifies(name, part.images)}
            for name, part in self.splits.items()
        }
        found: dict[str, Any] = _readable({
            "version": VERSION,
            "root": None if self.root is None else str(self.root),
            "table": None if self.table is None else str(self.table),
            "image_size": self.preparation.image_size,
            "resize": self.preparation.resize,
            "class_names": self.class_names,
            "enlarged": self.enlarged,
            "squares": self.squares,
            "scales": dict(self.scales),
            "all": self._part_json(self.whole),
            "splits": splits,
            "problems": list(map(asdict, self.problems)),
            "skipped": list(map(asdict, self.skipped)),
            "copies": list(map(asdict, self.copies)),
        })  # fmt: skip
        return found

    def _part_json(self, part: Part) -> dict[str, Any]:
        rows = zip(self.class_names, part.classes, strict=True)
        return part.total.to_json() | {
            "majority_class": self.class_names[part.majority],
            "majority_share": part.majority_share,
            "classes": [{"class": name} | group.to_json() for name, group in rows],
        }

    def __repr__(self) -> str:
        return describe(self)


def report_data(inspected: Inspected, *, balanced: bool = False) -> DataReport:
    """Return the report of a data set that was inspected.

    Args:
        inspected: the data set.
        balanced: whether the training makes up for rare classes.
    """
    inspected = _within_root(inspected)
    listing, facts, splits = inspected.listing, inspected.facts, inspected.indices
    split_of = np.full(len(listing), "", "<U5")
    for name, rows in splits.items():
        split_of[rows] = name
    there = np.flatnonzero(facts.broken == "")
    whole, copies = count(listing, facts, there), find_copies(listing, facts, split_of)
    parts = {name: count(listing, facts, rows, name) for name, rows in splits.items()}
    problems = (*inspected.problems, *find_problems(listing, facts, parts, copies, balanced=balanced))
    return DataReport(
        class_names=listing.class_names,
        preparation=inspected.preparation,
        whole=whole,
        splits=parts,
        skipped=listing.skipped,
        copies=copies,
        squares=bool((facts.width[there] == facts.height[there]).all()),
        scales=scales(whole.total.modes, inspected.preparation),
        enlarged=_enlarged(facts.width[there], facts.height[there], inspected.preparation),
        problems=tuple(sorted(problems, key=lambda problem: not problem.error)),
        can_skip=inspected.can_skip,
        root=listing.root,
        table=listing.table,
    )


def _within_root(inspected: Inspected) -> Inspected:
    """The same with names relative to the folder of the data."""
    listing = inspected.listing
    if listing.root is None:
        return inspected
    prefix = f"{listing.root}{os.sep}"
    names = [name.removeprefix(prefix) for name in listing.names]
    skipped = tuple(replace(each, name=each.name.removeprefix(prefix)) for each in listing.skipped)
    problems = tuple(
        replace(each, names=tuple(name.removeprefix(prefix) for name in each.names)) for each in inspected.problems
    )
    return replace(inspected, listing=replace(listing, names=names, skipped=skipped), problems=problems)


def _enlarged(width: np.ndarray, height: np.ndarray, preparation: Preparation) -> float:
    """Fraction of the images, with sides (N,), that have fewer pixels than the networks see."""
    sides = np.maximum(width, height) if preparation.resize == "pad" else np.minimum(width, height)
    return float((sides < preparation.image_size).mean()) if len(sides) else 0.0


def _readable(value: Any) -> Any:
    """As JSON gives it back: lists, and names that UTF-8 can write."""
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    return readable(value) if isinstance(value, str) else value
