"""``duonas paper``: the tables and figures of a paper from their studies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duonas.cli.arguments import SetOption, folder_option
from duonas.cli.errors import GOES_ON, one_line_errors

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from duonas.paper.drawing import Drawn
    from duonas.paper.element import Element, Part
    from duonas.report.table import Table as ReportTable

RUNS = Path("runs") / "paper-d"
ELEMENTS = Path("benchmarks") / "paper-d"


def paper(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Such as table-3; or a .toml file. Without it, all are listed."),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option("--folder", metavar="DIR", help="The folder with the files of the tables and figures."),
    ] = ELEMENTS,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", parser=folder_option, help="The folder of the runs and of what is written."
        ),
    ] = RUNS,
    override: SetOption = None,
    study: Annotated[
        list[str] | None,
        typer.Option("--study", metavar="NAME", help="Run only this study of it; can be repeated."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Run nothing: say how many core-hours on this machine are missing.")
    ] = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Run nothing: draw the runs that are finished.")] = False,
) -> None:
    """Run what a table or figure of paper D lacks, and write it as Markdown, LaTeX, a page, and pictures.

    [dim]duonas paper[/dim]  lists all of them

    [dim]duonas paper table-3 --plan --set data.path=CIFAR10[/dim]

    [dim]duonas paper table-3 --study CIFAR-10 --set data.path=CIFAR10[/dim]  also resumes it

    [dim]duonas paper table-3 --no-run[/dim]
    """
    with one_line_errors(GOES_ON):
        if name is None:
            _list(folder, out, override or ())
            return
        from duonas.cli.console import open_console, watch
        from duonas.paper.element import find_element, load_element

        element = load_element(find_element(name, folder))
        console = open_console()
        if plan:
            _plan(console, element, out, override or (), study or ())
            return
        from duonas.paper.make import make

        shown, written = make(element, out, override or (), only=study or (), run=not no_run, progress=watch(console))
        for part, drawn in shown:
            _show(console, part, drawn)
        if written.said:
            console.print(written.said, markup=False, highlight=False)
        names = ", ".join(path.name for path in written.files)
        console.print("", f"{element.name}: {names} in {out}", sep="\n", markup=False, highlight=False, soft_wrap=True)


def _show(console: Console, part: Part, drawn: Drawn) -> None:
    """Print the tables and sentences of a part."""
    from rich.markup import escape

    for title, table in drawn.tables.items():
        above = ": ".join(filter(None, [part.title, title]))
        console.print("", *filter(None, [escape(above)]), _rich(table), sep="\n")
    for said in filter(None, [part.missing and f"Missing: {part.missing}", part.note, *drawn.notes]):
        console.print(said, markup=False, highlight=False)


def _plan(console: Console, element: Element, out: Path, overrides: Iterable[str], only: Sequence[str]) -> None:
    """Print the core-hours that are missing."""
    from rich.markup import escape
    from rich.table import Table

    from duonas.cli.console import watch
    from duonas.paper.make import finished
    from duonas.paper.plan import plan, total
    from duonas.runtime.machine import cores

    wanted = element.needed(element.studies(overrides), only)
    costs = plan(finished(wanted, out), out, watch(console))
    table = Table("study", "variant", box=None, header_style="bold", pad_edge=False)
    for heading in ("runs missing", "core-hours", "known by"):
        table.add_column(heading, justify="right")
    for cost in costs:
        known = "unknown" if cost.hours is None else f"{cost.hours:.2f}"
        table.add_row(escape(cost.study), escape(cost.variant), str(cost.runs), known, cost.told_by)
    hours, number = total(costs), cores()
    if costs:
        console.print("", table, sep="\n")
    console.print(
        f"{element.name}: {hours:.2f} core-hours are missing; this machine has {number} core{'s' * (number > 1)}."
        if costs else f"{element.name}: no run is missing.",
        markup=False, highlight=False,
    )  # fmt: skip


def _list(folder: Path, out: Path, overrides: Iterable[str]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from duonas.cli.console import show
    from duonas.paper.make import overview

    table = Table("name", "what it shows", "done", box=None, header_style="bold", pad_edge=False)
    for element, state in overview(folder, out, overrides):
        about = " ".join([escape(element.title), *(f"[dim]Missing: {escape(said)}[/dim]" for said in element.missing)])
        table.add_row(f"[cyan]{escape(element.name)}[/cyan]", about, state)
    show(table)


def _rich(table: ReportTable) -> Table:
    from rich.markup import escape
    from rich.table import Table

    found = Table(box=None, header_style="bold", pad_edge=False)
    for at, head in enumerate(table.head):
        found.add_column(escape(head), justify="left" if table.classes.get(at) == "words" else "right")
    for row in table.rows:
        found.add_row(*map(escape, row))
    return found
