"""Convolutional classifiers of timm by name, such as mobilenetv3_small_100, adapted to small images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from duonas.baselines.baseline import Baseline, shipped_names
from duonas.core.errors import DuonasError, nearest
from duonas.costs.count import count_macs
from duonas.layers.plain import Input

NETWORKS = ("mobilenetv3_small_100", "mobilenetv3_large_100", "efficientnet_b0")  # the baselines of paper D
SMALLEST_MAP = 3  # side of the last feature map, in pixels
PROBE = 64  # side of the probe image in pixels, enough for five strides

_Strided = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d


class Timm(Baseline):
    """A network of timm (Wightman 2019), adapted to small images and not pretrained.

    timm's networks are designed for 224 pixels and have five strides of 2. For smaller images the earliest strides are
    set to 1 until the last feature map is at least 3 pixels wide: the stem's at 64 pixels, one more at 32 pixels (the
    usual CIFAR stem). Weights are initialised by timm.
    """

    def check(self) -> None:
        """Check that timm has a network of this name.

        Raises:
            DuonasError: it has none; the message suggests the most similar name.
        """
        import timm

        name, known = self.network_name, timm.list_models()
        if name not in known:
            near = get_close_matches(name, [*shipped_names(), *known], n=1, cutoff=0.5)
            usual = (*NETWORKS, *shipped_names())
            raise DuonasError(f"[baselines] networks: timm has no {name!r}: {nearest(name, near or usual)}.")

    def build(self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> nn.Sequential:
        """Build the normalisation of images and timm's network.

        Raises:
            DuonasError: timm has no such network, or the network does not support images of this size.
        """
        import timm

        self.check()
        network = timm.create_model(self.network_name, pretrained=False, num_classes=classes)
        try:
            _keep_resolution(network, image_size)
            whole = nn.Sequential(Input(image_size, mean, std), network)
            count_macs(whole, torch.zeros(1, 3, image_size, image_size))
        except (AssertionError, RuntimeError, ValueError) as error:
            reason, size = str(error).splitlines()[0], f"{image_size} x {image_size}"
            raise DuonasError(f"timm's {self.network_name} does not support images of {size}: {reason}.") from error
        return whole


def _keep_resolution(network: nn.Module, image_size: int) -> None:
    """Set the earliest strides to 1 until the last feature map is ``SMALLEST_MAP`` wide."""
    halvings = _halvings(network)
    while halvings and -(-image_size // 2 ** len(halvings)) < SMALLEST_MAP:
        for module in halvings.pop(0):
            module.stride = (1, 1)


def _halvings(network: nn.Module) -> list[list[_Strided]]:
    """Return the strided layers, grouped by the size of their input, largest first."""
    found: dict[int, list[_Strided]] = defaultdict(list)

    def note(module: _Strided, inputs: tuple[Tensor, ...]) -> None:
        found[inputs[0].shape[-1]].append(module)

    layers = [m for m in network.modules() if isinstance(m, _Strided)]
    hooks = [m.register_forward_pre_hook(note) for m in layers if m.stride in (2, (2, 2))]
    try:
        network.eval()
        with torch.inference_mode():
            network(torch.zeros(1, 3, PROBE, PROBE))
    finally:
        for hook in hooks:
            hook.remove()
    return [found[side] for side in sorted(found, reverse=True)]
