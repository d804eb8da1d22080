"""Weights that timm downloads, and those that it downloaded before; without a network the wait is short."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlparse

from torch import nn

from duonas.pretrained.outline import published

HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # in a repository of Hugging Face's hub, the best first
WAIT = 6.0  # seconds for the first answer; the hub's client tries for about a minute before it gives up


def kept(network: str) -> tuple[Path, str] | None:
    """Return the file of a network's weights that timm downloaded before, and what it is in words."""
    from huggingface_hub import try_to_load_from_cache
    from torch.hub import get_dir

    about = published(network)
    for file in HUB_FILES if about.hf_hub_id else ():
        path = try_to_load_from_cache(about.hf_hub_id, file)
        if isinstance(path, str) and Path(path).is_file():
            return Path(path), f"timm's download of {about.hf_hub_id}"
    if about.url:
        path = Path(get_dir(), "checkpoints", Path(urlparse(about.url).path).name)
        if path.is_file():
            return path, f"timm's download {path.name}"
    return None


def create_pretrained(network: str) -> nn.Module:
    """Return a network of timm with its published weights, which timm downloads to its cache if need be.

    Raises:
        Exception: of whatever kind the network, the hub's client, timm or the disk raise.
    """
    import timm

    with contextlib.redirect_stderr(io.StringIO()), _quiet_hub():  # no bars of progress, no warnings of each try
        if kept(network) is None:
            _knock(_address(network))
        made: nn.Module = timm.create_model(network, pretrained=True)
    return made


def _address(network: str) -> str:
    """The address that answers where the weights can be downloaded."""
    from huggingface_hub import constants

    about = published(network)
    return str(constants.ENDPOINT if about.hf_hub_id else about.url)


def _knock(address: str, wait: float = WAIT) -> None:
    """Ask for an answer, whichever it is, once, as the hub's client does, so through the same proxies.

    Raises:
        Exception: of the client, or ``TimeoutError`` where there was none in time, as of a name that nobody resolves.
    """
    from huggingface_hub import get_session

    failed: list[Exception] = []

    def ask() -> None:
        try:
            get_session().head(address, timeout=wait)
        except Exception as error:
            failed.append(error)

    asking = Thread(target=ask, daemon=True)  # a name that is looked up cannot be interrupted
    asking.start()
    asking.join(wait)
    if failed:
        raise failed[0]
    if asking.is_alive():
        raise TimeoutError(f"{address} does not answer within {wait:g} s")


@contextlib.contextmanager
def _quiet_hub() -> Iterator[None]:
    from huggingface_hub.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
