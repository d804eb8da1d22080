"""Networks that teach and are not trained: of timm, of another run's pair, or any classifier as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import expand
from duonas.core.text import plural
from duonas.layers.plain import Input, resized
from duonas.pair.pair import Pair
from duonas.pretrained.download import create_pretrained
from duonas.pretrained.file import read_tensors
from duonas.pretrained.read import fitting
from duonas.runtime.errors import BundleError
from duonas.runtime.session import open_session


class FrozenNetwork:
    """A classifier of images (B, 3, H, W) in [0, 1] of any size, which it resizes and normalises itself.

    Args:
        called: what it is, for messages.
        network: the classifier.
        class_names: (K,) of its classes; empty if they are not known.
    """

    def __init__(self, called: str, network: nn.Module, class_names: Sequence[str] = ()) -> None:
        self.called, self.class_names = called, tuple(class_names)
        self._network = network.eval().requires_grad_(False)
        self._device: torch.device | None = None

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits (B, K), float32, of images (B, 3, H, W) in [0, 1]."""
        if self._device != images.device:
            self._network.to(images.device).to(memory_format=torch.channels_last)
            self._device = images.device
        logits: Tensor = self._network(images)
        return logits.float()

    def check(self, class_names: Sequence[str], image_size: int) -> None:
        """Classify two black images, and compare the classes.

        Args:
            class_names: (K,) of the images.
            image_size: side H of the images in pixels.

        Raises:
            DuonasError: it cannot classify them, or has other classes.
        """
        try:
            found = self(torch.zeros(2, 3, image_size, image_size))
        except Exception as error:  # whatever network it is
            said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise DuonasError(
                f"{self.called} cannot classify two images of {image_size} x {image_size}: {said}."
            ) from error
        if tuple(found.shape) != (2, len(class_names)):
            raise DuonasError(
                f"{self.called} gives {_shape(found.shape)} for two images, and a teacher must have the "
                f"{len(class_names)} classes of the images: train it on them first."
            )
        for number, (ours, theirs) in enumerate(zip(class_names, self.class_names, strict=False)):
            if ours != theirs:
                raise DuonasError(
                    f"{self.called} has other classes than the images: number {number} is {theirs!r} there and "
                    f"{ours!r} here."
                )


def load_teacher(name: str | None, file: str | None, classes: int, size: int | None = None) -> FrozenNetwork:
    """Return a teacher.

    Args:
        name: of a network of timm; ``None`` for a file that is a whole network.
        file: its weights; without ``name``, an ``.onnx`` file, or the weights of a network in a run's folder ``pair``.
        classes: number K of classes of the images.
        size: side in pixels of the images that it sees; ``None``: its own.

    Raises:
        DuonasError: there is no such network or file, or the weights do not fit.
    """
    path = None if file is None else expand(file, "teacher_file")
    if path is not None and not path.is_file():
        raise DuonasError(f"teacher_file {path} does not exist.")
    if name is not None:
        return _of_timm(name, path, classes, size)
    assert path is not None
    if path.suffix == ".onnx":
        return FrozenNetwork(f"teacher {path}", _Onnx(path, size))
    if path.suffix == ".safetensors" and (path.parent / "pair.json").is_file() and path.stem in ("little", "big"):
        pair = Pair.load(path.parent)
        tower: nn.Module = pair.towers()["big" if path.stem == "big" else "little"]
        network = tower if size is None else nn.Sequential(_Resized(size), tower)
        return FrozenNetwork(f"teacher {path}", network, pair.facts.class_names)
    raise DuonasError(
        f"teacher_file {path} does not say which network it is: name the network of timm whose weights it has with "
        "teacher = NAME, or give an .onnx file or a run's pair/big.safetensors."
    )


def _of_timm(name: str, path: Path | None, classes: int, size: int | None) -> FrozenNetwork:
    import timm

    known = timm.list_models()
    if name.partition(".")[0] not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        raise DuonasError(f"timm has no {name!r} for a teacher: {nearest(name, near or ['resnet50'])}.")
    try:
        facts = timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise DuonasError(f"timm cannot make the teacher {name!r}: {str(error).rstrip('.')}.") from error
    if path is None and (facts is None or not facts.has_weights):
        raise DuonasError(f"timm has no weights for the teacher {name!r}: give them with teacher_file.")
    if path is None and facts is not None and facts.num_classes != classes:
        raise DuonasError(
            f"timm's weights for the teacher {name!r} are for {plural(facts.num_classes, 'class', 'classes')}, and the "
            f"images have {classes}: fine-tune it on them, and give its weights with teacher_file."
        )
    network = _created(name, path, classes)
    own: Any = network.pretrained_cfg
    entry = Input(size or own["input_size"][-1], own["mean"], own["std"])
    return FrozenNetwork(f"teacher {name}", nn.Sequential(entry, network))


def _created(name: str, path: Path | None, classes: int) -> nn.Module:
    import timm

    with torch.random.fork_rng(devices=[]):  # timm draws initial weights
        if path is not None:
            network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
            _fill(network, path, name)
            return network
        try:
            return create_pretrained(name)
        except Exception as error:  # of whatever downloads
            raise DuonasError(
                f"timm's weights for the teacher {name!r} cannot be downloaded ({type(error).__name__}): give them "
                "with teacher_file."
            ) from error


def _fill(network: nn.Module, path: Path, name: str) -> None:
    """Load the weights of a file into a network.

    Raises:
        DuonasError: they are of another network; the message says which tensors differ.
    """
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    try:
        found = fitting(read_tensors(path), shapes, name, path)
    except DuonasError as error:
        raise DuonasError(f"teacher_file {error}") from error
    network.load_state_dict(found, strict=False)  # without counters of batches, see fitting


class _Resized(nn.Module):
    """Resizes square images."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        return resized(images, self.size)


class _Onnx(nn.Module):
    """An ONNX file that takes RGB images in [0, 1], computed by ONNX Runtime."""

    def __init__(self, path: Path, size: int | None) -> None:
        super().__init__()
        try:
            self._session = open_session(path, torch.get_num_threads())
        except BundleError as error:
            raise DuonasError(f"teacher_file {path}: {error}") from error
        entry = self._session.get_inputs()[0]
        side = entry.shape[-1] if len(entry.shape) == 4 else None
        self._entry, self._size = entry.name, size or (side if isinstance(side, int) else None)

    def forward(self, images: Tensor) -> Tensor:
        given = images if self._size is None else resized(images, self._size)
        array = np.ascontiguousarray(given.float().numpy(force=True))
        return torch.from_numpy(self._session.run(None, {self._entry: array})[0]).to(images.device)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
