"""The command line: each command loads a recipe and calls a function of the Python interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duonas.cli.arguments import OutOption, RecipeArgument, RunArgument, SetOption, SupernetOption, folder_option
from duonas.cli.device import device
from duonas.cli.errors import one_line_errors
from duonas.core.errors import DuonasError

if TYPE_CHECKING:
    from rich.console import Console

GOES_ON = "stopped; repeat the command to resume"

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


# The commands that run all stages up to one: name, last stage, help, examples.
UP_TO = (
    ("run", "report", "Run all stages, from training to the report.", (
        "duonas run quickstart",
        "duonas run cifar10-cpu --out runs/mine --set train.epochs=20 --set route.budget=4e6",
        "duonas run runs/mine[/dim]  resumes a run[dim]",
        "torchrun --nproc-per-node 4 -m duonas run cifar10[/dim]  on four GPUs[dim]",
    )),
    ("train", "train", "Train the supernet.", ("duonas train cifar10-cpu --out runs/mine",)),
    ("search", "pair", "Run all stages up to the search, and extract the pair that it chose.", (
        "duonas search cifar10-cpu --out runs/small --set search.constraints.peak_macs=4e6 --supernet runs/mine",
    )),
    ("finetune", "finetune",
     "Run all stages up to fine-tuning of the chosen pair: jointly, from scratch, or each network by itself.", (
        "duonas finetune runs/mine --set finetune.mode=independent --supernet runs/mine --out runs/apart",
    )),
    ("export", "export",
     "Run all stages up to the export of the ONNX files: export/dynamic.onnx, little.onnx, big.onnx and policy.json.",
     ("duonas export runs/mine",)),
    ("measure", "measure", "Run all stages up to measuring accuracy and latency on the test split: measure.json.",
     ("duonas measure runs/mine",)),
)  # fmt: skip


def _add_command(name: str, until: str, about: str, examples: tuple[str, ...]) -> None:
    @app.command(name, help="\n\n".join([about, *(f"[dim]{example}[/dim]" for example in examples)]))
    def command(
        recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
    ) -> None:
        _carry_out(recipe, out, override, supernet, until=until)


for _command in UP_TO:
    _add_command(*_command)


@app.command()
def report(
    recipe: RecipeArgument,
    out: OutOption = None,
    override: SetOption = None,
    supernet: SupernetOption = None,
    device: Annotated[
        list[Path] | None,
        typer.Option(
            "--device",
            metavar="FILE",
            help="Also show what a device found out by `python -m duonas.runtime bench`; can be repeated.",
        ),
    ] = None,
) -> None:
    """Run all stages up to the report: report.html, one file that works offline.

    [dim]duonas report runs/mine[/dim]

    [dim]duonas report runs/mine --device bench.json[/dim]
    """  # fmt: skip
    if device:
        with one_line_errors():
            from duonas.pipeline.benches import add_benches
            from duonas.recipe.read import default_folder

            add_benches(out or default_folder(recipe), device)
    _carry_out(recipe, out, override, supernet, until="report")


@app.command()
def data(
    recipe: RecipeArgument,
    override: SetOption = None,
    names: Annotated[int, typer.Option(min=0, help="How many files to name of each problem.")] = 10,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all of it, with every name, as JSON.")
    ] = None,
) -> None:
    """Show what the images of a recipe are before any training: counts, sizes, what is skipped, and what is wrong.

    The exit code is 2 if a run would stop because of errors.

    [dim]duonas data quickstart --set data.name=folder --set data.path=pictures[/dim]
    """
    with one_line_errors():
        from duonas.cli.console import watch
        from duonas.core.files import write_json
        from duonas.core.text import plural
        from duonas.recipe.read import load

        loaded = load(recipe, override or ())
        from duonas.data.describe import advice, describe
        from duonas.pipeline.inspect import inspect

        console = _console()
        found = inspect(loaded, progress=watch(console))
        _print(describe(found, names))
        if json is not None:
            write_json(json, found.to_json())
        if found.errors:
            errors = plural(len(found.errors), "error")
            raise DuonasError(f"a run would stop: the data has {errors}. {advice(can_skip=found.can_skip)}.")


@app.command()
def profile(recipe: RecipeArgument, override: SetOption = None) -> None:
    """Show before any training the number of archs and pairs, their costs, and which constraints can be met.

    The exit code is 2 if no pair meets all constraints, as for a run.

    [dim]duonas profile cifar10-cpu --set search.constraints.peak_macs=5e6[/dim]
    """
    with one_line_errors():
        from duonas.cli.console import complain, watch
        from duonas.cli.tables import profile_tables
        from duonas.recipe.read import load

        loaded = load(recipe, override or ())
        from duonas.pipeline.profile import profile as profiled

        found = profiled(loaded, progress=watch(_console()))
        _print(*profile_tables(found), *filter(None, [found.prices]))
        if found.advice:
            complain(found.advice, "yellow")
        if found.refusal is not None:
            raise DuonasError(found.refusal)


@app.command()
def route(
    run: RunArgument,
    floor: Annotated[
        str | None,
        typer.Option(help="Accuracy that is guaranteed with the given confidence, such as 90%, at the lowest cost."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Expected MACs, such as 5M, or time, such as 0.2ms."),
    ] = None,
    share: Annotated[str | None, typer.Option(help="Share of the images that stays little, such as 70%.")] = None,
    latency: Annotated[
        str | None, typer.Option(help="Expected latency of one image, such as 2ms, on this machine.")
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option(help="Expected energy of one image, such as 3mJ, by this machine's meter or --watts."),
    ] = None,
    watts: Annotated[
        str | None,
        typer.Option(help="Power that the device draws while it computes, such as 5W, where it has no meter."),
    ] = None,
    confidence: Annotated[
        str | None, typer.Option(help="Confidence of the accuracy floor, such as 95%. Default: the run's.")
    ] = None,
    floor_on: Annotated[
        str | None,
        typer.Option(help="What the floor guarantees: accuracy, balanced or worst_class. Default: the run's."),
    ] = None,
) -> None:
    """Choose another threshold for a run, in seconds and without training; its recipe, policy and export change.

    [dim]duonas route runs/mine --floor 90%[/dim]

    [dim]duonas route runs/mine --budget 5M[/dim]

    [dim]duonas route runs/mine --latency 2ms[/dim]

    [dim]duonas report runs/mine[/dim]  then repeats the measurement
    """
    with one_line_errors(GOES_ON):
        from duonas.cli.explain import decision
        from duonas.recipe.schema import rechosen
        from duonas.routing.options import RouteOptions
        from duonas.rundir.folder import RunFolder

        given = {
            "floor": floor, "budget": budget, "share": share, "latency": latency, "energy": energy, "watts": watts,
            "confidence": confidence,
        }  # fmt: skip
        target: dict[str, Any] = {**_figures(RouteOptions, given), **({"floor_on": floor_on} if floor_on else {})}
        rechosen(RunFolder(run).recipe, **target)  # fails before torch is loaded
        from duonas.cli.console import watch
        from duonas.pipeline.rechoose import rechoose

        console = _console()
        rechoose(run, progress=watch(console), **target)
        console.print("", decision(run), "", sep="\n", markup=False, highlight=False)
        again = f"to repeat the measurement: duonas report {run}"
        console.print(again, markup=False, highlight=False, soft_wrap=True)


@app.command()
def explain(run: RunArgument) -> None:
    """Explain a run's threshold: what it does, how it was chosen, what is guaranteed, and how to change it.

    [dim]duonas explain runs/mine[/dim]
    """
    with one_line_errors():
        from duonas.cli.explain import explain as explain_run

        _print(*explain_run(run))


@app.command()
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
        from duonas.core.text import plural
        from duonas.recipe.study import load_study

        loaded = load_study(study, override or ())
        console = _console()
        runs = len(loaded.variants) * len(loaded.seeds)
        folder = out or Path("runs") / study.stem
        console.print(
            f"{plural(len(loaded.variants), 'variant')}, {plural(runs, 'run')}: {folder}", markup=False, soft_wrap=True
        )
        from duonas.cli.console import watch
        from duonas.cli.tables import comparison_table
        from duonas.core.files import read_json
        from duonas.pipeline.compare import compare as compare_all

        page = compare_all(loaded, folder, watch(console))
        console.print("", comparison_table(read_json(page.with_suffix(".json"))), "", sep="\n")
        console.print(f"comparison: {page}", markup=False, highlight=False, soft_wrap=True)


@app.command()
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
        from duonas.cli.console import watch
        from duonas.cli.tables import best_predictor, ranking_tables
        from duonas.rundir.folder import RunFolder

        RunFolder(run)  # fails before torch is loaded
        from duonas.ranking.predictors import USUAL
        from duonas.ranking.rank import rank as rank_archs
        from duonas.ranking.table import RankTable

        console = _console()
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
        from duonas.cli.parts import describe_part, parts_table

        shown = parts_table(kind) if kind is None or name is None else describe_part(kind, name)
        _console().print(shown)


def main() -> None:
    """The ``duonas`` command."""
    app()


def _carry_out(name: str, out: Path | None, overrides: list[str] | None, supernet: Path | None, *, until: str) -> None:
    with one_line_errors(GOES_ON):
        from duonas.cli.console import watch
        from duonas.core.processes import is_main_process
        from duonas.core.progress import Silent
        from duonas.recipe.read import default_folder, load

        folder = out or default_folder(name)
        recipe = load(name, overrides or (), new=folder != default_folder(name))
        console = _console()
        if is_main_process():
            console.print(f"{recipe.summary}: {folder}", markup=False, highlight=False, soft_wrap=True)
        from duonas.pipeline import stages  # after the recipe is validated, since this loads torch

        progress = watch(console) if is_main_process() else Silent()
        stages.run(recipe, folder, until=until, supernet=supernet, progress=progress)
        if is_main_process():
            if until in ("measure", "report"):
                _print_measured(console, folder / "measure.json", balanced=recipe.train.balanced)
            made = f"report: {folder / 'report.html'}" if until == "report" else f"run: {folder}"
            console.print(made, markup=False, highlight=False, soft_wrap=True)


def _print_measured(console: Console, path: Path, *, balanced: bool) -> None:
    from duonas.cli.tables import summary_table, verdict_table
    from duonas.core.files import read_json
    from duonas.measure.guessing import guessing
    from duonas.measure.verdict import told, verdict_of

    measured = read_json(path)
    try:
        verdict = verdict_of(measured)
        tables, said = (summary_table(measured), verdict_table(verdict)), told(verdict)
        warning = guessing(measured["majority"], measured["routed"], balanced=balanced)
    except KeyError as error:
        raise DuonasError(f"{path} lacks {error.args[0]!r}; was it written by another version?") from error
    for table in tables:
        console.print("", table, sep="\n")
    if warning:
        console.print("", warning, sep="\n", style="yellow", markup=False, highlight=False)
    console.print("", said, "", sep="\n", markup=False, highlight=False)


def _figures(options: type, given: Mapping[str, str | None]) -> dict[str, float | str]:
    """Read the given texts of command-line options as figures of the recipe's keys of the same names."""
    from duonas.core.units import Either, parse
    from duonas.recipe.tables import quantity_at
    from duonas.runtime.units import FIGURE, Quantity

    found: dict[str, float | str] = {}
    for name, text in given.items():
        quantity = quantity_at(options, name)
        if text is not None and isinstance(quantity, Either):
            found[name] = quantity.parse(text, f"--{name}")
        elif text is not None:
            found[name] = parse(text, quantity if isinstance(quantity, Quantity) else FIGURE, f"--{name}")
    return found


def _console() -> Console:
    from rich.console import Console

    return Console()


def _print(*parts: Any) -> None:
    """Print tables and texts with empty lines between them; only texts of one line are wrapped."""
    console = _console()
    for number, part in enumerate(parts):
        text = isinstance(part, str)  # tables have colours, texts may hold brackets of their own
        lines = text and "\n" in part
        console.print(*([""] if number else []), part, sep="\n", markup=not text, highlight=False, soft_wrap=lines)
