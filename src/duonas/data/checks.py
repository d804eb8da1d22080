"""Looks for what is doubtful in a data set: equal, saturated, few or one-sided images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.stats import chi2_contingency
from scipy.stats.contingency import expected_freq

from duonas.core.text import plural
from duonas.data.counts import Part, certifies
from duonas.data.duplicates import Copies
from duonas.data.facts import ImageFacts
from duonas.data.listing import Listing, Problem
from duonas.data.modes import words

FLAT = 2.0  # standard deviation of the pixels, of 255 levels, below which an image is near-constant
CLIPPED = 0.98  # fraction of the values that are 0 or 255
FEW = 100  # images of a split: an accuracy is then known to within 10 points
IMBALANCE = 10.0  # largest class to smallest class
MANY_BROKEN = 0.5  # fraction of the images that cannot be read
BY_CHANCE = 0.001  # probability below which two splits are taken for different in their mix of classes
EXPECTED = 5  # images of a class in a split, below which the test of that is not exact
DIFFERING = 3  # classes to name of such splits
TELLING = 5  # images of a class that are enough to say that its format is another


def find_problems(
    listing: Listing,
    facts: ImageFacts,
    splits: Mapping[str, Part],
    copies: tuple[Copies, ...],
    *,
    balanced: bool = False,
) -> Iterator[Problem]:
    """Yield what is doubtful in a data set whose images can be read.

    Args:
        listing: N images.
        facts: facts of these.
        splits: counts of each split by name.
        copies: groups of equal images.
        balanced: whether the training makes up for rare classes.
    """
    yield from _alike(listing.class_names)
    yield from _leaks(copies)
    yield from _copies(copies)
    yield from _flat(listing, facts)
    yield from _formats(listing.class_names, splits["train"])
    if (facts.broken != "").mean() > MANY_BROKEN:
        return  # the sizes of what is left follow from that
    yield from _imbalance(listing.class_names, splits["train"], balanced=balanced)
    yield from _mix(listing.class_names, splits)
    for name, part in splits.items():
        yield from _few(name, part)


def _alike(class_names: Sequence[str]) -> Iterator[Problem]:
    """Classes whose names differ in case and spaces alone."""
    same: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        same["".join(name.casefold().split())].append(name)
    names = tuple(" and ".join(map(repr, each)) for each in same.values() if len(each) > 1)
    if names:
        yield Problem("similar names", "classes have names that differ in case or spaces alone", names)


def _leaks(copies: tuple[Copies, ...]) -> Iterator[Problem]:
    """Equal images in two splits; those that involve test are one warning, the others another."""
    leaks = [each for each in copies if len(set(each.splits) - {""}) > 1]
    of_test = [each for each in leaks if "test" in each.splits]
    others = [each for each in leaks if "test" not in each.splits]
    if of_test:
        number = sum(each.splits.count("test") for each in of_test)
        images = "1 test image is" if number == 1 else f"{number:,} test images are"
        yield Problem(
            "leak",
            f"{images} also in train, val or calib, so the accuracy measured on test is too high",
            tuple(map(str, of_test)),
        )
    if others:
        yield Problem(
            "leak",
            f"{plural(len(others), 'image')} {'is' if len(others) == 1 else 'are'} in two of train, val and calib, so "
            "the search and the threshold take the networks for more accurate than they are",
            tuple(map(str, others)),
        )


def _copies(copies: tuple[Copies, ...]) -> Iterator[Problem]:
    """Equal images in two classes, or else twice in one split."""
    torn = [each for each in copies if len(set(each.classes)) > 1]
    if torn:
        yield Problem(
            "two classes",
            f"{plural(len(torn), 'image')} {'has' if len(torn) == 1 else 'have'} two labels",
            tuple(map(str, torn)),
        )
    plain = [each for each in copies if len(set(each.classes)) == 1 and len(set(each.splits)) == 1]
    if plain:
        more = sum(len(each.names) - 1 for each in plain)
        kind = "copy" if more == 1 else "copies"
        yield Problem("copies", f"{more:,} {kind} of other images of the same split", tuple(map(str, plain)))


def _flat(listing: Listing, facts: ImageFacts) -> Iterator[Problem]:
    whole = facts.broken == ""
    flat = whole & (facts.std < FLAT)
    clipped = whole & ~flat & (facts.clipped >= CLIPPED) & (facts.mode != "1")
    for rows, kind, what in (
        (flat, "near-constant", "nearly one colour all over, as values in the wrong scale look"),
        (clipped, "clipped", "almost only black and white, as saturated values look"),
    ):
        if rows.any():
            number = int(rows.sum())
            names = tuple(listing.names[row] for row in np.flatnonzero(rows).tolist())
            yield Problem(kind, f"{plural(number, 'image')} {'is' if number == 1 else 'are'} {what}", names)


def _formats(class_names: Sequence[str], part: Part) -> Iterator[Problem]:
    """Classes whose images all have a mode that no other class has."""
    names = []
    for at, group in enumerate(part.classes):
        others = {mode for other, each in enumerate(part.classes) if other != at for mode in each.modes}
        if group.images >= TELLING and others and others.isdisjoint(group.modes):
            names.append(f"{class_names[at]} ({', '.join(map(words, group.modes))})")
    if names:
        yield Problem(
            "format",
            "classes can be told by the mode of their files, which the networks may learn instead of what is in the "
            "images",
            tuple(names),
        )


def _mix(class_names: Sequence[str], splits: Mapping[str, Part]) -> Iterator[Problem]:
    """Splits with another mix of classes, beyond chance, than the one that what is learned or promised is from."""
    calib, train = splits["calib"], splits["train"]
    for name, other, origin, what in (
        ("test", calib, "calib", "an accuracy floor is promised for images like those of calib"),
        ("calib", train, "train", "the networks learn from train"),
        ("val", train, "train", "the networks learn from train"),
    ):
        part = splits[name]
        if _differs(part.counts, other.counts):
            ours, theirs = (np.array(each.counts) / each.images for each in (part, other))
            named = np.argsort(-np.abs(ours - theirs), kind="stable")[:DIFFERING].tolist()
            yield Problem(
                "class mix",
                f"the mix of classes of {name} is not that of {origin}, beyond chance: {what}",
                tuple(f"{class_names[at]!r} {ours[at]:.1%} of {name}, {theirs[at]:.1%} of {origin}" for at in named),
            )


def _differs(ours: Sequence[int], theirs: Sequence[int]) -> bool:
    """Whether two counts (K,) of classes differ beyond chance, by a chi-squared test; rare classes count as one."""
    counts = np.array([ours, theirs])
    if not counts.any(1).all():
        return False
    rare = expected_freq(counts).min(0) < EXPECTED
    counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(1)])
    counts = counts[:, counts.any(0)]
    if counts.shape[1] < 2:
        return False
    return float(chi2_contingency(counts).pvalue) < BY_CHANCE


def _few(name: str, part: Part) -> Iterator[Problem]:
    proof = certifies(name, part.images)
    margin = f"an accuracy measured on it is known to within {100 * proof['margin']:.0f} points"
    if name == "calib" and part.images < 2 * FEW:
        half = -(-part.images // 2)
        yield Problem(
            "few images",
            f"the threshold is chosen on half of the calib split, only {plural(half, 'image')}: the share of images "
            f"that stays little has a standard error of up to {50 / max(half, 1) ** 0.5:.0f} points, and no accuracy "
            f"floor above {proof['highest_floor']:.1%} can be guaranteed; raise [data] calib, or add images",
        )
    elif name in ("val", "test") and part.images < FEW:
        yield Problem("few images", f"the {name} split has only {plural(part.images, 'image')}: {margin}")


def _imbalance(class_names: Sequence[str], part: Part, *, balanced: bool) -> Iterator[Problem]:
    least = min((count for count in part.counts if count), default=0)
    if least and max(part.counts) >= IMBALANCE * least:
        largest, smallest = class_names[part.majority], class_names[part.counts.index(least)]
        advice = "" if balanced else ", and see [train] class_weights"
        yield Problem(
            "imbalance",
            f"classes are of very different sizes: {largest!r} has {plural(max(part.counts), 'image')} to train on and "
            f"{smallest!r} {least:,}; always answering {largest!r} is right on {part.majority_share:.1%}, so compare "
            f"balanced accuracies{advice}",
        )
