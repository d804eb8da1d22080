"""The contract of confidence scores."""

from __future__ import annotations

from abc import abstractmethod

import torch

from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.routing.score import find_score
from duonas.testing.routers import CLASSES, RouterContract


class ScoreContract(RouterContract):
    """Tests of every confidence score, including those of the router ``confidence`` with it."""

    @abstractmethod
    def score(self) -> str:
        """Return the name of the score under test: a shipped one, or ``file.py:CLASS``."""

    def router(self) -> Router:
        """Return the router ``confidence`` with the score."""
        return Confidence(self.score())

    def test_a_sure_answer_scores_above_an_even_one(self) -> None:
        """Confident logits score higher than uniform ones, for every class."""
        even, sure = torch.zeros(CLASSES, CLASSES), 8 * torch.eye(CLASSES)
        score = find_score(self.score())
        assert (score(sure) > score(even)).all()
