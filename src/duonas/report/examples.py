"""Example images: failures of the router and of the pair, easy ones and hard ones (paper D, figure 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from duonas.report.files import Row, RunFiles
from duonas.report.formatting import number

PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Example:
    """A test image and its answer; ``picture`` is a PNG data URI, or empty where the file holds something else."""

    picture: str
    colour: str  # little or big, whichever answered
    right: bool
    truth: str
    answer: str
    score: str
    tip: str


@dataclass(frozen=True)
class Group:
    """Examples of one kind."""

    name: str
    note: str
    examples: list[Example]


def groups(run: RunFiles, rows: list[Row]) -> list[Group]:
    """Failures first (those of the router before those of the pair), then easy and hard images."""
    falling = sorted(rows, key=lambda row: -float(row["score"]))
    right = [row for row in falling if _answer(row) == row["label"]]
    wrong = [row for row in falling if _answer(row) != row["label"]]
    lost = [row for row in wrong if row["label"] not in (row["little"], row["big"])]
    kinds = (
        ("Sent wrongly", "the other network is right; highest scores first",
         [row for row in wrong if row not in lost]),
        ("Lost either way", "neither network is right; highest scores first", lost),
        ("Easy", "little answers and is right", [row for row in right if row["is_little"]]),
        ("Hard", "big answers and is right", [row for row in reversed(right) if not row["is_little"]]),
    )  # fmt: skip
    return [Group(name, note, [_example(run, row) for row in kind]) for name, note, kind in kinds if kind]


def _answer(row: Row) -> int:
    return int(row["little"] if row["is_little"] else row["big"])


def _example(run: RunFiles, row: Row) -> Example:
    truth, little, big = (run.class_name(int(row[name])) for name in ("label", "little", "big"))
    score = number(float(row["score"]))
    ran = f"answered by little (score {score})" if row["is_little"] else f"sent to big (score {score})"
    tip = f"test image {row['index']}\ntrue: {truth}\nlittle: {little}\nbig: {big}\n{ran}"
    picture = row["png"] if isinstance(row["png"], str) and PICTURE.fullmatch(row["png"]) else ""
    role, answer = ("little", little) if row["is_little"] else ("big", big)
    return Example(picture, role, _answer(row) == row["label"], truth, answer, score, tip)
