"""Pairs of networks that are given: their candidates, prices and evaluation, and the pair that is chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch, Role, Subnet
from duonas.core.progress import StageProgress
from duonas.core.protocols import CostModel, Progress
from duonas.core.text import listed, plural
from duonas.costs.options import NONE
from duonas.data.batches import outputs
from duonas.data.images import Images, take
from duonas.data.ondisk import read as read_pixels
from duonas.data.options import DataOptions
from duonas.data.splits import Splits
from duonas.given.candidates import Candidate, candidates, image_size, read_all
from duonas.given.facts import GivenFacts
from duonas.given.network import Read
from duonas.given.space import AXIS, GivenPairs
from duonas.given.timing import timed
from duonas.given.tried import TRIED
from duonas.pair.facts import ROLES, PairFacts
from duonas.pair.options import GivenOptions, NetworkOptions
from duonas.pair.pair import Pair
from duonas.pipeline.context import Context, read_splits
from duonas.pipeline.problem import searched
from duonas.recipe.schema import Recipe
from duonas.routing.router import Router
from duonas.search.evaluate import Evaluator, fingerprint_of
from duonas.search.options import SearchOptions

Found = Mapping[NetworkOptions, Read]
FEW = 64  # images to take the scales of integers from


class GivenContext(Context):
    """The context of a run whose pair is made of given networks."""

    @cached_property
    def read(self) -> Found:
        """The networks as they were read."""
        given = networks_of(self.recipe)
        total = len({*given.little, *given.big})
        with self.stage("networks") as progress:
            progress(0, total)
            found = read_all(given, self.recipe.export.opset)
            progress(total, total)
        return found

    @cached_property
    def splits(self) -> Splits:
        """The images, as large as the networks want them; they must be the same as when the run was started."""
        if self._splits is None:
            self.run.check_images(self.recipe)
            self._splits = read_splits(self._with_size(), self._progress)
        return super().splits

    def _with_size(self) -> Recipe:
        if self.recipe.data.image_size is not None:
            return self.recipe
        if self.run.given.exists():
            size = GivenFacts.load(self.run.given).image_size
            return replace(self.recipe, data=replace(self.recipe.data, image_size=size))
        return replace(self.recipe, data=data_of(self.recipe, self.read))

    @cached_property
    def candidates(self) -> Mapping[Role, tuple[Candidate, ...]]:
        """The networks to choose from, tried on images of the train split."""
        read, splits = self.read, self.splits  # each is a stage of its own
        with self.stage("answers") as progress:
            return candidates_of(self.recipe, read, splits, progress)

    @cached_property
    def facts(self) -> GivenFacts:
        """What is known of the networks; what they take on this machine is measured once in a run."""
        if self.run.given.exists():
            return GivenFacts.load(self.run.given)
        found = facts_of(self.recipe, self.candidates, self.splits, self._progress)
        if self.run.writes:
            found.save(self.run.given)
        return found

    @cached_property
    def pairs(self) -> GivenPairs:
        """The pairs of two different networks."""
        return self.facts.pairs(self.splits.num_classes)

    @property
    def search_options(self) -> SearchOptions:
        """``[search]``, in which every pair is evaluated."""
        return replace(searched(self.recipe), strategy="every", evaluations=self.pairs.size(), filter=None)

    @property
    def untrained(self) -> None:
        """Given networks have no untrained form."""

    @property
    def fitting(self) -> None:
        """Nothing for a strategy to be fitted on."""

    @cached_property
    def prices(self) -> CostModel:
        """The cost of each network, counted and timed."""
        return self.facts.prices

    @property
    def asks_for_weights(self) -> bool:
        """Given networks have their weights."""
        return False

    def check_networks(self) -> None:
        """Read and try all networks, and say what is known of them, unless that was done before."""
        if not self.run.given.exists():
            for said in dict.fromkeys(each.about for role in ROLES for each in self.candidates[role]):
                self.note(said)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Evaluates networks on the val split, and caches what they answer in the run directory."""
        self._check_same()
        return GivenEvaluator(self.candidates, self.splits.val.to(self.device), self.run.logits, self.recipe.search)

    def take_pair(self, chosen: PairArch) -> Pair:
        """The chosen pair of networks."""
        self._check_same()
        little, big = (self.candidates[subnet.role][subnet.arch[AXIS]] for subnet in self.pairs.subnets(chosen))
        facts = PairFacts.of(self.pairs, chosen, self.prices, self.splits.class_names)
        made = asdict(self.splits.inspected.preparation)
        seen = replace(facts.preprocessing, **made)
        return Pair(None, little.network, big.network, replace(facts, blocks={}, preprocessing=seen)).eval()

    @property
    def advice(self) -> tuple[str, ...]:
        """What to change where few images are left to quantise by; there is no search space to give advice on."""
        images, wanted = len(self.splits.train), min(self.recipe.export.calibration_images, FEW)
        if self.recipe.export.precision != "int8" or images >= wanted:
            return ()
        return (
            f"[export] precision = 'int8': the scales of the integers are taken from only {plural(images, 'image')}, "
            "those that are left for the train split: lower [data] test or calib, or add images.",
        )

    def _check_same(self) -> None:
        """Refuse networks that are made anew as others than the run began with, as by another version of PyTorch."""
        if GivenFacts.of(self.candidates, self.splits.image_size).named != self.facts.named:
            raise DuonasError(
                f"the networks of {self.run.folder} are not those that it began with: start a new run with --out."
            )


