"""The base class of confidence scores, which rate little's logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from duonas.core.registry import Part, find


class Score(Part, ABC):
    """A function of little's logits without weights or state, which must export to ONNX with a dynamic batch size."""

    order: ClassVar[int] = 100  # among equally good scores, "best" takes the one with the lowest order

    @abstractmethod
    def __call__(self, logits: Tensor) -> Tensor:
        """Return the scores (N,) of logits (N, K), higher where little is more confident."""


def find_score(name: str) -> Score:
    """Return the confidence score of that name.

    Raises:
        DuonasError: there is no such score.
    """
    score: Score = find("score", name)()
    return score
