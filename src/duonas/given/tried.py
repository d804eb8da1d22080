"""A given network tried on images: what it gives, and that its canonical graph answers as it does itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto

from duonas.core.errors import DuonasError
from duonas.core.text import listed, plural
from duonas.deploy.simplify import simplify
from duonas.given.canonical import Leaving, canonical, seeing
from duonas.given.clean import cleaned
from duonas.given.fold import fold_batch_norms
from duonas.given.network import Read
from duonas.given.shapes import COLOURS, class_output
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.options import NetworkOptions
from duonas.runtime.errors import BundleError
from duonas.runtime.session import open_session

NEAR = 1e-4  # of the largest logit, or of a probability: the difference that rounding makes
NEAR_HALF = 2e-2  # in float16
ONE = 1e-3  # by which probabilities may miss a sum of 1
TRIED = 4  # images


def tried(
    read: Read, options: NetworkOptions, images: np.ndarray, class_names: tuple[str, ...], opset: int
) -> tuple[OnnxNetwork, Leaving]:
    """Return the canonical network, and what the given one gives.

    Args:
        read: the network as it was read.
        options: what the recipe says of it.
        images: (n, 3, S, S) float32 in [0, 1], a few real ones.
        class_names: (K,) of the images.
        opset: ONNX opset version of the canonical graph.

    Raises:
        DuonasError: it does not run, gives no scores of these classes, or answers several images at once in another way
            than one at a time.
    """
    wants, called = read.wants.complete, options.called
    size = int(wants.size or 0)
    sides = (size, size, COLOURS) if wants.layout == "nhwc" else (COLOURS, size, size)
    model = cleaned(read.proto, options, sides, opset)
    seen = _run(seeing(model, wants, images.shape[-1]), images, called)
    found = np.concatenate([_alone(read.proto, options, seen[row : row + 1]) for row in range(len(seen))])
    _check_scores(found, called, read, class_names)
    about = Leaving(_gives_probabilities(found, options), order(read.wants.classes, class_names, called))
    expected = found[:, list(about.order)]
    half = TensorProto.FLOAT16 in (model.graph.input[0].type.tensor_type.elem_type, _type(read.proto, options))
    plain = canonical(model, wants, images.shape[-1], about)
    for graph in (simplify(fold_batch_norms(_copy(plain))), plain):
        network = OnnxNetwork(graph).eval()
        if _agrees(network, images, expected, about.probabilities, NEAR_HALF if half else NEAR):
            return network, about
    raise DuonasError(
        f"{called} answers {len(images)} images at once in another way than one at a time, so it cannot be routed in "
        "batches: export it again with a dynamic batch size."
    )


def order(named: tuple[str, ...] | None, class_names: tuple[str, ...], called: str) -> tuple[int, ...]:
    """The number of the output for each class of the images; as they are where the network names none.

    Raises:
        DuonasError: its names are others.
    """
    if named is None:
        return tuple(range(len(class_names)))
    lacking = [name for name in class_names if name not in named]
    more = [name for name in named if name not in class_names]
    if lacking or more or len(set(named)) < len(named):
        said = [f"it lacks {listed(list(map(repr, lacking)), 3)}"] if lacking else []
        said += [f"it has {listed(list(map(repr, more)), 3)}, which the images do not have"] if more else []
        said = said or ["it names a class twice"]
        raise DuonasError(
            f"{called} has other classes than the images: {', and '.join(said)}; name its outputs in order by the "
            "names of the images' classes, as in classes = [...]."
        )
    return tuple(named.index(name) for name in class_names)


def _alone(proto: onnx.ModelProto, options: NetworkOptions, image: np.ndarray) -> np.ndarray:
    """What the network itself gives for one image, as (1, ...)."""
    leaving = class_output(proto, options.output_name, options.called).name
    found = _run(proto, image, options.called, leaving)
    return found.astype(np.float32) if found.ndim > 1 and len(found) == 1 else found[None].astype(np.float32)


def _run(proto: onnx.ModelProto, value: np.ndarray, called: str, leaving: str | None = None) -> np.ndarray:
    try:
        session = open_session(proto.SerializeToString(), 1)
        found: Any = session.run([leaving] if leaving else None, {session.get_inputs()[0].name: value})[0]
    except BundleError as error:
        raise DuonasError(f"{called} does not run: {error}") from error
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise DuonasError(f"{called} does not run on an image: {said}.") from error
    return np.asarray(found)


def _check_scores(found: np.ndarray, called: str, read: Read, class_names: tuple[str, ...]) -> None:
    flat = found.reshape(len(found), -1)
    shape = f"(N, {', '.join(map(str, found.shape[1:]))})"
    if found.shape[1:] != (*flat.shape[1:], *(1,) * (found.ndim - 2)):
        raise DuonasError(f"{called} gives {shape}, not one score for each class: it is no image classifier.")
    if flat.shape[1] != len(class_names):
        outputs = plural(flat.shape[1], "output")
        names = f"{plural(len(class_names), 'class', 'classes')} ({listed(list(class_names), 3)})"
        if read.wants.classes is not None and len(read.wants.classes) == flat.shape[1]:
            order(read.wants.classes, class_names, called)  # says which ones
        raise DuonasError(f"{called} has {outputs}, but the images have {names}: they must agree.")
    if read.wants.classes is not None and len(read.wants.classes) != flat.shape[1]:
        raise DuonasError(
            f"{called} has {flat.shape[1]:,} outputs, but {plural(len(read.wants.classes), 'name')} of classes."
        )
    if not np.isfinite(flat).all():
        raise DuonasError(f"{called} gives scores that are not finite numbers: check the range, mean and std it wants.")
    if len(flat) > 1 and np.ptp(flat, axis=0).max() == 0:
        raise DuonasError(f"{called} gives the same scores for every image: check the range, mean and std it wants.")


def _gives_probabilities(found: np.ndarray, options: NetworkOptions) -> bool:
    flat = found.reshape(len(found), -1)
    they_are = bool((flat >= -1e-6).all() and (np.abs(flat.sum(1) - 1) < ONE).all())
    if options.output == "softmax" and not they_are:
        raise DuonasError(f"{options.called}: output = 'softmax', but its outputs do not sum to 1: they are logits.")
    return they_are and options.output != "logits"


def _agrees(network: OnnxNetwork, images: np.ndarray, expected: np.ndarray, probabilities: bool, near: float) -> bool:
    """Whether the canonical graph answers all images at once as the network itself does one at a time."""
    try:
        logits = network(torch.from_numpy(images)).numpy()
    except DuonasError:
        return False
    expected = expected.reshape(len(expected), -1)
    if logits.shape != expected.shape:
        return False
    if probabilities:
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        return bool(np.abs(shifted / shifted.sum(1, keepdims=True) - expected).max() <= near)
    return bool(np.abs(logits - expected).max() <= near * max(1.0, float(np.abs(expected).max())))


def _type(proto: onnx.ModelProto, options: NetworkOptions) -> int:
    found: int = class_output(proto, options.output_name, options.called).type.tensor_type.elem_type
    return found


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
