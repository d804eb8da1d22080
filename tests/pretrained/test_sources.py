"""Where weights are found, without a network."""

from __future__ import annotations

import logging
import socket

import pytest
import timm

from duonas.core.errors import DuonasError
from duonas.pretrained import download, sources
from duonas.pretrained.sources import PACKAGES, at_hand, find

NETWORK = "tf_efficientnet_lite0"


class Listening(logging.Handler):
    def __init__(self, heard):
        super().__init__()
        self.heard = heard

    def emit(self, record):
        self.heard.append(record.getMessage())


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Empty caches, no packages of weights, and no network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(sources, "find_spec", lambda module: None)

    def refused(*arguments, **options):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(download, "_knock", lambda address: None)
    return tmp_path


def test_nothing_is_at_hand(alone):
    assert at_hand(NETWORK) is None and find("auto", NETWORK) is None


def test_a_file_is_taken_as_it_is(alone):
    (alone / "mine.pth").write_bytes(b"")
    assert find(str(alone / "mine.pth"), NETWORK).path == alone / "mine.pth"
    with pytest.raises(DuonasError, match="there is no such file; expected a file, 'auto', 'timm' or 'none'"):
        find(str(alone / "other.pth"), NETWORK)
    with pytest.raises(DuonasError, match="is a folder: expected a file"):
        find(str(alone), NETWORK)


def test_a_package_is_found_without_importing_it(alone, monkeypatch):
    package = PACKAGES[NETWORK]
    path = alone / package.module / package.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")

    class Spec:
        origin = str(alone / package.module / "__init__.py")  # which is not there

    monkeypatch.setattr(sources, "find_spec", lambda module: Spec if module == package.module else None)
    found = find("auto", NETWORK)
    assert (found.path, found.words, found.sha256) == (path, f"the package {package.name}", package.sha256)


def test_what_timm_downloaded_before_is_found(alone):
    published = timm.get_pretrained_cfg(NETWORK)
    path = alone / "torch" / "hub" / "checkpoints" / published.url.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert find("timm", NETWORK).path == path
    hub = alone / "hub" / f"models--{published.hf_hub_id.replace('/', '--')}"
    for name, content in (("refs/main", "abc"), ("snapshots/abc/model.safetensors", "")):
        (hub / name).parent.mkdir(parents=True, exist_ok=True)
        (hub / name).write_text(content)
    assert find("auto", NETWORK).path == hub / "snapshots/abc/model.safetensors"


@pytest.mark.parametrize(
    ("network", "hint"), [(NETWORK, r"duonas\[weights\]"), ("mobilenetv3_small_100", "give a file")]
)
def test_a_download_that_fails_says_what_to_do(alone, monkeypatch, network, hint):
    hub, heard = logging.getLogger("huggingface_hub"), []
    monkeypatch.setattr(hub, "handlers", [Listening(heard)])

    def fails(*arguments, **options):
        hub.warning("Retrying in 8s")
        raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr(timm, "create_model", fails)
    with pytest.raises(DuonasError, match=rf"could not be downloaded \(ConnectionError: no route to host\): .*{hint}"):
        find("timm", network)
    assert heard == []
    hub.warning("of something else")
    assert heard == ["of something else"]


def test_a_download_is_found_in_the_cache(alone, monkeypatch):
    published = timm.get_pretrained_cfg(NETWORK)
    path = alone / "torch" / "hub" / "checkpoints" / published.url.rpartition("/")[2]

    def downloads(network, pretrained):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")

    monkeypatch.setattr(timm, "create_model", downloads)
    assert find("timm", NETWORK).path == path


def test_where_nobody_answers_timm_is_not_asked(alone, monkeypatch):
    """Its client would try for about a minute."""

    def refused(address):
        raise TimeoutError(f"{address} does not answer")

    monkeypatch.setattr(download, "_knock", refused)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(DuonasError, match=r"could not be downloaded \(TimeoutError: https://\S+ does not answer\)"):
        find("timm", NETWORK)
