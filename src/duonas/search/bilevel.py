"""Learns distributions over the choices of pairs on val, against weights that learn on train (DARTS, DrNAS)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.cost import COMPARED, QUANTITIES, STORED
from duonas.core.errors import DuonasError
from duonas.core.fields import Count, NotNegative, Positive, Several
from duonas.core.pair import Role
from duonas.core.rng import stream
from duonas.data.augment import Augment
from duonas.data.batches import Batches
from duonas.data.images import Images
from duonas.layers.init import initialise
from duonas.search.collapse import watched
from duonas.search.dirichlet import PairDirichlets, PairMixture
from duonas.search.metric import PairMetric, PairPrice
from duonas.search.problem import Problem
from duonas.search.soft_prices import SoftPrices
from duonas.supernet.pair import PairSupernet
from duonas.supernet.relaxed import RelaxedNetwork

BETAS = (0.5, 0.999)  # of Adam for the concentrations
MOMENTUM, DECAY, CLIP = 0.9, 3e-4, 5.0  # of the weights
SOFTNESS = 0.1  # of the gate: how far from the threshold a confidence is hardly kept, or hardly asked on
PARTS = (0.25, 0.5)  # of the channels, in the first and the second half of a progressive search
KEPT = 0.5  # of the values of each axis, after its first half
NOTED = 40  # times that what was learned so far is noted


@dataclass(frozen=True)
class DrnasOptions:
    """``[search.drnas]``: the strategy ``drnas`` (Chen et al. 2021)."""

    steps: Count = 400
    """Steps in all, each on one batch of val for the distributions and one of train for the weights."""
    batch_size: Several = 64
    """Images in a batch."""
    aims: Count = 4
    """Expected costs to aim at, each with distributions of its own; where cost does not matter there is one."""
    learning_rate: Positive = 0.3
    """Adam's, for the concentrations."""
    divergence: NotNegative = 1e-3
    """Weight of the Kullback-Leibler divergence from uniform distributions; 0 leaves it out."""
    cost: NotNegative = 2.0
    """Weight of the logarithm of what the expected cost is above its aim, and other costs above their limits."""
    weights: Literal["copy", "frozen", "scratch"] = "copy"
    """The weights of the undecided networks: a copy of the supernet's that learns along, the supernet's as they are, or
    new ones that learn. The supernet itself stays as it is."""
    weights_learning_rate: Annotated[float, Ge(0)] = 0.01
    """Of SGD for weights that learn; it falls to 0 as a cosine."""
    progressive: bool = False
    """Whether cells compute a quarter of their channels at first, and half of them after half of the steps, when the
    less probable half of the values of every axis is left out (section 3.3)."""


