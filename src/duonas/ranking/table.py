"""A table of networks trained from scratch, to compare a supernet's subnets with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from duonas.core.errors import DuonasError
from duonas.costs.table import column_names, read_figures
from duonas.ranking.predictors import USUAL

PARAMS = "params"  # the column that tells networks of other skeletons
MILLIONS = 1e4  # below it a number of params is one in millions
TOLERANCE = 0.01  # published numbers of params are rounded


@dataclass(frozen=True)
class RankTable:
    """The location of accuracies of networks trained from scratch.

    Args:
        path: a Parquet file with one row for each arch.
        column: the column of accuracies, as fractions or in percent.
        key: the column of the archs' texts.
        any_skeleton: accept a table of networks with other numbers of params, such as more channels.
        predictors: trivial predictors that the ranking is compared with; see ``duonas.ranking.predictors.predictors``.
    """

    path: Path | str
    column: str | None = None
    key: str = "arch"
    any_skeleton: bool = False
    predictors: Sequence[str] = USUAL

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
        known = _by_text(texts, _accuracies(path, self.column, values))
        params: dict[str, float] = {}
        if PARAMS in column_names(path, "--table") and not self.any_skeleton:
            _, (counts,) = read_figures(path, "--table", ("--key", self.key), {PARAMS: PARAMS})
            params = _by_text(texts, counts * (1e6 if np.nanmax(counts) < MILLIONS else 1.0))
        return Benchmark(path, self.column, known, params)


@dataclass(frozen=True)
class Benchmark:
    """Accuracies of networks trained from scratch.

    Args:
        path: the file they were read from.
        column: its column of accuracies.
        accuracies: accuracy in [0, 1] by the arch's text, in the order of the rows; rows without a figure are left out.
        params: number of params by the arch's text; empty if the table does not have it.
    """

    path: Path
    column: str
    accuracies: dict[str, float]
    params: dict[str, float] = field(default_factory=dict)

    def check_skeleton(self, params: Mapping[str, int]) -> bool:
        """Compare numbers of params with those of a search space; return whether the table has them.

        Args:
            params: of archs of the search space, by text.

        Raises:
            DuonasError: an arch has another number in the table, so that its network is another one.
        """
        shared = [text for text in params if text in self.params]
        for text in shared:
            theirs, ours = self.params[text], params[text]
            if abs(theirs - ours) > TOLERANCE * ours:
                raise DuonasError(
                    f"{self.path} holds networks of another skeleton: by its column {PARAMS!r} {text!r} has "
                    f"{theirs:,.0f} params, in this search space {ours:,}; give a table of the same networks, or "
                    "--any-skeleton to compare them all the same."
                )
        return bool(shared)

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


def _by_text(texts: Sequence[str | None], values: np.ndarray) -> dict[str, float]:
    rows = zip(texts, values.tolist(), strict=True)
    return {text: value for text, value in rows if text is not None and not np.isnan(value)}


def _accuracies(path: Path, column: str, values: np.ndarray) -> np.ndarray:
    """Return the accuracies (N,) in [0, 1], NaN where the table has none."""
    least, most = np.nanmin(values), np.nanmax(values)
    if least < 0 or most > 100:
        raise DuonasError(
            f"{path}: column {column!r} goes from {least:.4g} to {most:.4g}, but accuracies lie between 0 and 1, or "
            "between 0 and 100."
        )
    return values / 100 if most > 1 else values
