"""The networks of a recipe, read, tried and counted, from which a pair is chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.pair import Role
from duonas.deploy.options import ExportOptions
from duonas.given.count import count
from duonas.given.network import Read, Wants, read
from duonas.given.precision import check_precision
from duonas.given.tried import TRIED, tried
from duonas.pair.facts import ROLES
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.options import GivenOptions, NetworkOptions


@dataclass(frozen=True)
class Candidate:
    """A given network, ready to be a little or a big.

    Args:
        label: its short name, which no other candidate has.
        options: where it is from.
        network: images (N, 3, S, S) in [0, 1] to logits (N, K).
        cost: for one image, counted.
        wants: the images that the network itself takes.
        about: what is known and what is assumed of it, in one sentence.
    """

    label: str
    options: NetworkOptions
    network: OnnxNetwork
    cost: Cost
    wants: Wants
    about: str

    @property
    def digest(self) -> str:
        """The SHA-256 of its graph, in hex."""
        return hashlib.sha256(self.network.proto.SerializeToString(deterministic=True)).hexdigest()


Candidates = Mapping[Role, Sequence[Candidate]]


def read_all(given: GivenOptions, opset: int) -> dict[NetworkOptions, Read]:
    """Read the networks of a recipe, each once.

    Raises:
        DuonasError: there is no little or no big, or a network cannot be read.
    """
    for role in ROLES:
        if not getattr(given, role):
            raise DuonasError(f'[pair.given] needs a network for {role}: give {role} = ["{role}.onnx"].')
    every = dict.fromkeys([*given.little, *given.big])
    if len(every) < 2:
        raise DuonasError(f"[pair.given] needs two different networks, and {given.big[0].called} is both.")
    return {options: read(options, opset) for options in every}


def image_size(found: Mapping[NetworkOptions, Read]) -> int:
    """The side of the images that all networks can be shown: what the largest wants, around which it may crop."""
    return max(each.wants.square for each in found.values())


def candidates(
    given: GivenOptions,
    found: Mapping[NetworkOptions, Read],
    images: np.ndarray,
    class_names: tuple[str, ...],
    export: ExportOptions,
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> dict[Role, tuple[Candidate, ...]]:
    """Try the networks on a few images, and count what they cost.

    Args:
        given: which are littles and which are bigs.
        found: the networks as they were read.
        images: (n, 3, S, S) uint8, real ones, of which a few are used.
        class_names: (K,) of the images.
        export: the ``[export]`` table.
        tell: called with the number of networks that were tried, and of all.

    Raises:
        DuonasError: one of them cannot be used; the message says why.
    """
    some = images[:TRIED].astype(np.float32) / np.float32(255)
    labels, made = _labels(list(found)), dict[NetworkOptions, Candidate]()
    tell(0, len(found))
    for options, each in found.items():
        network, about = tried(each, options, some, class_names, export.opset)
        check_precision(network.proto, export.precision, options.called)
        said = _about(each.wants, options, images.shape[-1], probabilities=about.probabilities)
        made[options] = Candidate(labels[options], options, network, count(network.proto), each.wants, said)
        tell(len(made), len(found))
    chosen = {role: tuple(made[each] for each in dict.fromkeys(getattr(given, role))) for role in ROLES}
    _check_different(chosen)
    return chosen


def _check_different(found: Candidates) -> None:
    """Refuse networks of which no two are different ones, as a file and its copy."""
    every = [each for role in ROLES for each in found[role]]
    if len({each.digest for each in every}) == 1:
        same = " and ".join(dict.fromkeys(each.options.called for each in every))
        raise DuonasError(f"[pair.given] needs two different networks, and {same} are the same one.")


def _labels(every: Sequence[NetworkOptions]) -> dict[NetworkOptions, str]:
    """Short names: the file's, timm's or the module's; all of it where that is not the only one."""
    short = {each: _short(each) for each in every}
    names = list(short.values())
    labels = {each: name if names.count(name) == 1 else each.called for each, name in short.items()}
    taken = list(labels.values())
    return {
        each: name if taken.count(name) == 1 else f"{name} ({number})"
        for number, (each, name) in enumerate(labels.items(), 1)
    }


def _short(options: NetworkOptions) -> str:
    if options.run is not None:
        return f"{Path(options.run).name}'s {options.role}"
    return options.timm or (options.module or "").rpartition(":")[2] or Path(str(options.file)).stem


def _about(wants: Wants, options: NetworkOptions, side: int, *, probabilities: bool) -> str:
    seen = wants.complete
    what = [f"{options.called} takes {seen.size} x {seen.size}"]
    if side != seen.size:
        cropped = f"the middle {seen.crop:.1%} of " if seen.crop not in (None, 1.0) else ""
        what[0] += f" of {cropped}{side} x {side}"
    what.append(f"gives {'probabilities' if probabilities else 'logits'}")
    if wants.unknown:
        low, high = seen.range or (0, 1)
        what.append(f"is assumed to want pixels from {low:g} to {high:g} without {' and '.join(wants.unknown)}")
    else:
        mean, std = (", ".join(f"{each:.4g}" for each in value or ()) for value in (seen.mean, seen.std))
        what.append(f"wants mean [{mean}] and std [{std}]")
    if wants.classes is None:
        what.append("names no classes, so they are taken to be in the order of the images'")
    return ", ".join(what) + "."
