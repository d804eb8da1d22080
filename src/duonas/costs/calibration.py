"""Calibration of a device table on whole networks, and the error of what it predicts.

Blocks that are timed one by one do not add up to the network: each call has its overhead, a runtime exchanges the
layout of the maps at both ends of a block with convolutions, and caches are used in another way. A factor, and a
constant of each block with convolutions, make up for that. They are fitted on some networks; others show what error is
left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from duonas.core.text import plural
from duonas.costs.options import HERE

FEWEST = 4  # networks to fit a factor and a constant on; fewer give a factor alone
FEWEST_CHECKED = 5  # networks by which an error is known
ROUNDS = 50  # of reweighting
SPREAD = 1.345  # standard deviations beyond which Huber's loss is linear


@dataclass(frozen=True)
class Calibration:
    """What makes the sum of a network's blocks its time.

    Args:
        factor: of every block.
        constant: of every block with convolutions, in ms, or in mJ for energy; mostly negative, but no block that was
            measured costs less than nothing.
        networks: number of networks that both were fitted on.
        checked: number of other networks that the errors are of.
        median: median relative error; ``None`` if no network was checked.
        worst: largest relative error.
        tau: Kendall's tau-b of prediction and measurement; ``None`` if it is undefined, as for one network.
    """

    factor: float = 1.0
    constant: float = 0.0
    networks: int = 0
    checked: int = 0
    median: float | None = None
    worst: float | None = None
    tau: float | None = None

    def price(self, figure: float, *, convolves: bool) -> float:
        """What a block of this figure takes within a network."""
        return max(0.0, self.factor * figure + self.constant * convolves)

    def predicted(self, sums: np.ndarray, convolving: np.ndarray) -> np.ndarray:
        """The figures (N,) of networks by the sums (N,) of their blocks and how many of these convolve (N,)."""
        found: np.ndarray = self.factor * sums + self.constant * convolving
        return found

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON; the constant is called ``block_ms``, also where it is in mJ."""
        found = asdict(self)
        found["block_ms"] = found.pop("constant")
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Read a calibration that ``to_json`` wrote; further keys are ignored.

        Raises:
            KeyError, TypeError, ValueError: a number is missing or none, or the factor is not above 0.
        """
        median, worst, tau = (
            None if value.get(name) is None else float(value[name]) for name in ("median", "worst", "tau")
        )
        networks, checked = (int(value.get(name, 0)) for name in ("networks", "checked"))
        found = cls(float(value["factor"]), float(value["block_ms"]), networks, checked, median, worst, tau)
        if not all(math.isfinite(each) for each in (found.factor, found.constant, median or 0, worst or 0, tau or 0)):
            raise ValueError("its numbers must be finite")
        if (median is None) != (worst is None):
            raise ValueError("median and worst belong together")
        if found.factor <= 0:
            raise ValueError(f"its factor must be above 0, got {found.factor:g}")
        return found


class NetworkSum(NamedTuple):
    """A measured network: the sum of its blocks' figures, how many of these convolve, and the network's own figure."""

    blocks: float
    convolving: int
    measured: float


def calibrate(fit: Sequence[NetworkSum], check: Sequence[NetworkSum], least: float) -> Calibration:
    """Fit factor and constant by least squares of the relative error, with Huber's weights, and say what error is left.

    Args:
        fit: the networks to fit on, with figures above 0.
        check: others.
        least: the smallest figure of a block with convolutions, which the constant may not make negative.
    """
    sums, convolving, found = _columns(fit)
    factor, constant = _fitted(sums, convolving, found, least) if len(fit) else (1.0, 0.0)
    calibration = Calibration(factor, constant, networks=len(fit))
    if not len(check):
        return calibration
    sums, convolving, found = _columns(check)
    predicted = calibration.predicted(sums, convolving)
    errors = np.abs(predicted - found) / found
    return Calibration(factor, constant, len(fit), len(check), float(np.median(errors)), float(errors.max()),
                       kendall(predicted, found))  # fmt: skip


def kendall(ours: np.ndarray, theirs: np.ndarray) -> float | None:
    """Kendall's tau-b of two figures (N,); ``None`` where one of them is the same for all."""
    rows = np.triu_indices(len(ours), 1)
    mine, other = (np.sign(np.subtract.outer(each, each))[rows] for each in (ours, theirs))
    pairs = np.sqrt(float(np.abs(mine).sum()) * float(np.abs(other).sum()))
    return float((mine * other).sum() / pairs) if pairs else None


