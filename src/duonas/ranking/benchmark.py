"""A published table of networks trained from scratch, to hold a supernet's subnets against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duonas.core.errors import DuonasError
from duonas.costs.archtable import column_names, read_figures


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
    if column is None:
        there = ", ".join(column_names(path, "--table"))
        raise DuonasError(f"which column of {path} has the accuracies: give --column, one of {there}.")
    texts, (values,) = read_figures(path, "--table", ("--key", key), {"--column": column})
    known = zip(texts, _accuracies(path, column, values).tolist(), strict=True)
    return Benchmark(path, column, {text: value for text, value in known if text is not None and not np.isnan(value)})


def _accuracies(path: Path, column: str, values: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1], NaN where there is none."""
    least, most = np.nanmin(values), np.nanmax(values)
    if least < 0 or most > 100:
        raise DuonasError(
            f"{path}: column {column!r} goes from {least:.4g} to {most:.4g}, but accuracies lie between 0 and 1, or "
            "between 0 and 100."
        )
    return values / 100 if most > 1 else values
