"""``duonas rank``: the subnets of a supernet against networks trained from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duonas.cli.arguments import RunArgument
from duonas.cli.errors import GOES_ON, one_line_errors
from duonas.core.errors import DuonasError


def rank(
    run: RunArgument,
    archs: Annotated[
        str,
        typer.Option(help="How many archs to draw, 'all', or a file with an arch on each line.", metavar="N|all|FILE"),
    ] = "1000",
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Parquet table of networks trained from scratch.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column of the table that holds the accuracies.")] = None,
    key: Annotated[str, typer.Option(help="The column of the table that holds the archs as texts.")] = "arch",
    split: Annotated[
        str, typer.Option(help="The split that accuracy is measured on: val, or test as papers do.")
    ] = "val",
    role: Annotated[
        str, typer.Option(help="The network whose subnets are ranked: big, or little where its subnets are others.")
    ] = "big",
    seed: Annotated[int, typer.Option(help="Random seed for sampling archs.")] = 0,
    predictors: Annotated[
        str | None,
        typer.Option(help="Trivial predictors that the ranking must beat, such as params,depth. Default: three sizes."),
    ] = None,
    any_skeleton: Annotated[
        bool, typer.Option("--any-skeleton", help="Accept a table of networks with other numbers of params.")
    ] = False,
) -> None:
    """Evaluate many subnets of a trained supernet, and compare them with networks trained from scratch.

    [dim]duonas rank runs/mine --archs 1000[/dim]

    [dim]duonas rank runs/mine --archs all --split test --table nasbench201.parquet --column cifar10_acc[/dim]
    """
    with one_line_errors(GOES_ON):
        from duonas.cli.console import open_console, watch
        from duonas.cli.tables import best_predictor, ranking_tables
        from duonas.rundir.folder import RunFolder

        RunFolder(run)  # fails before torch is loaded
        from duonas.ranking.predictors import USUAL
        from duonas.ranking.rank import rank as rank_archs
        from duonas.ranking.table import RankTable

        console = open_console()
        if table is None and column is not None:
            raise DuonasError(f"--column {column} needs a table: give --table FILE.parquet.")
        if table is None and predictors is not None:
            raise DuonasError(f"--predictors {predictors} needs a table: give --table FILE.parquet.")
        named = USUAL if predictors is None else [name.strip() for name in predictors.split(",")]
        benchmark = RankTable(table, column, key, any_skeleton, named) if table else None
        found = rank_archs(run, archs, table=benchmark, split=split, role=role, seed=seed, progress=watch(console))
        for printed in ranking_tables(found):
            console.print("", printed, sep="\n")
        if said := best_predictor(found):
            console.print("", said, sep="\n", markup=False, highlight=False)
        written = run / "ranking" / ("" if role == "big" else role) / "ranking.json"
        console.print("", f"ranking: {written}", sep="\n", markup=False, highlight=False, soft_wrap=True)
