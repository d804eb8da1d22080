"""BranchyNet: early exits on a network of timm, by entropy (Teerapittayanon et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from duonas.baselines.baseline import Baseline
from duonas.baselines.dense import State, conv_norm
from duonas.baselines.networks.timm import Timm
from duonas.baselines.sizes import read_size
from duonas.core.errors import DuonasError
from duonas.costs.count import count_macs
from duonas.exits.network import ExitNet

USUAL = "mobilenetv3_small_100"
EARLY, LAST = 1.0, 0.3  # weights of the losses, as in the paper's study of them: early exits count more
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
    """A network of timm with exits after those of its stages that divide its multiply-accumulates most evenly.

    The head of an early exit is a strided 3 x 3 convolution and a linear layer on the means of its maps; the last exit
    is the network itself. Images leave by their entropy. The network and its exits are in the name:
    ``branchynet-efficientnet_b0-exits4``; with ``frozen`` the early heads learn without changing the network, as heads
    that are put on a trained one (Sponner et al.).
    """

    @property
    def parts(self) -> tuple[str, Size]:
        """The network of timm, and its exits.

        Raises:
            DuonasError: the name has a part that is unknown or wrong.
        """
        rest = self.network_name.split("-")[1:]
        known = [each.name for each in fields(Size)]
        named = bool(rest) and not get_close_matches(rest[0].rstrip("0123456789"), known)
        return rest[0] if named else USUAL, read_size(self.network_name, rest[named:], Size)

    def check(self) -> None:
        """Check the name.

        Raises:
            DuonasError: timm has no such network, or the name has a part that is unknown or wrong.
        """
        Timm(self.parts[0]).check()

    def build(self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> ExitNet:
        """Build the network of timm, and put exits on it.

        Raises:
            DuonasError: it cannot be cut into so many stages, or does not support images of this size.
        """
        name, size = self.parts
        whole = Timm(name).build(classes, image_size, mean, std)
        probe = torch.rand(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            wanted, normalised = whole.eval()(probe), whole[0](probe)
        macs = count_macs(whole, probe)
        units, rest = _cut(whole[1])
        if not units:
            raise self._refused(f"timm's {name} cannot be cut into stages", CAN_BE_CUT)
        if len(units) < size.exits:
            raise self._refused(f"timm's {name} cannot be cut into {size.exits} stages", f"at most {len(units)}")
        stages, heads = list[nn.Module](), list[nn.Module]()
        ends = [*_ends(units, normalised, macs, size.exits - 1), len(units)]
        begin, maps = 0, normalised
        for end in ends:
            stage = _Stage(([whole[0]] if begin == 0 else []) + units[begin:end])
            with torch.inference_mode():
                maps = nn.Sequential(*units[begin:end]).eval()(maps)
            stages.append(stage)
            heads.append(_Branch(maps.shape[1], classes) if end < len(units) else _Rest(rest))
            begin = end
        network = ExitNet(stages, heads, "entropy", [EARLY] * (size.exits - 1) + [LAST], frozen=size.frozen)
        with torch.inference_mode():
            same = torch.allclose(network.eval()(probe)[-1], wanted, rtol=1e-4, atol=1e-5)
        if not same:  # it does more than to run its stages in turn
            raise self._refused(f"timm's {name} cannot be cut into stages", CAN_BE_CUT)
        return network.train()

    def _refused(self, what: str, expected: str) -> DuonasError:
        return DuonasError(f"[baselines] networks: {self.network_name!r}: {what}: expected {expected}.")


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
