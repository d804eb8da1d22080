"""A recipe at work in a run directory: what several stages need, made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn

from duonas.baselines.static import check_networks
from duonas.core.cost import PairCost
from duonas.core.couplings import IndependentPairs, pair_space
from duonas.core.errors import DuonasError
from duonas.core.files import checksum, read_json
from duonas.core.goal import Goal
from duonas.core.options import SearchOptions, TrainOptions
from duonas.core.pair import PairArch, PairSpace, Subnet
from duonas.core.plugin import is_own
from duonas.core.progress import Silent, StageProgress, lazy_stage
from duonas.core.protocols import Progress, TrainRule
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.costs.analytic import analytic, pair_cost
from duonas.costs.network_table import DeviceProfile, load_profile
from duonas.data.augment import Augment
from duonas.data.batches import Batches, evaluation_batches
from duonas.data.images import Images
from duonas.data.splits import Splits, load_splits
from duonas.deploy.rehearsal import rehearse
from duonas.layers.init import initialise
from duonas.layers.norm import recalibrate
from duonas.recipe.schema import Recipe
from duonas.routing.policy import Policy
from duonas.routing.route import Judged, fit
from duonas.routing.routed import observe
from duonas.routing.router import Router
from duonas.routing.routers.learned import Learned
from duonas.routing.routers.make import make_router
from duonas.rundir.run import Run
from duonas.search.evaluate import Evaluator
from duonas.search.front import Front
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.routers import make_routers
from duonas.search.strategies.fixed import Given
from duonas.spaces.families import build_space, build_supernet
from duonas.spaces.families import family as find_family
from duonas.supernet.pair import PairNet, PairSupernet
from duonas.supernet.supernet import Family
from duonas.training.checkpoint import Checkpoint, load_tensors
from duonas.training.loop import check_accelerator
from duonas.training.loop import train as train_network
from duonas.training.rules.make import make_rule


class Job:
    """A recipe at work in a run directory; what several stages need is made once.

    Args:
        recipe: what to do.
        run: where.
        family: the kind of network, where it is not the recipe's own.
        splits: the recipe's images, where they were read before.
        progress: told how the reading of images goes; silent by default.
    """

    def __init__(
        self,
        recipe: Recipe,
        run: Run,
        family: Family | None = None,
        splits: Splits | None = None,
        progress: StageProgress | None = None,
    ) -> None:
        self.recipe = recipe
        self.run = run
        self._family = family
        self._splits = splits
        self._progress = progress or Silent()

    @cached_property
    def splits(self) -> Splits:
        """The images, on the host; the same ones as when the run began."""
        splits = self._splits or read_splits(self.recipe, self._progress)
        self.run.hold_splits(splits.hashes)
        return splits

    @cached_property
    def family(self) -> Family:
        """The kind of network."""
        return self._family or find_family(self.recipe.space.name)

    @cached_property
    def pairs(self) -> PairSpace:
        """The pairs that are allowed."""
        return pairs_of(self.recipe, self.family, self.splits)

    @property
    def space(self) -> SearchSpace:
        """The search space for these images."""
        return self.pairs.space

    def check(self) -> None:
        """Refuse before any work what could only fail after it.

        A missing device, a budget that no pair keeps, a router of the user's own that does not do what it must.
        """
        check_accelerator(self.recipe.train.accelerator)
        make_rule(self.pairs, self.recipe.train)
        options = search_options(self.recipe)
        routers = make_routers(options, self.recipe.route)
        pricer = Pricer(self.pairs, analytic, routers, self.measured)
        problem = Problem(Goal(tuple(options.objectives), dict(options.constraints)), pricer)
        if options.pair is not None:
            Given(problem, options.pair)
        if self.recipe.finetune.mode == "independent" and any(router.position == "stem" for router in routers):
            raise DuonasError(
                "a router at position 'stem' needs a stem that both networks share: independent ones have none."
            )
        self._check_gate(routers)
        if self.recipe.baselines.networks:
            check_networks(self.recipe.baselines.networks)
        for router in routers:
            if is_own(router.name):
                rehearse(
                    router, self._seen(router), self.space.classes, device=self.device, opset=self.recipe.export.opset
                )

    def _check_gate(self, routers: Sequence[Router]) -> None:
        """Refuse to keep a gate that will not be there, or that is for another position."""
        table, train = self.recipe.route, self.recipe.train
        if table.learned.joint != "keep":
            return
        rule = train.then if train.rule == "hybrid" else train.rule
        if rule != "cotrain" or train.loss.gate != "learned":
            raise DuonasError(
                "[route.learned] joint = 'keep' needs a gate that was trained with the pair: "
                "[train] rule = 'cotrain' with [train.loss] gate = 'learned'."
            )
        if not self.recipe.search.routers:
            routers = (make_router(table),)
        if any(isinstance(router, Learned) and router.before for router in routers):
            raise DuonasError(
                "[route.learned] joint = 'keep' is for a learned router at position 'after_little': "
                "the gate that was trained with the pair sees little's logits."
            )

    def _seen(self, router: Router) -> tuple[int, ...]:
        """The shape of what a router sees of one image; at the stem, as the smallest arch has it."""
        stem = [block for block in self.space.blocks(self.space.smallest()) if block.stage == 0][-1]
        return {
            "input": (3, self.splits.image_size, self.splits.image_size),
            "stem": (stem.out_channels, stem.out_resolution, stem.out_resolution),
            "after_little": (self.space.classes,),
        }[router.position]

    @cached_property
    def measured(self) -> DeviceProfile | None:
        """What the archs take on the device that the pair is searched for, if there is a table of it."""
        return device_profile(self.recipe, self.space)

    @cached_property
    def device(self) -> torch.device:
        """Where networks run outside of training."""
        wanted = self.recipe.train.accelerator
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(wanted)

    def fresh_supernet(self) -> PairSupernet:
        """The weights of all pairs before training."""
        towers = []
        for role in self.pairs.towers:
            rng = stream(self.recipe.seed, "init", *([] if role == "big" else [role]))
            space, splits = self.pairs.spaces[role], self.splits
            towers.append(build_supernet(self.family, space, splits.mean, splits.std, rng, self.recipe.space))
        return PairSupernet(self.pairs, *towers)

    @cached_property
    def supernet(self) -> PairSupernet:
        """The weights of all pairs after training."""
        supernet, weights = self.fresh_supernet(), load_tensors(self.run.supernet)[0]
        if shapes_of(supernet.state_dict()) != shapes_of(weights):
            raise DuonasError(
                f"{self.run.supernet} does not hold the weights of this recipe's supernet: it was trained by another "
                "version of duonas, or is another run's; train it again in a new folder."
            )
        supernet.load_state_dict(weights)
        return supernet.to(self.device).eval()

    @cached_property
    def evaluator(self) -> Evaluator:
        """Asks archs about the val split, and keeps what they answer."""
        return self.evaluator_on(self.splits.val, self.run.logits)

    def evaluator_on(self, images: Images, folder: Path | None) -> Evaluator:
        """Asks archs about a split; their batch norms see the train split. Answers are kept in ``folder``, if any."""
        options = self.recipe.search
        pixels = self.splits.train.pixels[: options.recalibration_images].to(self.device)
        name = checksum(self.run.supernet)
        return Evaluator(self.supernet, pixels, images.to(self.device), folder, options, name)

    @cached_property
    def pair(self) -> PairArch:
        """The pair that the search chose."""
        return PairArch.from_json(read_json(self.run.pair / "pair.json")["pair"])

    @cached_property
    def outcome(self) -> PairSpace:
        """How the weights of the pair hang together in the end: fine-tuning parts towers that were one."""
        mode = self.recipe.finetune.mode
        if mode == "independent":
            return IndependentPairs(self.space, self.pairs.spaces["little"])
        return self.pairs if mode == "none" else self.pairs.parted()

    @property
    def subnets(self) -> dict[str, Subnet]:
        """The pair's two networks by role, as they lie in the supernet."""
        return dict(zip(("little", "big"), self.pairs.subnets(self.pair), strict=True))

    @property
    def cost(self) -> PairCost:
        """What the pair costs, part by part, in MACs."""
        return pair_cost(self.outcome, self.pair)

    @property
    def router(self) -> Router:
        """The router that the search chose, or without a choice the recipe's, not fitted yet.

        A learned one after little goes on from the gate that was trained with the pair, where there is one.
        """
        route = self.recipe.route
        if self.recipe.search.routers:
            best = Front.load(self.run.front).best
            route = replace(route, router=best.router, position=best.position)
        router = make_router(route)
        if isinstance(router, Learned) and self.run.gate.exists():
            return router.starting_at(load_tensors(self.run.gate)[0])
        return router

    @cached_property
    def pair_net(self) -> PairNet:
        """The pair's networks, with the weights that were saved in ``pair/``."""
        networks = {role: self.supernet.extract(subnet) for role, subnet in self.subnets.items()}
        for role, network in networks.items():
            network.load_state_dict(load_file(self.run.pair / f"{role}.safetensors"))
            network.to(self.device)
        return self.joined(networks)

    @cached_property
    def fitted(self) -> tuple[Policy, Judged]:
        """The fitted router as a policy whose tau is still to be chosen, and what that is chosen by."""
        calib, router = self.splits.calib.to(self.device), self.router
        batches = evaluation_batches(calib.pixels, self.recipe.search.batch_size)
        return fit(
            router, observe(self.pair_net, router, batches, calib.labels), cost=self.cost,
            image_size=self.splits.image_size, seed=self.recipe.seed,
            class_names=self.splits.class_names, splits=self.splits.hashes,
        )  # fmt: skip

    def untuned_pair(self) -> PairNet:
        """The pair before fine-tuning: as the supernet has it for ``joint``, else with fresh weights."""
        if self.recipe.finetune.mode == "joint":
            return self.joined({role: self.evaluator.network(subnet) for role, subnet in self.subnets.items()})
        supernet = self.fresh_supernet()
        networks = {role: supernet.extract(subnet) for role, subnet in self.subnets.items()}
        for role, network in networks.items():
            initialise(network, stream(self.recipe.seed, "finetune", role))
        return self.joined(networks)

    def joined(self, networks: Mapping[str, nn.Sequential]) -> PairNet:
        """Little and big as a pair that computes once what both share."""
        return PairNet.join(networks["little"], networks["big"], self.outcome.shared(self.pair))

    def fit(
        self,
        stage: str,
        network: nn.Module,
        rule: TrainRule,
        options: TrainOptions,
        path: Path,
        fabric: Fabric,
        progress: Progress,
    ) -> Path:
        """Train a network on the train split, on from the checkpoint beside ``path``, which gets its weights.

        Args:
            stage: what its lines in the log are called.
        """
        seed, whole = self.recipe.seed, options.processes == "subnets"  # each process sees all of a batch
        self.run.truncate_log(Checkpoint(path.parent / "checkpoint" / "state.safetensors").steps, stage)
        batches = Batches(
            self.splits.train.to(fabric.device), options.batch_size, num_classes=self.splits.num_classes,
            seed=seed, augment=Augment.from_options(self.recipe.data),
            rank=0 if whole else fabric.global_rank, world=1 if whole else fabric.world_size,
        )  # fmt: skip
        return train_network(
            network, batches, rule, options, seed=seed, folder=path.parent, name=path.stem,
            progress=progress, log=lambda **figures: self.run.log(stage, **figures), fabric=fabric,
        )  # fmt: skip

    def recalibrate(self, network: nn.Module) -> None:
        """Give a network the batch-norm statistics of plain training images, as the search gives its subnets."""
        options = self.recipe.search
        pixels = self.splits.train.pixels[: options.recalibration_images].to(self.device)
        recalibrate(network.to(self.device), evaluation_batches(pixels, options.batch_size))


