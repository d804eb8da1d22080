"""A prediction of the loss of any arch from the losses of those that are trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.space import SearchSpace

MEMORY = 0.995  # part of what is known that a step leaves; about the last 200 steps count
RIDGE = 1.0  # keeps what was seen only once or twice from deciding


class LossModel(nn.Module):
    """Predicts losses as a sum over the choices of an arch: ridge regression, in which old steps are forgotten.

    Archs are compared within a step alone, where they have the same images and nearly the same weights; neither hard
    batches nor the progress of the training count. What is known is in buffers, which are saved with the rule's
    weights.

    Args:
        space: the search space of the archs.
    """

    moments: Tensor
    products: Tensor
    coefficients: Tensor

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self._space = space
        size = sum(len(axis.values) for axis in space.axes.values())
        self.register_buffer("moments", torch.zeros(size, size))
        self.register_buffer("products", torch.zeros(size))
        self.register_buffer("coefficients", torch.zeros(size))
        self._known: np.ndarray | None = None  # the coefficients in host memory

    @torch.no_grad()
    def observe(self, archs: Sequence[Arch], losses: Tensor) -> None:
        """Learn from the losses (N,) of the archs of a step; a single one has nothing to be compared with."""
        if len(archs) < 2:
            return
        codes = torch.from_numpy(self._codes(archs)).to(losses.device)
        codes, losses = codes - codes.mean(0), losses.float() - losses.float().mean()
        self.moments.mul_(MEMORY).add_(codes.T @ codes)
        self.products.mul_(MEMORY).add_(codes.T @ losses)

    @torch.no_grad()
    def refresh(self) -> None:
        """Compute the predictions anew from all that was observed."""
        moments, products = (each.cpu().double().numpy() for each in (self.moments, self.products))
        solved = np.linalg.solve(moments + RIDGE * np.eye(len(moments)), products)
        self.coefficients.copy_(torch.from_numpy(solved))
        self._known = None

    @property
    def informed(self) -> bool:
        """Whether the predictions tell archs apart: something was observed before the last ``refresh``."""
        return bool(self.coefficients.any())

    def predict(self, archs: Sequence[Arch]) -> np.ndarray:
        """How far the losses (N,) of archs are above those of others, as of the last ``refresh``."""
        if self._known is None:
            self._known = self.coefficients.cpu().numpy()
        return self._codes(archs) @ self._known

    def _codes(self, archs: Sequence[Arch]) -> np.ndarray:
        return np.stack([self._space.encode(arch) for arch in archs])
