"""Whether search strategies end in similar cells (paper D, section 6.2 and appendix B.3).

    python benchmarks/convergence.py rows.csv nasbench201.parquet nasbench201_hardware.parquet

Reads what ``table2.py`` wrote. For each limit and count of evaluations the best cells of all searches and seeds are
compared two by two: the fraction of their six edges with the same operation, within a strategy and between strategies;
how many pairs are of one cell; and the fraction for cells drawn in place of the best ones, from those within the limit
whose accuracy is the same to ``--window`` points. Intervals are 95 % bootstrap ones over the runs.
"""

from __future__ import annotations

import argparse
import csv
import sys
from itertools import groupby

import numpy as np
import pyarrow.parquet as pq

from duonas.core.cell import OPERATIONS, read_cell

LEFT_OUT = " alone"  # has one seed
DRAWS = 20  # of cells in place of the best ones
RESAMPLED = 500


def digits(text: str) -> np.ndarray:
    """The operations of a cell, from its six digits or its text."""
    found = text if text.isdigit() else "".join(str(OPERATIONS.index(each)) for each in read_cell(text))
    return np.array(list(map(int, found)))


def equal(cells: np.ndarray) -> np.ndarray:
    """The fraction of equal edges of any two of N cells (N, 6): (N, N)."""
    fractions: np.ndarray = (cells[:, None] == cells).mean(2)
    return fractions


def compared(fractions: np.ndarray, names: np.ndarray, runs: np.ndarray) -> tuple[float, float, float]:
    """The mean fraction within a strategy and between strategies, over different runs, and the part of equal cells."""
    chosen, who = fractions[np.ix_(runs, runs)], names[runs]
    apart = runs[:, None] != runs
    alike = who[:, None] == who
    return (
        float(chosen[apart & alike].mean()),
        float(chosen[apart & ~alike].mean()),
        float((chosen[apart & ~alike] == 1).mean()),
    )


def described(value: float, draws: np.ndarray) -> str:
    """A value with its interval."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def main() -> int:
    """Print a line for each limit and count; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", help="CSV that table2.py wrote")
    parser.add_argument("table", help="Parquet with arch and the accuracy column")
    parser.add_argument("hardware", help="Parquet with arch and the latency columns")
    parser.add_argument("--accuracy", default="cifar10_test_acc_200ep")
    parser.add_argument("--window", type=float, default=0.1, help="points of accuracy")
    arguments = parser.parse_args()
    with open(arguments.rows, newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["search"].endswith(LEFT_OUT)]
    published = pq.read_table(arguments.table, columns=["arch", arguments.accuracy]).to_pydict()
    latencies = sorted({row["latency"] for row in rows})
    measured = pq.read_table(arguments.hardware, columns=["arch", *latencies]).to_pydict()
    place = {text: number for number, text in enumerate(measured["arch"])}
    every = np.array([digits(text) for text in published["arch"]])
    accuracy, order = np.array(published[arguments.accuracy]), [place[text] for text in published["arch"]]

    def key(row: dict[str, str]) -> tuple[str, float, int]:
        return row["latency"], float(row["limit"]), int(row["evaluations"])

    print("equal edges of two best cells: within a strategy | between | same cell | drawn cells of the same accuracy")
    for (latency, limit, count), group in groupby(sorted(rows, key=key), key):
        of = list(group)
        names = np.array([row["search"] for row in of])
        within = np.array(measured[latency], dtype=float)[order] <= limit
        rng, runs = np.random.default_rng(0), np.arange(len(of))
        fractions = equal(np.array([digits(row["cell"]) for row in of]))
        draws = [np.unique(rng.integers(len(of), size=len(of))) for _ in range(RESAMPLED)]
        seen = np.array([compared(fractions, names, each) for each in draws])
        mine = compared(fractions, names, runs)
        near = [np.flatnonzero(within & (abs(accuracy - float(row["accuracy"])) <= arguments.window)) for row in of]
        drawn = [equal(every[[rng.choice(each) for each in near]]) for _ in range(DRAWS)]
        chance = np.array([compared(each, names, runs)[1] for each in drawn])
        print(
            f"{latency} <= {limit:g}, {count:5,}: {described(mine[0], seen[:, 0])} | {described(mine[1], seen[:, 1])} "
            f"| {mine[2]:.3f} | {chance.mean():.3f} ({np.median([len(each) for each in near]):.0f} cells near)",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
