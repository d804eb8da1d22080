"""``duonas device``: measure this machine, or write the kit that measures another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duonas.cli.arguments import ImagesOption, RecipeArgument, SetOption, folder_option
from duonas.cli.errors import one_line_errors
from duonas.core.errors import DuonasError

if TYPE_CHECKING:
    from duonas.costs.device_table import DeviceTable
    from duonas.recipe.schema import Recipe

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
    images: ImagesOption = None,
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

    [dim]duonas device bench cifar10-cpu --minutes 5 --out here.csv[/dim]
    """
    with one_line_errors("stopped; no table was written"):
        from duonas.cli.console import open_console, watch
        from duonas.runtime.files import check_out

        options = {"minutes": minutes, "threads": threads, "provider": provider, "precision": precision}
        loaded = _recipe(recipe, images, override, options)
        power = _watts(watts)
        check_out(out)
        from duonas.pipeline.device import Bench, kit_source, measure_here, pairs_to_measure, settings_of

        console, settings = open_console(), settings_of(loaded, spinning=spinning)
        source = kit_source(loaded, pairs_to_measure(loaded))
        table = measure_here(source, Bench(settings, power), out, watch(console))
        for line in _told(out, table):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


@device.command()
def kit(
    recipe: RecipeArgument,
    images: ImagesOption = None,
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

    What carries the bundle of a finished run to a device is another kit: see duonas kit.

    [dim]duonas device kit cifar10-cpu --out kit && scp -r kit pi:[/dim]
    """
    with one_line_errors("stopped; no kit was written"):
        from duonas.cli.console import open_console, watch

        options = {"minutes": minutes, "threads": threads, "provider": provider, "precision": precision}
        loaded = _recipe(recipe, images, override, options)
        from duonas.pipeline.device import settings_of, write_device_kit

        console, settings = open_console(), settings_of(loaded, spinning=spinning)
        manifest = write_device_kit(loaded, settings, out, watch(console))
        said = (
            f"{out}: {len(manifest.blocks):,} blocks, {len(manifest.networks)} networks, {len(manifest.pairs)} routed "
            f"pairs. Copy the folder to the device and follow its README.txt."
        )
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _recipe(name: str, images: str | None, given: Iterable[str] | None, options: Mapping[str, str | None]) -> Recipe:
    """The recipe with the values of ``--set`` and of the options that are keys of ``[search.device]``."""
    from duonas.recipe.read import load

    keys = (f"search.device.{key}={value}" for key, value in options.items() if value is not None)
    return load(name, [*(given or ()), *keys], images=images)


def _told(out: Path, table: DeviceTable) -> Iterator[str]:
    """What was measured, how far predictions are off, and what routing takes, a sentence or two a line."""
    from duonas.costs.calibration import error_in_words

    blocks = len(table.blocks)
    error = error_in_words({"blocks": blocks, **(table.about or {})})
    yield f"{out}: {int(table.measured.sum()):,} of {blocks:,} blocks measured. {error}"
    for name, costs in (table.routers or {}).items():
        if (cost := costs.get("latency_ms")) is not None:
            yield (
                f"Routing by {name} adds {1e3 * cost.keep:.0f} us to every image, and {1e3 * cost.ask:.0f} us to one "
                "that goes to big."
            )


def _watts(text: str | None) -> float | None:
    if text is None:
        return None
    from duonas.core.units import parse
    from duonas.runtime.units import WATTS

    found = parse(text, WATTS, "--watts")
    if found <= 0:
        raise DuonasError(f"--watts must be above 0, got {text!r}.")
    return found
