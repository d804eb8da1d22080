"""Which classes are easy: little share and accuracies of each class (paper D, table 10)."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from duonas.measure.accuracy import per_class as measured
from duonas.report.figure import Figure, Key, figure, is_wide
from duonas.report.figures.difficulty import accuracies
from duonas.report.files import Row, RunFiles
from duonas.report.formatting import percent, shorten, tick_percent, whole
from duonas.report.scale import Scale, span
from duonas.report.svg import canvas, circle, grid, label, path, rect, tag

ROW, HEAD = 26, 44


def class_rows(run: RunFiles, temperature: float) -> list[Row]:
    """The figures of all classes that occur in the test split, the easiest first; ``temperature`` is little's."""
    rows = [row for row in measured(run.outputs, run.class_names, temperature) if row["images"]]
    return sorted(rows, key=lambda row: (-row["little_share"], row["class"]))


def per_class(run: RunFiles) -> Figure:
    """A row for each class: a bar for the little share, dots for the three accuracies."""
    rows = class_rows(run, float(run["pair/policy.json"]["little_temperature"]))
    values = [row[role] for row in rows for role in ("little", "big", "routed")]
    domain = span(values, pad=0.08, floor=0, ceiling=1.005)

    def draw(width: int) -> Markup:
        names, letters = (180, 20) if is_wide(width) else (92, 10)
        middle = names + (width - names) * 0.5
        share, accuracy = Scale((0, 1), (names, middle - 22)), Scale(domain, (middle + 8, width - 16))
        bottom = HEAD + ROW * len(rows)
        return canvas(
            width, bottom + 8, "Little share and accuracies by class",
            _column(share, "Little share (%)", bottom), _column(accuracy, "Accuracy (%)", bottom),
            (_row(row, HEAD + ROW * at, (share, accuracy), letters) for at, row in enumerate(rows)),
        )  # fmt: skip

    keys = (
        Key("box", "little", "little share"), Key("dot", "little", "little"), Key("dot", "big", "big"),
        Key("ring", "routed", "routed accuracy"),
    )  # fmt: skip
    return figure("Classes", draw, _caption(rows), keys, scroll=len(rows) > 24)


def _caption(rows: list[Row]) -> str:
    """Compare the easiest and the hardest class, where they differ."""
    easiest, hardest = rows[0], rows[-1]
    most, least = (percent(row["little_share"], 0) for row in (easiest, hardest))
    if most == least:
        return f"Little answers {most} of the images of {'every' if len(rows) > 1 else 'the only'} class."
    return (
        f"Classes from easy to hard: little answers {most} of the images of {easiest['class']}, but {least} of those "
        f"of {hardest['class']}."
    )


def _column(scale: Scale, title: str, bottom: float) -> Iterable[Markup]:
    left, right = scale.pixels
    yield label(left, 14, title, "title")
    yield from grid(scale, (HEAD - 8, bottom), HEAD - 14, tick_percent, 4 if right - left > 200 else 2)


def _row(row: Row, top: float, scales: tuple[Scale, Scale], letters: int) -> Markup:
    share, accuracy = scales
    centre, (left, right) = top + ROW / 2, share.pixels
    little, big, routed = (accuracy(row[role]) for role in ("little", "big", "routed"))
    return tag(
        "g",
        rect(0.0, top, accuracy.pixels[1] + 16, ROW, "hit", 5),
        label(left - 10, centre + 4, shorten(row["class"], letters), "name", "end"),
        rect(left, centre - 6, right - left, 12, "fill rest", 3),
        rect(left, centre - 6, share(row["little_share"]) - left, 12, "fill little", 3),
        path([(min(little, big, routed), centre), (max(little, big, routed), centre)], "span"),
        circle(routed, centre, 7, "ring routed"), circle(little, centre, 5, "little"), circle(big, centre, 5, "big"),
        class_="row", tip=_tip(row),
    )  # fmt: skip


def _tip(row: Row) -> str:
    tip = (
        f"{row['class']}\n{whole(row['images'])} test images\nlittle share {percent(row['little_share'])}\n"
        f"{accuracies(row)}\nlittle predicts this class {whole(row['called'])} times"
    )
    if row["called"]:
        tip += f", ECE {percent(row['ece_before_temperature'])} as trained, {percent(row['ece'])} calibrated"
    return tip
