"""The base class of rules that train single paths, on labels or on soft labels of the mixed supernet.

FairNAS (Chu et al. 2021) trains one path for each operation in a step; single path one-shot (SPOS: Guo et al. 2020)
a single path per step; Focus-Fair (paper T, section 3.3) extends FairNAS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.arch import Arch
from duonas.core.errors import DuonasError
from duonas.core.pair import PairSpace, Role, Subnet
from duonas.core.protocols import Network, Step
from duonas.core.space import SearchSpace
from duonas.training.divergence import make_divergence
from duonas.training.inplace import feature_mask
from duonas.training.losses import label_loss
from duonas.training.options import TrainOptions
from duonas.training.rule import Rule


class Paths(Rule, ABC):
    """Each step trains single paths of each tower, on labels or on soft labels of the mixed supernet.

    The mixed supernet sums all operations on every edge, weighted by softmax(beta) (paper T, eq. 5), and is trained on
    labels together with beta. The gradients of all networks of a step are summed to one update, with weight decay once.
    Dropout applies only to the mixed supernet.

    Args:
        pairs: the pair space to sample from.
        options: the ``[train]`` table.

    Raises:
        DuonasError: the rule needs soft labels, and the search space has no operations to mix.
    """

    soft_by_default = False

    @dataclass(frozen=True)
    class Options(TrainOptions):
        """Keys of ``[train]``."""

        students: Literal["auto", "soft", "labels"] = "auto"
        """Targets of single paths: soft labels of the mixed supernet, or labels; "auto": soft labels for focus-fair,
        labels for the other rules."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        super().__init__()
        self.pairs, self.options = pairs, options
        self.divergence = make_divergence(options.divergence, options.temperature)
        self.soft = self.soft_by_default if options.students == "auto" else options.students == "soft"
        self.mixed = self.soft or self.soft_by_default  # Focus-Fair samples by beta, whatever the targets
        plain = [space.name for space in pairs.spaces.values() if not space.mixed]
        if self.mixed and plain:
            raise DuonasError(
                f"[train] rule = {options.rule!r} needs a search space with operations to mix, which "
                f"{plain[0]!r} does not have: use rule = 'fair' or 'uniform' with students = 'labels', or "
                f"'sandwich'."
            )
        if self.mixed:
            self.weights = nn.ModuleDict({role: Beta(pairs.spaces[role]) for role in pairs.roles})

    @abstractmethod
    def paths(self, role: Role, rng: np.random.Generator) -> Iterator[Subnet]:
        """Yield the subnets of a step."""

    def _of(self, role: Role, archs: Iterator[Arch], rng: np.random.Generator) -> Iterator[Subnet]:
        return (replace(self.pairs.sample_subnet(role, rng), arch=arch) for arch in archs)

    def findings(self) -> dict[str, object]:
        """Return the probability of each value by axis; with two towers, names of axes begin with the role."""
        if not self.mixed:
            return {}
        if len(self.pairs.roles) == 1:
            return {**self.beta(self.pairs.roles[0]).described()}
        return {f"{role} {axis}": row for role in self.pairs.roles for axis, row in self.beta(role).described().items()}

    def beta(self, role: Role) -> Beta:
        """Return the architecture parameters of a tower."""
        found = self.weights[role]  # type: ignore[index]
        assert isinstance(found, Beta)
        return found

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """Train the paths of one step, and return the losses by name."""
        losses: dict[str, Tensor] = {}
        for role in self.pairs.roles:
            # Before anything runs, since Focus-Fair reads beta, which would make a GPU wait for the teacher.
            paths = self.paths(role, given.rng)
            teacher = self._teacher(role, given) if self.mixed else None
            subnets = list(paths)
            with network.together(subnets, [] if teacher is None else [(teacher.subnet, teacher.mixture)]):
                soft = self._teach(network, given, teacher, losses) if teacher is not None else None
                for subnet in subnets:
                    logits = network(given.images, subnet)
                    if soft is not None and self.soft:
                        loss = self.divergence(logits, soft, given.targets, given.weights)
                    else:
                        loss = label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
                    given.backward(loss)
                    losses[role] = losses.get(role, torch.zeros_like(loss)) + loss.detach()
            if teacher is not None:
                self.beta(role).learn(teacher.mixture)
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def _teacher(self, role: Role, given: Step) -> _Teacher:
        mask = feature_mask(self.pairs, self.options.dropout, given)
        largest = next(net for net in self.pairs.largest_subnets() if net.role == role)
        # Leaves, since generated weights depend on the mixture, too, and have a backward pass after all others.
        mixture = {name: row.detach().requires_grad_() for name, row in self.beta(role).mixture().items()}
        return _Teacher(largest, mixture, mask)

    def _teach(self, network: Network, given: Step, teacher: _Teacher, losses: dict[str, Tensor]) -> Tensor:
        logits = network.mixed(given.images, *teacher)
        loss = label_loss(logits, given.targets, self.options.label_smoothing, given.weights)
        given.backward(loss)
        losses[f"{teacher.subnet.role}_mixed"] = loss.detach()
        return logits.detach()


class _Teacher(NamedTuple):
    """The mixed supernet of a step: its sizes, its operations by beta, and its dropout (B, F)."""

    subnet: Subnet
    mixture: dict[str, Tensor]
    mask: Tensor | None


class Beta(nn.Module):
    """Architecture parameters: a logit for every value of every mixed axis, initially equal.

    Args:
        space: the search space of the axes.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self._axes = {name: space.axes[name].values for name in space.mixed}
        # A matrix, so that it gets weight decay like the teacher's weights; shorter axes leave entries unused.
        most = max(len(values) for values in self._axes.values())
        self.logits = nn.Parameter(torch.zeros(len(self._axes), most))

    def mixture(self) -> dict[str, Tensor]:
        """Return the probabilities (V,) by axis."""
        rows = zip(self._axes.items(), self.logits, strict=True)
        return {name: row[: len(values)].softmax(0) for (name, values), row in rows}

    def learn(self, mixture: Mapping[str, Tensor]) -> None:
        """Add the gradients that a copy of the mixture gathered to those of the logits."""
        used = [(row, mixture[name].grad) for name, row in self.mixture().items() if mixture[name].grad is not None]
        if used:
            torch.autograd.backward([row for row, _ in used], [gradient for _, gradient in used])

    def values(self) -> dict[str, np.ndarray]:
        """Return the logits (V,) by axis."""
        rows = zip(self._axes.items(), self.logits.detach().float().cpu().numpy(), strict=True)
        return {name: row[: len(values)] for (name, values), row in rows}

    def described(self) -> dict[str, dict[str, float]]:
        """Return the probabilities by axis and value."""
        with torch.no_grad():
            return {
                name: dict(zip(map(str, self._axes[name]), chances.tolist(), strict=True))
                for name, chances in self.mixture().items()
            }
