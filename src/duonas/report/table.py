"""A table as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        head: the titles of the columns.
        rows: the texts of the cells.
        classes: CSS classes of columns, by number; ``words`` is for prose, which is aligned to the left.
        note: what stands below it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    classes: Mapping[int, str] = field(default_factory=dict)
    note: str = ""
