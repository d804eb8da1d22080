"""Whether the networks are as sure as they are right (paper D, figure 4)."""

from __future__ import annotations

from markupsafe import Markup

from duonas.measure.accuracy import Outputs
from duonas.report.figure import Figure, Key, figure
from duonas.report.svg import Frame, canvas, frame, join
from duonas.report.words import number, percent, tick_percent, whole
from duonas.routing.calibration import Bin, ece, reliability, softmax

FEW = 10


def calibration(role: str, outputs: Outputs, temperature: float) -> Figure:
    """The reliability diagram of ``role`` (little or big) as trained and after its temperature."""
    logits = outputs.little_logits if role == "little" else outputs.big_logits
    raw, cooled = softmax(logits), softmax(logits, temperature)
    before, after = ece(raw, outputs.labels), ece(cooled, outputs.labels)
    tables = (
        ("rest", "as trained", reliability(raw, outputs.labels)),
        (role, "calibrated", reliability(cooled, outputs.labels)),
    )

    def draw(width: int) -> Markup:
        plot = frame(width, 360, (0.0, 1.0), (0.0, 1.0))
        lines = (_table(plot, name, text, table) for name, text, table in tables)
        return canvas(
            width, 360, f"Reliability diagram of {role}",
            plot.axes("Confidence (%)", "Accuracy (%)", tick_percent, tick_percent),
            plot.line([0, 1], [0, 1], "random"), join(lines),
        )  # fmt: skip

    change = "falls" if after < before else "rises" if after > before else "stays"
    caption = (
        f"On the dashed line {role} is as sure as it is right: with temperature {number(temperature)} its "
        "calibration error (ECE) "
        f"{change} from {percent(before)} to {percent(after)}."
    )
    keys = (
        Key("dot", "rest", f"as trained, ECE {percent(before)}"),
        Key("dot", role, f"calibrated, ECE {percent(after)}"),
    )
    return figure(f"Reliability of {role}", draw, caption, keys, half=True)


def _table(plot: Frame, name: str, text: str, table: list[Bin]) -> Markup:
    filled = [row for row in table if row.count]
    total = sum(row.count for row in filled)
    dots = [
        plot.dot(
            row.confidence, row.accuracy, name,
            f"{text}, confidence {percent(row.lower, 0)} to {percent(row.upper, 0)}\nmean confidence "
            f"{percent(row.confidence)}\n"
            f"accuracy {percent(row.accuracy)}\n{whole(row.count)} images",
            3.0 + 7.0 * (row.count / total) ** 0.5,
        )
        for row in filled
    ]  # fmt: skip
    firm = [row for row in filled if row.count >= FEW]  # a bin of few images says little: a dot, but no line to it
    return plot.line([row.confidence for row in firm], [row.accuracy for row in firm], f"{name} faint") + join(dots)
