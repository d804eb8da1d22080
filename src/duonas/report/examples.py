"""Example images: failures of the router and of the pair, easy ones, hard ones (paper D, figure 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import compress
from operator import not_
from typing import Any

from duonas.report.files import RunFiles
from duonas.report.words import number

PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Example:
    """A thumbnail; ``picture`` is a PNG data URI, or empty where the file holds something else."""

    picture: str
    colour: str  # who answered
    right: bool
    truth: str
    said: str
    score: str
    tip: str


@dataclass(frozen=True)
class Group:
    """Examples of one kind."""

    name: str
    note: str
    examples: list[Example]


def groups(run: RunFiles, rows: list[dict[str, Any]]) -> list[Group]:
    """Failures first (the router's own before the pair's), then easy (surest first) and hard (least sure first)."""
    falling = sorted(rows, key=lambda row: -float(row["score"]))
    right, wrong = ([row for row in falling if (_answer(row) == row["label"]) is kind] for kind in (True, False))
    either = [row["label"] in (row["little"], row["big"]) for row in wrong]
    kinds = (
        (
            "Sent wrongly",
            "the other network has it right; the highest scores first",
            list(compress(wrong, either)),
        ),
        (
            "Lost either way",
            "neither network has it right; the highest scores first",
            list(compress(wrong, map(not_, either))),
        ),
        ("Easy", "little answers, and is right", [row for row in right if row["is_little"]]),
        ("Hard", "big answers, and is right", [row for row in reversed(right) if not row["is_little"]]),
    )
    return [Group(name, note, [_example(run, row) for row in kind]) for name, note, kind in kinds if kind]


def _answer(row: dict[str, Any]) -> int:
    return int(row["little"] if row["is_little"] else row["big"])


def _example(run: RunFiles, row: dict[str, Any]) -> Example:
    role = "little" if row["is_little"] else "big"
    truth, little, big = (run.class_name(int(row[name])) for name in ("label", "little", "big"))
    score = number(float(row["score"]))
    ran = f"kept by little (score {score})" if row["is_little"] else f"sent to big (score {score})"
    tip = f"test image {row['index']}\ntrue: {truth}\nlittle: {little}\nbig: {big}\n{ran}"
    picture = row["png"] if isinstance(row["png"], str) and PICTURE.fullmatch(row["png"]) else ""
    return Example(picture, role, _answer(row) == row["label"], truth, run.class_name(_answer(row)), score, tip)
