"""Which classes are easy: little share and accuracies a class (paper D, table 10)."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from duonas.measure.accuracy import Outputs
from duonas.measure.accuracy import per_class as measured
from duonas.report.figure import Figure, Key, figure
from duonas.report.files import RunFiles
from duonas.report.scale import Scale, span
from duonas.report.svg import canvas, join, label, path, tag
from duonas.report.words import percent, shorten, tick_percent, whole

ROW, HEAD = 26, 44


@dataclass(frozen=True)
class ClassRow:
    """One class on the test split; shares and accuracies in [0, 1]."""

    name: str
    images: int
    share: float
    little: float
    big: float
    routed: float
    called: int  # images that little takes for this class, and its calibration error over them (0 where none)
    ece_before: float
    ece: float

    @property
    def tip(self) -> str:
        """All values as hover text."""
        said = f"little says so {whole(self.called)} times"
        sure = f", ECE {percent(self.ece_before)} as trained, {percent(self.ece)} calibrated" if self.called else ""
        return (
            f"{self.name}\n{whole(self.images)} test images\nlittle share {percent(self.share)}\n"
            f"accuracy: little {percent(self.little)}, big {percent(self.big)}, routed {percent(self.routed)}\n"
            f"{said}{sure}"
        )


def class_rows(run: RunFiles, outputs: Outputs, temperature: float) -> list[ClassRow]:
    """All classes that occur in the test split, the easiest first; ``temperature`` is little's."""
    names = tuple(run.class_name(index) for index in range(outputs.little_logits.shape[1]))
    rows = [
        ClassRow(
            row["class"], row["images"], row["little_share"], row["little"], row["big"], row["routed"], row["called"],
            row["ece_before_temperature"] or 0.0, row["ece"] or 0.0,
        )
        for row in measured(outputs, names, temperature) if row["images"]
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.share, row.name))


def per_class(run: RunFiles, outputs: Outputs, temperature: float) -> Figure:
    """A row a class: a bar for the little share, dots for the three accuracies."""
    rows = class_rows(run, outputs, temperature)
    domain = span(
        [value for row in rows for value in (row.little, row.big, row.routed)], pad=0.08, floor=0, ceiling=1.005
    )

    def draw(width: int) -> Markup:
        names = 180 if width > 500 else 92
        middle = names + (width - names) * 0.5
        share = Scale((0, 1), (names, middle - 22))
        accuracy = Scale(domain, (middle + 8, width - 16))
        bottom = HEAD + ROW * len(rows)
        grid = [
            _column(scale, title, bottom) for scale, title in ((share, "Little share (%)"), (accuracy, "Accuracy (%)"))
        ]
        drawn = (
            _row(row, HEAD + ROW * i, width, share, accuracy, 20 if width > 500 else 10) for i, row in enumerate(rows)
        )
        return canvas(width, bottom + 8, "Little share and accuracies by class", *grid, join(drawn))

    easiest, hardest = rows[0], rows[-1]
    caption = (
        f"Classes from easy to hard: {easiest.name} keeps {percent(easiest.share, 0)} of its images with little, "
        f"{hardest.name} only {percent(hardest.share, 0)}."
    )
    keys = (
        Key("box", "little", "little share"), Key("dot", "little", "little"), Key("dot", "big", "big"),
        Key("ring", "routed", "routed accuracy"),
    )  # fmt: skip
    return figure("Classes", draw, caption, keys, scroll=len(rows) > 24)


def _column(scale: Scale, title: str, bottom: float) -> Markup:
    left, right = scale.pixels
    parts = [label(left, 14, title, "title")]
    for value in scale.ticks(4 if right - left > 200 else 2):
        parts.append(path([(scale(value), HEAD - 8), (scale(value), bottom)], "grid"))
        parts.append(label(scale(value), HEAD - 14, tick_percent(value), "tick", "middle"))
    return join(parts)


def _row(row: ClassRow, top: float, width: float, share: Scale, accuracy: Scale, letters: int) -> Markup:
    centre = top + ROW / 2
    left = share.pixels[0]
    values = [accuracy(value) for value in (row.little, row.big, row.routed)]
    return tag(
        "g",
        tag("rect", x=0.0, y=top, width=width, height=ROW, rx=5, class_="hit"),
        label(left - 10, centre + 4, shorten(row.name, letters), "name", "end"),
        tag("rect", x=left, y=centre - 6, width=share.pixels[1] - left, height=12, rx=3, class_="fill rest"),
        tag("rect", x=left, y=centre - 6, width=share(row.share) - left, height=12, rx=3, class_="fill little"),
        path([(min(values), centre), (max(values), centre)], "span"),
        tag("circle", cx=values[2], cy=centre, r=7, class_="dot ring routed"),
        tag("circle", cx=values[0], cy=centre, r=5, class_="dot little"),
        tag("circle", cx=values[1], cy=centre, r=5, class_="dot big"),
        class_="row", tip=row.tip,
    )  # fmt: skip
