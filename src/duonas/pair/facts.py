"""The facts of a pair beside its weights: the content of ``pair.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.cost import QUANTITIES, Cost, PairCost
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, PairSpace, Role
from duonas.core.protocols import CostModel
from duonas.core.space import SearchSpace
from duonas.runtime.policy import read_preparation
from duonas.runtime.prepare import Kind, Preparation, Resize

VERSION = 1
ROLES: tuple[Role, Role] = ("little", "big")


@dataclass(frozen=True)
class Preprocessing:
    """The preprocessing of images.

    Args:
        image_size: side H of the square images, in pixels.
        range: the least and the largest value of a pixel.
        resize: how other shapes become squares: ``crop``, ``squash`` or ``pad``; see ``Preparation``.
        white: the value that is white in integers of more than 8 bits; ``None``: the largest of their type.
        float_white: the value that is white in floats; ``None``: 1.
        kinds: the kinds of values that the images had; empty where that is not known.
        mean: subtracted per channel; ``None`` if the networks normalise images themselves, as those of a search do.
        std: divisor per channel; ``None`` if the networks normalise images themselves.
    """

    image_size: int
    range: tuple[float, float] = (0.0, 1.0)
    resize: Resize = "crop"
    white: float | None = None
    float_white: float | None = None
    kinds: tuple[Kind, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def preparation(self) -> Preparation:
        """What makes a square of 8-bit RGB of an image."""
        return Preparation(self.image_size, self.resize, self.white, self.float_white, self.kinds)


@dataclass(frozen=True)
class PairFacts:
    """The facts of a pair that routing, deployment, measuring and the report read.

    Args:
        costs: costs for one image by quantity, always including ``macs``.
        networks: the costs of little and big as whole networks.
        num_classes: K.
        preprocessing: of the images.
        class_names: (K,), or empty.
        blocks: of both networks; empty for networks that no search space describes.
        shared: the number of leading blocks that both networks share.
        coupling: which weights are shared: ``nested``, ``sibling``, ``partial`` or ``independent``; ``given`` for
            networks that no search found.
        within: whether little's weights are a part of big's.
        archs: ``{"little": {space, choices, values}, "big": ..., "split": stage}``; empty for networks that no search
            space describes.
        finetune: the method of fine-tuning after the search, or ``"none"``.
    """

    costs: Mapping[str, PairCost]
    networks: Mapping[Role, Cost]
    num_classes: int
    preprocessing: Preprocessing
    class_names: tuple[str, ...] = ()
    blocks: Mapping[Role, tuple[BlockSpec, ...]] = field(default_factory=dict)
    shared: int = 0
    coupling: str = "given"
    within: bool = False
    archs: Mapping[str, Any] = field(default_factory=dict)
    finetune: str = "none"

    @classmethod
    def of(
        cls,
        pairs: PairSpace,
        pair: PairArch,
        cost: CostModel,
        class_names: tuple[str, ...] = (),
        finetune: str = "none",
    ) -> PairFacts:
        """The facts of a pair of archs.

        Args:
            pairs: the coupling of the final weights, see ``PairSpace.parted``.
            pair: the archs.
            cost: the cost model.
            class_names: (K,), or empty.
            finetune: the method of fine-tuning after the search, or ``"none"``.
        """
        blocks = dict(zip(ROLES, map(pairs.blocks, pairs.subnets(pair)), strict=True))
        shared = pairs.shared(pair)
        stem, little, big = (
            cost(part).figures for part in (blocks["big"][:shared], blocks["little"][shared:], blocks["big"][shared:])
        )
        known = [name for name in QUANTITIES if all(name in part for part in (stem, little, big))]
        return cls(
            costs={name: PairCost(stem=stem[name], router=0, little=little[name], big=big[name]) for name in known},
            networks={role: cost(each) for role, each in blocks.items()},
            num_classes=pairs.space.classes,
            preprocessing=Preprocessing(pairs.space.image_size),
            class_names=class_names,
            blocks=blocks,
            shared=shared,
            coupling=pairs.coupling,
            within=pairs.within,
            archs={
                "little": _described(pairs.spaces["little"], pair.little),
                "big": _described(pairs.space, pair.big),
                "split": pair.split,
            },
            finetune=finetune,
        )

    @property
    def cost(self) -> PairCost:
        """The costs in MACs."""
        return self.costs["macs"]

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON, to be read by ``from_json``."""
        return {
            "version": VERSION,
            "pair": dict(self.archs),
            "coupling": self.coupling,
            "shared": self.shared,
            "within": self.within,
            "finetune": self.finetune,
            "costs": {quantity: asdict(cost) for quantity, cost in self.costs.items()},
            "networks": {role: cost.figures for role, cost in self.networks.items()},
            "num_classes": self.num_classes,
            "class_names": list(self.class_names),
            "preprocessing": asdict(self.preprocessing),
            "blocks": {role: [block.to_json() for block in blocks] for role, blocks in self.blocks.items()},
        }

    @classmethod
    def from_json(cls, value: Any) -> PairFacts:
        """Read facts that ``to_json`` wrote.

        Raises:
            DuonasError: the value is of another version, incomplete or damaged.
        """
        version = value.get("version") if isinstance(value, dict) else None
        if version != VERSION:
            raise DuonasError(
                f"it is not a pair of version {VERSION} (its version is {version!r}), so another version of duonas "
                "wrote it: do its run again in a new folder."
            )
        try:
            return cls(
                costs={quantity: PairCost(**parts) for quantity, parts in value["costs"].items()},
                networks={role: Cost(**value["networks"][role]) for role in ROLES},
                num_classes=int(value["num_classes"]),
                preprocessing=_preprocessing(value["preprocessing"]),
                class_names=tuple(map(str, value["class_names"])),
                blocks=_blocks(value["blocks"]),
                shared=int(value["shared"]),
                coupling=str(value["coupling"]),
                within=bool(value["within"]),
                archs=value["pair"],
                finetune=str(value["finetune"]),
            )
        except KeyError as error:
            raise DuonasError(f"it lacks {error.args[0]!r}.") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DuonasError(f"it is damaged: {error}.") from error


def _described(space: SearchSpace, arch: Arch) -> dict[str, Any]:
    return arch.to_json() | {"values": {axis: space.value(arch, axis) for axis, _ in arch.choices}}


def _blocks(value: Mapping[Role, Any]) -> dict[Role, tuple[BlockSpec, ...]]:
    return {role: tuple(map(BlockSpec.from_json, value[role])) for role in ROLES} if value else {}


def _preprocessing(value: Mapping[str, Any]) -> Preprocessing:
    least, largest = value["range"]
    mean, std = (None if value[name] is None else tuple(map(float, value[name])) for name in ("mean", "std"))
    made = read_preparation(value)
    return Preprocessing(range=(float(least), float(largest)), mean=mean, std=std, **asdict(made))
