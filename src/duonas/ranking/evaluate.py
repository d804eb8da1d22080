"""Evaluate many subnets of one supernet (paper T, section 4.1)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.core.parquet import read_table, write_rows
from duonas.core.protocols import Progress
from duonas.core.space import SearchSpace
from duonas.search.evaluate import Evaluator

SAVE_SECONDS = 30.0  # between two saves of the results so far
SCHEMA = pyarrow.schema(
    [("arch", pyarrow.string()), ("cell", pyarrow.string()), ("choices", pyarrow.string()),
     ("params", pyarrow.int64()), ("macs", pyarrow.int64()), ("accuracy", pyarrow.float64()),
     ("values", pyarrow.string())]
)  # fmt: skip


@dataclass(frozen=True)
class RankRow:
    """An evaluated subnet: its cell text where the space has one, its accuracy in [0, 1].

    ``choices`` and ``values`` are the indices and the values on its axes, as JSON.
    """

    arch: str
    cell: str | None
    choices: str
    params: int
    macs: int
    accuracy: float
    values: str = "{}"


def evaluate_archs(
    space: SearchSpace,
    archs: Sequence[Arch],
    evaluator: Evaluator,
    path: Path,
    progress: Progress,
    subnet: Callable[[Arch], Subnet] = Subnet,
) -> list[RankRow]:
    """Evaluate each arch as a subnet of the supernet, in the order of ``archs``.

    Results are saved to ``path`` every half minute, at the end, and when the call is interrupted; a later call resumes
    from there. The file belongs to one supernet, one split and one number of recalibration images; it is started anew
    when any of them changes.

    Args:
        space: the search space of the archs.
        archs: the archs to evaluate.
        evaluator: evaluates a subnet; it need not cache its answers.
        path: the Parquet file of results.
        progress: reports each arch, with the mean and the best accuracy so far.
        subnet: maps an arch to its subnet in the supernet; by default one of big's tower.
    """
    known = _load(path, evaluator.fingerprint)
    keys = [_key(arch) for arch in archs]
    accuracies = [known[key].accuracy for key in keys if key in known]
    saved_at, saved = time.monotonic(), len(known)
    progress(len(accuracies), len(archs), **_summary(accuracies))
    try:
        for arch, key in zip(archs, keys, strict=True):
            if key in known:
                continue
            known[key] = _row(space, key, evaluator, subnet(arch))
            accuracies.append(known[key].accuracy)
            if time.monotonic() - saved_at > SAVE_SECONDS:
                _save(path, known, evaluator.fingerprint)
                saved_at, saved = time.monotonic(), len(known)
            progress(len(accuracies), len(archs), **_summary(accuracies))
    finally:
        if len(known) > saved:
            _save(path, known, evaluator.fingerprint)
    return [known[key] for key in keys]


def _key(arch: Arch) -> str:
    """Return all choices of an arch as JSON: among thousands of archs two eight-digit ids may collide."""
    return json.dumps(dict(arch.choices))


def _row(space: SearchSpace, key: str, evaluator: Evaluator, subnet: Subnet) -> RankRow:
    arch, cost = subnet.arch, evaluator.cost(subnet)
    accuracy, values = evaluator.evaluate(subnet).accuracy, json.dumps(space.values(arch))
    return RankRow(arch.id, space.text(arch), key, cost.params, cost.macs, accuracy, values)


def _summary(accuracies: Sequence[float]) -> dict[str, float]:
    if not accuracies:
        return {}
    return {"mean_accuracy": sum(accuracies) / len(accuracies), "best_accuracy": max(accuracies)}


def _save(path: Path, known: dict[str, RankRow], fingerprint: str) -> None:
    write_rows(path, [asdict(row) for row in known.values()], SCHEMA.with_metadata({"fingerprint": fingerprint}))


def _load(path: Path, fingerprint: str) -> dict[str, RankRow]:
    try:
        table = read_table(path)
        if (table.schema.metadata or {}).get(b"fingerprint") != fingerprint.encode():
            return {}
        rows = [RankRow(**row) for row in table.to_pylist()]
    except (DuonasError, TypeError):  # no file yet, or a foreign one
        return {}
    return {row.choices: row for row in rows}
