"""Scores all pairs of the evaluated archs at all thresholds by arithmetic on their predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.cost import PairCost, written
from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent
from duonas.core.text import plural
from duonas.routing.threshold import Steps, steps
from duonas.search.bounds import Bigs, Bounds, fewest, least_images
from duonas.search.boxes import Boxes
from duonas.search.goal import relaxing
from duonas.search.pair_table import PairTable, PriceRow
from duonas.search.scores import Judged
from duonas.search.single import Singles

CHUNK = 256  # bigs at a time, so that their running sums fit into the CPU's cache


@dataclass(frozen=True)
class Points:
    """P routed pairs, each at one threshold of one router; arrays of shape (P,).

    Args:
        little: number of the little subnet.
        big: number of the big subnet.
        router: number of the router.
        tau: the threshold.
        little_share: fraction of the val images that little answers.
        accuracy: in [0, 1].
        figures: every known figure, by metric.
    """

    little: np.ndarray
    big: np.ndarray
    router: np.ndarray
    tau: np.ndarray
    little_share: np.ndarray
    accuracy: np.ndarray
    figures: dict[str, np.ndarray]


def recombine(
    right: np.ndarray, judged: Sequence[Judged], table: PairTable, singles: Singles, progress: Progress = silent
) -> tuple[Points, int]:
    """Find the best routed pairs over all pairs, thresholds and routers; return them and the number of scored pairs.

    Upper bounds of the accuracy (``Bounds``), within several budgets at once and then within each, exclude most pairs;
    the few that may improve on the best pairs so far are scored exactly at every threshold. Only thresholds at which a
    pair costs less than its own big count, if any pair has one.

    Args:
        right: (A, N) bool, whether each subnet classifies each val image correctly.
        judged: the scores of every little by every router.
        table: the prices of all pairs.
        singles: the subnets as plain networks, which beat many pairs; some that they do not beat are among the points
            if there are any.
        progress: called with the number of scored pairs.

    Raises:
        DuonasError: no pair meets the constraints.
    """
    if not judged:
        raise DuonasError(_unmet(table))
    correct = right.astype(np.int8)
    scored = np.zeros((len(correct), len(correct)), dtype=bool)
    for each in judged:
        scored[each.little, each.row.bigs] = True
    judged = _saving(judged, singles) or judged
    rows = [each.row for each in judged]
    boxes = Boxes(table.goal, rows, correct.shape[1], table.prices.compared, singles.budgets)
    bigs = Bigs.of(correct, rows, table.costs)
    done, total = 0, sum(len(each.row.bigs) for each in judged)
    progress(done, total)
    for number, each in enumerate(judged):
        thresholds = steps(each.score)
        ordered, cells = boxes.sort(each.row)
        bounds = Bounds.of(thresholds, correct[each.little], bigs, ordered)
        some = np.flatnonzero(boxes.hopeful(bounds.within(boxes.loose), cells))
        for start in range(0, len(some), CHUNK):
            place = some[start : start + CHUNK]
            place = place[boxes.hopeful(bounds.take(place).within(boxes.levels), cells[place])]
            if len(place):
                few = ordered.take(place)
                found = best_within(thresholds, correct[each.little], correct[few.bigs], few, boxes.levels)
                boxes.add(number, few, cells[place], *found)
        done += len(cells)
        progress(done, total)
    return _points(correct, judged, table, boxes.winners()), int(scored.sum())


def _saving(judged: Sequence[Judged], singles: Singles) -> list[Judged]:
    """Those pairs that can cost less than their own big, at such thresholds."""
    found = [each._replace(row=singles.saving(each.row)) for each in judged]
    return [each for each in found if len(each.row.bigs)]


def _unmet(table: PairTable) -> str:
    """Say how often each constraint is missed and what comes nearest to it, the one that is missed most first."""
    goal, (pairs, found) = table.goal, table.missed()
    missed = dict(sorted(found.items(), key=lambda each: -each[1][0]))
    said = [
        f"{name} {'at most' if goal.metrics[name].direction == 'min' else 'at least'} "
        f"{written(name, goal.constraints[name])} is missed by {number:,} (the best value is {written(name, best)})"
        for name, (number, best) in missed.items()
    ]
    return (
        f"[search] none of the {plural(pairs, 'evaluated pair')} meets all constraints with any router: "
        f"{', '.join(said)}; {relaxing(missed)}."
    )


def best_within(
    little: Steps,
    little_correct: np.ndarray,
    big_correct: np.ndarray,
    row: PriceRow,
    levels: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The best of all thresholds of one little with B bigs within each of G budgets.

    Args:
        little: the steps of little's score.
        little_correct: (N,) int8.
        big_correct: (B, N) int8.
        row: prices of the B pairs.
        levels: G budgets, (G,) by quantity.

    Returns:
        The number of correct images (G, B), -1 if the budget is too small, and the number of images that little answers
        (G, B); of equally accurate thresholds the cheapest counts.
    """
    bigs, count = big_correct.shape
    width = len(little.order) + 1
    # One integer encodes both: correct images * (N + 1) + images that little answers. Its running maximum from the
    # cheap end is the most accurate threshold up to each cost, the cheapest on a tie.
    kind = np.int32 if (count + 1) ** 2 < 2**31 else np.int64
    code = np.empty((bigs, width), kind)
    np.subtract(little_correct[little.order], np.take(big_correct, little.order, axis=1), out=code[:, 1:])
    code[:, 1:] *= count + 1
    code[:, 1:] += 1
    code[:, 0] = big_correct.sum(1, dtype=kind) * (count + 1)
    np.cumsum(code, axis=1, out=code)
    if len(little.kept) < width:
        code = np.ascontiguousarray(code[:, little.kept])
    best = np.maximum.accumulate(code[:, ::-1], axis=1)[:, ::-1]
    first, reachable = _first_within(little.kept, count, row, levels)
    found = best[np.arange(bigs), first]
    return np.where(reachable, found // (count + 1), -1), np.where(reachable, found % (count + 1), 0)


def _first_within(
    kept: np.ndarray, count: int, row: PriceRow, levels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The step (G, B) with the smallest little share within all budgets and constraints, and whether there is one.

    Every expected cost falls as the little share rises, so the tightest budget decides.
    """
    each = [_first(kept, count, row.parts[quantity], budgets) for quantity, budgets in levels.items()]
    steps, reachable = zip(*each, strict=True)
    least = np.searchsorted(kept, least_images(row.share, count))
    first = np.maximum(np.maximum.reduce(steps), np.minimum(least, len(kept) - 1))
    return first, np.logical_and.reduce(reachable) & (least < len(kept))


def _first(kept: np.ndarray, count: int, cost: PairCost, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step (G, B) of the smallest little share within budgets (G,) of a quantity, and whether there is one."""
    steps = np.minimum(np.searchsorted(kept, np.arange(count + 2)), len(kept) - 1)  # by number of images
    first = steps[fewest(cost, levels, count).astype(np.intp)]
    # The division rounds; the cost itself decides.
    over = cost.expected(kept[first] / count) > levels[:, None]
    first = np.minimum(first + over, len(kept) - 1)
    return first, cost.expected(kept[first] / count) <= levels[:, None]


def _points(correct: np.ndarray, judged: Sequence[Judged], table: PairTable, winners: np.ndarray) -> Points:
    count = correct.shape[1]
    columns: list[tuple[float, ...]] = []
    figures: list[dict[str, float]] = []
    known: dict[int, Steps] = {}
    for number, big, kept in winners.tolist():
        each = judged[number]
        if number not in known:
            known[number] = steps(each.score)
        order, sizes, tau = known[number]
        right = int(correct[each.little, order[:kept]].sum(dtype=np.int64))
        right += int(correct[big].sum(dtype=np.int64) - correct[big, order[:kept]].sum(dtype=np.int64))
        step = tau[np.searchsorted(sizes, kept)]
        columns.append((each.little, big, each.router, step, kept / count, right / count))
        router = table.prices.routers[each.router]
        figures.append(table.figures(each.little, big, router, each.macs, kept / count))
    gathered = {name: np.array([row[name] for row in figures]) for name in figures[0]}
    little, of_big, router_number, taus, share, accuracy = (np.array(each) for each in zip(*columns, strict=True))
    return Points(little, of_big, router_number, taus, share, accuracy, gathered)
