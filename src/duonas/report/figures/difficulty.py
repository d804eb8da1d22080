"""Who answers what: the images from easy to hard, and how many stay little (paper D, figure 3)."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from duonas.measure.accuracy import Outputs, by_difficulty
from duonas.report.figure import Figure, Key, figure
from duonas.report.svg import Frame, canvas, frame, join
from duonas.report.words import number, percent, tick, tick_percent, whole

ROLES = ("little", "big", "routed")


def difficulty(outputs: Outputs) -> Figure:
    """A bar for each tenth of the images: the share that stays little; dots for the accuracies there."""
    rows = by_difficulty(outputs)

    def draw(width: int) -> Markup:
        plot = frame(width, 340, (0.0, float(len(rows))), (0.0, 1.0))
        heights, edges = [row["little_share"] for row in rows], list(map(float, range(len(rows) + 1)))
        return canvas(
            width, 340, "Share of the images that stays little, and accuracies, by difficulty",
            plot.axes(f"{_unit(rows)} of the images, from easy to hard", "Share or accuracy (%)", tick, tick_percent),
            plot.bars(edges, heights, ["fill little shade0"] * len(rows), list(map(_tip, rows))),
            join(_line(plot, role, rows) for role in ROLES),
        )  # fmt: skip

    first, last = rows[0], rows[-1]
    caption = (
        f"An image is as hard as big finds it, by its loss: little keeps {percent(first['little_share'], 0)} of the "
        f"easiest {_unit(rows, 1)} and {percent(last['little_share'], 0)} of the hardest."
    )
    keys = (Key("box", "little", "little share"), *(Key("line", role, f"accuracy of {role}") for role in ROLES))
    return figure("Difficulty", draw, caption, keys)


def _unit(rows: list[dict[str, Any]], count: int = 2) -> str:
    name = "tenth" if len(rows) == 10 else "part"
    return name if count == 1 else f"{name}s".capitalize()


def _line(plot: Frame, role: str, rows: list[dict[str, Any]]) -> Markup:
    middles = [index + 0.5 for index in range(len(rows))]
    values = [row[role] for row in rows]
    return plot.line(middles, values, role)


def _tip(row: dict[str, Any]) -> str:
    return (
        f"big's loss {number(row['lowest_loss'])} to {number(row['highest_loss'])}\n{whole(row['images'])} images\n"
        f"little share {percent(row['little_share'])}\n"
        f"accuracy: little {percent(row['little'])}, big {percent(row['big'])}, routed {percent(row['routed'])}"
    )
