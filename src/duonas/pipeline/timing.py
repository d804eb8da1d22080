"""Time what the parts of a run do before they are planned: steps and evaluations whose results are thrown away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from duonas.core.couplings import PairsTrainedApart
from duonas.core.pair import PairArch, PairSpace, Role, Subnet
from duonas.core.plan import PAIR, PLAIN, SEARCH, SUPERNET, Unit
from duonas.core.protocols import TrainRule
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.data.balance import balanced_weights
from duonas.data.splits import Splits
from duonas.pair.facts import ROLES, PairFacts
from duonas.pair.pair import Pair
from duonas.pipeline.afterwards import seconds_after
from duonas.pipeline.context import Context, fresh_supernet
from duonas.pipeline.fitting import steps_per_epoch, training_batches
from duonas.pipeline.opponents import fresh_opponent, rule_of
from duonas.pipeline.tuning import tunings
from duonas.recipe.schema import Recipe
from duonas.search.evaluate import Evaluator
from duonas.search.judge import Judge
from duonas.search.metric import find_filter
from duonas.search.prices import Prices
from duonas.search.untrained import UntrainedNetworks
from duonas.supernet.family import Family
from duonas.supernet.pair import PairSupernet
from duonas.training.fabric import one_process
from duonas.training.finetune import SupervisedTraining
from duonas.training.loop import Training
from duonas.training.options import TrainOptions
from duonas.training.rule import make_rule
from duonas.training.timing import Clock, step_seconds

LEAST_PAIRS = 10  # that a search evaluates
LEAST_EPOCHS, LEAST_STEPS = 3, 300  # of a training: the fewer of the two, but an epoch
DRAWN = 2  # pairs whose archs are timed


@dataclass(frozen=True)
class Timing:
    """Times a recipe's work on its own images.

    Args:
        recipe: the recipe.
        family: its kind of network.
        pairs: its pairs.
        splits: its images.
        device: of networks outside of training.
        clock: the time in seconds.
    """

    recipe: Recipe
    family: type[Family]
    pairs: PairSpace
    splits: Splits
    device: torch.device
    clock: Clock

    def units(self, *, trained: bool) -> dict[str, Unit]:
        """Return the units of all parts, the dearest pair standing for the one that the search will choose.

        Args:
            trained: whether there is a trained supernet already.
        """
        found = {} if trained else {SUPERNET: self.supernet()}
        if self.recipe.searches:
            found[SEARCH] = self.search() if self.recipe.search.ranking is None else self.ranking()
        if self.recipe.finetune.mode != "none":
            found[PAIR] = self.pair(self._dearest())
        if self.recipe.trains_plain:
            found[PLAIN] = self.plain()
        return found

    def supernet(self) -> Unit:
        """Return a step of the supernet."""
        options = self.recipe.train
        options = options.covering(steps_per_epoch(self.splits, options))
        return self._steps(self._fresh(), make_rule(self.pairs, options), options)

    def search(self) -> Unit:
        """Return the evaluation of a pair, as two archs that were not evaluated before."""
        options, train = self.recipe.search, self.splits.train
        pixels = train.pixels[: options.recalibration_images].to(self.device)
        supernet = self._fresh().to(self.device).eval()
        evaluator = Evaluator(supernet, pixels, self.splits.val.to(self.device), None, options, "timing")
        return self._looked_at(evaluator.evaluate)

    def ranking(self) -> Unit:
        """Return what it takes to rank a pair by the metric of the strategy, as two archs that were not seen before."""
        splits, seed = self.splits, self.recipe.seed
        untrained = UntrainedNetworks(splits.train, (splits.mean, splits.std), seed, None, self.device)
        judge, metric = Judge(Prices(self.pairs), untrained), find_filter(str(self.recipe.search.ranking))
        return self._looked_at(partial(judge.value, metric))

    def _looked_at(self, look: Callable[[Subnet], object]) -> Unit:
        """The unit of looking at a pair in the search, by what ``look`` does with each of its subnets."""
        rng, wanted = stream(self.recipe.seed, "timing"), self.recipe.search.wanted
        pairs = [self.pairs.subnets(self.pairs.sample(rng)) for _ in range(1 + DRAWN)]
        for subnet in pairs[0]:
            look(subnet)  # which reserves memory
        begin = self.clock()
        for subnet in (subnet for members in pairs[1:] for subnet in members):
            look(subnet)
        seconds = max((self.clock() - begin) / DRAWN, 1e-9)
        return Unit(seconds, least=min(LEAST_PAIRS, wanted), most=wanted)

    def pair(self, pair: Pair) -> Unit:
        """Return a step of each training of a pair, whose weights are spoilt."""
        options = self.recipe.finetune.over(self.recipe.train)
        steps = [self._steps(each.network, each.rule, each.options) for each in tunings(pair, self.recipe, options)]
        return replace(steps[0], seconds=sum(each.seconds for each in steps))

    def plain(self, network: nn.Module | None = None) -> Unit:
        """Return a step of a plain network, whose weights are spoilt; by default of the largest."""
        network = network or self._dearest().towers()["big"]
        options = self.recipe.baselines.over(self.recipe.train)
        network.to(memory_format=torch.channels_last)
        return self._steps(network, SupervisedTraining(network, options), options)

    def baselines(self) -> float:
        """Return the seconds of training all networks of ``[baselines]``, and the OFA pair as long as the pair."""
        recipe, found = self.recipe, list[tuple[nn.Module, TrainOptions]]()
        for name in dict.fromkeys(recipe.baselines.networks):
            network = fresh_opponent(name, recipe.seed, self.splits, self._of_pair)
            found.append((network, recipe.baselines.over(recipe.train)))
        if recipe.baselines.ofa_pair and recipe.finetune.mode != "none":
            towers = self._dearest().to(memory_format=torch.channels_last).towers()
            found += [(towers[role], recipe.finetune.over(recipe.train)) for role in ROLES]
        seconds = 0.0
        for network, options in found:
            step = self._steps(network, rule_of(network, options), options)
            seconds += step.seconds * options.length(step.epoch or 1)
        return seconds

    def after(self, pair: Pair | None = None, *, plain: bool) -> float:
        """Return the seconds of what comes after the trainings; by default of the dearest pair.

        Args:
            pair: the two networks.
            plain: whether there is a plain network beside them.
        """
        return seconds_after(self.recipe, self.splits, pair or self._dearest(), plain=plain, clock=self.clock)

    def _steps(self, network: nn.Module, rule: TrainRule, options: TrainOptions) -> Unit:
        recipe, splits, fabric = self.recipe, self.splits, one_process(options)
        weights = balanced_weights(splits.train.labels, splits.num_classes)
        training = Training(
            Path(), seed=recipe.seed, fabric=fabric,
            class_weights=weights if options.class_weights == "balanced" else None,
        )  # fmt: skip
        batches = training_batches(recipe, splits, options, fabric)
        seconds = step_seconds(network, batches, rule, options, training, self.clock)
        epoch = len(batches)
        return Unit(seconds, least=min(LEAST_EPOCHS * epoch, max(epoch, LEAST_STEPS)), epoch=epoch)

    def _fresh(self) -> PairSupernet:
        return fresh_supernet(self.recipe, self.family, self.pairs, self.splits)

    def _dearest(self) -> Pair:
        """Return the largest arch as big, with a little as it may be drawn, and nothing shared."""
        supernet, chosen = self._fresh(), self._dearest_arch()
        networks = {role: supernet.extract(net) for role, net in zip(ROLES, self.pairs.subnets(chosen), strict=True)}
        apart = PairFacts.of(PairsTrainedApart(self.pairs), chosen, analytic)
        return Pair.join(networks["little"], networks["big"], apart)

    def _dearest_arch(self) -> PairArch:
        drawn = self.pairs.sample(stream(self.recipe.seed, "timing"))
        return PairArch(drawn.little, self.pairs.largest().big, drawn.split)

    def _of_pair(self, role: Role) -> tuple[nn.Sequential, list[int]]:
        """Return a network of the dearest pair for a baseline, and the stages that its blocks are in."""
        subnet = dict(zip(ROLES, self.pairs.subnets(self._dearest_arch()), strict=True))[role]
        return self._fresh().extract(subnet), [block.stage for block in self.pairs.blocks(subnet)]


def timing_of(context: Context) -> Timing:
    """Return the timing of a run's work, by the run's clock."""
    return Timing(context.recipe, context.family, context.pairs, context.splits, context.device, context.clock)
