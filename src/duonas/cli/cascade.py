"""``duonas cascade``: a routed pair of two networks that one has."""

from __future__ import annotations

from typing import Annotated

import typer

from duonas.cli.arguments import ImagesOption, OutOption, SetOption
from duonas.cli.errors import one_line_errors
from duonas.cli.stages import carry_out
from duonas.core.errors import DuonasError

NETWORK = "An ONNX file, timm:NAME@WEIGHTS, file.py:NAME, or a finished run."


def cascade(
    little: Annotated[str | None, typer.Argument(metavar="LITTLE", help=f"The small network. {NETWORK}")] = None,
    big: Annotated[str | None, typer.Argument(metavar="BIG", help=f"The large network. {NETWORK}")] = None,
    images: ImagesOption = None,
    littles: Annotated[
        list[str] | None, typer.Option("--little", metavar="A...", help="Littles to choose from, or further ones.")
    ] = None,
    bigs: Annotated[
        list[str] | None, typer.Option("--big", metavar="B...", help="Bigs to choose from, or further ones.")
    ] = None,
    out: OutOption = None,
    floor: Annotated[
        str | None, typer.Option(help="Accuracy that is guaranteed, such as 90%, at the lowest cost.")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Expected time, such as 2ms, or MACs, such as 50M.")] = None,
    share: Annotated[str | None, typer.Option(help="Share of the images that stays little, such as 70%.")] = None,
    latency: Annotated[
        str | None, typer.Option(help="Expected latency of one image, such as 2ms, of the exported file.")
    ] = None,
    override: SetOption = None,
) -> None:
    """Make a routed pair of two networks that you have: route, export and measure them, without any training.

    The images should be some that neither network was trained on. With several littles and bigs, the best pair within
    the budget is taken. To say what is not stored in a file, write it in a recipe (see `duonas list network`).

    [dim]duonas cascade little.onnx big.onnx --images pictures --floor 90%[/dim]

    [dim]duonas cascade timm:resnet18@small.pth timm:resnet50@large.pth --images pictures[/dim]

    [dim]duonas cascade --little a.onnx b.onnx --big c.onnx d.onnx --images pictures --budget 5ms[/dim]
    """  # fmt: skip
    with one_line_errors():
        from duonas.recipe.cascade import NAME, networks

        chosen = {
            "little": [*([little] if little else []), *(littles or [])],
            "big": [*([big] if big else []), *(bigs or [])],
        }
        for role, each in chosen.items():
            if not each:
                raise DuonasError(
                    f"no network for {role} was given: duonas cascade LITTLE BIG --images FOLDER, or --little A B "
                    "--big C D where several are there to choose from."
                )
        if images is None and not any(each.startswith("data.") for each in override or ()):
            raise DuonasError(
                "no images were given: --images FOLDER, a folder with a subfolder of images per class, or a table."
            )
        targets = {"floor": floor, "budget": budget, "share": share, "latency": latency}
        target = [f"route.{name}={value}" for name, value in targets.items() if value is not None]
        overrides = [*networks(chosen["little"], chosen["big"]), *target, *(override or ())]
    carry_out(NAME, out, overrides, None, images=images, until="report")
