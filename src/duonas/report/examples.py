"""Example images: failures of the router and of the pair, easy ones and hard ones (paper D, figure 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from duonas.report.files import Row, RunFiles
from duonas.report.formatting import number

PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Example:
    """A test image and its answers; ``picture`` is a PNG data URI, or empty where the file holds something else."""

    picture: str
    score: float
    kept: bool  # whether little answers
    label: int
    little: int
    big: int
    truth: str
    little_name: str
    big_name: str
    tip: str

    @property
    def role(self) -> str:
        """Which network answers: little or big."""
        return "little" if self.kept else "big"

    @property
    def right(self) -> bool:
        """Whether the answer is."""
        return self.label == (self.little if self.kept else self.big)

    @property
    def answer(self) -> str:
        """The name of the class that is the answer."""
        return self.little_name if self.kept else self.big_name

    @property
    def written(self) -> str:
        """The score."""
        return number(self.score)


@dataclass(frozen=True)
class Group:
    """Examples of one kind, which there may be none of."""

    kind: str
    name: str
    note: str
    examples: list[Example]


def groups(run: RunFiles, rows: list[Row]) -> list[Group]:
    """Failures first (those of the router before those of the pair), then easy and hard images."""
    shown = [_example(run, row) for row in sorted(rows, key=lambda row: -float(row["score"]))]
    right, wrong = ([each for each in shown if each.right is wanted] for wanted in (True, False))
    lost = [each for each in wrong if each.label not in (each.little, each.big)]
    return [
        Group("sent", "Sent wrongly", "the other network is right; highest scores first",
              [each for each in wrong if each not in lost]),
        Group("lost", "Lost either way", "neither network is right; highest scores first", lost),
        Group("easy", "Easy", "little answers and is right", [each for each in right if each.kept]),
        Group("hard", "Hard", "big answers and is right", [each for each in reversed(right) if not each.kept]),
    ]  # fmt: skip


def _example(run: RunFiles, row: Row) -> Example:
    label, little, big = (int(row[name]) for name in ("label", "little", "big"))
    truth, little_name, big_name = (run.class_name(each) for each in (label, little, big))
    score = float(row["score"])
    tip = f"test image {row['index']}\ntrue: {truth}\nlittle: {little_name}\nbig: {big_name}\nscore {number(score)}"
    picture = row["png"] if isinstance(row["png"], str) and PICTURE.fullmatch(row["png"]) else ""
    kept = bool(row["is_little"])
    return Example(picture, score, kept, label, little, big, truth, little_name, big_name, tip)
