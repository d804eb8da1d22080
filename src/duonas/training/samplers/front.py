"""From half of the run on, archs near the front of cost and predicted loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.fields import BelowOne, Fraction
from duonas.core.pair import PairSpace, Role
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.training.drawing import macs_of, raised, spread_arch
from duonas.training.loss_model import LossModel
from duonas.training.options import SamplerOptions
from duonas.training.samplers._comparing import Comparing, is_due

POOL = 100  # archs that a new front is looked for among, beside the last one and its mutants
ROUNDS = 2  # times that the front found so far is mutated
KEPT = 32  # archs of a front


class Front(Comparing):
    """Uniform archs at first; then mutants of the archs that no other beats in both MACs and predicted loss.

    The search will choose archs of that front, so the second part of the training is spent where it counts, as in
    AttentiveNAS' Pareto-aware sampling (Wang et al. 2021, section 3). The front is renewed with the predictions.
    """

    @dataclass(frozen=True)
    class Options(SamplerOptions):
        """Keys of ``[train.sampler]``."""

        name: str = "front"
        after: Fraction = 0.5
        """Part of the run after which archs near the front are drawn."""
        explore: Fraction = 0.25
        """Part of the archs that are still drawn uniformly then, so that the prediction stays good elsewhere."""
        mutation: BelowOne = 0.1
        """Chance that a choice of an arch of the front is drawn anew."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__(pairs, options)
        self.fronts = nn.ModuleDict({role: _Members(pairs.spaces[role]) for role in pairs.roles})

    def prepare(self, step: int, steps: int) -> None:
        """Renew the predictions, and the front once it is drawn from."""
        super().prepare(step, steps)
        if step < self.options.after * steps or not is_due(step, steps):
            return
        for role in self.pairs.roles:
            if self.model(role).informed:
                self._front(role).renew(self.model(role), stream(0, "front", role, step))

    def arch(self, role: Role, rng: np.random.Generator, least: Mapping[str, int] | None = None) -> Arch:
        """Draw a mutant of the front, or every axis uniformly."""
        space, members = self.pairs.spaces[role], self._front(role).archs
        if not members or rng.random() < self.options.explore:
            return space.sample(rng) if least is None else space.sample_above(least, rng)
        chosen = members[int(rng.integers(len(members)))]
        return raised(space, space.mutate(chosen, rng, self.options.mutation), least)

    def _front(self, role: Role) -> _Members:
        found = self.fronts[role]
        assert isinstance(found, _Members)
        return found


class _Members(nn.Module):
    """The archs of a front, in a buffer.

    Args:
        space: the search space.
    """

    indices: Tensor  # (KEPT, A), -1 on inactive axes, -2 in rows without an arch

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self._space = space
        self.register_buffer("indices", torch.full((KEPT, len(space.axes)), -2, dtype=torch.int16))
        self._known: tuple[Arch, ...] | None = None

    @property
    def archs(self) -> tuple[Arch, ...]:
        """The archs; none before the first ``renew``."""
        if self._known is None:
            rows = [row for row in self.indices.tolist() if row[0] != -2]
            self._known = tuple(self._built(row) for row in rows)
        return self._known

    def renew(self, model: LossModel, rng: np.random.Generator) -> None:
        """Look for a new front by the predictions, from the last one and from archs of all sizes."""
        space = self._space
        front = self._best([space.smallest(), space.largest(), *self.archs, *_spread(space, rng)], model)
        for _ in range(ROUNDS):
            front = self._best([*front, *(space.mutate(arch, rng) for arch in front)], model)
        rows = np.stack([space.indices(arch) for arch in front])
        self.indices.fill_(-2)
        self.indices[: len(rows)] = torch.from_numpy(rows)
        self._known = None

    def _best(self, archs: Sequence[Arch], model: LossModel) -> list[Arch]:
        """At most ``KEPT`` archs, evenly over the costs, that no other beats in both MACs and predicted loss."""
        known = list(dict.fromkeys(archs))
        macs, losses = np.array([macs_of(self._space, arch) for arch in known]), model.predict(known)
        order = np.lexsort([losses, macs])
        least = np.minimum.accumulate(losses[order])
        front = order[np.diff(least, prepend=np.inf) < 0]
        chosen = np.unique(np.linspace(0, len(front) - 1, KEPT).round().astype(int))
        return [known[number] for number in front[chosen]]

    def _built(self, row: Sequence[int]) -> Arch:
        return self._space.build({name: max(0, index) for name, index in zip(self._space.axes, row, strict=True)})


def _spread(space: SearchSpace, rng: np.random.Generator) -> list[Arch]:
    return [spread_arch(space, rng) for _ in range(POOL)]
