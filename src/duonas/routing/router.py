"""What a router is: a score for every image, made of what there is to see where it stands (paper D, section 3.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.options import RouteOptions

Position = Literal["input", "stem", "after_little"]


@dataclass(frozen=True)
class Answers:
    """What both networks say of N images, and what is true.

    Args:
        little: logits (N, K) float32.
        big: likewise.
        labels: (N,) class numbers.
    """

    little: np.ndarray
    big: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def little_right(self) -> np.ndarray:
        """(N,) bool."""
        return np.asarray(self.little.argmax(1) == self.labels)

    @property
    def big_right(self) -> np.ndarray:
        """(N,) bool."""
        return np.asarray(self.big.argmax(1) == self.labels)

    def take(self, index: np.ndarray) -> Answers:
        """Those of the images at ``index`` (M,)."""
        return Answers(self.little[index], self.big[index], self.labels[index])


class Router(ABC):
    """Gives every image a score, higher = keep little; the threshold is chosen afterwards, for a floor or a budget.

    It stands at one of three positions and sees there

    - ``input``: the images (N, 3, H, W) in [0, 1],
    - ``stem``: what the blocks shared by both networks gave, (N, C, H', W'),
    - ``after_little``: little's logits (N, K).

    From ``input`` and ``stem`` it decides before either network runs: an image that goes to big does not pay for
    little.

    A router is made from ``[route]`` by ``from_options``, then ``fit`` gives the one that fits a pair. Scores are the
    image's own: they depend neither on the batch nor on any state. All that ``describe`` and ``judge`` do must export
    to ONNX with a free batch size.
    """

    name: ClassVar[str]
    positions: ClassVar[tuple[Position, ...]]  # where it may stand, the default first
    position: Position

    def __init_subclass__(cls) -> None:
        if "positions" in cls.__dict__ and "position" not in cls.__dict__:
            cls.position = cls.positions[0]

    @classmethod
    def from_options(cls, options: RouteOptions) -> Self:
        """The router that the ``[route]`` table asks for, not fitted yet.

        Raises:
            DuonasError: it cannot stand where it should.
        """
        return cls._at(options.position)

    @classmethod
    def _at(cls, position: str, **parameters: Any) -> Self:
        if position != "auto" and position not in cls.positions:
            raise DuonasError(
                f"[route] router {cls.name!r} cannot stand at position {position!r}: "
                f"choose from {', '.join(cls.positions)}."
            )
        elsewhere = {} if position in ("auto", cls.positions[0]) else {"position": position}
        return cls(**parameters, **elsewhere)

    @property
    def before(self) -> bool:
        """Whether it decides before little runs."""
        return self.position != "after_little"

    @property
    def macs(self) -> int:
        """What one score costs, in multiply-accumulates of convolutions and linear layers, as all else is counted."""
        return 0

    def describe(self, seen: Tensor) -> Tensor:
        """What is there to see at the position, (N, ...), to what the score is made of, (N, D)."""
        return seen

    @abstractmethod
    def judge(self, described: Tensor) -> Tensor:
        """(N, D) to scores (N,)."""

    def score(self, seen: Tensor) -> Tensor:
        """What is there to see at the position, (N, ...), to scores (N,): what is exported.

        A router that does not need all that it describes, once it is fitted, may have a cheaper way to the same scores.
        """
        return self.judge(self.describe(seen))

    def fit(self, described: Tensor, answers: Answers, rng: np.random.Generator) -> Self:
        """The router for the pair that gave these answers; by default there is nothing to fit.

        Args:
            described: (N, D) of images that neither network was trained on.
            answers: of the pair, to the same images.
            rng: for whatever is random in it.
        """
        return self

    def to_json(self) -> dict[str, Any]:
        """Its fitted values as JSON, without name and position."""
        return {}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], position: Position) -> Self:
        """The router that ``to_json`` described."""
        return cls._at(position, **value)
