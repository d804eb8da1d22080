"""Co-training of pairs: big and little together, with the router's decision in the loss (paper D, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from duonas.core.errors import DuonasError
from duonas.core.fields import CountOrZero
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.core.protocols import Network, PairLogits, Step
from duonas.costs.analytic import pair_cost
from duonas.routing.gate import Gate
from duonas.training.divergence import make_divergence
from duonas.training.inplace import feature_mask
from duonas.training.losses import (
    cost_loss,
    feature_loss,
    gate_logit,
    label_loss,
    peak_loss,
    router_loss,
    soft_gate,
)
from duonas.training.options import LossOptions, TrainOptions
from duonas.training.rule import Rule
from duonas.training.sampler import make_sampler
from duonas.training.term import PairBatch, make_terms

Loss = Callable[[], Tensor]
BUDGETED = ("cost", "peak")  # 0 within the budget, so that a learned weight would grow without bound


class Cotrain(Rule):
    """Each step trains the largest pair, a smallest pair and random pairs, each on the weighted sum of

    ``CE(big)``, ``alpha CE(little)``, ``beta KD(little, big)``, ``gamma L_router``, NACHOS' ``L_cost`` and ``L_peak``,
    a FitNets-style loss between the inputs of the two heads, and the terms that ``[finetune.loss]`` has, too. A term of
    weight 0 is not computed.

    The largest nested pair is the largest arch with a little that is one step smaller. Dropout applies only to big of
    the largest pair.

    Args:
        pairs: the pair space to sample from.
        options: the ``[train]`` table.

    Raises:
        DuonasError: a budget is missing or below the smallest pair's cost, or the gate has no loss.
    """

    samples = True

    @dataclass(frozen=True)
    class Options(TrainOptions):
        """Keys of ``[train]``."""

        rule: str = "cotrain"
        random_archs: CountOrZero = 2
        """Pairs that are drawn per step, in addition to the largest and a smallest one."""
        loss: LossOptions = field(default_factory=LossOptions)
        """Terms of the loss."""

    def __init__(self, pairs: PairSpace, options: Options) -> None:
        self.pairs, self.options = pairs, options
        self.divergence = make_divergence(options.divergence, options.temperature)
        self.terms = make_terms(options.loss)
        self.fixed = {
            "big": 1.0,
            "little": options.loss.alpha,
            "distillation": options.loss.beta,
            "router": options.loss.gamma,
            "cost": options.loss.cost,
            "peak": options.loss.peak,
            "features": options.loss.features,
            **{term.called: term.weight for term in self.terms},
        }
        self._check_budgets()
        if options.loss.gate == "learned" and not options.loss.gamma:
            raise DuonasError("[train.loss] gate = 'learned' is trained by the router's loss: set gamma above 0.")
        self._learned = _Learned(pairs, options.loss, [name for name, weight in self.fixed.items() if weight])
        self.sampler = make_sampler(pairs, options.sampler)
        self._learned.add_module("sampler", self.sampler)  # whose state is saved with the weights
        self.weights: nn.Module = self._learned

    def prepare(self, network: nn.Module, step: int, steps: int) -> bool:
        """Prepare the sampler."""
        self.sampler.prepare(step, steps)
        return False

    def step(self, network: Network, given: Step) -> dict[str, Tensor]:
        """Train the pairs of one step, and return the unweighted losses by name."""
        mask = feature_mask(self.pairs, self.options.dropout, given)
        losses: dict[str, Tensor] = {}
        trained: list[tuple[Subnet, Tensor]] = []
        drawn = list(self._drawn(given.rng))
        with network.together([subnet for pair in drawn for subnet in self.pairs.subnets(pair)]):
            for number, pair in enumerate(drawn):
                output = network.pair(given.images, pair, mask if number == 0 else None)
                terms = {n: term() for n, term in self._terms(pair, output, given).items() if self.fixed[n]}
                total = self._learned.total(terms, self.fixed)
                given.backward(total)
                for name, loss in {"loss": total, **terms}.items():
                    losses[name] = losses.get(name, torch.zeros_like(loss.detach())) + loss.detach()
                little, big = self.pairs.subnets(pair)
                trained += [(little, output.little.detach()), (big, output.big.detach())]
        if self.sampler.compares:
            self.sampler.observe(trained, given)
        return losses

    def _drawn(self, rng: np.random.Generator) -> Iterator[PairArch]:
        yield self.pairs.repair(self.pairs.largest(), rng)
        smallest = list(self.pairs.smallest())
        yield smallest[int(rng.integers(len(smallest)))]
        for _ in range(self.options.random_archs):
            yield self.sampler.pair(rng)

    def _terms(self, pair: PairArch, output: PairLogits, given: Step) -> dict[str, Loss]:
        options, little, big = self.options, output.little, output.big
        targets, weights = given.targets, given.weights
        batch = PairBatch(given.images, targets, little, big, weights, self.divergence)
        logit = self._learned.gate_logit(little, options.loss)
        gate = soft_gate(logit)
        cost = pair_cost(self.pairs, pair)
        exits = torch.tensor([cost.least, cost.peak], device=little.device, dtype=torch.float32)
        return {
            "big": lambda: label_loss(big, targets, options.label_smoothing, weights),
            "little": lambda: label_loss(little, targets, options.label_smoothing, weights),
            "distillation": lambda: self.divergence(little, big, targets, weights),
            "router": lambda: router_loss(logit, little, big, targets, weights),
            "cost": lambda: cost_loss(gate, exits, options.loss.cost_budget or 0.0),
            "peak": lambda: peak_loss(gate, exits, options.loss.peak_budget or 1.0),
            "features": lambda: feature_loss(self._learned.adapted(output), output.big_features, weights),
            **{term.called: partial(term, batch) for term in self.terms},
        }

    def _check_budgets(self) -> None:
        costs = [pair_cost(self.pairs, pair) for pair in self.pairs.smallest()]
        for name, least in (("cost", min(c.least for c in costs)), ("peak", min(c.peak for c in costs))):
            budget = getattr(self.options.loss, f"{name}_budget")
            if not self.fixed[name]:
                continue
            if budget is None:
                raise DuonasError(f"[train.loss] {name} needs {name}_budget, in MACs: at least {least:,.0f}.")
            if budget < least:
                raise DuonasError(
                    f"[train.loss] {name}_budget = {budget:g} is below the smallest pair's {least:,.0f} MACs."
                )


class _Learned(nn.Module):
    """The weights of the rule: log-variances of the loss terms, the adapter of little's features, and the gate.

    Args:
        pairs: the pair space, for channels and classes of the heads.
        loss: the ``[train.loss]`` table.
        names: names of the terms with a weight other than 0.
    """

    def __init__(self, pairs: PairSpace, loss: LossOptions, names: list[str]) -> None:
        super().__init__()
        self._uncertain = [name for name in names if name not in BUDGETED]
        learned = loss.weighting == "uncertainty"
        self.log_variances = nn.Parameter(torch.zeros(len(self._uncertain))) if learned else None
        little, big = (pairs.blocks(subnet)[-1].in_channels for subnet in pairs.subnets(pairs.largest()))
        # Initially the identity, from little's first channels to big's.
        self.adapter = nn.Parameter(torch.eye(big, little)[:, :, None, None]) if loss.features else None
        self.gate = Gate(pairs.space.classes) if loss.gate == "learned" else None

    def total(self, terms: dict[str, Tensor], fixed: dict[str, float]) -> Tensor:
        """Return the weighted sum, by uncertainty ``exp(-s) L + s / 2`` with learned s (Kendall et al., section 3)."""
        if self.log_variances is not None:
            weighted = zip(self._uncertain, self.log_variances, strict=True)
            terms = terms | {name: torch.exp(-s) * terms[name] + s / 2 for name, s in weighted}
        return torch.stack([fixed[name] * loss for name, loss in terms.items()]).sum()

    def gate_logit(self, little: Tensor, options: LossOptions) -> Tensor:
        """Return the gate's logit (B,) of staying little from little's logits (B, K)."""
        if self.gate is None:
            return gate_logit(little, options.gate_tau, options.gate_width)
        decided: Tensor = self.gate(little)
        return decided

    def adapted(self, output: PairLogits) -> Tensor:
        """Map little's features (B, C, H, W) to big's channels by a 1 x 1 convolution, sliced to any width."""
        assert self.adapter is not None
        little, big = output.little_features, output.big_features
        return F.conv2d(little, self.adapter[: big.shape[1], : little.shape[1]])
