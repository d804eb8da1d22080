"""``duonas compare``: a study of several recipes and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duonas.cli.arguments import SetOption, folder_option
from duonas.cli.errors import GOES_ON, one_line_errors


def compare(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="A .toml file with variants of a recipe and seeds.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", parser=folder_option, help="The folder of the runs. Default: runs/STUDY."
        ),
    ] = None,
    override: SetOption = None,
) -> None:
    """Run all variants of a study with all its seeds, and compare them in one table and one page.

    [dim]duonas compare study.toml[/dim]  also resumes a study
    """
    with one_line_errors(GOES_ON):
        from duonas.cli.console import open_console, watch
        from duonas.core.text import plural
        from duonas.recipe.study import load_study

        loaded = load_study(study, override or ())
        console = open_console()
        runs = len(loaded.variants) * len(loaded.seeds)
        folder = out or Path("runs") / study.stem
        console.print(
            f"{plural(len(loaded.variants), 'variant')}, {plural(runs, 'run')}: {folder}", markup=False, soft_wrap=True
        )
        from duonas.cli.tables import comparison_table
        from duonas.core.files import read_json
        from duonas.pipeline.compare import compare as compare_all

        page = compare_all(loaded, folder, watch(console))
        console.print("", comparison_table(read_json(page.with_suffix(".json"))), "", sep="\n")
        console.print(f"comparison: {page}", markup=False, highlight=False, soft_wrap=True)
