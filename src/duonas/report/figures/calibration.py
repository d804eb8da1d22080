"""Whether the confidence of the networks matches their accuracy (paper D, figure 4)."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from duonas.report.figure import Figure, Key, figure
from duonas.report.files import RunFiles
from duonas.report.formatting import number, percent, plural, tick_percent
from duonas.report.svg import Frame, canvas, frame
from duonas.routing.calibration import Bin, ece, reliability, softmax

FEW = 10  # images; the accuracy of a bin with fewer is mostly chance, so no line goes to its dot


def calibrations(run: RunFiles) -> list[Figure]:
    """The reliability diagrams of little and big, as trained and after their temperatures."""
    return [_calibration(run, role) for role in ("little", "big")]


def _calibration(run: RunFiles, role: str) -> Figure:
    logits = run.outputs.little_logits if role == "little" else run.outputs.big_logits
    labels, temperature = run.outputs.labels, float(run["pair/policy.json"][f"{role}_temperature"])
    raw, cooled = softmax(logits), softmax(logits, temperature)
    before, after = ece(raw, labels), ece(cooled, labels)

    def draw(width: int) -> Markup:
        plot = frame(width, 360, (0.0, 1.0), (0.0, 1.0))
        return canvas(
            width, 360, f"Reliability diagram of {role}",
            plot.axes("Confidence (%)", "Accuracy (%)", tick_percent, tick_percent),
            plot.line([0, 1], [0, 1], "random"),
            _bins(plot, "rest", "as trained", reliability(raw, labels)),
            _bins(plot, role, "calibrated", reliability(cooled, labels)),
        )  # fmt: skip

    change = "falls" if after < before else "rises" if after > before else "stays"
    caption = (
        f"On the dotted line, confidence equals accuracy. With temperature {number(temperature)}, {role}'s calibration "
        f"error (ECE) {change} from {percent(before)} to {percent(after)}."
    )
    keys = (
        Key("dot", "rest", f"as trained, ECE {percent(before)}"),
        Key("dot", role, f"calibrated, ECE {percent(after)}"),
    )
    return figure(f"Reliability of {role}", draw, caption, keys, half=True)


def _bins(plot: Frame, colour: str, title: str, bins: list[Bin]) -> Iterable[Markup]:
    """A dot for each bin, whose area grows with the number of images, and a line through those with enough images."""
    filled = [each for each in bins if each.count]
    total = sum(each.count for each in filled)
    firm = [each for each in filled if each.count >= FEW]
    yield plot.line([each.confidence for each in firm], [each.accuracy for each in firm], f"{colour} faint")
    for each in filled:
        tip = (
            f"{title}, confidence {percent(each.lower, 0)} to {percent(each.upper, 0)}\n"
            f"mean confidence {percent(each.confidence)}\naccuracy {percent(each.accuracy)}\n"
            f"{plural(each.count, 'image')}"
        )
        yield plot.dot(each.confidence, each.accuracy, colour, tip, 3.0 + 7.0 * (each.count / total) ** 0.5)
