"""Scores all pairs of the evaluated archs at all thresholds by arithmetic on their predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from duonas.core.cost import PairCost, written
from duonas.core.errors import DuonasError
from duonas.core.protocols import Progress, silent
from duonas.core.text import plural
from duonas.routing.threshold import Steps, steps
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

    An upper bound of the accuracy within each budget (``most_right``) excludes most pairs; the few that may improve on
    the best pairs so far are scored exactly at every threshold. Only thresholds at which a pair costs less than its own
    big count, if any pair has one.

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
    bigs = Bigs.of(correct, rows)
    done, total = 0, sum(len(each.row.bigs) for each in judged)
    progress(done, total)
    for number, each in enumerate(judged):
        thresholds = steps(each.score)
        ordered, cells = boxes.sort(each.row)
        most = most_right(thresholds, correct[each.little], bigs, ordered, boxes.levels)
        for start in range(0, len(cells), CHUNK):
            place = np.arange(start, min(start + CHUNK, len(cells)))
            place = place[boxes.hopeful(most[:, place], cells[place])]
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


@dataclass(frozen=True)
class Bigs:
    """The predictions of all subnets that are a big of some pair.

    Args:
        column: (A,) the column of each subnet in ``by_image``; undefined for other subnets.
        by_image: (N, bigs) int8, 1 for a correct prediction.
        alone: (bigs,) int32, number of correct images of each.
    """

    column: np.ndarray
    by_image: np.ndarray
    alone: np.ndarray

    @classmethod
    def of(cls, correct: np.ndarray, rows: Iterable[PriceRow]) -> Bigs:
        """Select the bigs of these rows from the predictions (A, N) int8 of all subnets."""
        some = np.zeros(len(correct), dtype=bool)
        for row in rows:
            some[row.bigs] = True
        return cls(np.cumsum(some) - 1, np.ascontiguousarray(correct[some].T), correct[some].sum(1, dtype=np.int32))


def most_right(
    little: Steps, little_correct: np.ndarray, bigs: Bigs, row: PriceRow, levels: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Upper bounds (G, B) of the number of correct images of one little with B bigs within G budgets; -1 if none fits.

    The bounds are close: thresholds are grouped in strides, and all thresholds of the first stride that has one within
    the budget count.

    Args:
        little: the steps of little's score.
        little_correct: (N,) int8.
        bigs: the predictions of all bigs.
        row: prices of the B pairs.
        levels: G budgets, (G,) by quantity.
    """
    count, which, by_image = len(little_correct), bigs.column[row.bigs], bigs.by_image
    alone, inside = bigs.alone[which], which
    if 2 * len(which) < by_image.shape[1]:
        by_image, inside = by_image[:, which], np.arange(len(which))
    length = int(np.clip(count**0.5, 8, 127))  # of a stride, short enough for counts in int8
    strides = -(-len(little.order) // length) or 1
    gain = np.zeros((strides, length, by_image.shape[1]), dtype=np.int8)  # what little gains over big, image by image
    flat = gain.reshape(strides * length, -1)
    np.subtract(little_correct[little.order, None], by_image[little.order], out=flat[: len(little.order)])
    gained, most = (np.zeros((strides, by_image.shape[1]), dtype=np.int8) for _ in range(2))
    for place in range(length):
        gained += gain[:, place]
        np.maximum(most, gained, out=most)
    reached = np.zeros((strides, len(which)), dtype=np.int32)
    np.cumsum(gained[:-1, inside], axis=0, out=reached[1:])
    best = np.maximum.accumulate((alone + reached + most[:, inside])[::-1], axis=0)[::-1]
    within = [_fewest(row.parts[name], budgets, count) for name, budgets in levels.items()]
    fewest = np.maximum.reduce([*within, np.broadcast_to(_images(row.share, count), within[0].shape)])
    stride = np.clip((fewest - 1) // length, 0, strides - 1).astype(np.intp)
    return np.where(fewest > count, -1, np.take_along_axis(best, stride, axis=0))


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
    least = np.searchsorted(kept, _images(row.share, count))
    first = np.maximum(np.maximum.reduce(steps), np.minimum(least, len(kept) - 1))
    return first, np.logical_and.reduce(reachable) & (least < len(kept))


def _first(kept: np.ndarray, count: int, cost: PairCost, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step (G, B) of the smallest little share within budgets (G,) of a quantity, and whether there is one."""
    first = np.minimum(np.searchsorted(kept, _fewest(cost, levels, count)), len(kept) - 1)
    # The division rounds; the cost itself decides.
    over = cost.expected(kept[first] / count) > levels[:, None]
    first = np.minimum(first + over, len(kept) - 1)
    return first, cost.expected(kept[first] / count) <= levels[:, None]


def _images(share: np.ndarray, count: int) -> np.ndarray:
    """The least number of N images that is at least a share of them, (B,)."""
    return np.asarray(np.ceil(share * count - 1e-6))


def _fewest(cost: PairCost, levels: np.ndarray, count: int) -> np.ndarray:
    """The least number of N images that little must answer within budgets (G,) of one quantity, (G, B).

    It is N + 1 if no number is enough, and may be one too small by rounding.
    """
    spare = levels[:, None] - cost.least
    # A big without additional cost may run for every image.
    headroom = np.divide(spare, cost.extra, out=np.where(spare >= 0, 1.0, 0.0), where=cost.extra > 0)
    fewest: np.ndarray = np.clip(np.ceil((1 - headroom) * count - 1e-6), 0, count + 1)
    return fewest


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
