"""Accuracy against the cost of an image, at all thresholds and for networks without routing (paper D, figure 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import numpy as np

from duonas.core.cost import PairCost
from duonas.measure.verdict import verdict_of
from duonas.paper.drawing import Drawing, Drawn, check_variants
from duonas.paper.runs import Finished, Run, look
from duonas.recipe.study import Study
from duonas.report.charts import COUNT, FILTERED, SHARE, chart, colours, of, x, y
from duonas.report.fields import Field, Row, table, tooltips
from duonas.report.figure import Figure
from duonas.report.files import read_run
from duonas.report.formatting import percent, points
from duonas.report.theme import colour
from duonas.routing.threshold import sweep

Cost = Literal["macs", "ms", "mj"]
TITLES: dict[Cost, str] = {"macs": "Mean MACs an image", "ms": "Mean time an image (ms)", "mj": "Mean energy (mJ)"}
SHARES = np.linspace(1.0, 0.0, 41)  # of the images that stay little, at which the runs of a variant are averaged
GRID = 61  # costs at which two lines are compared
OF_BASELINE: dict[Cost, str] = {"macs": "macs", "ms": "times_ms.1.mean", "mj": "energy_mj"}  # in baselines.json
PALETTE = ("routed", "big", "little", "wrong", "ramp-end", "static", "oracle", "right", "ink")
Line = tuple[np.ndarray, np.ndarray]  # mean costs, rising, and accuracies


@dataclass(frozen=True)
class TradeOff(Drawing):
    """``kind = "curve"``.

    Args:
        cost: what accuracy is drawn against: ``macs``, ``ms`` or ``mj``.
        variants: whose curves are shown; by default all.
        alone: whether little and big of each variant without routing are shown, too.
        baselines: whether the networks of ``[baselines]`` are, as far as their costs are known.
    """

    cost: Cost = "macs"
    variants: tuple[str, ...] = ()
    alone: bool = True
    baselines: bool = True

    def wanted(self, study: Study) -> Study:
        """The variants that are shown."""
        return study.only(self.variants, study.seeds) if self.variants else study

    def check(self, results: Mapping[str, Finished]) -> None:
        """Check that the variants exist."""
        check_variants(self.variants, results)

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """A chart for each study."""
        figures, notes, values = {}, [], {}
        for name, found in results.items():
            lines, dots = self._lines(found), self._dots(found)
            notes += [f"{name}: {said}" for said in [found.note()] if said]
            if not lines:
                notes.append(f"{name}: no finished run has a mean {self._noun} of an image.")
                continue
            stem = "".join(each if each.isalnum() else "-" for each in name.lower()) if len(results) > 1 else ""
            figures[stem] = _figure(name, lines, dots, self.cost)
            notes += [f"{name}: {said}" for said in compared(lines)]
            values[name] = {
                "lines": {each: [list(map(float, part)) for part in line] for each, line in lines.items()},
                "dots": dots,
            }
        return Drawn(figures=figures, notes=notes, values=values)

    @property
    def _noun(self) -> str:
        return {"macs": "cost", "ms": "time", "mj": "energy"}[self.cost]

    def _lines(self, found: Finished) -> dict[str, Line]:
        """The curve of each variant, averaged over its runs, and those of its networks of several exits."""
        lines: dict[str, Line] = {}
        for variant in self.variants or [each.name for each in found.study.variants]:
            runs = [line for run in found.of_variant(variant) if (line := routed(run, self.cost)) is not None]
            if runs:
                lines[variant] = _rising(*(np.mean(part, axis=0) for part in zip(*runs, strict=True)))
        for name, reached in self._exits(found).items():
            lines[name] = _rising(*np.mean(reached, axis=0))
        return lines

    def _exits(self, found: Finished) -> dict[str, list[np.ndarray]]:
        """The mean costs and accuracies, (2, T) of each run, of the networks of several exits."""
        reached: dict[str, list[np.ndarray]] = {}
        for run in found.runs if self.baselines else ():
            for exits in run.find("baselines.exits") or ():
                points = [(point.get(self.cost), point["accuracy"]) for point in exits["budgeted"]]
                if all(cost is not None for cost, _ in points):
                    reached.setdefault(exits["name"], []).append(np.array(points).T)
        return reached

    def _dots(self, found: Finished) -> list[dict[str, Any]]:
        """Networks without routing."""
        dots = []
        for variant in self.variants or [each.name for each in found.study.variants]:
            runs = found.of_variant(variant)
            for role in ("little", "big") if self.alone else ():
                known = [(run.find(f"measure.{role}.accuracy"), _alone(run, role, self.cost)) for run in runs]
                dots += _mean_dot(f"{role}, {variant}", variant, known)
            others = [row for run in runs for row in run.find("baselines.networks") or ()] if self.baselines else []
            for name in dict.fromkeys(row["name"] for row in others):
                rows = [row for row in others if row["name"] == name]
                known = [(row["accuracy"], look(row, OF_BASELINE[self.cost].split("."))) for row in rows]
                dots += _mean_dot(name, "baselines", known)
        return dots


def routed(run: Run, cost: Cost) -> Line | None:
    """Mean costs and accuracies of a run's pair on the test images at ``SHARES``; ``None`` where a cost is not known.

    The threshold of a share is that which keeps at least so many of the test images.
    """
    files = read_run(run.folder)
    if files["test_outputs.safetensors"] is None or files["pair/pair.json"] is None:
        return None
    outputs = files.outputs
    curve = sweep(outputs.score, outputs.little_right, outputs.big_right)
    at = np.minimum(np.searchsorted(curve.little_share, SHARES - 1e-9), len(curve.tau) - 1)
    share, accuracy = curve.little_share[at], curve.accuracy[at]
    if cost == "macs":
        return np.asarray(files.cost.expected(share), float), accuracy
    ways = [run.find(f"baselines.beside.times_ms.{way}.mean") for way in ("stays_little", "asks_big")]
    if cost == "ms" and None not in ways:
        return share * ways[0] + (1 - share) * ways[1], accuracy
    spent = {role: _alone(run, role, cost) for role in ("little", "big", "routed")}
    if any(each is None for each in spent.values()):
        return None
    return _moved(spent, outputs.little_share - share, files.cost), accuracy


def _moved(spent: Mapping[str, Any], sent: np.ndarray, cost: PairCost) -> np.ndarray:
    """What the pair takes where more images are ``sent`` to big than were measured: for each of them, big's more."""
    change = spent["big"] - (spent["little"] if cost.before else 0.0)
    return np.asarray(np.maximum(spent["routed"] + sent * change, spent["little"]))


