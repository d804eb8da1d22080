"""The command line: every command loads a recipe and calls the same function that Python would."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from duonas.core.errors import DuonasError

if TYPE_CHECKING:
    from rich.console import Console

STOPPED = 130  # what shells expect of a program that Ctrl-C ended
WRONG = 2

app = typer.Typer(
    name="duonas",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""One supernet, a big/little pair of image classifiers found in it, a router between them, one ONNX file.

    [bold]duonas run quickstart[/bold] does all of it on handwritten digits in about a minute.

    Each stage (train, search, pair, finetune, route, export, measure, baselines, report) writes to the run's folder and
    is not done twice: after Ctrl-C or a crash the same command goes on where it stopped.""",
)

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe (see `duonas list`), a .toml file, or a run's folder.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="The run's folder. Default: runs/RECIPE, or the run itself."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="A.B=C", help="Put C for key B of table A, such as train.epochs=10; can be repeated."
    ),
]
SupernetOption = Annotated[
    Path | None,
    typer.Option("--supernet", metavar="RUN", help="Take the supernet that this run trained, instead of training one."),
]


@app.callback(invoke_without_command=True)
def _duonas(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        import duonas

        typer.echo(f"duonas {duonas.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def run(
    recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
) -> None:
    """Everything, from data to report.

    [dim]duonas run quickstart[/dim]

    [dim]duonas run cifar10-cpu --out runs/mine --set train.epochs=20 --set route.budget=4e6[/dim]

    [dim]duonas run runs/mine[/dim]  goes on with a run

    [dim]torchrun --nproc-per-node 4 -m duonas run cifar10[/dim]  on four GPUs
    """
    _carry_out(recipe, out, override, supernet, until="report")


@app.command()
def profile(recipe: RecipeArgument, override: SetOption = None) -> None:
    """Before any training: how many archs and pairs, what they cost, whether the constraints can be met.

    Ends with code 2 where they cannot, as a run would.

    [dim]duonas profile cifar10-cpu --set search.constraints.peak_macs=5e6[/dim]
    """
    with _one_line_errors("stopped"):
        from duonas.cli.tables import profile_tables
        from duonas.recipe.schema import load

        loaded = load(recipe, override or ())
        from duonas.pipeline import stages

        found = stages.profile(loaded)
        for number, table in enumerate(profile_tables(found)):
            _console().print(*([""] if number else []), table, sep="\n")
        if found.refusal is not None:
            raise DuonasError(found.refusal)


@app.command()
def train(recipe: RecipeArgument, out: OutOption = None, override: SetOption = None) -> None:
    """Train the supernet, and stop there.

    [dim]duonas train cifar10-cpu --out runs/mine[/dim]
    """
    _carry_out(recipe, out, override, None, until="train")


@app.command()
def search(
    recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
) -> None:
    """Go up to the search, and take the pair that it chose.

    [dim]duonas search cifar10-cpu --out runs/small --set search.constraints.peak_macs=4e6 --supernet runs/mine[/dim]
    """
    _carry_out(recipe, out, override, supernet, until="pair")


@app.command()
def finetune(
    recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
) -> None:
    """Go up to training the chosen pair on, as finetune.mode says: jointly, from scratch, or each network apart.

    [dim]duonas finetune runs/mine --set finetune.mode=independent --supernet runs/mine --out runs/apart[/dim]
    """
    _carry_out(recipe, out, override, supernet, until="finetune")


@app.command()
def export(
    recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
) -> None:
    """Go up to the ONNX files: export/dynamic.onnx, little.onnx, big.onnx and policy.json.

    [dim]duonas export runs/mine[/dim]
    """
    _carry_out(recipe, out, override, supernet, until="export")


@app.command()
def measure(
    recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
) -> None:
    """Go up to measuring accuracy and latency on the test split: measure.json.

    [dim]duonas measure runs/mine[/dim]
    """
    _carry_out(recipe, out, override, supernet, until="measure")


@app.command()
def report(
    recipe: RecipeArgument, out: OutOption = None, override: SetOption = None, supernet: SupernetOption = None
) -> None:
    """Go up to the report: report.html, one file that works offline.

    [dim]duonas report runs/mine[/dim]
    """
    _carry_out(recipe, out, override, supernet, until="report")


@app.command()
def route(
    run: RunArgument,
    floor: Annotated[
        float | None, typer.Option(help="The accuracy to hold, promised with a confidence; as cheap as it allows.")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Expected MACs an image, such as 5e6.")] = None,
    share: Annotated[float | None, typer.Option(help="The fraction of the images that stays little.")] = None,
    latency: Annotated[
        str | None, typer.Option(help="Expected time of one image, such as 2ms, on the machine that runs this.")
    ] = None,
    energy: Annotated[
        str | None, typer.Option(help="Expected energy of one image, such as 3mJ: time at --watts.")
    ] = None,
    watts: Annotated[float | None, typer.Option(help="What the device draws while it computes; for --energy.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Of the floor's promise. Default: the run's.")] = None,
) -> None:
    """Choose the threshold of a run anew, in seconds and without training: its recipe, policy and export change.

    [dim]duonas route runs/mine --floor 0.9[/dim]

    [dim]duonas route runs/mine --budget 5e6[/dim]

    [dim]duonas route runs/mine --latency 2ms[/dim]

    [dim]duonas report runs/mine[/dim]  then measures it again
    """
    with _one_line_errors("stopped; the same command goes on from here"):
        from duonas.cli.explain import decision
        from duonas.cli.units import quantity
        from duonas.recipe.schema import rechosen
        from duonas.rundir.run import Run

        given = {
            "floor": floor, "budget": budget, "share": share, "watts": watts, "confidence": confidence,
            "latency": None if latency is None else quantity("--latency", latency, "ms"),
            "energy": None if energy is None else quantity("--energy", energy, "mJ"),
        }  # fmt: skip
        target = {name: value for name, value in given.items() if value is not None}
        rechosen(Run(run).recipe, **target)  # a mistake is said before torch is loaded
        from duonas.cli.console import watch
        from duonas.pipeline import stages

        console = _console()
        stages.rechoose(run, progress=watch(console), **target)
        console.print("", decision(run), "", sep="\n", markup=False, highlight=False)
        again = f"measure it again: duonas report {run}"
        console.print(again, markup=False, highlight=False, soft_wrap=True)


@app.command()
def explain(run: RunArgument) -> None:
    """Say in plain words what a run's threshold does, how it was chosen, what is promised, and how to change it.

    [dim]duonas explain runs/mine[/dim]
    """
    with _one_line_errors("stopped"):
        from duonas.cli.explain import explain as explain_run

        for number, part in enumerate(explain_run(run).split("\n\n")):
            _console().print(
                *([""] if number else []), part, sep="\n", markup=False, highlight=False, soft_wrap="\n" in part
            )  # lists and tables keep their lines; prose is wrapped


@app.command()
def compare(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="A .toml file: variants of a recipe, and seeds.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where the runs go. Default: runs/STUDY.")
    ] = None,
    override: SetOption = None,
) -> None:
    """Run all variants of a study for all its seeds: one table and one page.

    [dim]duonas compare study.toml[/dim]  killed? the same again: it goes on
    """
    with _one_line_errors("stopped; the same command goes on from here"):
        from duonas.recipe.study import load_study

        loaded = load_study(study, override or ())
        console = _console()
        runs = len(loaded.variants) * len(loaded.seeds)
        folder = out or Path("runs") / study.stem
        console.print(f"{len(loaded.variants)} variants, {runs} runs: {folder}", markup=False, soft_wrap=True)
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
        str, typer.Option(help="How many to draw, 'all', or a file with an arch on each line.", metavar="N|all|FILE")
    ] = "1000",
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Parquet table of networks trained from scratch.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Of the table, with the accuracies.")] = None,
    key: Annotated[str, typer.Option(help="Of the table, with the archs' texts.")] = "arch",
    split: Annotated[str, typer.Option(help="The images to ask about: val, or test as papers do.")] = "val",
    role: Annotated[str, typer.Option(help="Whose subnets: big, or little where it has others.")] = "big",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Evaluate many subnets of a trained supernet as they are, and hold them against networks trained from scratch.

    [dim]duonas rank runs/mine --archs 1000[/dim]

    [dim]duonas rank runs/mine --archs all --split test --table nasbench201.parquet --column cifar10_acc[/dim]
    """
    with _one_line_errors("stopped; the same command goes on from here"):
        from duonas.cli.console import watch
        from duonas.cli.tables import ranking_tables
        from duonas.rundir.run import Run

        Run(run)  # a folder that is none is said before torch is loaded
        from duonas.ranking.ranking import rank as rank_archs

        console = _console()
        found = rank_archs(
            run, archs, table=table, column=column, key=key, split=split, role=role, seed=seed,
            progress=watch(console),
        )  # fmt: skip
        for printed in ranking_tables(found):
            console.print("", printed, sep="\n")
        written = run / "ranking" / ("" if role == "big" else role) / "ranking.json"
        console.print("", f"ranking: {written}", sep="\n", markup=False, highlight=False, soft_wrap=True)


@app.command(name="list")
def list_() -> None:
    """What there is: recipes, data sets, spaces, presets, rules, strategies, routers, scores, baselines."""
    with _one_line_errors("stopped"):
        from duonas.cli.catalogue import catalogue
        from duonas.cli.tables import catalogue_table

        _console().print(catalogue_table(catalogue()))


def main() -> None:
    """The ``duonas`` command."""
    app()


def _carry_out(name: str, out: Path | None, overrides: list[str] | None, supernet: Path | None, *, until: str) -> None:
    with _one_line_errors("stopped; the same command goes on from here"):
        from duonas.cli.console import watch
        from duonas.cli.tables import summary_table
        from duonas.core.files import read_json
        from duonas.core.progress import Silent
        from duonas.recipe.schema import default_folder, load
        from duonas.rundir.environment import is_main_process

        recipe = load(name, overrides or ())
        folder = out or default_folder(name)
        console = _console()
        if is_main_process():
            what = f"{recipe.data.name} images, {recipe.space.name} space, {recipe.pair.coupling} pairs: {folder}"
            console.print(what, markup=False, highlight=False, soft_wrap=True)
        from duonas.pipeline import stages  # after the recipe is known to be sound: this loads torch

        progress = watch(console) if is_main_process() else Silent()
        stages.run(recipe, folder, until=until, supernet=supernet, progress=progress)
        if is_main_process():
            if until in ("measure", "report"):
                console.print("", summary_table(read_json(folder / "measure.json")), "", sep="\n")
            made = f"report: {folder / 'report.html'}" if until == "report" else f"run: {folder}"
            console.print(made, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _one_line_errors(stopped: str) -> Iterator[None]:
    """A user's mistake, a full disk and Ctrl-C end with one line, not with a traceback; so does SIGTERM."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as torchrun and batch systems stop a process
    try:
        yield
    except DuonasError as error:
        _give_up(str(error), WRONG)
    except KeyboardInterrupt:
        _give_up(stopped, STOPPED)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _give_up(f"the disk is full: {error}; make room, and the same command goes on from here.", WRONG)
    except Exception as error:
        from duonas.runtime import BundleError

        if not isinstance(error, BundleError):
            raise
        _give_up(str(error), WRONG)
    finally:
        signal.signal(signal.SIGTERM, before)


def _give_up(message: str, code: int) -> NoReturn:
    from duonas.cli.console import complain

    complain(message, "red" if code == WRONG else "")
    raise typer.Exit(code)


def _console() -> Console:
    from rich.console import Console

    return Console()
