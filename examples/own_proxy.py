"""A metric of untrained networks of your own: how differently a network answers different images.

    duonas run digits --set 'search.filter={ metric = "examples/own_proxy.py:Contrast", keep = 0.25 }'

It may be an objective or a constraint, too. Of a pair the worse figure of its two archs is taken.
"""

import torch
from torch import Tensor, nn

from duonas.search.proxy import Proxy


class Contrast(Proxy):
    """The standard deviation of the logits over a batch of images, on average over the classes."""

    @torch.no_grad()
    def of(self, network: nn.Sequential, images: Tensor, labels: Tensor) -> float:
        """The higher, the more an untrained network tells images apart."""
        return float(network(images).std(0).mean())
