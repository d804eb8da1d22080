"""``duonas device``: measure this machine, or write the kit that measures another one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from duonas.cli.arguments import RecipeArgument, SetOption, folder_option
from duonas.cli.errors import one_line_errors
from duonas.core.errors import DuonasError

device = typer.Typer(
    name="device",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure what the networks of a search take on this machine, or on another one by a kit.",
)

MinutesOption = Annotated[
    str | None,
    typer.Option("--minutes", metavar="M", help="The most minutes that it may take. Default: the recipe's."),
]
ThreadsOption = Annotated[
    str | None, typer.Option("--threads", metavar="N", help="CPU threads of ONNX Runtime. Default: the recipe's.")
]
SpinningOption = Annotated[
    bool, typer.Option("--spinning", help="Let threads keep their cores busy while they wait for work within a call.")
]
ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider", metavar="P", help="Execution provider of ONNX Runtime, such as CUDA. Default: the recipe's."
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option("--precision", metavar="P", help="Of weights and activations: fp32 or fp16. Default: the recipe's."),
]


@device.command()
def bench(
    recipe: RecipeArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The table: CSV if it ends in .csv, else Parquet.")
    ] = Path("device.csv"),
    minutes: MinutesOption = None,
    threads: ThreadsOption = None,
    spinning: SpinningOption = False,
    provider: ProviderOption = None,
    precision: PrecisionOption = None,
    watts: Annotated[
        str | None,
        typer.Option(help="Power that this machine draws while it computes, such as 5W, where it has no meter."),
    ] = None,
    override: SetOption = None,
) -> None:
    """Measure this machine for the search of a recipe, and write its device table.

    [dim]duonas device bench cifar10-cpu --minutes 5 --out pi5.csv[/dim]
    """
    with one_line_errors("stopped; no table was written"):
        from duonas.cli.console import watch
        from duonas.recipe.read import load

        options = {"minutes": minutes, "threads": threads, "provider": provider, "precision": precision}
        loaded = load(recipe, _overrides(override or (), **options))
        power = _watts(watts)
        check_out(out)
        from rich.console import Console

        from duonas.costs.calibration import error_in_words
        from duonas.pipeline.device import Bench, kit_source, measure_here, pairs_to_measure, settings_of

        settings = settings_of(loaded, spinning=spinning)
        console = Console()
        source = kit_source(loaded, pairs_to_measure(loaded))
        table = measure_here(source, Bench(settings, power), out, watch(console))
        measured = int(table.measured.sum())
        about = {"blocks": len(table.blocks), **(table.about or {})}
        lines = [f"{out}: {measured:,} of {len(table.blocks):,} blocks measured. {error_in_words(about)}"]
        lines += [
            f"Routing by {name} adds {1e3 * cost['latency_ms'].keep:.0f} us to every image, and "
            f"{1e3 * cost['latency_ms'].ask:.0f} us to one that goes to big."
            for name, cost in (table.routers or {}).items()
            if "latency_ms" in cost
        ]
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


@device.command()
def kit(
    recipe: RecipeArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", parser=folder_option, help="The folder of the kit.")
    ] = Path("device-kit"),
    minutes: MinutesOption = None,
    threads: ThreadsOption = None,
    spinning: SpinningOption = False,
    provider: ProviderOption = None,
    precision: PrecisionOption = None,
    override: SetOption = None,
) -> None:
    """Write a folder that measures another machine, which needs Python, numpy and ONNX Runtime alone.

    [dim]duonas device kit cifar10-cpu --out kit && scp -r kit pi:[/dim]
    """
    with one_line_errors("stopped; no kit was written"):
        from duonas.cli.console import watch
        from duonas.recipe.read import load

        options = {"minutes": minutes, "threads": threads, "provider": provider, "precision": precision}
        loaded = load(recipe, _overrides(override or (), **options))
        from rich.console import Console

        from duonas.pipeline.device import settings_of, write_device_kit

        console = Console()
        settings = settings_of(loaded, spinning=spinning)
        manifest = write_device_kit(loaded, settings, out, watch(console))
        said = (
            f"{out}: {len(manifest.blocks):,} blocks, {len(manifest.networks)} networks, {len(manifest.pairs)} routed "
            f"pairs. Copy the folder to the device and follow its README.txt."
        )
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def check_out(out: Path) -> None:
    """Refuse a table that cannot be written, before anything is measured.

    Raises:
        DuonasError: it is a folder, or in one that does not exist.
    """
    if out.is_dir() or not out.resolve().parent.is_dir():
        raise DuonasError(f"--out {out}: expected a file in a folder that exists.")


def _overrides(given: Iterable[str], **options: str | None) -> list[str]:
    """The values of ``--set`` and those of options that are keys of ``[search.device]``, which checks them."""
    return [*given, *(f"search.device.{name}={value}" for name, value in options.items() if value is not None)]


def _watts(text: str | None) -> float | None:
    if text is None:
        return None
    from duonas.core.units import parse
    from duonas.runtime.units import WATTS

    found = parse(text, WATTS, "--watts")
    if found <= 0:
        raise DuonasError(f"--watts must be above 0, got {text!r}.")
    return found
