"""The base class of routers, which give each image a score (paper D, section 3.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.plugin import is_plugin
from duonas.core.registry import Part, adapted, find
from duonas.routing.options import RouteOptions

Position = Literal["input", "stem", "after_little"]


@dataclass(frozen=True)
class Answers:
    """The predictions of both networks for N images, and the labels.

    Args:
        little: logits (N, K) float32.
        big: logits (N, K) float32.
        labels: (N,) class indices.
    """

    little: np.ndarray
    big: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def little_right(self) -> np.ndarray:
        """Whether little is correct, (N,) bool."""
        return np.asarray(self.little.argmax(1) == self.labels)

    @property
    def big_right(self) -> np.ndarray:
        """Whether big is correct, (N,) bool."""
        return np.asarray(self.big.argmax(1) == self.labels)

    def take(self, index: np.ndarray) -> Answers:
        """Return the rows at ``index`` (M,)."""
        return Answers(self.little[index], self.big[index], self.labels[index])


class Router(Part, ABC):
    """Gives every image a score, higher = keep little; the threshold is chosen afterwards, for a floor or a budget.

    Its position decides what it reads:

    - ``input``: the images (N, 3, H, W) in [0, 1],
    - ``stem``: the features (N, C, H', W') of the blocks that both networks share,
    - ``after_little``: little's logits (N, K).

    At ``input`` and ``stem`` it decides before either network runs, so an image that goes to big skips little.

    ``from_options`` builds a router from ``[route]``, and ``fit`` returns one that is fitted to a pair. A score depends
    on its image alone, not on the rest of the batch or on any state. ``describe`` and ``judge`` must export to ONNX
    with a dynamic batch size.
    """

    Options = RouteOptions
    positions: ClassVar[tuple[Position, ...]]  # possible positions, the default first
    position: Position

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "positions" in cls.__dict__ and "position" not in cls.__dict__:
            cls.position = cls.positions[0]

    @classmethod
    def objection(cls) -> str:
        """Return what is wrong with ``positions``; empty where nothing is."""
        positions, known = getattr(cls, "positions", ()), get_args(Position)
        if isinstance(positions, tuple) and positions and not set(positions) - set(known):
            return ""
        return f"positions must be a tuple of {', '.join(known)}, got {positions!r}"

    @classmethod
    def from_options(cls, options: Any) -> Self:
        """Build the router of the ``[route]`` table, not fitted yet.

        Args:
            options: an ``Options`` of this class.

        Raises:
            DuonasError: this router does not support the position.
        """
        return cls._at(options.position)

    @classmethod
    def _at(cls, position: str, **parameters: Any) -> Self:
        if position != "auto" and position not in cls.positions:
            raise DuonasError(
                f"[route] router {cls.name!r} does not support position {position!r}: "
                f"choose from {', '.join(cls.positions)}."
            )
        elsewhere = {} if position in ("auto", cls.positions[0]) else {"position": position}
        return cls(**parameters, **elsewhere)

    @property
    def before(self) -> bool:
        """Whether it decides before little runs."""
        return self.position != "after_little"

    @property
    def own(self) -> str:
        """The part of the user's own that it runs, such as ``router file.py:CLASS``; empty if there is none."""
        return f"router {self.name}" if is_plugin(self.name) else ""

    @property
    def priced_as(self) -> str:
        """Its name in a device table: kind and position, such as ``difficulty@input``."""
        return f"{self.name}@{self.position}"

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one score, counted in convolutions and linear layers like those of networks."""
        return 0

    def describe(self, seen: Tensor) -> Tensor:
        """Return the features (N, D) that the score is computed from, given the input (N, ...) at the position."""
        return seen

    @abstractmethod
    def judge(self, described: Tensor) -> Tensor:
        """Return the scores (N,) of features (N, D)."""

    def score(self, seen: Tensor) -> Tensor:
        """Return the scores (N,) of the input (N, ...) at the position; this is what is exported.

        A router may override this with a cheaper computation of the same scores, if the fitted score needs only some of
        the features.
        """
        return self.judge(self.describe(seen))

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Self:
        """Return the router fitted to a pair; by default there is nothing to fit.

        Args:
            described: features (N, D) of images that neither network was trained on.
            answers: predictions of the pair for the same images.
            rng: generator for anything random in the fit.
        """
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the fitted values as JSON, without name and position."""
        return {}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Self:
        """Build the router from the result of ``to_json``."""
        return cls._at(position, **value)


def make_router(options: RouteOptions) -> Router:
    """Build the router of the ``[route]`` table, not fitted yet.

    Raises:
        DuonasError: there is no such router, position or score.
    """
    found = find("router", options.router)
    router: Router = found.from_options(adapted(options, found.Options))
    return router


def read_router(value: Any) -> Router:
    """Build a router from the result of ``write_router``."""
    rest = {key: each for key, each in value.items() if key not in ("kind", "position")}
    router: Router = find("router", value["kind"]).from_json(rest, value["position"])
    return router


def write_router(router: Router) -> dict[str, Any]:
    """Return a fitted router as JSON."""
    return {"kind": router.name, "position": router.position, **router.to_json()}
