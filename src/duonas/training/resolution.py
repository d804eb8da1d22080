"""One resolution for all subnets of a training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, PairSpace, Role, Subnet
from duonas.core.protocols import Network, PairLogits, Step, TrainRule
from duonas.core.space import SearchSpace

AXIS = "resolution"


class OneResolution:
    """Any rule, with one resolution for all subnets of a step, drawn uniformly (Once-for-All's elastic resolution).

    Every arch of a step, the largest and the smallest too, gets the images at that resolution: teacher and students see
    the same pixels, and both towers of a pair share their stem. Without this a rule draws a resolution for each subnet,
    and the largest arch keeps the largest resolution (BigNAS). Costs in a rule's loss are those of the pair as drawn.
    Where little's resolutions are not those of big, one of its own is drawn for it.

    Args:
        rule: what a step does.
        pairs: where its archs come from.

    Raises:
        DuonasError: a space has no resolution to choose.
    """

    def __init__(self, rule: TrainRule, pairs: PairSpace) -> None:
        for space in pairs.spaces.values():
            if AXIS not in space.axes:
                raise DuonasError(
                    f"[train] resolution = 'batch' needs an axis {AXIS!r}, which search space {space.name!r} does not "
                    "have."
                )
        self.weights: nn.Module = rule.weights
        self._rule, self._spaces = rule, pairs.spaces

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Prepare the rule."""
        return self._rule.prepare(network, step, steps)

    def findings(self) -> dict[str, object]:
        """The findings of the rule."""
        return self._rule.findings()

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """The rule's step at one resolution."""
        return self._rule.step(_AtResolution(network, self._spaces, self._drawn(given.rng)), given)

    def _drawn(self, rng: np.random.Generator) -> dict[Role, int]:
        """The index of a resolution for each network; the same one where both have the same resolutions."""
        values = {role: space.axes[AXIS].values for role, space in self._spaces.items()}
        big = int(rng.integers(len(values["big"])))
        same = values["little"] == values["big"]
        return {"big": big, "little": big if same else int(rng.integers(len(values["little"])))}


class _AtResolution:
    """A network that computes every arch at one resolution."""

    def __init__(self, network: Network, spaces: Mapping[Role, SearchSpace], index: Mapping[Role, int]) -> None:
        self._network, self._spaces, self._index = network, spaces, index

    def __call__(self, images: Tensor, subnet: Subnet, feature_mask: Tensor | None = None) -> Tensor:
        return self._network(images, self._subnet(subnet), feature_mask)

    def pair(self, images: Tensor, pair: PairArch, feature_mask: Tensor | None = None) -> PairLogits:
        pair = replace(pair, little=self._at(pair.little, "little"), big=self._at(pair.big, "big"))
        return self._network.pair(images, pair, feature_mask)

    def mixed(
        self, images: Tensor, subnet: Subnet, mixture: Mapping[str, Tensor], feature_mask: Tensor | None = None
    ) -> Tensor:
        return self._network.mixed(images, self._subnet(subnet), mixture, feature_mask)

    def together(
        self, subnets: Sequence[Subnet], mixed: Sequence[tuple[Subnet, Mapping[str, Tensor]]] = ()
    ) -> AbstractContextManager[None]:
        at = [(self._subnet(subnet), mixture) for subnet, mixture in mixed]
        return self._network.together([self._subnet(subnet) for subnet in subnets], at)

    def _subnet(self, subnet: Subnet) -> Subnet:
        return replace(subnet, arch=self._at(subnet.arch, subnet.role))

    def _at(self, arch: Arch, role: Role) -> Arch:
        return self._spaces[role].changed(arch, AXIS, self._index[role])
