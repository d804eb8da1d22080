"""What training rules have in common."""

from __future__ import annotations

from torch import nn


class Stateless:
    """A rule that learns nothing of its own and never rewrites weights."""

    def __init__(self) -> None:
        self.weights: nn.Module = nn.Module()

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Nothing to prepare."""
        return False

    def findings(self) -> dict[str, object]:
        """Nothing found."""
        return {}
