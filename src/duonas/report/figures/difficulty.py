"""Little share and accuracies over the images from easy to hard (paper D, figure 3)."""

from __future__ import annotations

from markupsafe import Markup

from duonas.measure.accuracy import Outputs, by_difficulty
from duonas.report.figure import Figure, Key, figure
from duonas.report.files import Row
from duonas.report.formatting import number, percent, plural, tick, tick_percent
from duonas.report.svg import canvas, frame

DRAWN = ("little", "big", "routed")  # the last one on top


def difficulty(outputs: Outputs) -> Figure:
    """A bar for the little share in each tenth of the images, and a line for each accuracy."""
    rows = by_difficulty(outputs)
    unit = "tenth" if len(rows) == 10 else "part"
    edges = [float(index) for index in range(len(rows) + 1)]

    def draw(width: int) -> Markup:
        plot = frame(width, 340, (0.0, edges[-1]), (0.0, 1.0))
        shares, tips = [row["little_share"] for row in rows], [_tip(row) for row in rows]
        title = f"{unit.capitalize()}s of the images, from easy to hard"
        return canvas(
            width, 340, "Little share and accuracies by difficulty",
            plot.axes(title, "Share or accuracy (%)", tick, tick_percent),
            plot.bars(edges, shares, ["fill little shade0"] * len(rows), tips),
            (plot.line([edge + 0.5 for edge in edges[:-1]], [row[role] for row in rows], role) for role in DRAWN),
        )  # fmt: skip

    caption = (
        f"Images are ordered by big's loss: little answers {percent(rows[0]['little_share'], 0)} of the "
        f"easiest {unit} and {percent(rows[-1]['little_share'], 0)} of the hardest."
    )
    keys = (Key("box", "little", "little share"), *(Key("line", role, f"accuracy of {role}") for role in DRAWN))
    return figure("Difficulty", draw, caption, keys)


def _tip(row: Row) -> str:
    return (
        f"big's loss {number(row['lowest_loss'])} to {number(row['highest_loss'])}\n{plural(row['images'], 'image')}\n"
        f"little share {percent(row['little_share'])}\n{accuracies(row)}"
    )


def accuracies(row: Row) -> str:
    """The accuracies of some of the images, for the text that hovering shows."""
    return f"accuracy: little {percent(row['little'])}, big {percent(row['big'])}, routed {percent(row['routed'])}"
