"""``duonas targets``: what a bundle can be deployed on, what of it this machine has, and what was tested."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duonas.cli.errors import one_line_errors

if TYPE_CHECKING:
    from rich.table import Table

    from duonas.deploy.standing import Standing

BundleArgument = Annotated[
    Path | None, typer.Argument(metavar="[BUNDLE]", help="An export folder, which each engine that is here tests.")
]


def targets(bundle: BundleArgument = None) -> None:
    """List what a bundle can be deployed on: whether it runs here, why not, and whether it was ever tested.

    With an export folder, every engine that this machine has answers the bundle's stored images, too.

    [dim]duonas targets runs/mine/export[/dim]
    """
    with one_line_errors():
        from duonas.cli.console import show
        from duonas.deploy.standing import standings

        found = list(standings(bundle))
        show(_table(found), *(f"{each.name}: {each.found}" for each in found if each.found))


def _table(found: list[Standing]) -> Table:
    """Each target with its sentences below each other, which also fit into a narrow terminal."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    for each in found:
        here = each.runs and f"[green]runs here[/green] by {escape(each.runs)}"
        lacks = each.lacks and f"[yellow]lacks[/yellow] {escape(each.lacks)}"
        tested = f"tested {each.tested}" if each.tested else f"[yellow]only written[/yellow]: {escape(each.untested)}"
        table.add_row(f"[cyan]{each.name}[/cyan]", "\n".join(filter(None, [escape(each.about), here, lacks, tested])))
    return table
