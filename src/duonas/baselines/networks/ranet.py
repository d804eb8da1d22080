"""RANet: early exits from coarse maps to fine ones, by one small network a resolution (Yang et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.baselines.dense import Head, State, bottleneck, conv_norm, initialise
from duonas.baselines.sized import Sized
from duonas.exits.network import ExitNet
from duonas.layers.plain import Input

SCALES = {2: (1, 2), 3: (1, 2, 3), 4: (1, 2, 3, 3)}  # by how many halvings + 1 the classifiers' map is made
FACTORS = {2: (2, 1), 3: (4, 2, 1), 4: (4, 2, 1, 1)}  # by which coarser networks are wider
REDUCTION = 0.5  # of the channels, in transitions
COMPRESSED = 0.25  # part of what a layer adds that comes from the coarser network
WIDE_HEAD = 8  # a head's channels, in those of the finest first layer: 128 for 16, as published
BLOCKS = 2  # of the coarsest network; each finer one has as many more, and one exit for each of these


@dataclass(frozen=True)
class Size:
    """The size of a RANet; the defaults are a published one for CIFAR.

    Args:
        scales: networks, each of which has two exits.
        step: layers of the first block.
        even: whether all blocks have ``step`` layers; else the n-th has n times as many.
        channels: of the finest network's first layer.
        growth: channels that a layer of the finest network adds.
    """

    scales: int = 3
    step: int = 2
    even: bool = False
    channels: int = 16
    growth: int = 6

    def __post_init__(self) -> None:
        if self.scales not in SCALES:
            raise ValueError(f"scales must be one of {', '.join(map(str, SCALES))}")
        for name, least in (("step", 1), ("channels", 1), ("growth", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}")


class Ranet(Sized[Size]):
    """The coarsest network answers first; each finer one reads all features of the one before, and answers again.

    In the form for CIFAR, whose images are 32 pixels wide. Images leave by the highest probability, and the losses of
    all exits count alike, as in the paper. Its sizes are in the name: ``ranet-scales4-step4-even``.
    """

    sizes = Size

    def build(self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> ExitNet:
        """Build the network."""
        size, stages, heads = self.size, list[nn.Module](), list[nn.Module]()
        factors, depths = FACTORS[size.scales], SCALES[size.scales]
        start: nn.Module | None = _First(Input(image_size, mean, std), size.channels, factors, depths)
        coarser: list[list[int]] = []
        for scale in range(size.scales):
            blocks, features, widths = _blocks(size, scale, coarser)
            fused = BLOCKS * scale
            for number in range(fused, len(blocks)):
                begins = number == fused
                mine = blocks[: number + 1] if begins else blocks[number : number + 1]
                counts = [len(each) for each in coarser] if begins else []
                stages.append(_Stage(mine, start, counts, size.scales - 1 - scale))
                heads.append(Head(widths[number], WIDE_HEAD * size.channels, classes, place=0))
                start = None
            coarser = features
        network = ExitNet(stages, heads)
        initialise(network)
        return network


def _blocks(
    size: Size, scale: int, coarser: Sequence[Sequence[int]]
) -> tuple[list[_Block], list[list[int]], list[int]]:
    """Return the blocks of the network of a scale, the channels of all maps in each, and of the map after each.

    Args:
        size: of the whole.
        scale: the number of the network, 0 for the coarsest.
        coarser: channels of all maps in each block of the network before, whose features the first blocks read.
    """
    factors, depth = FACTORS[size.scales], SCALES[size.scales][scale]
    factor, total = factors[scale], BLOCKS * (scale + 1)
    # The first blocks end at the map of the coarsest network: they halve it where one of the networks before ends.
    halving = [BLOCKS * before for before in range(scale + 1)][-(depth - 1) :] if depth > 1 else []
    narrowing = [math.floor(part * total / depth) for part in range(1, depth)]
    width, blocks, features, widths = size.channels * factor, list[_Block](), list[list[int]](), list[int]()
    for number in range(1, total + 1):
        growth, layers = size.growth * factor, size.step * (1 if size.even else number)
        features.append([width + growth * layer for layer in range(layers + 1)])
        from_coarser = _Coarser(coarser[number - 1], factors[scale - 1]) if number <= BLOCKS * scale else None
        block = _Block(_Wide(width, growth, factor), layers, from_coarser, halves=number in halving,
                       narrows=number in narrowing)  # fmt: skip
        width = block.outputs
        blocks.append(block)
        widths.append(width)
    return blocks, features, widths


@dataclass(frozen=True)
class _Wide:
    """Channels that come into a block, that each of its layers adds, and by which a bottleneck is wider."""

    inputs: int
    growth: int
    factor: int


@dataclass(frozen=True)
class _Coarser:
    """The maps of a block of the coarser network, which a block reads: their channels, and its bottlenecks' factor."""

    channels: Sequence[int]
    factor: int