@dataclass
class Aim:
    """Distributions of pairs, and the expected cost that they aim at; infinity for none."""

    choices: PairDirichlets
    budget: float
    gate: nn.Parameter  # the logit of the threshold on little's confidence
    optimiser: torch.optim.Optimizer

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is learned on val."""
        return [*self.choices.parameters(), self.gate]


class Bilevel:
    """Alternates one step of the distributions on val with one of the weights on train (first order, section 2.1).

    The loss on val is that of the routed pair, in which little answers as far as a soft gate keeps its confidence, and
    half of those of both networks, so that neither is without a gradient; to this come the divergence and what the
    costs are above the aim and above the limits of the search.

    Args:
        problem: the search.
        options: of the strategy.
        seed: of all random numbers.
        supernet: trained; it is copied.
        train: images for the weights.
        val: images for the distributions.
    """

    def __init__(
        self, problem: Problem, options: DrnasOptions, seed: int, supernet: PairSupernet, train: Images, val: Images
    ) -> None:
        self._problem, self._options, self._pairs = problem, options, problem.pairs
        self._net = copy.deepcopy(supernet).train()
        if options.progressive and self._net.norms != "recalibrated":
            raise DuonasError("[search.drnas] progressive computes a part of the channels: it needs [space] norm = "
                              "'recalibrated'.")  # fmt: skip
        if options.weights == "scratch":
            for role in self._pairs.towers:
                initialise(getattr(self._net, role), stream(seed, "search", "drnas", "weights", role))
        self._net.requires_grad_(options.weights != "frozen")
        self._device = next(self._net.parameters()).device
        classes = self._pairs.space.classes
        self._train, self._val = (
            Batches(images, options.batch_size, num_classes=classes, seed=draw, augment=Augment())
            for images, draw in ((train, seed), (val, seed + 1))
        )
        self._prices, self._router = SoftPrices(problem.prices), problem.prices.routers[0]
        self._networks: dict[tuple[Role, int], RelaxedNetwork] = {}
        self._part = 1.0
        limited = problem.goal.constraints.items()
        self._limits = {problem.goal.metrics[name]: limit for name, limit in limited if _is_sum(name)}
        self.quantity = _quantity(problem)
        self.aims = [self._aim(budget, seed, number) for number, budget in enumerate(self._budgets())]
        self.history: list[dict[str, Any]] = []

    def run(self, show: Callable[..., object]) -> None:
        """Learn; ``show`` is called with figures now and then."""
        options, every = self._options, max(1, self._options.steps // NOTED)
        weights = _Weights(self._net, options)
        for step in range(options.steps):
            if options.progressive:
                self._narrow(step)
            aim = self.aims[step % len(self.aims)]
            weights.learn(partial(self._weights_loss, aim, step))
            noted = self._learn(aim, step)
            if step % every == 0 or step == options.steps - 1:
                row = {"step": step, "aim": step % len(self.aims), **noted, **watched(self._problem, aim.choices)}
                self.history.append(row)
                show(drnas_step=step, drnas_loss=row["loss"])

    def _weights_loss(self, aim: Aim, step: int) -> Tensor:
        """The loss of both networks on a batch of train, for a draw of the choices."""
        with torch.no_grad():
            drawn = aim.choices.sample()
        images, labels = self._batch(self._train, step)
        little, big = self._logits(images, drawn)
        return F.cross_entropy(little, labels) + F.cross_entropy(big, labels)

    def _learn(self, aim: Aim, step: int) -> dict[str, float]:
        """One step of an aim's distributions on val; what was seen, by name."""
        options, (images, labels) = self._options, self._batch(self._val, step)
        drawn = aim.choices.sample()
        little, big = self._logits(images, drawn)
        ways = [logits.softmax(1).gather(1, labels[:, None])[:, 0] for logits in (little, big)]
        confidence = little.softmax(1).max(1).values
        kept = ((confidence - aim.gate.sigmoid().to(confidence)) / SOFTNESS).sigmoid()
        routed = kept * ways[0] + (1 - kept) * ways[1]
        each = F.cross_entropy(little, labels) + F.cross_entropy(big, labels)
        loss = (-routed.clamp_min(1e-8).log().mean() + each / 2).cpu()
        share = kept.mean().cpu()
        expected, above = self._costs(aim, drawn, share)
        total = loss + options.cost * above + options.divergence * aim.choices.divergence()
        aim.optimiser.zero_grad()
        gradients = torch.autograd.grad(total, aim.parameters, allow_unused=True)
        for parameter, gradient in zip(aim.parameters, gradients, strict=True):
            parameter.grad = gradient
        aim.optimiser.step()
        seen = {"loss": loss, "little_share": share, f"expected_{self.quantity}": expected}
        return {name: float(value.detach()) for name, value in seen.items()}

    def _logits(self, images: Tensor, drawn: PairMixture) -> tuple[Tensor, Tensor]:
        """The logits (B, K) of both networks; little's are summed over the split points by their probabilities."""
        space, role = self._pairs.spaces["little"], self._pairs.roles[-1]
        terms = []
        for split, chance in self._splits(drawn):
            mixture = {name: row.to(self._device) for name, row in drawn.at(space, split).items()}
            terms.append(chance.to(self._device) * self._network(role, split)(images, mixture))
        big = {name: row.to(self._device) for name, row in drawn.big.items()}
        return sum(terms[1:], terms[0]), self._network("big", 0)(images, big)

    def _costs(self, aim: Aim, drawn: PairMixture, share: Tensor) -> tuple[Tensor, Tensor]:
        """The expected cost of the pair, and the sum of the logarithms of what costs are above aim and limits."""
        expected, limited = torch.zeros(()), {metric: torch.zeros(()) for metric in self._limits}
        for split, chance in self._splits(drawn):
            price = self._price(drawn, split)
            expected = expected + chance * price.parts[self.quantity].expected(share)
            for metric in limited:
                assert isinstance(metric, PairMetric)
                limited[metric] = limited[metric] + chance * metric.value(price, share)
        above = [(value / self._limits[metric]).log().relu() for metric, value in limited.items()]
        if aim.budget < float("inf"):
            above.append((expected / aim.budget).log().relu())
        return expected, torch.stack([torch.zeros(()), *above]).sum()

    def _splits(self, drawn: PairMixture) -> Iterator[tuple[int, Tensor]]:
        for split, chance in zip(self._pairs.splits, drawn.splits, strict=True):
            if float(chance.detach()) > 0:
                yield split, chance

    def _price(self, drawn: PairMixture, split: int) -> PairPrice:
        little = drawn.at(self._pairs.spaces["little"], split)
        return self._prices.pair(little, drawn.big, split, self._router)

    def _network(self, role: Role, split: int) -> RelaxedNetwork:
        if (role, split) not in self._networks:
            self._networks[role, split] = RelaxedNetwork(self._net, role, split)
        network = self._networks[role, split]
        network.part = self._part
        return network

    def _batch(self, batches: Batches, step: int) -> tuple[Tensor, Tensor]:
        images, labels = batches.batch(step)
        return images.to(self._device), labels.to(self._device)

    def _narrow(self, step: int) -> None:
        half = self._options.steps // 2
        if step == half:
            for aim in self.aims:
                aim.choices.keep(KEPT)
        self._part = PARTS[step >= half]

    def _aim(self, budget: float, seed: int, number: int) -> Aim:
        choices = PairDirichlets(self._pairs, stream(seed, "search", "drnas", "aim", number))
        gate = nn.Parameter(torch.zeros(()))
        optimiser = torch.optim.Adam([*choices.parameters(), gate], self._options.learning_rate, BETAS)
        return Aim(choices, budget, gate, optimiser)

    def _budgets(self) -> list[float]:
        """The costs to aim at, evenly by their logarithms from the cheapest pair to the dearest one that may be."""
        goal, count = self._problem.goal, self._options.aims
        name = f"expected_{self.quantity}"
        dearest = self._dearest()
        most = min(dearest, goal.limit(name), goal.limit(f"peak_{self.quantity}"))
        least = min(self._problem.figures(pair)[name] for pair in self._problem.starts)
        if not any(_is_sum(each) for each in goal.metrics):
            return [float("inf")]
        return [least * (most / least) ** ((number + 1) / count) for number in range(count)] if most > least else [most]

    def _dearest(self) -> float:
        """The expected cost of the pair of the last values of all axes, of which little answers half of the images."""
        spaces = self._pairs.spaces
        last = [
            {name: torch.eye(len(axis.values))[-1] for name, axis in spaces[role].axes.items()}
            for role in ("little", "big")
        ]
        networks = self._problem.prices.model.networks
        if networks is not None and self.quantity != "macs":  # whose table may lack it
            return 1.5 * max(row[self.quantity] for row in networks.values())
        price = self._prices.pair(last[0], last[1], self._pairs.splits[0], self._router)
        return float(price.parts[self.quantity].expected(0.5))


class _Weights:
    """SGD for the weights of a network, if any of them learn."""

    def __init__(self, net: nn.Module, options: DrnasOptions) -> None:
        self._learning = [each for each in net.parameters() if each.requires_grad]
        self._optimiser: torch.optim.Optimizer | None = None
        if self._learning:
            self._optimiser = torch.optim.SGD(
                self._learning, options.weights_learning_rate, MOMENTUM, weight_decay=DECAY
            )
            self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, options.steps)

    def learn(self, loss: Callable[[], Tensor]) -> None:
        """One step on a loss, which is not computed where no weights learn."""
        if self._optimiser is None:
            return
        self._optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(self._learning, CLIP)
        self._optimiser.step()
        self._schedule.step()


def _is_sum(name: str) -> bool:
    """Whether a metric is a sum of costs of blocks, which has gradients."""
    start, _, rest = name.partition("_")
    return name in STORED or (start in ("expected", "peak", "little", "big") and rest in (*QUANTITIES, *STORED))


def _quantity(problem: Problem) -> str:
    """The quantity to aim at: the first of time, energy and MACs in the goal, else what networks are compared by."""
    named = {metric.quantity for metric in problem.goal.metrics.values()}
    return next((each for each in COMPARED if each in named), problem.prices.compared)
