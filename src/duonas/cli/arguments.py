"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duonas.cli.errors import one_line_errors
from duonas.core.files import expand


def folder_option(text: str) -> Path:
    """Return the path that an option names; fails with one sentence if it is none."""
    if not text:
        raise typer.BadParameter("it must be the name of a folder, not empty.")
    with one_line_errors():
        return expand(text, "--out")


RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe (see `duonas list`), a .toml file, or a run's folder.")
]
ImagesOption = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="PATH",
        help="Your images, in place of the recipe's: a folder with a subfolder of images per class, or a table.",
    ),
]
MinutesOption = Annotated[
    str | None,
    typer.Option(
        "--minutes", metavar="M", help="The minutes that a whole run may take, of which each stage gets a part."
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        parser=folder_option,
        help="The run's folder. Default: runs/RECIPE, or the run itself.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="A.B=C", help="Set key B of table A to C, such as train.epochs=10; can be repeated."
    ),
]
SupernetOption = Annotated[
    Path | None,
    typer.Option("--supernet", metavar="RUN", help="Use the supernet that this run trained, instead of training one."),
]
