"""The command line: each command loads a recipe and calls a function of the Python interface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duonas.cli.arguments import ImagesOption, MinutesOption, RecipeArgument, RunArgument, SetOption
from duonas.cli.cascade import cascade
from duonas.cli.compare import compare
from duonas.cli.demo import demo
from duonas.cli.device import device
from duonas.cli.errors import one_line_errors
from duonas.cli.kit import kit
from duonas.cli.paper import paper
from duonas.cli.rank import rank
from duonas.cli.route import route
from duonas.cli.several import TakesNetworks
from duonas.cli.stages import add_stages, report
from duonas.cli.targets import targets
from duonas.core.errors import DuonasError

app = typer.Typer(
    name="duonas",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""One supernet, a big/little pair of image classifiers found in it, a router between them, one ONNX file.

    [bold]duonas run quickstart[/bold] does all of it on photographs of clothing in about three minutes.

    Each stage (train, search, pair, finetune, route, export, measure, baselines, report) writes to the run's folder.
    After Ctrl-C or a crash the same command resumes where it stopped.""",
)

app.add_typer(device)


@app.callback(invoke_without_command=True)
def _duonas(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        import duonas

        typer.echo(f"duonas {duonas.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


add_stages(app)
app.command()(report)


@app.command()
def data(
    recipe: RecipeArgument,
    images: ImagesOption = None,
    minutes: MinutesOption = None,
    override: SetOption = None,
    names: Annotated[int, typer.Option(min=0, help="How many files to name of each problem.")] = 10,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all of it, with every name, as JSON.")
    ] = None,
) -> None:
    """Show what the images of a recipe are before any training: counts, sizes, what is skipped, and what is wrong.

    The exit code is 2 if a run would stop because of errors.

    [dim]duonas data own-images --images pictures[/dim]
    """
    with one_line_errors():
        from duonas.cli.console import open_console, show, tell, watch
        from duonas.core.files import write_json
        from duonas.core.text import plural
        from duonas.recipe.read import load

        console = open_console()
        loaded = load(recipe, override or (), images=images, minutes=minutes, note=tell(console))
        from duonas.data.describe import advice, describe
        from duonas.pipeline.inspect import inspect

        found = inspect(loaded, progress=watch(console))
        show(describe(found, names))
        if json is not None:
            write_json(json, found.to_json())
        if found.errors:
            errors = plural(len(found.errors), "error")
            raise DuonasError(f"a run would stop: the data has {errors}. {advice(can_skip=found.can_skip)}.")


@app.command()
def profile(
    recipe: RecipeArgument,
    images: ImagesOption = None,
    minutes: MinutesOption = None,
    override: SetOption = None,
    narrow: Annotated[
        bool, typer.Option("--narrow", help="Also rank parts of the space by the size of what meets the constraints.")
    ] = False,
) -> None:
    """Show before any training the number of archs and pairs, their costs, and which constraints can be met.

    The exit code is 2 if no pair meets all constraints, as for a run.

    [dim]duonas profile cifar10-cpu --set search.constraints.peak_macs=5e6[/dim]

    [dim]duonas profile own-images --images pictures --set search.constraints.peak_memory_bytes=300KB --narrow[/dim]
    """
    with one_line_errors():
        from duonas.cli.console import complain, open_console, show, tell, watch
        from duonas.cli.tables import profile_tables
        from duonas.recipe.read import load

        console = open_console()
        loaded = load(recipe, override or (), images=images, minutes=minutes, note=tell(console))
        from duonas.pipeline.profile import profile as profiled

        found = profiled(loaded, progress=watch(console))
        show(*profile_tables(found), *filter(None, [found.narrowed, found.choice, found.prices]))
        if found.advice:
            complain(found.advice, "yellow")
        if found.refusal is not None:
            raise DuonasError(found.refusal)
        if narrow:
            from duonas.cli.tables import narrowing_table
            from duonas.pipeline.narrow import narrow as narrowed

            parts = narrowed(loaded, progress=watch(console))
            show(narrowing_table(parts), "for the recipe, in place of what it has:", f"[space]\n{parts.line}")


app.command(cls=TakesNetworks)(cascade)
app.command()(route)
app.command()(kit)
app.command()(demo)


@app.command()
def explain(run: RunArgument) -> None:
    """Explain a run's threshold: its effect, how it was chosen, what is guaranteed, how to change it, and the verdict.

    [dim]duonas explain runs/mine[/dim]
    """
    with one_line_errors():
        from duonas.cli.console import show
        from duonas.cli.explain import explain as explain_run

        show(*explain_run(run))


app.command()(compare)
app.command()(paper)
app.command()(rank)
app.command()(targets)


@app.command(name="list")
def list_(
    kind: Annotated[str | None, typer.Argument(help="A kind of part, such as router; or recipe.")] = None,
    name: Annotated[str | None, typer.Argument(help="One part of that kind, or your own as file.py:CLASS.")] = None,
) -> None:
    """List the shipped recipes and the parts that a recipe can name, by kind.

    [dim]duonas list router[/dim]  all routers

    [dim]duonas list router learned[/dim]  its keys in a recipe, with their defaults
    """
    with one_line_errors():
        from duonas.cli.console import open_console
        from duonas.cli.parts import describe_part, parts_table

        shown = parts_table(kind) if kind is None or name is None else describe_part(kind, name)
        open_console().print(shown)


def main() -> None:
    """The ``duonas`` command."""
    app()
