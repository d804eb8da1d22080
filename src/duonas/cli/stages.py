"""The commands that run the stages of a recipe up to one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duonas.cli.arguments import (
    ImagesOption,
    MinutesOption,
    OutOption,
    RecipeArgument,
    SetOption,
    SupernetOption,
)
from duonas.cli.errors import GOES_ON, one_line_errors
from duonas.core.errors import DuonasError

if TYPE_CHECKING:
    from rich.console import Console

RUN_FIRST = "A run in the current folder comes before a shipped recipe of the same name."

# The commands that run all stages up to one: name, last stage, help, examples.
UP_TO = (
    ("run", "report", "Run all stages, from training to the report, and say whether routing pays.", (
        "duonas run quickstart",
        "duonas run own-images --images pictures --minutes 30",
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
    ("measure", "measure",
     "Run all stages up to measuring accuracy and time on the test split, and say whether routing pays: measure.json. "
     f"{RUN_FIRST}",
     ("duonas measure runs/mine",)),
)  # fmt: skip


def add_stages(app: typer.Typer) -> None:
    """Add a command for each of ``UP_TO``."""
    for each in UP_TO:
        _add(app, *each)


def _add(app: typer.Typer, name: str, until: str, about: str, examples: tuple[str, ...]) -> None:
    @app.command(name, help="\n\n".join([about, *(f"[dim]{example}[/dim]" for example in examples)]))
    def command(
        recipe: RecipeArgument,
        images: ImagesOption = None,
        minutes: MinutesOption = None,
        out: OutOption = None,
        override: SetOption = None,
        supernet: SupernetOption = None,
    ) -> None:
        meant = _run_or_recipe(recipe) if name == "measure" else recipe
        carry_out(meant, out, override, supernet, images=images, minutes=minutes, until=until)


def report(
    recipe: RecipeArgument,
    images: ImagesOption = None,
    minutes: MinutesOption = None,
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
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures", metavar="FOLDER", help="Also write every figure as SVG and PNG files into this folder."
        ),
    ] = None,
) -> None:
    """Run all stages up to the report: report.html, one file that works offline.

    A run in the current folder comes before a shipped recipe of the same name.

    [dim]duonas report runs/mine[/dim]

    [dim]duonas report runs/mine --device bench.json[/dim]

    [dim]duonas report runs/mine --figures figures[/dim]
    """  # fmt: skip
    recipe = _run_or_recipe(recipe)
    if figures:
        with one_line_errors():
            from duonas.report.export import check_installed

            check_installed()
    if device:
        with one_line_errors():
            from duonas.pipeline.benches import add_benches
            from duonas.recipe.read import default_folder

            add_benches(out or default_folder(recipe), device)
    carry_out(recipe, out, override, supernet, images=images, minutes=minutes, until="report")
    if figures:
        with one_line_errors():
            from duonas.cli.console import open_console
            from duonas.recipe.read import default_folder
            from duonas.report.html import write_figures

            written = write_figures(out or default_folder(recipe), figures)
            open_console().print(f"figures: {len(written)} files in {figures}", markup=False, soft_wrap=True)


def _run_or_recipe(name: str) -> str:
    from duonas.recipe.read import run_or_recipe

    with one_line_errors():
        return run_or_recipe(name)


def carry_out(
    name: str,
    out: Path | None,
    overrides: list[str] | None,
    supernet: Path | None,
    *,
    images: str | None = None,
    minutes: str | None = None,
    until: str,
) -> None:
    """Run a recipe's stages up to one, and show what was measured."""
    with one_line_errors(GOES_ON):
        from duonas.cli.console import open_console, tell, watch
        from duonas.core.processes import is_main_process
        from duonas.core.progress import Silent
        from duonas.recipe.read import default_folder, load

        folder = out or default_folder(name)
        console, new = open_console(), folder != default_folder(name)
        note = tell(console) if is_main_process() else Silent().note
        recipe = load(name, overrides or (), images=images, minutes=minutes, new=new, note=note)
        if is_main_process():
            console.print(f"{recipe.summary}: {folder}", markup=False, highlight=False, soft_wrap=True)
        from duonas.pipeline import stages  # after the recipe is validated, since this loads torch

        progress = watch(console) if is_main_process() else Silent()
        stages.run(recipe, folder, until=until, supernet=supernet, progress=progress)
        if is_main_process():
            if until in ("measure", "report"):
                _print_measured(console, folder / "measure.json", balanced=recipe.train.balanced)
            if until == "report":
                _print_devices(console, folder)
            made = f"report: {folder / 'report.html'}" if until == "report" else f"run: {folder}"
            console.print(made, markup=False, highlight=False, soft_wrap=True)


def _print_devices(console: Console, folder: Path) -> None:
    """Say whether routing pays on each device that brought its times back."""
    from duonas.core.files import read_json
    from duonas.rundir.folder import RunFolder

    if not (found := sorted(RunFolder(folder).devices.glob("*.json"))):
        return
    from duonas.measure.on_device import verdict_on  # loads SciPy, which the command line does without

    measured = read_json(folder / "measure.json")
    for path in found:
        console.print(
            f"{path.stem}: {verdict_on(measured, read_json(path))}", "", sep="\n", markup=False, highlight=False
        )


def _print_measured(console: Console, path: Path, *, balanced: bool) -> None:
    from duonas.cli.tables import summary_table, verdict_table
    from duonas.core.files import read_json
    from duonas.measure.constraints import comparisons, unkept
    from duonas.measure.guessing import guessing
    from duonas.measure.verdict import told, verdict_of

    measured = read_json(path)
    try:
        verdict = verdict_of(measured)
        tables, said = (summary_table(measured), verdict_table(verdict)), told(verdict)
        warning = guessing(measured["majority"], measured["routed"], balanced=balanced)
        limits, broken = comparisons(measured), unkept(measured)
    except KeyError as error:
        raise DuonasError(f"{path} lacks {error.args[0]!r}; was it written by another version?") from error
    for table in tables:
        console.print("", table, sep="\n")
    if warning:
        console.print("", warning, sep="\n", style="yellow", markup=False, highlight=False)
    if limits:
        console.print("")
    for each in limits:
        console.print(each, style="yellow" if each in broken else None, markup=False, highlight=False)
    console.print("", said, "", sep="\n", markup=False, highlight=False)
