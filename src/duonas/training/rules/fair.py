"""Single paths under a teacher of all paths: Focus-Fair (paper T, section 3.3) and what it grew from.

FairNAS (Chu et al. 2021) trains one path for each operation in a step; single path one-shot (SPOS: Guo et al. 2020)
one path at all. Each goes with labels, or with the soft labels of the mixed supernet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.options import TrainOptions
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.protocols import Network, Step
from duonas.core.space import SearchSpace
from duonas.training.inplace import feature_mask
from duonas.training.losses import distillation_loss, label_loss
from duonas.training.paths import fair_paths, focused_paths
from duonas.training.rule import Stateless


class Paths(Stateless, ABC):
    """Each step trains single paths of each tower, on labels or on what the mixed supernet says of the same images.

    The mixed supernet sums all operations on every edge, weighted by softmax(beta) (paper T, eq. 5), and is trained on
    labels, beta with it. Gradients of all networks of a step add up to one update; weight decay counts once in it, for
    the teacher, which covers all weights. Dropout touches the teacher alone.

    Args:
        pairs: where archs are drawn.
        options: the ``[train]`` table.

    Raises:
        DuonasError: soft labels are asked for, and the search space has no operations to mix.
    """

    soft_by_default = False

    def __init__(self, pairs: PairSpace, options: TrainOptions) -> None:
        super().__init__()
        self.pairs, self.options = pairs, options
        self.soft = self.soft_by_default if options.students == "auto" else options.students == "soft"
        self.mixed = self.soft or self.soft_by_default  # Focus-Fair draws by beta, whatever its students learn from
        if self.mixed and not pairs.space.mixed:
            raise DuonasError(
                f"[train] rule = {options.rule!r} has a teacher that mixes operations, of which search space "
                f"{pairs.space.name!r} has none: take rule = 'fair' or 'uniform' with students = 'labels', or "
                f"'sandwich'."
            )
        if self.mixed:
            self.weights = nn.ModuleDict({role: Beta(pairs.spaces[role]) for role in pairs.roles})

    @abstractmethod
    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """The subnets of a step."""

    def _of(self, role: Role, archs: Iterator[Arch], rng: np.random.Generator) -> Iterator[Subnet]:
        return (replace(self.pairs.sample_subnet(role, rng), arch=arch) for arch in archs)

    def findings(self) -> dict[str, object]:
        """The probability of every value by axis; where there are two towers the axis' name begins with the role."""
        if not self.mixed:
            return {}
        if len(self.pairs.roles) == 1:
            return {**self.beta(self.pairs.roles[0]).described()}
        return {f"{role} {axis}": row for role in self.pairs.roles for axis, row in self.beta(role).described().items()}

    def beta(self, role: Role) -> Beta:
        """A tower's architecture parameters."""
        found = self.weights[role]  # type: ignore[index]
        assert isinstance(found, Beta)
        return found

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """Losses by name."""
        losses: dict[str, Tensor] = {}
        for role in self.pairs.roles:
            # Asked for first: it reads beta, for which a GPU would have to end the teacher's work. Drawn after that.
            paths = self.paths(role, given.rng)
            soft = self._teach(network, given, role, losses) if self.mixed else None
            for subnet in paths:
                logits = network(given.images, subnet)
                if soft is not None and self.soft:
                    loss = distillation_loss(logits, soft, self.options.temperature)
                else:
                    loss = label_loss(logits, given.targets, self.options.label_smoothing)
                given.backward(loss)
                losses[role] = losses.get(role, torch.zeros_like(loss)) + loss.detach()
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def _teach(self, network: Network, given: Step, role: Role, losses: dict[str, Tensor]) -> Tensor:
        mask = feature_mask(self.pairs, self.options.dropout, given.images, given.rng)
        largest = Subnet(self.pairs.space.largest(), role, self.pairs.largest().split if role == "little" else 0)
        logits = network.mixed(given.images, largest, self.beta(role).mixture(), mask)
        loss = label_loss(logits, given.targets, self.options.label_smoothing)
        given.backward(loss)
        losses[f"{role}_mixed"] = loss.detach()
        return logits.detach()


class Fair(Paths):
    """As many paths as there are operations; together they have every operation once on every edge (FairNAS)."""

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Fair archs, each with a split drawn."""
        return self._of(role, fair_paths(self.pairs.space, rng), rng)


class Uniform(Paths):
    """One random path (SPOS, section 3)."""

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """A single subnet, each axis drawn evenly."""
        yield self.pairs.sample_subnet(role, rng)


class FocusFair(Paths):
    """As ``Fair``, but operations with a high beta are drawn early, and so together, by softmax(beta / tau).

    Sizes, where a space has any beside its operations, are drawn as by the sandwich rule.
    """

    soft_by_default = True

    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Archs fair to all operations, in which good ones meet, each with a split drawn."""
        logits = {name: beta / self.options.focus_temperature for name, beta in self.beta(role).values().items()}
        return self._of(role, focused_paths(self.pairs.space, rng, logits), rng)


class Beta(nn.Module):
    """Architecture parameters: a logit for every value on every axis that is mixed. They start equal.

    Args:
        space: whose axes.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self._axes = {name: space.axes[name].values for name in space.mixed}
        # A matrix, so that it gets weight decay as the teacher's weights do; what an axis does not have stays unused.
        most = max(len(values) for values in self._axes.values())
        self.logits = nn.Parameter(torch.zeros(len(self._axes), most))

    def mixture(self) -> dict[str, Tensor]:
        """Probabilities (V,) by axis."""
        rows = zip(self._axes.items(), self.logits, strict=True)
        return {name: row[: len(values)].softmax(0) for (name, values), row in rows}

    def values(self) -> dict[str, np.ndarray]:
        """The logits themselves, (V,) by axis."""
        rows = zip(self._axes.items(), self.logits.detach().float().cpu().numpy(), strict=True)
        return {name: row[: len(values)] for (name, values), row in rows}

    def described(self) -> dict[str, dict[str, float]]:
        """Probabilities by axis and value."""
        with torch.no_grad():
            return {
                name: dict(zip(map(str, self._axes[name]), chances.tolist(), strict=True))
                for name, chances in self.mixture().items()
            }
