"""A table of networks trained from scratch, to compare a supernet's subnets with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duonas.core.errors import DuonasError
from duonas.costs.table import column_names, read_figures


@dataclass(frozen=True)
class RankTable:
    """The location of accuracies of networks trained from scratch.

    Args:
        path: a Parquet file with one row for each arch.
        column: the column of accuracies, as fractions or in percent.
        key: the column of the archs' texts.
    """

    path: Path | str
    column: str | None = None
    key: str = "arch"

    def read(self) -> Benchmark:
        """Read the accuracies; values above 1 are taken as percent.

        Raises:
            DuonasError: there is no such file or column, the column holds no accuracies, or a text has several rows.
        """
        path = Path(self.path)
        if self.column is None:
            columns = ", ".join(column_names(path, "--table"))
            raise DuonasError(
                f"the column of {path} that holds the accuracies is missing: give --column, one of {columns}."
            )
        texts, (values,) = read_figures(path, "--table", ("--key", self.key), {"--column": self.column})
        rows = zip(texts, _accuracies(path, self.column, values).tolist(), strict=True)
        known = {text: value for text, value in rows if text is not None and not np.isnan(value)}
        return Benchmark(path, self.column, known)


@dataclass(frozen=True)
class Benchmark:
    """Accuracies of networks trained from scratch.

    Args:
        path: the file they were read from.
        column: its column of accuracies.
        accuracies: accuracy in [0, 1] by the arch's text, in the order of the rows; rows without a figure are left out.
    """

    path: Path
    column: str
    accuracies: dict[str, float]

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Look up the accuracies (N,) of N texts.

        Texts are looked up as they are written: isomorphic cells have a row each.

        Raises:
            DuonasError: some texts have no row.
        """
        missing = [text for text in texts if text not in self.accuracies]
        if missing:
            raise DuonasError(
                f"{self.path} has no {self.column} for {len(missing):,} of the {len(texts):,} archs, "
                f"such as {missing[0]!r}: list those that it has in a file, and give --archs FILE."
            )
        return np.array([self.accuracies[text] for text in texts])


def _accuracies(path: Path, column: str, values: np.ndarray) -> np.ndarray:
    """Return the accuracies (N,) in [0, 1], NaN where the table has none."""
    least, most = np.nanmin(values), np.nanmax(values)
    if least < 0 or most > 100:
        raise DuonasError(
            f"{path}: column {column!r} goes from {least:.4g} to {most:.4g}, but accuracies lie between 0 and 1, or "
            "between 0 and 100."
        )
    return values / 100 if most > 1 else values
