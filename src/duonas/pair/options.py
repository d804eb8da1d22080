"""The keys of ``[pair.given]``: networks that are given, and what images they want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from os.path import expanduser, isdir  # unlike Path's, these bear a name that the system refuses
from typing import Annotated, Any, Literal

from annotated_types import Gt, Le

from duonas.core.errors import nearest
from duonas.core.fields import Count, Location, Positive
from duonas.core.pair import Role

Numbers = tuple[float, ...]
Output = Literal["auto", "logits", "softmax"]
TIMM = "timm:"
SOURCES = ("file", "timm", "module", "run")


@dataclass(frozen=True)
class NetworkOptions:
    """A network: one of ``file``, ``timm``, ``module`` and ``run``, and what is not stored in it of what it wants."""

    file: Annotated[str | None, Location(content=True)] = None
    """An ONNX file."""
    timm: str | None = None
    """The name of a network of timm."""
    weights: Annotated[str | None, Location(content=True)] = None
    """With timm: a file of its weights, .safetensors or .pth; default: the published ones."""
    module: str | None = None
    """A torch.nn.Module as file.py:NAME, or a function or a class that makes one."""
    run: Annotated[str | None, Location(content=True)] = None
    """The folder of a finished run or of a bundle, of which it is a network."""
    role: Literal["little", "big"] | None = None
    """With run: which of its networks; default: its little for a little, its big for a big."""
    size: Count | None = None
    """Side of the images that it takes, in pixels."""
    mean: Numbers | None = None
    """Subtracted from the pixels, by channel, in the units of range."""
    std: Numbers | None = None
    """By which the pixels are then divided, by channel."""
    range: tuple[float, float] | None = None
    """The values of black and white, before mean and std: [0, 1], [0, 255] or [-1, 1]."""
    layout: Literal["nchw", "nhwc"] | None = None
    """Where the channels are in the input."""
    channels: Literal["rgb", "bgr"] = "rgb"
    """The order of the channels."""
    crop: Annotated[float, Gt(0), Le(1)] | None = None
    """The part of the square image that it sees, around the centre."""
    classes: Annotated[tuple[str, ...] | str | None, Location(content=True)] = None
    """The names of its outputs in order, or a text file with one name a line."""
    output: Output = "auto"
    """What it gives; "auto": "softmax" where the outputs of each image sum to 1."""
    input_name: str | None = None
    """The name of the input for images, where an ONNX file has several."""
    output_name: str | None = None
    """The name of the output for classes, where an ONNX file has several."""

    @property
    def called(self) -> str:
        """The network in messages."""
        if self.timm is not None:
            return f"{TIMM}{self.timm}" + (f"@{self.weights}" if self.weights else "")
        if self.run is not None:
            return f"{self.role} of {self.run}"
        return self.file or self.module or ""


@dataclass(frozen=True)
class GivenOptions:
    """``[pair.given]``: networks to make a pair of, in place of a search space.

    Each is a text, such as ``"little.onnx"``, ``"timm:resnet18@weights.pth"``, ``"nets.py:Small"`` or ``"runs/mine"``,
    or a table.
    """

    little: tuple[NetworkOptions, ...] = ()
    """Networks to choose little from."""
    big: tuple[NetworkOptions, ...] = ()
    """Networks to choose big from."""
    seconds: Positive = 0.5
    """What timing a network on this machine may take."""


def spelled(network: Any, role: Role) -> Any:
    """Return a network that is given as a text as a table; anything else as it is, of a run with its role.

    Args:
        network: as in a recipe.
        role: that it is given for.
    """
    if isinstance(network, Mapping):
        return {"role": role, **network} if network.get("run") is not None else network
    if not isinstance(network, str):
        return network
    if network.startswith(TIMM):
        name, _, weights = network.removeprefix(TIMM).partition("@")
        return {"timm": name} | ({"weights": weights} if weights else {})
    if isdir(expanduser(network)):
        return {"run": network, "role": role}
    return {"module" if ".py:" in network else "file": network}


def objection(network: Mapping[str, Any]) -> str:
    """What is wrong with the keys of a network's table, in words; empty if nothing is."""
    known = [each.name for each in fields(NetworkOptions)]
    for key in network:
        if key not in known:
            return f"there is no key {key!r}: {nearest(str(key), known)}"
    sources = [key for key in SOURCES if network.get(key) is not None]
    if len(sources) != 1:
        return f"it needs one of file, timm, module and run, got {' and '.join(sources) or 'none of them'}"
    if network.get("weights") is not None and "timm" not in sources:
        return "weights are for a network of timm"
    if network.get("role") is not None and "run" not in sources:
        return "role is for a network of a run"
    for key in ("mean", "std"):
        value = network.get(key)
        if isinstance(value, list | tuple) and len(value) not in (1, 3):
            return f"{key} must have a number for each of three channels, or one for all, got {len(value)}"
    std = network.get("std")
    if isinstance(std, list | tuple) and any(isinstance(each, int | float) and each <= 0 for each in std):
        return "std must be above 0"
    limits = network.get("range")
    if isinstance(limits, list | tuple) and len(limits) == 2 and limits[0] == limits[1]:
        return "range must have two different numbers"
    return ""
