"""The base class of confidence scores, which rate little's logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
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


def margin(values: Tensor) -> Tensor:
    """Return the highest minus the second highest value (N,) of each row of values (N, K); of equals, both count.

    The highest is found and masked, since ``topk`` needs an operation that some converters lack, and on which ONNX
    Runtime up to 1.30 ends the process where there are no rows.
    """
    columns = torch.arange(values.shape[1], device=values.device)
    others = values.masked_fill(columns == values.argmax(1, keepdim=True), -torch.inf)
    return values.amax(1) - others.amax(1)
