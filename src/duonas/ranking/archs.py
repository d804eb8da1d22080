"""Choose the archs of a search space to rank: sampled, all, or listed in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.core.space import WALKED, SearchSpace


def chosen_archs(space: SearchSpace, which: int | str, seed: int) -> list[Arch]:
    """Choose the archs to rank, without repetition.

    Args:
        space: the search space.
        which: how many archs to draw, ``"all"``, or a file with one arch on each line.
        seed: random seed of the draw. A larger draw begins with the archs of a smaller one, and ``"all"`` comes in
            random order, so that the archs that an interrupted call has evaluated are a fair sample.

    Raises:
        DuonasError: the space has fewer archs, is too large to evaluate completely, or the file cannot be read.
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
        raise DuonasError(f"search space {space.name!r} has {size:,} archs, but {which:,} are to be drawn.")
    return list(islice(_drawn(space, size, seed), which))


def _drawn(space: SearchSpace, size: int, seed: int) -> Iterator[Arch]:
    """Yield archs in random order without repetition: small spaces are shuffled, large ones are sampled."""
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
        raise DuonasError(f"{path} lists no archs: expected one on each line.")
    return list(dict.fromkeys(archs))


def _text(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # a binary file may be valid UTF-8
        table = "; a table of networks trained from scratch is given by --table" if content[:4] == b"PAR1" else ""
        raise DuonasError(
            f"--archs {path} is not a text file: expected an arch on each line, as a cell's text or as choices in "
            f"JSON{table}."
        )
    return text


def _read(space: SearchSpace, line: str) -> Arch:
    """Parse an arch: a cell's text, or JSON with its ``values`` or its ``choices`` as in ``archs.parquet``."""
    if not line.startswith("{"):
        if space.text(space.smallest()) is None:
            raise DuonasError(
                f"search space {space.name!r} has no text for its archs: give the values of each as JSON, such as "
                f"{json.dumps({'values': space.values(space.smallest())})[:60]}..."
            )
        return space.arch(cell=line)
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DuonasError(f"not JSON: {error}.") from error
    if set(value) == {"values"}:
        return _by_value(space, value["values"])
    return space.validate(Arch.from_json(value if "choices" in value else {"space": space.name, "choices": value}))


def _by_value(space: SearchSpace, values: Any) -> Arch:
    if not isinstance(values, dict):
        raise DuonasError(f"the values of an arch must be given by axis, got {values!r:.80}.")
    arch = space.arch(**values)
    unused = [name for name in values if name not in arch]
    if unused:
        raise DuonasError(f"axis {unused[0]!r} is not active in an arch of these values: leave it out.")
    lacking = [name for name, _ in arch.choices if name not in values]
    if lacking:
        raise DuonasError(f"the values of an arch need axis {lacking[0]!r}, too.")
    return arch
