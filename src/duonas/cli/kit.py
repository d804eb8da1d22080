"""``duonas kit``: carry the bundle of a run to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duonas.cli.arguments import RunArgument
from duonas.cli.errors import one_line_errors


def kit(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The zip.")] = Path("kit.zip"),
    wheels: Annotated[
        Path | None,
        typer.Option(
            "--wheels",
            metavar="DIR",
            help="A folder of wheels for the device, of numpy, ONNX Runtime and what they need, that the kit brings "
            "along, so that the device needs no network.",
        ),
    ] = None,
) -> None:
    """Write a zip that carries the bundle of a run to a device: with wheel, self-test, bench and camera example.

    What measures a device before a search is another kit: see duonas device kit.

    [dim]duonas kit runs/mine --out kit.zip && scp kit.zip pi:[/dim]
    """
    with one_line_errors("stopped; no kit was written"):
        from duonas.cli.console import open_console, tell
        from duonas.deploy.kit import write_kit
        from duonas.pipeline.deployed import bundle_of

        say = tell(open_console())
        written = write_kit(bundle_of(run), out, wheels)
        say(written.tested or "The bundle has no stored images, so the kit cannot test itself.")
        say(f"{out}: {written.files} files, {out.stat().st_size:,} bytes, SHA-256 {written.sha256}.")
        say("On the device: unzip it and follow its README.md.")