def _alone(run: Run, role: str, cost: Cost) -> float | None:
    """The mean cost of an image by a network alone, or by the pair as it was measured."""
    measured = run.find(f"measure.{role}")
    if cost == "macs":
        return float(measured["macs"] if "macs" in measured else measured["expected_macs"])
    if cost == "mj":
        return None if measured.get("energy_mj") is None else float(measured["energy_mj"])
    in_turns = run.find(f"baselines.beside.times_ms.{role}.mean")  # with the networks of [baselines]
    times = {row["name"]: row["mean_ms"] for row in verdict_of(run.find("measure"))["rows"]}
    return times.get(role) if in_turns is None else float(in_turns)


def _mean_dot(name: str, series: str, known: Sequence[tuple[float, float | None]]) -> list[dict[str, Any]]:
    pairs = [(accuracy, cost) for accuracy, cost in known if cost is not None]
    if not pairs:
        return []
    accuracy, cost = (float(np.mean(part)) for part in zip(*pairs, strict=True))
    return [{"series": series, "name": name, "cost": cost, "accuracy": accuracy}]


def compared(lines: Mapping[str, Line]) -> list[str]:
    """Compare the first line with each other one in the middle half of the costs that both have."""
    (first, mine), *others = lines.items()
    said = []
    for name, theirs in others:
        low, high = max(mine[0][0], theirs[0][0]), min(mine[0][-1], theirs[0][-1])
        if low >= high:
            said.append(f"{first} and {name} have no cost in common.")
            continue
        grid = np.linspace(low + (high - low) / 4, high - (high - low) / 4, GRID)
        gap = np.interp(grid, *mine) - np.interp(grid, *theirs)
        above = float((gap > 0).mean())
        said.append(
            f"In the middle half of the costs that both have, {first} is more accurate than {name} at "
            f"{percent(above, 0)} of them, by {points(gap.min())} to {points(gap.max())}."
        )
    return said


def _rising(cost: np.ndarray, accuracy: np.ndarray) -> Line:
    """The points by rising cost; of those of one cost, the most accurate."""
    known = np.unique(cost)
    return known, np.array([accuracy[cost == each].max() for each in known])


def _figure(name: str, lines: Mapping[str, Line], dots: Sequence[Row], cost: Cost) -> Figure:
    rows = [
        {"series": series, "cost": float(at), "accuracy": round(float(accuracy), 5)}
        for series, line in lines.items()
        for at, accuracy in zip(*line, strict=True)
    ]
    kind = "count" if cost == "macs" else "number"
    reached = Field("accuracy", "Accuracy", "share")
    fields = [Field("series", "Network", "text"), Field("cost", TITLES[cost], kind), reached]
    names = dict(zip(dict.fromkeys([*lines, *(row["series"] for row in dots)]), cycle(PALETTE)))
    place: dict[str, Any] = {
        "x": x("cost", TITLES[cost], COUNT if cost == "macs" else ""), "y": y("accuracy", "Test accuracy", SHARE),
        "color": colours(names), "opacity": FILTERED,
    }  # fmt: skip
    spec = chart(
        f"Test accuracy against {_lower(cost)}, {name}",
        {"lines": rows, "dots": list(dots)},
        [
            of("lines").mark_line(clip=True).encode(**place),
            of("lines").mark_circle(size=40, clip=True).encode(**place, tooltip=tooltips(fields)),
            of("dots").mark_point(size=110, strokeWidth=2, shape="diamond", fill=colour("page"))
            .encode(**place, tooltip=tooltips([Field("name", "Name", "text"), *fields[1:]])),
        ],
        400, zoom="xy", filtered=True,
    )  # fmt: skip
    caption = (
        f"{name}: lines are routed pairs at all thresholds, the mean over the finished runs, and networks of several "
        "exits; diamonds are networks without routing."
    )
    return Figure(f"Accuracy against {_lower(cost)}", [spec], caption, table(rows, fields))


def _lower(cost: Cost) -> str:
    """The title of a cost inside of a sentence."""
    return TITLES[cost][:1].lower() + TITLES[cost][1:]
