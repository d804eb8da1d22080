"""BranchyNet: early exits on a network of timm or of the pair, by entropy (Teerapittayanon et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import NamedTuple

import torch
from torch import Tensor, nn

from duonas.baselines.baseline import Baseline
from duonas.baselines.dense import State, conv_norm
from duonas.baselines.networks.timm import Timm
from duonas.baselines.sizes import read_size
from duonas.core.errors import DuonasError
from duonas.core.pair import Role
from duonas.costs.count import count_macs
from duonas.exits.network import ExitNet

USUAL = "mobilenetv3_small_100"
EARLY, LAST = 1.0, 0.3  # weights of the losses, as in the paper's study of them: early exits count more
OF_PAIR: dict[str, Role] = {"little": "little", "big": "big"}  # names that are no networks of timm
CAN_BE_CUT = "a MobileNet, EfficientNet or ResNet"
# The modules before the first stage, and the stages or what holds them, of the networks of timm that can be cut.
OUTLINES = (
    (("conv_stem", "bn1"), ("blocks",)),
    (("conv1", "bn1", "act1", "maxpool"), ("layer1", "layer2", "layer3", "layer4")),
)


@dataclass(frozen=True)
class Size:
    """The exits of a network.

    Args:
        exits: number of exits, the last one included.
        frozen: whether the network is trained as if it had no early exits, and only their heads on top of it.
    """

    exits: int = 3
    frozen: bool = False

    def __post_init__(self) -> None:
        if self.exits < 2:
            raise ValueError("exits must be at least 2")


class Branchynet(Baseline):
    """A network of timm, or the pair's little or big, with exits after some of its stages.

    They are after those that divide its multiply-accumulates most evenly. The head of an early exit is a strided 3 x 3
    convolution and a linear layer on the means of its maps; the last exit is the network itself. Images leave by their
    entropy. The network and its exits are in the name: ``branchynet-efficientnet_b0-exits4``, or ``branchynet-big``
    for the arch of the run's big, with fresh weights. With ``frozen`` the early heads learn without changing the
    network, as heads that are put on a trained one (Sponner et al.).
    """

    @property
    def parts(self) -> tuple[str, Size]:
        """The network of timm, or ``little`` or ``big``, and its exits.

        Raises:
            DuonasError: the name has a part that is unknown or wrong.
        """
        rest = self.network_name.split("-")[1:]
        known = [each.name for each in fields(Size)]
        named = bool(rest) and not get_close_matches(rest[0].rstrip("0123456789"), known)
        return rest[0] if named else USUAL, read_size(self.network_name, rest[named:], Size)

    @property
    def role(self) -> Role | None:
        """Which of the pair's networks the exits are put on; ``None``: a network of timm."""
        return OF_PAIR.get(self.parts[0])

    def check(self) -> None:
        """Check the name.

        Raises:
            DuonasError: timm has no such network, or the name has a part that is unknown or wrong.
        """
        name, _ = self.parts
        if self.role is None:
            Timm(name).check()

    def build(self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> ExitNet:
        """Build the network of timm, and put exits on it.

        Raises:
            DuonasError: it cannot be cut into so many stages, or does not support images of this size.
        """
        name, _ = self.parts
        whole = Timm(name).build(classes, image_size, mean, std)
        probe = _probe(image_size)
        with torch.inference_mode():
            known = whole.eval()(probe), count_macs(whole, probe)
        units, rest = _cut(whole[1])
        if not units:
            raise self._refused(f"timm's {name} cannot be cut into stages", CAN_BE_CUT)
        return self._with_exits(_Cut(f"timm's {name}", whole[0], units, rest, *known), classes, probe)

    def build_on(self, network: nn.Sequential, stages: Sequence[int], classes: int, image_size: int) -> ExitNet:
        """Put exits on one of the pair's networks, after stages of its search space.

        Raises:
            DuonasError: it has fewer stages than exits.
        """
        probe, units = _probe(image_size), dict[int, list[nn.Module]]()
        with torch.inference_mode():
            known = network.eval()(probe), count_macs(network, probe)
        for block, stage in list(zip(network, stages, strict=True))[1:-1]:
            units.setdefault(max(stage, 1), []).append(block)  # what comes before the first stage belongs to it
        grouped: list[nn.Module] = [nn.Sequential(*each) for each in units.values()]
        cut = _Cut(f"the pair's {self.role}", network[0], grouped, network[-1], *known)
        return self._with_exits(cut, classes, probe)

    def _with_exits(self, cut: _Cut, classes: int, probe: Tensor) -> ExitNet:
        """Return the network with its exits."""
        size, units = self.parts[1], cut.units
        if len(units) < size.exits:
            raise self._refused(f"{cut.name} cannot be cut into {size.exits} stages", f"at most {len(units)}")
        with torch.inference_mode():
            maps = cut.first(probe)
        stages, heads, begin = list[nn.Module](), list[nn.Module](), 0
        for end in [*_ends(units, maps, cut.macs, size.exits - 1), len(units)]:
            stages.append(_Stage(([cut.first] if begin == 0 else []) + units[begin:end]))
            with torch.inference_mode():
                maps = nn.Sequential(*units[begin:end]).eval()(maps)
            heads.append(_Branch(maps.shape[1], classes) if end < len(units) else _Rest(cut.rest))
            begin = end
        network = ExitNet(stages, heads, "entropy", [EARLY] * (size.exits - 1) + [LAST], frozen=size.frozen)
        with torch.inference_mode():
            same = torch.allclose(network.eval()(probe)[-1], cut.answers, rtol=1e-4, atol=1e-5)
        if not same:  # it does more than to run its stages in turn
            raise self._refused(f"{cut.name} cannot be cut into stages", CAN_BE_CUT)
        return network.train()

    def _refused(self, what: str, expected: str) -> DuonasError:
        return DuonasError(f"[baselines] networks: {self.network_name!r}: {what}: expected {expected}.")


class _Cut(NamedTuple):
    """A network in parts, with what it answers to a probe as a whole, and its multiply-accumulates."""

    name: str
    first: nn.Module  # what normalises images
    units: list[nn.Module]
    rest: nn.Module
    answers: Tensor
    macs: int


def _probe(image_size: int) -> Tensor:
    return torch.rand(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))


