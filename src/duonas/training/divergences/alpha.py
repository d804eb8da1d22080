"""The larger of two clipped alpha-divergences, which also punishes what a student overestimates (AlphaNet)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.fields import Positive
from duonas.training.divergence import Divergence
from duonas.training.options import DivergenceOptions

NEAR = 1e-3  # alphas this close to 0 or 1 are taken as these, where the divergence is a limit


class Alpha(Divergence):
    """For each image the larger of the alpha-divergences with a negative and a positive alpha (AlphaNet, section 3).

    With the teacher p and the student q the alpha-divergence is ``E_q[(p / q)^alpha - 1] / (alpha (alpha - 1))``: with
    alpha = 1 that is KL(p || q), which grows where the student underestimates a class; a negative alpha makes it grow
    where the student overestimates one. The powers of the ratio are clipped, in the value and in its gradient
    ``-E_q[(p / q)^alpha grad log q] / alpha``, so that single classes do not dominate a step.

    Wang et al., "AlphaNet: Improved Training of Supernets with Alpha-Divergence", ICML 2021, equations 4 to 6.

    Raises:
        DuonasError: ``alpha_min`` is larger than ``alpha_max``.
    """

    @dataclass(frozen=True)
    class Options(DivergenceOptions):
        """Keys of ``[train.divergence]``."""

        name: str = "alpha"
        alpha_min: float = -1.0
        """The alpha that punishes overestimation."""
        alpha_max: float = 1.0
        """The alpha that punishes underestimation."""
        clip: Positive = 5.0
        """Largest power of the ratio of teacher to student; alpha = 1 needs none."""

    def __init__(self, options: Options, temperature: float = 1.0) -> None:
        super().__init__(options, temperature)
        if options.alpha_min > options.alpha_max:
            raise DuonasError(
                f"[train.divergence] alpha_min = {options.alpha_min:g} is larger than alpha_max = "
                f"{options.alpha_max:g}: exchange them."
            )

    def losses(self, student: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
        """The larger divergence of each image (B,)."""
        q, p = student.log_softmax(1), teacher.log_softmax(1)
        low, high = (self._divergence(q, p, alpha) for alpha in (self.options.alpha_min, self.options.alpha_max))
        return torch.where(low > high, low, high)

    def _divergence(self, student: Tensor, teacher: Tensor, alpha: float) -> Tensor:
        """The divergence of each image (B,) from log-probabilities (B, K), with the clipped gradient."""
        now = student.detach()
        q, ratio = now.exp(), teacher - now
        if abs(alpha - 1) < NEAR:
            pull = teacher.exp()
            value = pull * ratio
        elif abs(alpha) < NEAR:
            value, pull = -q * ratio, q * ratio.clamp(max=math.log(self.options.clip))
        else:
            power = (alpha * ratio).exp().clamp(max=self.options.clip)
            value, pull = q * (power - 1) / (alpha * (alpha - 1)), q * power / alpha
        moved = -(pull * student).sum(1)
        return value.sum(1) + moved - moved.detach()
