"""A network whose choices are not decided: a differentiable function of the probabilities of all values of all axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from duonas.core.axis import Axis
from duonas.core.block import BlockSpec, LayerSpec
from duonas.core.pair import Role, Subnet
from duonas.core.places import Place, network_places
from duonas.core.space import SearchSpace
from duonas.layers.elastic import SoftLayer
from duonas.supernet.pair import PairSupernet
from duonas.supernet.supernet import Mixes, Mixture

LEAST = 1e-8  # what a probability is at least where it is divided by

Choice = Mapping[str, int]  # indices on the axes of the whole network, such as the resolution


def chances(place: Place, mixture: Mapping[str, Tensor]) -> Tensor:
    """The probabilities (M,) of the combinations of a place, on the device of the mixture.

    Those of an additive place are the factors of a sum over its axes, of which the first may be negative.

    Args:
        place: the place.
        mixture: the probabilities (V,) of the values, by axis; axes are independent.
    """
    axes = [mixture[axis] for axis in place.axes]
    device = axes[0].device if axes else None
    if place.additive:
        first, changed = torch.ones((), device=device), []
        for chance in axes:
            first = first - (1 - chance[0])
            changed.append(chance[1:])
        return torch.cat([first[None], *changed])
    total = torch.ones(len(place.specs), device=device)
    for chance, classes, column in zip(axes, place.classes, place.rows.T, strict=True):
        numbers = torch.from_numpy(classes).to(chance.device)
        merged = torch.zeros(int(classes.max()) + 1, device=chance.device).index_add(0, numbers, chance)
        total = total * merged[torch.from_numpy(column).to(chance.device)]
    return total


def whole_axes(space: SearchSpace, found: Sequence[Place]) -> list[Axis]:
    """The axes of the whole network, such as the resolution, that decide about blocks and that a sum cannot mix."""
    used = {name for place in found for name in place.axes}
    return [axis for name, axis in space.axes.items() if axis.stage == 0 and name in used - set(space.mixed)]


@dataclass(frozen=True, eq=False)
class _Group:
    """Combinations of a place whose blocks differ in sizes only.

    Args:
        spec: the block with every size at its largest.
        rows: (G,) numbers of the combinations.
        channels: by layer, whether each combination has each output channel, (G, C).
        kernels: by layer the kernel sizes, and which of them each combination has, (G, sizes).
    """

    spec: BlockSpec
    rows: Tensor
    channels: Mapping[str, Tensor]
    kernels: Mapping[str, tuple[tuple[int, ...], Tensor]]

    def soft(self, spec: BlockSpec, chance: Tensor) -> BlockSpec:
        """The block with soft layers.

        Args:
            spec: the largest block, with its weights if these are generated.
            chance: (G,) probabilities of the combinations, which sum to 1.
        """
        return replace(spec, layers=tuple(self._soft(layer, chance) for layer in spec.layers))

    def _soft(self, layer: LayerSpec, chance: Tensor) -> LayerSpec:
        if layer.name not in self.channels and layer.name not in self.kernels:
            return layer
        has = self.channels.get(layer.name)
        sizes, ones = self.kernels.get(layer.name, ((), chance))
        return SoftLayer(
            **vars(layer), channels=None if has is None else chance @ has,
            kernels=tuple(zip(sizes, chance @ ones, strict=True)) if sizes else (),
        )  # fmt: skip


class RelaxedNetwork:
    """One network of a pair supernet as a function of probabilities in place of an arch.

    Widths and expansions are masks on channels, kernels one convolution with the sum of the kernels. Other kinds of
    block at a place, blocks with and without expansion or shortcut, are run and summed. A stage of undecided depth
    gives the sum of what leaves each of its blocks, weighted by the probability that the block is the last. For axes of
    the whole network, such as the resolution, the network runs once for each value. Operations of cells are summed by
    the cell itself (``Mixes``). Where every axis has one value of probability 1 that is the subnet.

    Args:
        net: the pair supernet.
        role: of the network.
        split: of the pair: up to this stage the weights are those of big.
    """

    def __init__(self, net: PairSupernet, role: Role, split: int = 0) -> None:
        self.net, self.space = net, net.pairs.spaces[role]
        self.subnet = Subnet(self.space.largest(), role, split)
        self.places = network_places(net.pairs, role, split)
        self.part = 1.0  # of the channels that mixed cells compute; the others pass them by (PC-DARTS: Xu et al. 2020)
        self._whole = whole_axes(self.space, self.places)
        self._mixed = {spec.name: spec for spec in self.space.mixed_blocks(self.subnet.arch)}
        self._device = next(net.parameters()).device
        self._grouped: dict[tuple[int, ...], list[list[_Group]]] = {}

    def __call__(self, x: Tensor, mixture: Mixture) -> Tensor:
        """Logits (B, K) for images (B, 3, H, W) in [0, 1] and the probabilities (V,) of all axes."""
        total = None
        for choice, chance, decided in self._choices(mixture):
            logits = self._run(x, choice, decided)
            term = logits if chance is None else chance * logits
            total = term if total is None else total + term
        assert total is not None
        return total

    def _choices(self, mixture: Mixture) -> Iterator[tuple[Choice, Tensor | None, Mixture]]:
        """The choices for the whole network, their probabilities, and the mixture where they are made."""
        names = [axis.name for axis in self._whole]
        for indices in product(*(range(len(axis.values)) for axis in self._whole)):
            chance, made = None, dict(mixture)
            for name, index in zip(names, indices, strict=True):
                one = mixture[name][index]
                chance = one if chance is None else chance * one
                made[name] = F.one_hot(torch.tensor(index), len(mixture[name])).to(mixture[name])
            if chance is None or float(chance.detach()) > 0:
                yield dict(zip(names, indices, strict=True)), chance, made

    def _run(self, x: Tensor, choice: Choice, mixture: Mixture) -> Tensor:
        groups = self._groups(choice)
        known = [group.spec for each in groups for group in each]
        filled = iter(self.net.tower(self.subnet).specs(self.subnet.arch, known, self._active(mixture)))
        stage, left = self.places[0].stage, x  # what leaves the stage, if it ends here; x goes on inside it
        for place, each in zip(self.places, groups, strict=True):
            if place.stage > stage:
                stage, x = place.stage, left
            specs = [next(filled) for _ in each]
            if place.additive:
                x = left = self._mix(x, specs[0], mixture)
                continue
            chance = chances(place, mixture)
            reached = sum((chance[group.rows].sum() for group in each[1:]), chance[each[0].rows].sum())
            if place.optional and float(reached.detach()) == 0:
                continue
            out = self._sum(x, each, specs, chance, reached)
            left = left + reached * (out - x) if place.optional else out
            x = out
        return left

    def _active(self, mixture: Mixture) -> Mixture:
        """The mixture, each axis times the probability that it is active, as an arch has no choice on the others."""
        active: dict[str, Tensor | float] = {}
        for name, axis in self.space.axes.items():
            parent = axis.parent
            active[name] = 1.0 if parent is None else active[parent] * mixture[parent][axis.minimum :].sum()
        return {name: row * active[name] for name, row in mixture.items()}

    def _sum(
        self, x: Tensor, groups: list[_Group], specs: Sequence[BlockSpec], chance: Tensor, reached: Tensor
    ) -> Tensor:
        """The sum of the blocks of a place by their probabilities, where there is one."""
        most, total = max(spec.out_channels for spec in specs), None
        for group, spec in zip(groups, specs, strict=True):
            inside = chance[group.rows]
            share = inside.sum()
            if len(groups) > 1 and float(share.detach()) == 0:
                continue
            soft = group.soft(spec, inside / share.clamp_min(LEAST))
            out: Tensor = self.net.block(self.subnet, spec)(x[:, : spec.in_channels], soft)
            if len(groups) > 1:
                missing = most - out.shape[1]
                out = (share / reached.clamp_min(LEAST)) * (F.pad(out, (0, 0, 0, 0, 0, missing)) if missing else out)
            total = out if total is None else total + out
        assert total is not None
        return total

    def _mix(self, x: Tensor, spec: BlockSpec, mixture: Mixture) -> Tensor:
        """A block that mixes by itself, on the leading channels if ``part`` is below 1."""
        block = cast(Mixes, self.net.block(self.subnet, spec))
        count = math.ceil(self.part * x.shape[1])
        if count == x.shape[1]:
            return block.mixed(x, spec, mixture)
        layers = tuple(replace(layer, in_channels=count, out_channels=count) for layer in spec.layers)
        narrow = replace(spec, in_channels=count, out_channels=count, layers=layers)
        return torch.cat([block.mixed(x[:, :count], narrow, mixture), x[:, count:]], 1)

    def _groups(self, choice: Choice) -> list[list[_Group]]:
        """The groups of every place where the choices for the whole network are made."""
        key = tuple(choice.values())
        if key not in self._grouped:
            self._grouped[key] = [self._grouped_at(place, choice) for place in self.places]
        return self._grouped[key]

    def _grouped_at(self, place: Place, choice: Choice) -> list[_Group]:
        if place.additive:
            first = place.specs[0]
            assert first is not None
            return [_Group(self._mixed[first.name], torch.zeros(1, dtype=torch.int64), {}, {})]
        alike: dict[Any, dict[int, BlockSpec]] = {}
        for number, spec in enumerate(place.specs):
            if spec is not None and _is_chosen(place, number, choice):
                alike.setdefault(_structure(spec), {})[number] = spec
        return [_group(found, self._device) for found in alike.values()]


def _is_chosen(place: Place, number: int, choice: Choice) -> bool:
    columns = zip(place.axes, place.classes, place.rows[number], strict=True)
    return all(classes[choice[axis]] == row for axis, classes, row in columns if axis in choice)


def _structure(spec: BlockSpec) -> tuple[Any, ...]:
    """Everything that a block computes by, except sizes."""
    layers = tuple(
        (
            layer.name, layer.kind, layer.stride, layer.groups > 1, layer.norm, layer.bias, layer.activation,
            layer.padding, layer.eps,
        )
        for layer in spec.layers
    )  # fmt: skip
    return (spec.name, spec.kind, spec.stride, spec.residual, spec.squeeze_excite, spec.activation, spec.operations,
            layers)  # fmt: skip


def _group(specs: Mapping[int, BlockSpec], device: torch.device) -> _Group:
    """A group from its blocks by the numbers of their combinations."""
    blocks = list(specs.values())
    layers, channels, kernels = [], {}, {}
    for same in zip(*(block.layers for block in blocks), strict=True):
        name, outs = same[0].name, torch.tensor([layer.out_channels for layer in same])
        sizes = sorted({layer.kernel for layer in same})
        if len(set(outs.tolist())) > 1:
            channels[name] = (torch.arange(int(outs.max())) < outs[:, None]).float().to(device)
        if len(sizes) > 1:
            ones = torch.tensor([[float(layer.kernel == size) for size in sizes] for layer in same])
            kernels[name] = tuple(sizes), ones.to(device)
        most = {
            key: max(getattr(layer, key) for layer in same)
            for key in ("in_channels", "out_channels", "kernel", "groups")
        }
        layers.append(replace(same[0], **most))
    most = {
        key: max(getattr(block, key) for block in blocks)
        for key in ("in_channels", "out_channels", "kernel", "expansion")
    }
    spec = replace(blocks[0], **most, layers=tuple(layers))
    return _Group(spec, torch.tensor(list(specs), device=device), channels, kernels)
