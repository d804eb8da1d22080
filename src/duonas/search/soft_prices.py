"""Prices of pairs whose choices are not decided: differentiable sums of block prices under probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from duonas.core.arch import Arch
from duonas.core.block import BlockSpec
from duonas.core.cost import STORED, Cost, PairCost
from duonas.core.pair import Role
from duonas.core.places import Place, network_places
from duonas.routing.router import Router
from duonas.search.metric import PairPrice
from duonas.search.prices import Prices
from duonas.supernet.relaxed import LEAST, chances, whole_axes
from duonas.supernet.supernet import Mixture


class SoftPrices:
    """The expected prices of pairs under probabilities of the values of all axes; choices are independent.

    They are exact where the cost model sums blocks, or is a table of networks, of which the probable ones are averaged.
    Only what a cell of operations takes is summed over its edges, as if they took nothing together; of MACs that is
    exact, too. Peak memory is no sum and is left out (NaN).

    Args:
        prices: of pairs whose choices are decided.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices, self._pairs = prices, prices.pairs
        self._networks: dict[tuple[Role, int], _SoftNetwork] = {}
        self._blocks: dict[BlockSpec, Cost] = {}

    def pair(self, little: Mixture, big: Mixture, split: int, router: Router) -> PairPrice:
        """The expected price of a routed pair, each figure a tensor of one number.

        Args:
            little: probabilities (V,) of little's values by axis, equal to big's up to the split.
            big: those of big's values.
            split: of the pair.
            router: the router.
        """
        role = self._pairs.roles[-1]
        smaller, larger = self._network(role, split), self._network("big", 0)
        mine, other = smaller.figures(little), larger.figures(big)
        stems = {name: torch.zeros(()) for name in other}
        if self._pairs.shares:
            alike = {name: big[name] * little[name] for name in larger.whole} if split == 0 else {}
            stems |= larger.figures({**big, **alike}, upto=split)
        routing = self._prices.routing(router)
        parts = {}
        for name in self._prices.quantities:
            added, stem = routing.of(name), stems[name]
            parts[name] = PairCost(stem, added.keep, mine[name] - stem, other[name] - stem + added.ask, router.before)
        stored = {name: mine[name] + other[name] - stems[name] for name in STORED}
        if self._pairs.within:
            stored["params"] = other["params"]
        return PairPrice(parts, mine, other, stored, float("nan"))

    def _network(self, role: Role, split: int) -> _SoftNetwork:
        if (role, split) not in self._networks:
            self._networks[role, split] = _SoftNetwork(self._prices, self._blocks, role, split)
        return self._networks[role, split]


class _SoftNetwork:
    """The expected figures of one network."""

    def __init__(self, prices: Prices, blocks: dict[BlockSpec, Cost], role: Role, split: int) -> None:
        pairs, self._space, self._model = prices.pairs, prices.pairs.spaces[role], prices.model
        self._known, self._blocks = (*prices.quantities, *STORED), blocks
        self.places = network_places(pairs, role, split)
        self.whole = [axis.name for axis in whole_axes(self._space, self.places)]
        self._costs = [self._priced(place) for place in self.places]

    def figures(self, mixture: Mixture, upto: int | None = None) -> dict[str, Tensor]:
        """Expected figures by name, of the blocks in the stages ``upto``, if it is given."""
        total = torch.zeros(len(self._known))
        for place, costs in zip(self.places, self._costs, strict=True):
            if upto is None or place.stage <= upto:
                total = total + chances(place, mixture) @ costs
        found = dict(zip(self._known, total, strict=True))
        networks = self._model.networks
        if networks is not None:  # of which nothing is shared
            weights = self._of_networks(mixture, list(networks)) if upto is None else None
            for column, name in enumerate(self._measured):
                found[name] = torch.zeros(()) if weights is None else weights @ self._rows[:, column]
        return found

    @property
    def _measured(self) -> list[str]:
        return [name for name in self._known if name not in ("macs", *STORED)]

    @cached_property
    def _rows(self) -> Tensor:
        networks: Mapping[Arch, Mapping[str, float]] = self._model.networks or {}
        return torch.tensor([[row[name] for name in self._measured] for row in networks.values()], dtype=torch.float32)

    @cached_property
    def _choices(self) -> Tensor:
        """The indices (N, A) of the networks of a table."""
        networks = self._model.networks or {}
        return torch.from_numpy(np.array([self._space.indices(arch) for arch in networks], dtype=np.int64))

    def _of_networks(self, mixture: Mixture, archs: list[Arch]) -> Tensor:
        weights = torch.ones(len(archs))
        for name, index in zip(self._space.axes, self._choices.T, strict=True):
            weights = weights * torch.where(index >= 0, mixture[name][index.clamp_min(0)], 1.0)
        return weights / weights.sum().clamp_min(LEAST)

    def _priced(self, place: Place) -> Tensor:
        """The costs (M, figures) of the combinations of a place."""
        return torch.tensor([self._cost(spec) for spec in place.specs], dtype=torch.float32)

    def _cost(self, spec: BlockSpec | None) -> list[float]:
        if spec is None:
            return [0.0] * len(self._known)
        if spec not in self._blocks:
            self._blocks[spec] = self._model((spec,))
        return [float(getattr(self._blocks[spec], name) or 0) for name in self._known]
