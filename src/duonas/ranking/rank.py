"""Many subnets of one supernet: which, and what each of them reaches (paper T, section 4.1)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.files import write_atomic
from duonas.core.pair import Subnet
from duonas.core.protocols import Progress
from duonas.core.rng import stream
from duonas.core.space import WALKED, SearchSpace
from duonas.search.evaluate import Evaluator

SECONDS = 30.0  # between two times that what is known is written
SCHEMA = pyarrow.schema(
    [("arch", pyarrow.string()), ("cell", pyarrow.string()), ("choices", pyarrow.string()),
     ("params", pyarrow.int64()), ("macs", pyarrow.int64()), ("accuracy", pyarrow.float64())]
)  # fmt: skip


@dataclass(frozen=True)
class RankRow:
    """A subnet that was evaluated: its text where the space has one, its choices as JSON, accuracy in [0, 1]."""

    arch: str
    cell: str | None
    choices: str
    params: int
    macs: int
    accuracy: float


def chosen_archs(space: SearchSpace, which: int | str, seed: int) -> list[Arch]:
    """The archs that are asked for, no two alike.

    Args:
        space: where they come from.
        which: how many to draw, ``"all"``, or a file with one on each line.
        seed: of the draw. More archs begin with the same ones, and ``"all"`` comes in the order of the draw, so that
            what a stopped call has evaluated is a fair sample.

    Raises:
        DuonasError: more than there are, too many to walk through, or a file that cannot be read.
    """
    if isinstance(which, str) and which != "all":
        return _listed(space, Path(which))
    size = space.size()
    if which == "all":
        if size > WALKED:
            raise DuonasError(f"search space {space.name!r} has {size:,} archs, too many to evaluate: give a number.")
        which = size
    assert isinstance(which, int)
    if which > size:
        raise DuonasError(f"search space {space.name!r} has {size:,} archs, of which {which:,} cannot be drawn.")
    return list(islice(_drawn(space, size, seed), which))


def _drawn(space: SearchSpace, size: int, seed: int) -> Iterator[Arch]:
    """Archs without end or repetition: of a space that can be walked through a shuffled walk, else drawn one by one."""
    rng = stream(seed, "rank")
    if size <= WALKED:
        walk = list(space.archs())
        yield from (walk[place] for place in rng.permutation(size))
        return
    seen: set[Arch] = set()
    while True:
        arch = space.sample(rng)
        if arch not in seen:
            seen.add(arch)
            yield arch


def _listed(space: SearchSpace, path: Path) -> list[Arch]:
    if not path.is_file():
        raise DuonasError(
            f"--archs must be a number above 0, 'all' or a file with an arch on each line: there is no file {path}."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DuonasError(f"--archs {path} cannot be read: {error.strerror or error}.") from error
    archs = []
    for number, line in enumerate(_text(path, content).splitlines(), 1):
        if line.strip():
            try:
                archs.append(_read(space, line.strip()))
            except DuonasError as error:
                raise DuonasError(f"line {number} of {path}: {error}") from error
    if not archs:
        raise DuonasError(f"{path} names no archs: expected one on each line.")
    return list(dict.fromkeys(archs))


def _text(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # which no text has, while a binary file may well be UTF-8
        table = "; a table of networks trained from scratch is given by --table" if content[:4] == b"PAR1" else ""
        raise DuonasError(
            f"--archs {path} is not a text file: expected an arch on each line, as a cell's text or as choices in "
            f"JSON{table}."
        )
    return text


def _read(space: SearchSpace, line: str) -> Arch:
    """An arch as a cell's text, or as JSON: the ``choices`` of ``archs.parquet``, alone or with their space."""
    if not line.startswith("{"):
        if space.text(space.smallest()) is None:
            raise DuonasError(
                f"search space {space.name!r} has no text for its archs: give the choices of each as JSON, such as "
                f"{json.dumps(dict(space.smallest().choices))[:60]}..."
            )
        return space.arch(cell=line)
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DuonasError(f"not JSON: {error}.") from error
    return space.validate(Arch.from_json(value if "choices" in value else {"space": space.name, "choices": value}))


def evaluate_archs(
    space: SearchSpace,
    archs: Sequence[Arch],
    evaluator: Evaluator,
    path: Path,
    progress: Progress,
    subnet: Callable[[Arch], Subnet] = Subnet,
) -> list[RankRow]:
    """What each arch reaches as a subnet of the supernet, in the order of ``archs``.

    What is known is written to ``path`` now and then, at the end, and where the call is interrupted; another call goes
    on from there. It holds for one supernet, split and number of images for the batch norms: other ones begin anew.

    Args:
        space: of the archs.
        archs: to evaluate.
        evaluator: asks them; it need not keep their answers.
        path: of what is known.
        progress: told of each arch, with the mean and the best accuracy of those known so far.
        subnet: where in the supernet an arch lies; default: in big's tower.
    """
    known = _load(path, evaluator.fingerprint)
    keys = [_key(arch) for arch in archs]
    told = [known[key].accuracy for key in keys if key in known]
    written, held = time.monotonic(), len(known)
    progress(len(told), len(archs), **_summary(told))
    try:
        for arch, key in zip(archs, keys, strict=True):
            if key in known:
                continue
            known[key] = _row(space, key, evaluator, subnet(arch))
            told.append(known[key].accuracy)
            if time.monotonic() - written > SECONDS:
                _save(path, known, evaluator.fingerprint)
                written, held = time.monotonic(), len(known)
            progress(len(told), len(archs), **_summary(told))
    finally:
        if len(known) > held:
            _save(path, known, evaluator.fingerprint)
    return [known[key] for key in keys]


def write_rows(path: Path, rows: Sequence[dict[str, Any]], schema: pyarrow.Schema) -> Path:
    """Write rows to a Parquet file, atomically."""
    table = pyarrow.Table.from_pylist(list(rows), schema)
    return write_atomic(path, lambda temporary: parquet.write_table(table, temporary))


def _key(arch: Arch) -> str:
    """An arch in full: of thousands of eight-digit names some two are alike."""
    return json.dumps(dict(arch.choices))


def _row(space: SearchSpace, key: str, evaluator: Evaluator, subnet: Subnet) -> RankRow:
    result, arch = evaluator.evaluate(subnet), subnet.arch
    return RankRow(arch.id, space.text(arch), key, result.cost.params, result.cost.macs, result.accuracy)


def _summary(accuracies: Sequence[float]) -> dict[str, float]:
    if not accuracies:
        return {}
    return {"mean_accuracy": sum(accuracies) / len(accuracies), "best_accuracy": max(accuracies)}


def _save(path: Path, known: dict[str, RankRow], fingerprint: str) -> None:
    write_rows(path, [asdict(row) for row in known.values()], SCHEMA.with_metadata({"fingerprint": fingerprint}))


def _load(path: Path, fingerprint: str) -> dict[str, RankRow]:
    try:
        table = parquet.read_table(path)
        if (table.schema.metadata or {}).get(b"fingerprint") != fingerprint.encode():
            return {}
        rows = [RankRow(**row) for row in table.to_pylist()]
    except (OSError, pyarrow.ArrowException, TypeError):  # not there, or not what a call wrote
        return {}
    return {row.choices: row for row in rows}
