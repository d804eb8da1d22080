"""Engines: what a bundle's files can be run by, each one file in the folder ``engines``.

An engine answers what ``dynamic.onnx`` answers, and holds to the same laws: its decisions are those of ONNX Runtime,
and a result never depends on what else is in the batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from pkgutil import iter_modules
from typing import ClassVar, NamedTuple

import numpy as np

from . import engines
from .errors import BundleError
from .policy import DevicePolicy

DEFAULT = "onnxruntime"
Network = Callable[[np.ndarray], np.ndarray]  # images (N, 3, H, W) float32 to logits (N, K)


class Settings(NamedTuple):
    """How an engine runs, see ``Bundle.load``.

    Args:
        threads: CPU threads; 0: one for each core.
        spinning: whether threads that wait for work within a call keep their cores busy.
    """

    threads: int = 0
    spinning: bool = False


class Answer(NamedTuple):
    """What a routed pair answers for N images.

    Args:
        logits: (N, K) float32, little's where the image stays little, else big's.
        score: (N,) float32, higher = keep little.
        is_little: (N,) bool.
    """

    logits: np.ndarray
    score: np.ndarray
    is_little: np.ndarray


class Engine(ABC):
    """A routed pair that is opened by some runtime.

    ``open`` gives one; its ``run`` takes any number of images and any threshold in each call. ``name`` is that of the
    file, and ``image_shape`` the shape (3, H, W) of each image.
    """

    name: ClassVar[str]
    image_shape: tuple[int, int, int]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in cls.__dict__:
            cls.name = cls.__module__.rpartition(".")[2]

    @classmethod
    def missing(cls) -> str:
        """Why this machine cannot run it, in words such as ``openvino is not installed``; empty if it can."""
        return ""

    @classmethod
    def version(cls) -> str:
        """What it runs by, with the version, such as ``onnxruntime 1.32.0``."""
        return cls.name

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, policy: DevicePolicy, settings: Settings) -> Engine:
        """Open a bundle, whose files are checked first.

        Args:
            folder: of the bundle.
            policy: of the bundle, read already.
            settings: threads, and whether they spin.

        Raises:
            BundleError: a file is missing, damaged or another one, or this runtime cannot open it.
        """

    @classmethod
    def network(cls, path: Path, settings: Settings) -> Network:
        """Open a single network of the bundle, to compare the routed pair with.

        Args:
            path: of an ONNX file, images to logits.
            settings: threads, and whether they spin.

        Raises:
            BundleError: this engine cannot run a network alone.
        """
        raise BundleError(f"the engine {cls.name!r} runs no network alone, with which routing could be compared.")

    @abstractmethod
    def run(self, images: np.ndarray, tau: np.ndarray) -> Answer:
        """Classify images.

        Args:
            images: (N, 3, H, W) float32 in [0, 1], contiguous; N may be 0.
            tau: threshold, a float32 array without dimensions.
        """


def engine_names() -> list[str]:
    """The sorted names of all engines, without importing any."""
    return sorted(each.name for each in iter_modules(engines.__path__) if not each.name.startswith("_"))


def find_engine(name: str | type[Engine]) -> type[Engine]:
    """Return the engine of that name, or the class itself if one is given.

    Raises:
        BundleError: there is no such engine; the message names the nearest.
    """
    if isinstance(name, type) and issubclass(name, Engine):
        return name
    known = engine_names()
    if name not in known:
        near = get_close_matches(str(name), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."
        raise BundleError(f"there is no engine {name!r}: {hint}")
    module = import_module(f"{engines.__name__}.{name}")
    found = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    (engine,) = (each for each in found if issubclass(each, Engine) and not isabstract(each))
    return engine


def open_engine(name: str | type[Engine], folder: Path, policy: DevicePolicy, settings: Settings) -> Engine:
    """Open a bundle by an engine, after asking whether this machine has what it needs.

    Raises:
        BundleError: there is no such engine, this machine cannot run it, or the bundle cannot be opened by it.
    """
    engine = find_engine(name)
    if reason := engine.missing():
        raise BundleError(f"the engine {engine.name!r} cannot run here: {reason}.")
    return engine.open(folder, policy, settings)