def read_splits(recipe: Recipe, progress: StageProgress) -> Splits:
    """The images of a recipe; where they are decoded, that is a stage of its own to whoever watches."""
    with lazy_stage(progress, "data") as told:
        return load_splits(recipe.data, recipe.seed, told)


@contextmanager
def cpu_threads(number: int | None) -> Iterator[None]:
    """Within, torch computes with so many CPU threads; ``None``: with as many as before.

    Where other work keeps the cores busy, threads that wait for each other spin: one is then faster than several.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor by its name."""
    return {name: tuple(value.shape) for name, value in weights.items()}


def pairs_of(recipe: Recipe, family: Family, splits: Splits) -> PairSpace:
    """The pairs that a recipe allows for the images of ``splits``."""
    tables = (recipe.space, recipe.pair.little(recipe.space))
    space, little = (build_space(family, table, splits.image_size, splits.num_classes) for table in tables)
    return pair_space(space, recipe.pair.coupling, recipe.pair.splits, little)


def device_profile(recipe: Recipe, space: SearchSpace) -> DeviceProfile | None:
    """The profile of the device that pairs are searched for, if the recipe gives a table of it."""
    return load_profile(recipe.search.device, space) if recipe.search.device else None


def search_options(recipe: Recipe) -> SearchOptions:
    """The ``[search]`` table; a routing budget is also what the pair is searched for, unless it came after it."""
    if recipe.route.budget is None or not recipe.route.budget_in_search:
        return recipe.search
    limits = dict(recipe.search.constraints)
    limits["expected_macs"] = min(recipe.route.budget, limits.get("expected_macs", float("inf")))
    return replace(recipe.search, constraints=limits)
