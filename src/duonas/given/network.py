"""The interface of sources of given networks."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import onnx

from duonas.core.errors import DuonasError
from duonas.core.registry import Part, find, names
from duonas.pair.options import NetworkOptions

USUAL: dict[str, Any] = {"range": (0.0, 1.0), "mean": (0.0,), "std": (1.0,), "layout": "nchw", "crop": 1.0}


@dataclass(frozen=True)
class Wants:
    """The images that a network wants; ``None`` for what is not known.

    Args:
        size: side in pixels.
        mean: subtracted per channel, in the units of ``range``.
        std: divisor per channel.
        range: the values of black and white, before mean and std.
        layout: ``nchw`` or ``nhwc``.
        channels: ``rgb`` or ``bgr``.
        crop: the part of the square image that it sees, around the centre.
        classes: the names of its outputs in order.
    """

    size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    range: tuple[float, float] | None = None
    layout: str | None = None
    channels: str = "rgb"
    crop: float | None = None
    classes: tuple[str, ...] | None = None

    def over(self, options: NetworkOptions) -> Wants:
        """These, with what a recipe gives in their place."""
        given: dict[str, Any] = {
            name: getattr(options, name)
            for name in ("size", "mean", "std", "range", "layout", "crop")
            if getattr(options, name) is not None
        }
        classes = self.classes if options.classes is None else names_of(options.classes)
        return replace(self, **given, classes=classes, channels=options.channels)

    def filled(self, size: int | None, layout: str | None) -> Wants:
        """These, with a size and a layout where none is stored."""
        return replace(self, size=self.size or size, layout=self.layout or layout)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is assumed of pixels, since nothing says it."""
        return tuple(name for name in ("mean", "std") if getattr(self, name) is None)

    @property
    def complete(self) -> Wants:
        """These, with the usual values where nothing is known: pixels in [0, 1], channels first, all of the image."""
        return replace(self, **{name: value for name, value in USUAL.items() if getattr(self, name) is None})

    @property
    def square(self) -> int:
        """Side of the square image of which the network sees ``crop``, in pixels."""
        return round((self.size or 0) / (self.crop or 1.0))


@dataclass(frozen=True)
class Read:
    """A network as it was read.

    Args:
        proto: its graph.
        wants: what is stored of the images that it wants.
    """

    proto: onnx.ModelProto
    wants: Wants


class GivenNetwork(Part, ABC):
    """Reads a network of one source.

    ``key`` is its key in the table of a network.
    """

    key: ClassVar[str]

    @abstractmethod
    def read(self, options: NetworkOptions, opset: int) -> Read:
        """Read a network, or have it made.

        Args:
            options: where it is, and what a recipe says of it.
            opset: ONNX opset version for one that is exported now.

        Raises:
            DuonasError: it cannot be read; the message says why.
        """


def read(options: NetworkOptions, opset: int) -> Read:
    """Read a network, with what the recipe says of the images that it wants.

    Raises:
        DuonasError: it cannot be read, or the size of its images is not known.
    """
    parts = [find("network", name) for name in names("network")]
    part = next(each for each in parts if getattr(options, each.key) is not None)
    with_stored: Read = part().read(options, opset)
    wants = with_stored.wants.over(options)
    if wants.size is None:
        raise DuonasError(
            f"{options.called}: the size of the images that it takes is not stored in it: give it, as in "
            f'{{ {part.key} = "{getattr(options, part.key)}", size = 224 }}.'
        )
    return replace(with_stored, wants=wants)


def names_of(classes: tuple[str, ...] | str) -> tuple[str, ...]:
    """The names of classes: those given, or the lines of a file, or a list in a JSON file.

    Raises:
        DuonasError: the file cannot be read.
    """
    if not isinstance(classes, str):
        return classes
    try:
        text = Path(classes).read_text(encoding="utf-8")
        found = json.loads(text) if classes.endswith(".json") else text.splitlines()
    except FileNotFoundError as error:
        raise DuonasError(f"there is no file of class names {classes}.") from error
    except (OSError, ValueError) as error:
        raise DuonasError(f"the file of class names {classes} cannot be read: {error}.") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise DuonasError(f"{classes} must be a list of class names.")
    return tuple(name.strip() for name in found if name.strip())


def stored_wants(properties: Mapping[str, str]) -> Wants:
    """What duonas stored in one of its own ONNX files of the images that it wants; nothing in files of others."""
    try:
        about: Any = json.loads(properties.get("preprocessing", "null"))
        classes: Any = json.loads(properties.get("class_names", "[]"))
        if not isinstance(about, dict) or not isinstance(classes, list):
            return Wants()
        limits = tuple(map(float, about.get("range", (0, 1))))
        mean, std = (tuple(map(float, about.get(key) or usual)) for key, usual in (("mean", (0.0,)), ("std", (1.0,))))
        return Wants(
            int(about["image_size"]),
            mean,
            std,
            (limits[0], limits[1]),
            "nchw",
            classes=tuple(map(str, classes)) or None,
        )
    except (ValueError, TypeError, LookupError):
        return Wants()
