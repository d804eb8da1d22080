"""A published table of networks trained from scratch, to hold a supernet's subnets against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from duonas.core.errors import DuonasError, nearest


@dataclass(frozen=True)
class Benchmark:
    """Accuracies in [0, 1] by an arch's text; rows without one are left out.

    Args:
        path: the file.
        column: where it has them.
        accuracies: text to accuracy, in the order of the rows.
    """

    path: Path
    column: str
    accuracies: dict[str, float]

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """The accuracy of each text, (N,).

        Isomorphic cells have a row for each of their texts, so that a text is looked up as it is written.

        Raises:
            DuonasError: some have no row.
        """
        missing = [text for text in texts if text not in self.accuracies]
        if missing:
            raise DuonasError(
                f"{self.path} has no {self.column} for {len(missing):,} of the {len(texts):,} archs, "
                f"{missing[0]!r} among them: rank those that it has with --archs FILE."
            )
        return np.array([self.accuracies[text] for text in texts])


def read_benchmark(path: Path, column: str | None, key: str) -> Benchmark:
    """Read a Parquet table; accuracies above 1 are taken as per cent.

    Args:
        path: the file.
        column: that holds the accuracies.
        key: the column that holds an arch's text.

    Raises:
        DuonasError: no such file or column, what is there is no accuracy, or a text has several rows.
    """
    there = _columns(path)
    if column is None:
        raise DuonasError(f"which column of {path} has the accuracies: give --column, one of {', '.join(there)}.")
    for name in (key, column):
        if name not in there:
            raise DuonasError(f"{path} has no column {name!r}: {nearest(name, there)}.")
    table = _read(path, sorted({key, column}))
    texts, values = table[key].to_pylist(), _accuracies(path, column, table[column])
    text, rows = Counter(texts).most_common(1)[0]
    if rows > 1:
        raise DuonasError(f"{path} has {rows} rows for {key} = {text!r}: one for each arch is expected.")
    known = zip(texts, values.tolist(), strict=True)
    return Benchmark(path, column, {text: value for text, value in known if np.isfinite(value)})


def _columns(path: Path) -> list[str]:
    if not path.is_file():
        raise DuonasError(f"there is no table {path}.")
    try:
        return list(parquet.read_schema(path).names)
    except (OSError, pyarrow.ArrowException) as error:
        raise DuonasError(f"{path} cannot be read as a Parquet table: {_first_line(error)}.") from error


def _read(path: Path, columns: list[str]) -> pyarrow.Table:
    try:
        return parquet.read_table(path, columns=columns)
    except (OSError, pyarrow.ArrowException) as error:
        raise DuonasError(f"{path} cannot be read as a Parquet table: {_first_line(error)}.") from error


def _accuracies(path: Path, column: str, found: pyarrow.ChunkedArray) -> np.ndarray:
    """(N,) in [0, 1], NaN where there is none."""
    try:
        values = np.asarray(found.cast(pyarrow.float64()).to_numpy(), dtype=float)
    except pyarrow.ArrowException as error:
        raise DuonasError(f"column {column!r} of {path} holds {found.type}, not accuracies.") from error
    known = values[np.isfinite(values)]
    if not len(known):
        raise DuonasError(f"column {column!r} of {path} is empty.")
    if known.min() < 0 or known.max() > 100:
        raise DuonasError(
            f"column {column!r} of {path} goes from {known.min():.4g} to {known.max():.4g}: accuracies lie between "
            "0 and 1, or between 0 and 100."
        )
    return values / 100 if known.max() > 1 else values


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
