"""NASWOT: how differently an untrained network sees different images (Mellor et al. 2021)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from duonas.search.activations import seeing
from duonas.search.proxy import Proxy


class Naswot(Proxy):
    """The logarithm of the determinant of the images' kernel by their binary codes (paper D, section 3.5).

    A code says which pre-activations of an image are above zero, whatever the activation is: ReLU, h-swish, GELU, or
    none. The kernel counts for any two images in how many places their codes agree. It is singular if two images have
    the same code.
    """

    @torch.no_grad()
    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The log-determinant of the kernel (B, B)."""
        kernel = np.zeros((len(images), len(images)))

        def add(before: Tensor) -> None:
            nonlocal kernel
            code = (before > 0).flatten(1).float()
            agree = code @ code.T + (1 - code) @ (1 - code).T
            kernel = kernel + agree.double().cpu().numpy()

        with seeing(network, add):
            network(images)
        return float(np.linalg.slogdet(kernel)[1])