class GivenEvaluator(Evaluator):
    """Evaluates given networks on a split; see ``Evaluator``.

    Args:
        found: the networks by role.
        images: the split.
        folder: of the cache; ``None`` for no cache.
        options: the ``[search]`` table.
    """

    def __init__(
        self, found: Mapping[Role, tuple[Candidate, ...]], images: Images, folder: Path | None, options: SearchOptions
    ) -> None:
        self.images, self.folder, self._found, self._batch_size = images, folder, found, options.batch_size
        self.labels = images.labels.cpu().numpy()
        self._known: dict[str, np.ndarray] = {}
        digests = "/".join(each.digest for role in ("little", "big") for each in found[role])
        self.fingerprint = fingerprint_of(digests, options.batch_size, images.pixels, images.labels)

    def cost(self, subnet: Subnet) -> Cost:
        """What is counted of a network, for one image."""
        return self._of(subnet).cost

    def network(self, subnet: Subnet) -> nn.Sequential:
        """The network."""
        return nn.Sequential(self._of(subnet).network).eval()

    def logits(self, network: nn.Module) -> np.ndarray:
        """The logits (N, K) float32 of a network on the split, computed once for both roles."""
        assert isinstance(network, nn.Sequential)
        digest = next(each.digest for role in self._found for each in self._found[role] if each.network is network[0])
        if digest not in self._known:
            self._known[digest] = outputs(network, self.images.pixels, self._batch_size).numpy()
        return self._known[digest]

    @torch.inference_mode()
    def describe(self, router: Router, subnet: Subnet, shared: int) -> Tensor:
        """A router's features (N, D) of the images, since nothing is shared."""
        return outputs(router.describe, self.images.pixels, self._batch_size)

    def _of(self, subnet: Subnet) -> Candidate:
        return self._found[subnet.role][subnet.arch[AXIS]]


def networks_of(recipe: Recipe) -> GivenOptions:
    """The networks of a recipe whose pair is given."""
    assert recipe.pair.given is not None
    return recipe.pair.given


def data_of(recipe: Recipe, found: Found) -> DataOptions:
    """``[data]`` of a recipe, with images as large as the networks want them where it does not say."""
    size = recipe.data.image_size or image_size(found)
    return replace(recipe.data, image_size=size)


def candidates_of(
    recipe: Recipe, found: Found, splits: Splits, progress: Progress
) -> Mapping[Role, tuple[Candidate, ...]]:
    """The networks of a recipe, tried on a few training images."""
    some = read_pixels(take(splits.train.pixels, np.arange(min(TRIED, len(splits.train))))).cpu().numpy()
    return candidates(networks_of(recipe), found, some, splits.class_names, recipe.export, progress)


def facts_of(
    recipe: Recipe, found: Mapping[Role, tuple[Candidate, ...]], splits: Splits, progress: StageProgress
) -> GivenFacts:
    """What is known of networks, timed on this machine unless the recipe says not to."""
    if recipe.search.device.table == NONE:
        return GivenFacts.of(found, splits.image_size)
    every = {each.label: each for role in found for each in found[role]}
    with progress.stage("timing") as report:
        report(0, len(every))
        costs, source = timed(every, splits.image_size, networks_of(recipe).seconds, recipe.search.device.threads)
        report(len(every), len(every))
    return GivenFacts.of(found, splits.image_size, costs, source)


def no_better_than_guessing(rows: Sequence[Mapping[str, Any]], val: Images) -> str:
    """Say which networks answer val no better than always naming its largest class; empty if all do."""
    counts = np.bincount(val.labels.cpu().numpy())
    constant = float(counts.max() / counts.sum())
    least = constant + 2 * (constant * (1 - constant) / len(val)) ** 0.5
    poor = dict.fromkeys(json.loads(row["values"])[AXIS] for row in rows if row["accuracy"] <= least)
    if not poor:
        return ""
    return (
        f"on the val split {listed(list(poor), 3)} {'is' if len(poor) == 1 else 'are'} right no more often than always "
        f"naming the largest class ({constant:.1%}): check the size, range, mean and std that it wants, the order of "
        "its classes, and whether it wants the centre of an image or all of it (--set data.resize=squash)."
    )