def _cut(network: nn.Module) -> tuple[list[nn.Module], nn.Module]:
    """Take the stages out of a network of timm, the first one with all before it; what is left is its classifier."""
    for before, holders in OUTLINES:
        if not all(hasattr(network, each) for each in (*before, *holders)):
            continue
        start = [getattr(network, each) for each in before]
        held = [getattr(network, each) for each in holders]
        stages = [*held[0]] if holders == ("blocks",) else held
        for each in (*before, *holders):
            setattr(network, each, nn.Identity())
        return [nn.Sequential(*start, stages[0]), *stages[1:]], network
    return [], network


def _ends(units: Sequence[nn.Module], maps: Tensor, total: int, early: int) -> list[int]:
    """Return after how many units the early exits are, so that they divide the multiply-accumulates most evenly."""
    spent, at = list[int](), 0
    for unit in units:
        at += count_macs(unit.eval(), maps)
        with torch.inference_mode():
            maps = unit(maps)
        spent.append(at)
    ends = list[int]()
    for number in range(1, early + 1):
        wanted = total * number / (early + 1)
        free = range((ends[-1] if ends else 0) + 1, len(units) - (early - number))
        ends.append(min(free, key=lambda end: abs(spent[end - 1] - wanted)))
    return ends


class _Stage(nn.Module):
    """Modules in turn, as a state of one map."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.modules_in_turn = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> State:
        """Images or a map (B, C, H, W) to a map."""
        return (self.modules_in_turn(x),)


class _Branch(nn.Module):
    """The head of an early exit."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.convolution = conv_norm(channels, channels, 3, 2)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.classifier(self.convolution(x).mean((2, 3)))
        return logits


class _Rest(nn.Module):
    """What a network of timm does after its stages."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.network(x)
        return logits
