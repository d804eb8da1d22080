"""How little the gradients of an untrained network by different images have in common (Mellor et al. 2020)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from duonas.search.proxy import Proxy

SMALL = 1e-5  # added to the eigenvalues, as in the paper


class JacobCov(Proxy):
    """The paper's score of the correlations of the images' gradients, on a scale from 0 to 1.

    The paper's score is minus the sum of log(v) + 1 / v over the eigenvalues v of the correlations (B, B) of the
    gradients of the summed logits by the images. Here B is divided by that sum, which keeps the order: 1 if no two
    gradients are correlated, 0 if the logits do not depend on the images.
    """

    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The score in [0, 1]."""
        seen = images.clone().requires_grad_()
        (gradients,) = torch.autograd.grad(network(seen).sum(), seen, allow_unused=True)
        if gradients is None or not gradients.any():
            return 0.0
        rows = gradients.flatten(1).double().cpu().numpy()
        with np.errstate(invalid="ignore", divide="ignore"):
            correlations = np.corrcoef(rows)
        if not np.isfinite(correlations).all():
            return float("nan")
        values = np.clip(np.linalg.eigvalsh(correlations), 0, None) + SMALL
        return float(len(values) / (np.log(values) + 1 / values).sum())
