"""What the networks were trained and measured on: the data report of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from duonas.data.describe import HOW
from duonas.data.modes import scaled, words
from duonas.report.formatting import NOTHING, THIN, percent, plural, points_apart, shorten, whole
from duonas.report.table import Table

LOUD = ("leak", "two classes", "class left out")  # kinds of problems that change what was measured
NAMES = 10  # files that are named of each problem; data.json has all
OPEN = 24  # classes whose table is shown at once
LETTERS = 60


@dataclass(frozen=True)
class Data:
    """The section.

    Args:
        intro: sentences about all images.
        beware: problems that make the measurement doubtful; they are shown at the top of the page, too.
        splits: a row for each split.
        proof: what the calib split can guarantee.
        classes: a row for each class.
        folded: whether the classes are too many to be shown at once.
        problems: sentence and file names of each problem.
        skipped: sentence and file names of each reason why files are not used.
    """

    intro: str
    beware: list[str]
    splits: Table
    proof: str
    classes: Table
    folded: bool
    problems: list[tuple[str, str]]
    skipped: list[tuple[str, str]]


def data(found: dict[str, Any]) -> Data:
    """The section of what ``data.json`` holds."""
    return Data(
        intro=intro(found),
        beware=[_sentence(each["message"]) for each in found["problems"] if each["kind"] in LOUD],
        splits=splits(found),
        proof=proof(found),
        classes=classes(found),
        folded=len(found["class_names"]) > OPEN,
        problems=[(_sentence(each["message"]), _names(each["names"])) for each in found["problems"]],
        skipped=skipped(found["skipped"]),
    )


def intro(found: dict[str, Any]) -> str:
    """How many images of which sizes there are, and what becomes of them."""
    every, side, classes = found["all"], found["image_size"], len(found["class_names"])
    sizes = f"{_size(every['smallest'])} to {_size(every['largest'])} pixels"
    if every["different_sizes"] == 1:
        sizes = f"{_size(every['smallest'])} pixels"
    modes = ", ".join(f"{words(mode)} ({whole(number)})" for mode, number in every["modes"].items())
    small = f" {percent(found['enlarged'])} of the images are smaller than that." if found["enlarged"] else ""
    how = "" if found.get("squares") else f" ({HOW[found['resize']]})"
    values = scaled(found.get("scales", {}), every["modes"])
    place = found.get("table") or found["root"]
    where = f" of {shorten(place, LETTERS)}" if place else ""
    return (
        f"{plural(every['images'], 'image')}{where} in {classes} classes, {sizes}, stored as {modes}. "
        f"The networks see {_size([side, side])} pixels{how}.{small}{values and f' {_sentence(values)}'}"
    )


def splits(found: dict[str, Any]) -> Table:
    """Images, extremes of the classes and provable accuracy of each split."""
    rows = []
    for name, split in found["splits"].items():
        counts = [row["images"] for row in split["classes"]]
        certain = NOTHING if name == "train" else f"± {points_apart(split['certifies']['margin'])}"
        origin = "the data set's own" if split["own"] else _split_off(split)
        few = whole(min(counts)) if min(counts) == max(counts) else f"{whole(min(counts))} to {whole(max(counts))}"
        rows.append((name, whole(split["images"]), few, percent(split["majority_share"]), certain, origin))
    head = ("Split", "Images", "Images a class", "Largest class", "Accuracy known to within", "Origin")
    return Table(head, rows, {5: "words muted"})


def proof(found: dict[str, Any]) -> str:
    """The highest accuracy floor."""
    highest = found["splits"]["calib"]["certifies"]["highest_floor"]
    return (
        "Half of the calib split chooses the threshold. With 95 % confidence that many images can guarantee an "
        f"accuracy floor of at most {percent(highest)}, for a pair that makes no mistake on them."
    )


def classes(found: dict[str, Any]) -> Table:
    """Images of each class in each split."""
    columns = list(found["splits"])
    by_class = zip(*([row["images"] for row in found["splits"][name]["classes"]] for name in columns), strict=True)
    named = zip(found["class_names"], by_class, strict=True)
    rows = [(shorten(name, LETTERS), whole(sum(counts)), *map(whole, counts)) for name, counts in named]
    return Table(("Class", "Images", *columns), rows)


def skipped(files: list[dict[str, str]]) -> list[tuple[str, str]]:
    """The files that were not used, by reason."""
    found = []
    for reason, number in Counter(each["reason"] for each in files).most_common():
        names = [each["name"] for each in files if each["reason"] == reason]
        found.append((f"{plural(number, 'file')} not used: {reason}.", _names(names)))
    return found


def _split_off(split: dict[str, Any]) -> str:
    return f"split off {split['origin']}" if split.get("origin") else "split off"


def _names(names: list[str]) -> str:
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {whole(more)} more, which data.json names" if more > 0 else "")


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('. ')}."


def _size(size: list[int]) -> str:
    return f"{whole(size[0])}{THIN}×{THIN}{whole(size[1])}"
