"""The verdict on a routed pair: does routing pay, against big alone, little alone and a plain network?

By mean time at batch 1 and by accuracy on the test images. A pair that one of its networks, or the plain network, beats
in both is never recommended. What noise explains is not taken for a gain in time: the pair is called faster only where
the intervals of the times say so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from duonas.measure import advice, wording
from duonas.measure.row import Figures, Row, faster, surely_better

SINGLE = ("big", "little", "plain")


@dataclass(frozen=True)
class Verdict:
    """What to deploy, and why.

    Args:
        pays: whether routing pays.
        use: ``routed``, ``big``, ``little`` or ``plain``.
        sentence: the verdict in one sentence.
        reason: why, in one sentence or more.
        next: what to do next.
        rows: all that was compared, the routed pair first.
    """

    pays: bool
    use: str
    sentence: str
    reason: str
    next: str
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """The verdict as it is in ``measure.json``."""
        return asdict(self) | {"rows": [row.to_json() for row in self.rows]}


def judge(measured: Figures) -> Verdict:
    """Compare the routed pair with big, little and the plain network alone.

    Routing pays if the pair is faster than big, or provably more accurate than it, and no network alone is at least as
    accurate without being slower. Otherwise the most accurate of the networks that beat the pair is the one to use, and
    big where none does.

    Args:
        measured: the content of ``measure.json``; times and the plain network may be missing.
    """
    rows, rough = _rows(measured), wording.rough(measured.get("environment", {}).get("busy_looks"))
    routed, big, *rest = rows
    beating = [row for row in rows[1:] if row.accuracy >= routed.accuracy and not faster(routed, row)]
    pays = not beating and (faster(routed, big) or surely_better(routed, big))
    if pays:
        said = wording.pays(routed, big), wording.others(routed, rest), wording.after_success(routed, big)
        reason = _joined(said[1], wording.trained_alone(measured), _batches(rows), rough, _precision(measured))
        return Verdict(True, "routed", said[0], reason, said[2], rows)
    better = beating or [big, *(row for row in rest if row.accuracy >= big.accuracy and not faster(big, row))]
    best = max(better, key=lambda row: (row.accuracy, -row.time().mean))
    reason, step = wording.why_not(measured, routed, best)
    alone = "" if best.name == "plain" else wording.trained_alone(measured)
    reason = _joined(_as_good(best, rows[1:], measured), reason, alone, _batches(rows), rough, _precision(measured))
    return Verdict(False, best.name, wording.use(routed, best), reason, step, rows)


def _as_good(best: Row, alone: tuple[Row, ...], measured: Figures) -> str:
    """Say which faster network the test images cannot tell from the best one; empty if there is none."""
    cheaper = [row for row in alone if faster(row, best) and advice.cannot_tell(best, row, measured)]
    if not cheaper:
        return ""
    return wording.apart(best, min(cheaper, key=lambda row: row.time().mean), int(measured["test_images"]))


def _rows(measured: Figures) -> tuple[Row, ...]:
    """The rows of all that was measured; where the time of one is not known, all are compared by MACs."""
    rows = tuple(Row.of(name, measured) for name in ("routed", *SINGLE) if name in measured)
    return rows if all(row.times for row in rows) else tuple(replace(row, times={}) for row in rows)


def _batches(rows: tuple[Row, ...]) -> str:
    """Say how the pair compares with big in larger batches."""
    routed, big = rows[:2]
    sizes = [batch for batch in routed.times if batch != "1" and batch in big.times]
    return _joined(*(wording.in_batches(routed, big, batch) for batch in sizes))


def _precision(measured: Figures) -> str:
    """Say whether the precision of the networks pays; empty where they are in float."""
    return str(measured.get("precision", {}).get("sentence", ""))


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
