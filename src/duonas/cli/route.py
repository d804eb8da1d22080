"""``duonas route``: another threshold for a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from duonas.cli.arguments import RunArgument
from duonas.cli.errors import GOES_ON, one_line_errors


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
        from duonas.cli.console import open_console, watch
        from duonas.pipeline.rechoose import rechoose

        console = open_console()
        rechoose(run, progress=watch(console), **target)
        console.print("", decision(run), "", sep="\n", markup=False, highlight=False)
        again = f"to repeat the measurement: duonas report {run}"
        console.print(again, markup=False, highlight=False, soft_wrap=True)


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