class _Block(nn.Module):
    """Layers with dense connections, some of which read the features of a block of the coarser network, too."""

    def __init__(
        self, wide: _Wide, layers: int, coarser: _Coarser | None, *, halves: bool = False, narrows: bool = False
    ) -> None:
        super().__init__()
        own, other, growth = list[nn.Module](), list[nn.Module](), wide.growth
        compressed = max(1, math.floor(growth * COMPRESSED)) if coarser else 0
        for layer in range(layers):
            stride = 2 if halves and layer == layers - 1 else 1
            own.append(bottleneck(wide.inputs + growth * layer, growth - compressed, wide.factor, stride))
            if coarser:
                other.append(bottleneck(coarser.channels[layer], compressed, coarser.factor))
        outputs = wide.inputs + growth * layers
        if coarser:
            other.append(conv_norm(coarser.channels[layers], math.floor(outputs * COMPRESSED), 1))
            outputs += math.floor(outputs * COMPRESSED)
        self.outputs = math.floor(outputs * REDUCTION) if narrows else outputs
        self.own, self.other = nn.ModuleList(own), nn.ModuleList(other)
        self.transition = conv_norm(outputs, self.outputs, 1) if narrows else nn.Identity()

    def forward(self, x: Tensor, *coarser: Tensor) -> State:
        """A map (B, C, H, W), and all maps of the coarser block, to the map after the block and all maps in it."""
        made = [x]
        for number, layer in enumerate(self.own):
            new = layer(x)
            parts = [x, self.other[number](coarser[number]), new] if self.other else [x, new]
            x = torch.cat([_as_large(part, new) for part in parts], 1)
            made.append(x)
        if self.other:
            last = self.other[len(self.own)](coarser[len(self.own)])
            x = torch.cat([x, _as_large(last, x)], 1)
        return (self.transition(x), *made)


class _Stage(nn.Module):
    """The blocks before an exit, from the exit before.

    Its state is the map that the head reads, the first maps of the finer networks, and all maps in the blocks of this
    network so far, which the next finer network is going to read.

    Args:
        blocks: in turn.
        start: the first maps of all networks from the images, in the first stage.
        coarser: number of maps in each block of the coarser network, where the stage begins a network.
        finer: number of networks that are finer.
    """

    def __init__(self, blocks: Sequence[_Block], start: nn.Module | None, coarser: Sequence[int], finer: int) -> None:
        super().__init__()
        self.blocks, self.start = nn.ModuleList(blocks), start
        self.coarser, self.finer = tuple(coarser), finer

    def forward(self, *state: Tensor) -> State:
        """The images, or a state, to a state."""
        read: list[State] = [() for _ in self.blocks]
        if self.start is not None:
            x, *waiting = self.start(*state)
            known: State = ()
        elif self.coarser:
            x, *waiting = state[1 : 2 + self.finer]
            known = state[2 + self.finer :]
            for number, count in enumerate(self.coarser):
                read[number], known = known[:count], known[count:]
        else:
            x, waiting, known = state[0], list(state[1 : 1 + self.finer]), state[1 + self.finer :]
        for block, features in zip(self.blocks, read, strict=True):
            x, *made = block(x, *features)
            known = (*known, *made)
        return (x, *waiting, *(known if self.finer else ()))


class _First(nn.Module):
    """The first map of each network, each from the finer one; the coarsest comes first."""

    def __init__(self, normalise: Input, channels: int, factors: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.normalise, inputs = normalise, 3
        scales = list[nn.Module]()
        for number, factor in reversed(list(enumerate(factors))):
            finest = number == len(factors) - 1
            stride = 1 if finest or depths[number] == depths[number + 1] else 2
            scales.append(conv_norm(inputs, channels * factor, 3, stride))
            inputs = channels * factor
        self.scales = nn.ModuleList(scales)

    def forward(self, images: Tensor) -> State:
        """Images (B, 3, H, W) to maps (B, C, H', W')."""
        x, maps = self.normalise(images), list[Tensor]()
        for scale in self.scales:
            x = scale(x)
            maps.insert(0, x)
        return tuple(maps)


def _as_large(x: Tensor, like: Tensor) -> Tensor:
    """Resize a map to the size of another, bilinear with aligned corners."""
    size = (like.shape[-2], like.shape[-1])
    return x if x.shape[-2:] == like.shape[-2:] else F.interpolate(x, size=size, mode="bilinear", align_corners=True)
