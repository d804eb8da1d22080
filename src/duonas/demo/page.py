"""The page in the browser, by gradio. It is served to this machine alone, and asks no other one for anything."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from duonas.core.errors import DuonasError
from duonas.demo.answers import Demo
from duonas.runtime.errors import BundleError

if TYPE_CHECKING:
    from gradio import Blocks

HERE = "127.0.0.1"
LARGEST = "20mb"  # of an image that is dropped
TITLE = "Who answers?"
INTRODUCTION = """\
## Who answers?
Drop an image, take one with the camera, or choose one below. The small network (little) answers the images that it is
sure of; the others go to the large one (big). The slider moves the threshold tau between them."""


def _gradio() -> Any:
    """The module ``gradio``, told to keep to itself.

    Raises:
        DuonasError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import gradio
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise DuonasError("`duonas demo` needs gradio, which pip install 'duonas[demo]' installs.") from None
    return gradio


def build(demo: Demo) -> Blocks:
    """The page of a bundle, not served yet.

    Raises:
        DuonasError: gradio is not installed.
    """
    gr = _gradio()

    def answered(image: np.ndarray | None, percent: float) -> tuple[str, dict[str, float] | None, str]:
        row = demo.row(percent / 100)
        if image is None:
            return demo.told(row), None, ""
        try:
            answer = demo.answer(image, row.tau)
        except BundleError as error:
            raise gr.Error(html.escape(str(error))) from error
        return demo.told(row), answer.shares, answer.sentence

    def chosen(event: Any) -> np.ndarray:
        return demo.pictures[event.index].image

    chosen.__annotations__["event"] = gr.SelectData  # by which gradio knows that it is to be given

    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            image = gr.Image(
                label="Image", sources=["upload", "webcam", "clipboard"], height=320, buttons=[], format="png"
            )
            with gr.Column():
                shares = gr.Label(label="Answer (softmax)", elem_id="answer")
                who = gr.Textbox(label="Who answered", lines=2, interactive=False, elem_id="who")
        share = gr.Slider(0, 100, round(100 * demo.chosen_share()), step=1, label="Images that stay with little, %")
        does = gr.Textbox(demo.told(demo.row(demo.chosen_share())), label="What this threshold does", lines=2,
                          interactive=False, elem_id="does")  # fmt: skip
        if demo.pictures:
            shown = [(each.image, each.caption) for each in demo.pictures]
            gallery = gr.Gallery(shown, label="Images by their scores, hardest first", columns=7, height=300,
                                 allow_preview=False, object_fit="contain", interactive=False, buttons=[], format="png",
                                 elem_id="pictures")  # fmt: skip
            gallery.select(chosen, None, image, api_visibility="private")
        for changed in (image.change, share.change):
            changed(answered, [image, share], [does, shares, who], api_visibility="private", show_progress="hidden")
    return page


def serve(run: Path, folder: Path, port: int, *, wait: bool = True) -> Any:
    """Serve the page of a run's bundle on this machine, until Ctrl-C.

    Args:
        run: the run's folder.
        folder: of its bundle.
        port: to listen on.
        wait: whether to return only when it is stopped.

    Returns:
        The page, whose ``close`` stops it.

    Raises:
        DuonasError: gradio is not installed, or the port is taken.
        BundleError: the bundle cannot be used.
    """
    gr = _gradio()
    page: Any = build(Demo.open(run, folder))
    system = ["system-ui", "sans-serif"]  # of the machine, so that none is fetched
    theme = gr.themes.Base(font=system, font_mono=["ui-monospace", "monospace"])
    try:
        page.launch(
            server_name=HERE, server_port=port, share=False, quiet=True, prevent_thread_lock=True, footer_links=[],
            ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, max_file_size=LARGEST, theme=theme,
        )  # fmt: skip
    except OSError as error:
        raise DuonasError(f"port {port} cannot be used: {error}; give another with --port.") from error
    if wait:
        page.block_thread()
    return page
