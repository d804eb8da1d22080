"""One pass over a data set: every image is decoded and inspected, and all that is wrong is collected."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent
from duonas.core.registry import adapted, find
from duonas.core.rng import stream
from duonas.core.text import plural
from duonas.data.decode import decode_sizes
from duonas.data.describe import advice, sentence
from duonas.data.facts import ImageFacts
from duonas.data.images import Images
from duonas.data.listing import ELSEWHERE, Listing, Problem
from duonas.data.modes import kinds_of
from duonas.data.ondisk import Pixels
from duonas.data.options import DataOptions
from duonas.data.preparation import prepare_for, white_problems, working_for
from duonas.data.small_classes import small_classes, without_small_classes
from duonas.data.source import Source
from duonas.data.store import stored_images
from duonas.data.stratify import split_indices
from duonas.runtime.prepare import Preparation

NEARLY_ALL = 0.9  # of the files: if so many are missing, they are in another folder
NO_FILE = os.strerror(errno.ENOENT)
NAMED = 20  # images named in an error; the report of the data has all


@dataclass(frozen=True, eq=False)
class Inspected:
    """What is known of a data set before any training.

    Args:
        listing: N images as the source lists them.
        facts: of the N images.
        indices: rows of the listing (M,) int64 by split: train, val, calib and test; without broken images.
        problems: those of the listing, broken images, and classes that are too small.
        preparation: how each image became a square.
        can_skip: whether some of the errors concern what ``on_error = "skip"`` would leave out.
    """

    listing: Listing
    facts: ImageFacts
    indices: Mapping[str, np.ndarray]
    problems: tuple[Problem, ...]
    preparation: Preparation
    can_skip: bool = False

    def check(self) -> None:
        """Refuse data with errors.

        Raises:
            DuonasError: it lists all of them.
        """
        errors = [problem for problem in self.problems if problem.error]
        if not errors:
            return
        lines = [f"error: {sentence(problem, NAMED)}" for problem in errors]
        hint = f"\n\n{advice(can_skip=self.can_skip)}; `duonas data` shows all that is known of the data."
        if len(lines) == 1:
            raise DuonasError(f"{lines[0]}.{hint}")
        more = [f"and {len(lines) - NAMED:,} more"] if len(lines) > NAMED else []
        listed = "\n".join(f"- {line}" for line in (*lines[:NAMED], *more))
        raise DuonasError(f"the data cannot be used as they are:\n{listed}{hint}")


def inspect_data(options: DataOptions, seed: int, progress: Progress = silent) -> tuple[Inspected, Images]:
    """Decode and inspect all images of a data set, and split it; problems are returned, not raised.

    Returns:
        What is known of the data set, and its N images in the order of the listing; broken ones are black.

    Raises:
        DuonasError: there is no data set, or its decoded images cannot be stored.
    """
    _check_fractions(options)
    source = find("source", options.name)
    own = adapted(options, source.Options)
    listing = _checked(source(own).list(), options.name)
    if len(listing.class_names) < 2 or not len(listing):
        raise DuonasError(_too_few_classes(listing))
    preparation = prepare_for(listing, options)
    sizes = [preparation, *filter(None, [working_for(listing, options, preparation)])]
    (pixels, *working), facts = _decode(listing, sizes, options, progress)
    labels = torch.from_numpy(np.ascontiguousarray(listing.labels, np.int64))
    images = Images(pixels, labels, *working)
    problems = [*listing.problems, *_of_facts(listing, facts, source)]
    nothing, small = bool((facts.broken != "").all()), list[Problem]()
    if options.on_error == "skip" and not nothing:
        problems = [replace(problem, error=False) for problem in problems]
        listing, facts, images, small = without_small_classes(listing, facts, images)
    elif not nothing:
        small = small_classes(listing, np.ones(len(listing), bool))
    indices = split_indices(listing, facts, options, stream(seed, "splits", options.name))
    can_skip = options.on_error == "stop" and not nothing and any(each.error for each in (*problems, *small))
    problems += [*white_problems(listing, facts, preparation, options), *small]
    preparation = replace(preparation, kinds=kinds_of(set(facts.mode[facts.broken == ""])))
    return Inspected(listing, facts, indices, tuple(problems), preparation, can_skip), images


def _checked(listing: Listing, name: str) -> Listing:
    """What a source lists; a source of the user's own may list anything."""
    if not isinstance(listing, Listing):
        raise DuonasError(f"list() of the data source {name} gave {type(listing).__name__}; expected a Listing.")
    counts = {what: len(getattr(listing, what)) for what in ("names", "images", "labels", "splits")}
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        raise DuonasError(f"the data source {name} lists {numbers}; expected one of each for each image.")
    return listing


def _decode(
    listing: Listing, sizes: Sequence[Preparation], options: DataOptions, progress: Progress
) -> tuple[Sequence[Pixels], ImageFacts]:
    if options.store == "disk":
        return stored_images(listing, sizes, progress, cache=options.cache)
    return decode_sizes(listing.images, sizes, progress)


def _of_facts(listing: Listing, facts: ImageFacts, source: type[Source]) -> list[Problem]:
    """Broken images, and images of which something is lost."""
    problems, names = [], np.array(listing.names, object)
    broken, missing = facts.broken != "", facts.broken == NO_FILE
    if missing.mean() >= NEARLY_ALL:
        if all(each.kind != ELSEWHERE for each in listing.problems):
            problems.append(_missing(listing, missing, source))
        broken &= ~missing
    if broken.any():
        named = tuple(f"{name} ({why})" for name, why in zip(names[broken], facts.broken[broken], strict=True))
        message = f"{plural(len(named), 'image')} cannot be read"
        problems.append(Problem("broken", message, named, error=True))
    for note, count in Counter(facts.note[facts.note != ""]).items():
        message = f"of {plural(count, 'image')} is read only {note}"
        problems.append(Problem("partly read", message, tuple(names[facts.note == note])))
    return problems


def _missing(listing: Listing, missing: np.ndarray, source: type[Source]) -> Problem:
    """Nearly all files are missing: they are somewhere else, which is one mistake."""
    rows = np.flatnonzero(missing).tolist()
    first = listing.images[rows[0]]
    where = f"; the first was looked for at {first.absolute()}" if isinstance(first, Path) else ""
    hint = f": set {source.base_key} to the folder that the paths are relative to" if source.base_key else ""
    names = () if len(rows) == len(listing) else tuple(listing.names[row] for row in rows)
    many = f"{len(rows):,} of {plural(len(listing), 'image')} do not exist"
    return Problem("missing", f"{many}{where}{hint}", names, error=True)


def _check_fractions(options: DataOptions) -> None:
    if options.val + options.calib >= 1:
        raise DuonasError(
            f"data.val = {options.val} and data.calib = {options.calib} leave nothing to train on; "
            "their sum must be below 1."
        )


def _too_few_classes(listing: Listing) -> str:
    where = f"{listing.root} has" if listing.root else "the data set has"
    if not len(listing):
        return f"{where} no images."
    only = f"only one class, {listing.class_names[0]!r}" if listing.class_names else "no classes"
    return f"{where} {only}; a classifier needs at least two."
