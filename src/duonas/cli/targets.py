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
    from rich.markup import escape
    from rich.table import Table

    table = Table("target", "what it is", "on this machine", "tested", box=None, header_style="bold", pad_edge=False)
    for each in found:
        here = "; ".join(filter(None, [each.runs, each.lacks and f"lacks {each.lacks}"]))
        tested = each.tested or f"[yellow]only written[/yellow]: {escape(each.untested)}"
        table.add_row(f"[cyan]{each.name}[/cyan]", escape(each.about), escape(here), tested)
    return table
