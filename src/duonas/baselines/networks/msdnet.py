"""MSDNet: early exits on maps of several scales with dense connections (Huang et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor, nn

from duonas.baselines.dense import Chain, Head, State, bottleneck, conv_norm, initialise
from duonas.baselines.sized import Sized
from duonas.exits.network import ExitNet
from duonas.layers.plain import Input

FACTORS = (1, 2, 4, 4)  # by which coarser scales are wider, and their bottlenecks
REDUCTION = 0.5  # of the channels, where the finest scale is dropped
WIDE_HEAD = 8  # a head's channels, in those of the first layer: 128 for 16, as published


@dataclass(frozen=True)
class Size:
    """The size of an MSDNet; what is ``None`` is as published for CIFAR, or with ``imagenet`` for ImageNet.

    Args:
        exits: number of exits; 5.
        step: layers between two exits; default: 1, 2, 3 … layers, for ImageNet 4 each.
        base: layers before the first exit; default: ``step``, or 1.
        channels: of the finest scale of the first layer; 16, or 32.
        growth: channels that a layer adds to the finest scale; 6, or 16.
        scales: number of scales; 3, or 4.
        imagenet: whether it starts with a 7 x 7 convolution and a pooling, which quarter the side of the image.
    """

    exits: int | None = None
    step: int | None = None
    base: int | None = None
    channels: int | None = None
    growth: int | None = None
    scales: int | None = None
    imagenet: bool = False

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            least = 2 if each.name == "exits" else 1
            if value is not None and not isinstance(value, bool) and value < least:
                raise ValueError(f"{each.name} must be at least {least}")
        if (self.scales or 1) > len(FACTORS):
            raise ValueError(f"scales must be at most {len(FACTORS)}")

    @property
    def blocks(self) -> tuple[int, ...]:
        """The number of layers before each exit, from the one before."""
        later = range(1, self.exits or 5)
        step = self.step or (4 if self.imagenet else None)
        first = self.base or step or 1
        return first, *(step or first + number for number in later)


class Msdnet(Sized[Size]):
    """Maps of several scales, each joined to all before it, and a classifier on the coarsest after each block.

    In the form for CIFAR, whose images are 32 pixels wide, or with ``imagenet`` in that for ImageNet. Later blocks have
    fewer scales, since the finer ones no longer lead to a classifier. Images leave by the highest probability, and the
    losses of all exits count alike, as in the paper. Its sizes are in the name: ``msdnet-exits7-step2-base4``.
    """

    sizes = Size

    def build(self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> ExitNet:
        """Build the network."""
        size = self.size
        imagenet = size.imagenet
        channels, growth = size.channels or (32 if imagenet else 16), size.growth or (16 if imagenet else 6)
        factors = FACTORS[: size.scales or (4 if imagenet else 3)]
        layers = _layers(sum(size.blocks), channels, growth, factors)
        stages, heads = [], []
        first: list[nn.Module] = [_Normalised(Input(image_size, mean, std)), _First(channels, factors, imagenet)]
        for length in size.blocks:
            block, width = first, channels
            for _ in range(length):
                layer, width = next(layers)
                block.extend(layer)
            stages.append(Chain(*block))
            coarsest = width * factors[-1]
            heads.append(Head(coarsest, coarsest if imagenet else WIDE_HEAD * channels, classes, place=-1))
            first = []
        network = ExitNet(stages, heads)
        initialise(network)
        return network


def _layers(
    count: int, channels: int, growth: int, factors: Sequence[int]
) -> Iterator[tuple[tuple[nn.Module, ...], int]]:
    """Yield all layers, with the transition after each that drops a scale, and the width of the finest scale after it.

    The scales are dropped one by one, the finest first, after equal parts of the depth (section 4, network reduction).
    """
    interval, scales = math.ceil(count / len(factors)), len(factors)
    for number in range(count):
        kept = len(factors) - number // interval
        layer = _Layer(channels, growth, factors[len(factors) - scales :], drops=kept < scales)
        channels += growth
        if kept == scales:
            yield (layer,), channels
            continue
        narrow = math.floor(REDUCTION * channels)
        yield (layer, _Transition(channels, narrow, factors[len(factors) - kept :])), narrow
        channels, scales = narrow, kept


class _Normalised(nn.Module):
    """The images with the mean and deviation of the training images, as a state of one map."""

    def __init__(self, normalise: Input) -> None:
        super().__init__()
        self.normalise = normalise

    def forward(self, images: Tensor) -> State:
        return (self.normalise(images),)


class _First(nn.Module):
    """The maps of all scales, each from the finer one."""

    def __init__(self, channels: int, factors: Sequence[int], imagenet: bool) -> None:
        super().__init__()
        finest: nn.Module = conv_norm(3, channels * factors[0])
        if imagenet:
            start = nn.Conv2d(3, channels * factors[0], 7, 2, 3)
            norm = nn.BatchNorm2d(channels * factors[0])
            finest = nn.Sequential(start, norm, nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        coarser = [conv_norm(channels * fine, channels * coarse, 3, 2) for fine, coarse in pairwise(factors)]
        self.scales = nn.ModuleList([finest, *coarser])

    def forward(self, images: Tensor) -> State:
        maps = []
        for scale in self.scales:
            images = scale(images)
            maps.append(images)
        return tuple(maps)


class _Layer(nn.Module):
    """Adds to each map features of its own scale and of the next finer one.

    Args:
        channels: of the finest of all scales, before the layer.
        growth: what the finest of all scales gains.
        factors: of the scales that come in, finest first.
        drops: whether the finest of them has no map any more, and is read only.
    """

    def __init__(self, channels: int, growth: int, factors: Sequence[int], *, drops: bool) -> None:
        super().__init__()
        self.drops = drops
        own, finer = [], []
        for place, factor in enumerate(factors):
            gained, wide = growth * factor, channels * factor
            if place == 0:
                if not drops:
                    own.append(bottleneck(wide, gained, factor))
                continue
            before = factors[place - 1]
            finer.append(bottleneck(channels * before, gained // 2, before, 2))
            own.append(bottleneck(wide, gained // 2, factor))
        self.own, self.finer = nn.ModuleList(own), nn.ModuleList(finer)

    def forward(self, *maps: Tensor) -> State:
        gained = [down(fine) for down, fine in zip(self.finer, maps, strict=False)]
        kept = maps[1:] if self.drops else maps
        parts = [[old, new(old)] for old, new in zip(kept, self.own, strict=True)]
        offset = len(kept) - len(gained)
        for place, extra in enumerate(gained):
            parts[offset + place].insert(1, extra)
        return tuple(torch.cat(each, 1) for each in parts)


class _Transition(nn.Module):
    """Halves the channels of each map."""

    def __init__(self, channels: int, narrow: int, factors: Sequence[int]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(conv_norm(channels * factor, narrow * factor, 1) for factor in factors)

    def forward(self, *maps: Tensor) -> State:
        return tuple(narrow(each) for narrow, each in zip(self.scales, maps, strict=True))