def prices_in_words(source: Mapping[str, Any] | None) -> str:
    """What the times and energies of a search are from, and how far they are off; empty if there are none.

    Args:
        source: what ``CostModel.origin`` returns, or ``device`` of ``front.json``.
    """
    if not source:
        return ""
    threads = source.get("threads") and _threads_in_words(str(source["threads"]))
    clock = source.get("clock") and f"{source['clock']} time"
    made = ", ".join(str(each) for each in (source.get("device"), source.get("runtime"), threads, clock) if each)
    if "given" in source:  # networks ones, which were timed as they are
        return f"Times are of the networks alone on this machine{f' ({made})' if made else ''}."
    table = "a table of this machine" if source.get("path") == HERE else f"the device table {source.get('path', '')}"
    return f"Times and energies come from {table}{f' ({made})' if made else ''}. {error_in_words(source)}".rstrip()


def _threads_in_words(threads: str) -> str:
    if threads == "0":
        return "a thread for each core"
    return plural(int(threads), "thread") if threads.isdigit() else f"threads {threads}"


def error_in_words(source: Mapping[str, Any] | None) -> str:
    """The error of a device table's predictions in one sentence; empty if there is no table of blocks.

    Args:
        source: what ``CostModel.origin`` returns, or ``device`` of ``front.json``.
    """
    if not source or "blocks" not in source:
        return ""
    found = source.get("calibration")
    if not found or found.get("median") is None:
        said = "No whole network was measured beside the blocks, so the error of predicted figures is not known"
        if found and found.get("networks"):
            said = "All measured networks were needed to calibrate, so the error of predicted figures is not known"
        return f"{said}.{_fitted_in_words(source)}"
    tau = "" if found.get("tau") is None else f", Kendall's tau {found['tau']:.2f}"
    few = " These are too few to tell." if found["checked"] < FEWEST_CHECKED else ""
    return (
        f"Predicted times of {plural(found['checked'], 'other whole network')} err by {_rounded(found['median'])} "
        f"(median; worst {_rounded(found['worst'])}{tau}).{few}{_fitted_in_words(source)}"
    )


def _rounded(error: float) -> str:
    return f"{error:.1%}"


def _fitted_in_words(source: Mapping[str, Any]) -> str:
    fitting = source.get("fitting")
    if not fitting:
        return ""
    return (
        f" {fitting['fitted']:,} of {source['blocks']:,} blocks were not measured but fitted, with an error of "
        f"{_rounded(fitting['median'])} (median; worst {_rounded(fitting['worst'])}) on blocks left out."
    )


def _columns(networks: Sequence[NetworkSum]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(networks, dtype=float).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _fitted(sums: np.ndarray, convolving: np.ndarray, found: np.ndarray, least: float) -> tuple[float, float]:
    alone = float(np.median(found / sums)), 0.0
    if len(sums) < FEWEST or not convolving.any():
        return alone
    factor, constant = _robust(np.stack([sums, convolving], axis=1) / found[:, None])
    if factor <= 0:  # the sums say nothing of the networks, as in a table of another device's networks
        return alone
    if constant < -factor * least:  # a block would cost less than nothing
        (factor,) = _robust((sums - least * convolving)[:, None] / found[:, None])
        constant = -factor * least
    return float(factor), float(constant)


def _robust(design: np.ndarray) -> np.ndarray:
    """Solve ``design @ x = 1`` (N, P) by iteratively reweighted least squares with Huber's weights."""
    weights = np.ones(len(design))
    solution = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(design * root[:, None], root, rcond=None)[0]
        errors = np.abs(design @ solution - 1)
        scale = 1.4826 * np.median(errors)
        if scale < 1e-12:
            break
        weights = np.minimum(1, SPREAD * scale / np.maximum(errors, 1e-12))
    return solution
