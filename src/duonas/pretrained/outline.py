"""What timm says of its networks: the names and shapes of their tensors, and the images that they were trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Outline:
    """The tensors and the images of a network of timm.

    Args:
        network: its name in timm.
        shapes: of its tensors, by name and in the order of its ``state_dict``, without counters of batches.
        mean: of the images that its published weights were trained with, by channel, in [0, 1].
        std: their standard deviation, by channel.
    """

    network: str
    shapes: Mapping[str, tuple[int, ...]]
    mean: Sequence[float]
    std: Sequence[float]


def outline(network: str, classes: int) -> Outline:
    """Return the outline of a network of timm for a number of classes."""
    import timm  # takes a second

    about = published(network)
    with torch.device("meta"):
        state = timm.create_model(network, num_classes=classes).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items() if value.ndim}
    return Outline(network, shapes, tuple(about.mean), tuple(about.std))


def published(network: str) -> Any:
    """Return what timm knows of the weights that it downloads for a network: where they are, their mean and std."""
    import timm

    return timm.get_pretrained_cfg(network)
