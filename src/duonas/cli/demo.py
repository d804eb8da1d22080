"""``duonas demo``: a page in the browser that shows what a run's bundle answers."""

from __future__ import annotations

from typing import Annotated

import typer

from duonas.cli.arguments import RunArgument
from duonas.cli.errors import one_line_errors


def demo(
    run: RunArgument,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of this machine to listen on.")] = 7860,
) -> None:
    """Show in the browser what the bundle of a run answers, who answers, and what the threshold does.

    Drop an image, take one with the camera, or choose a test image. The page is for this machine alone, and fetches
    nothing from the network; it needs gradio: pip install 'duonas[demo]'.

    [dim]duonas demo runs/mine --port 8000[/dim]
    """
    with one_line_errors("stopped"):
        from duonas.cli.console import open_console, tell
        from duonas.demo.page import HERE, serve
        from duonas.pipeline.deployed import bundle_of

        folder = bundle_of(run)
        page = serve(run, folder, port, wait=False)
        tell(open_console())(f"http://{HERE}:{port} shows {folder}; Ctrl-C ends it.")
        page.block_thread()
