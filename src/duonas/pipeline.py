"""The stages of a run, in order. Each reads and writes the run directory, and reads its own split and no other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save
from torch import nn

from duonas.baselines.static import check_networks, measure_static, static_network
from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import checksum, read_json, write_atomic, write_bytes, write_json
from duonas.core.options import SearchOptions, TrainOptions
from duonas.core.pair import IndependentPairs, PairArch, PairSpace, Subnet, pair_space, possible_pairs
from duonas.core.protocols import Progress, TrainRule
from duonas.core.rng import stream
from duonas.core.space import SearchSpace
from duonas.costs.counting import analytic, pair_cost
from duonas.data.augment import Augment
from duonas.data.batches import Batches, evaluation_batches
from duonas.data.processes import leave
from duonas.data.splits import Splits, load_splits
from duonas.deploy.bundle import export_bundle
from duonas.deploy.retune import retune_bundle
from duonas.layers.init import initialise
from duonas.layers.norm import recalibrate
from duonas.measure.measure import measure as measure_bundle
from duonas.measure.paths import time_paths
from duonas.profiling import Feasibility, Profile, Spread
from duonas.progress import Silent, StageProgress
from duonas.recipe import Recipe, rechosen
from duonas.report.html import write_report
from duonas.routing.policy import Policy
from duonas.routing.route import Judged, decide, fit
from duonas.routing.routed import observe
from duonas.routing.router import Router
from duonas.routing.routers import make_router
from duonas.rundir import STAGES, Run
from duonas.search.evaluate import Evaluator
from duonas.search.front import Front
from duonas.search.given import Given
from duonas.search.goal import Goal
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.routers import make_routers
from duonas.search.search import search as search_pairs
from duonas.spaces.families import family as find_family
from duonas.spaces.pair import PairNet, PairSupernet
from duonas.spaces.supernet import Family
from duonas.training.checkpoint import Checkpoint, load_tensors
from duonas.training.finetune import Alone, Together
from duonas.training.loop import build_fabric, check_accelerator, one_process
from duonas.training.loop import train as train_network
from duonas.training.rules import make_rule

PROFILED = 2000  # archs drawn for the median


class Job:
    """A recipe at work in a run directory; what several stages need is made once.

    Args:
        recipe: what to do.
        run: where.
        family: the kind of network, where it is not the recipe's own.
        splits: the recipe's images, where they were read before.
    """

    def __init__(self, recipe: Recipe, run: Run, family: Family | None = None, splits: Splits | None = None) -> None:
        self.recipe = recipe
        self.run = run
        self._family = family
        self._splits = splits

    @cached_property
    def splits(self) -> Splits:
        """The images, on the host; the same ones as when the run began."""
        splits = self._splits or load_splits(self.recipe.data, self.recipe.seed)
        self.run.hold_splits(splits.hashes)
        return splits

    @cached_property
    def family(self) -> Family:
        """The kind of network."""
        return self._family or find_family(self.recipe.space.name)

    @cached_property
    def pairs(self) -> PairSpace:
        """The pairs that are allowed."""
        return _pairs(self.recipe, self.family, self.splits)

    @property
    def space(self) -> SearchSpace:
        """The search space for these images."""
        return self.pairs.space

    def check(self) -> None:
        """Refuse before any work what could only fail after it: a missing device, a budget that no pair keeps."""
        check_accelerator(self.recipe.train.accelerator)
        make_rule(self.pairs, self.recipe.train)
        options = _search_options(self.recipe)
        routers = make_routers(options, self.recipe.route)
        problem = Problem(
            Goal(tuple(options.objectives), dict(options.constraints)), Pricer(self.pairs, analytic, routers)
        )
        if options.pair is not None:
            Given(problem, options.pair)
        if self.recipe.finetune.mode == "independent" and any(router.position == "stem" for router in routers):
            raise DuonasError(
                "a router at position 'stem' needs a stem that both networks share: independent ones have none."
            )
        if self.recipe.baselines.networks:
            check_networks(self.recipe.baselines.networks)

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
            towers.append(self.family.supernet(space, splits.mean, splits.std, rng, self.recipe.space))
        return PairSupernet(self.pairs, *towers)

    @cached_property
    def supernet(self) -> PairSupernet:
        """The weights of all pairs after training."""
        supernet = self.fresh_supernet()
        supernet.load_state_dict(load_tensors(self.run.supernet)[0])
        return supernet.to(self.device).eval()

    @cached_property
    def evaluator(self) -> Evaluator:
        """Asks archs about the val split; its batch norms see the train split."""
        options = self.recipe.search
        pixels = self.splits.train.pixels[: options.recalibration_images].to(self.device)
        name = checksum(self.run.supernet)
        return Evaluator(self.supernet, pixels, self.splits.val.to(self.device), self.run.logits, options, name)

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
        """The router that the search chose, or without a choice the recipe's, not fitted yet."""
        if not self.recipe.search.routers:
            return make_router(self.recipe.route)
        best = Front.load(self.run.front).best
        return make_router(replace(self.recipe.route, router=best.router, position=best.position))

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
        seed = self.recipe.seed
        self.run.truncate_log(Checkpoint(path.parent / "checkpoint" / "state.safetensors").steps, stage)
        batches = Batches(
            self.splits.train.to(fabric.device), options.batch_size, num_classes=self.splits.num_classes,
            seed=seed, augment=Augment.from_options(self.recipe.data),
            rank=fabric.global_rank, world=fabric.world_size,
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


def train(job: Job, progress: Progress) -> list[Path]:
    """Train the supernet on the train split."""
    options = job.recipe.train
    rule, fabric = make_rule(job.pairs, options), build_fabric(options)
    path = job.fit("train", job.fresh_supernet(), rule, options, job.run.supernet, fabric, progress)
    leave()  # what follows is one process's work
    return [path]


def search(job: Job, progress: Progress) -> list[Path]:
    """Search pairs on the val split."""
    recipe = job.recipe
    routers = make_routers(recipe.search, recipe.route)
    result = search_pairs(job.pairs, job.evaluator, _search_options(recipe), routers, recipe.seed, progress)
    result.save(job.run.folder)
    return [job.run.trials, job.run.archs, job.run.front]


def pair(job: Job, progress: Progress) -> list[Path]:
    """Take the chosen pair: save what it is and, unless it is fine-tuned, its weights as the search had them."""
    mode = job.recipe.finetune.mode
    chosen = Front.load(job.run.front).best.pair
    folder = job.run.pair
    subnets = dict(zip(("little", "big"), job.pairs.subnets(chosen), strict=True))
    paths = []
    if mode == "none":
        networks = {role: job.evaluator.network(subnet) for role, subnet in subnets.items()}
        paths = _save_networks(folder, networks)
    blocks = {role: job.pairs.blocks(subnet) for role, subnet in subnets.items()}
    costs = {role: analytic(parts) for role, parts in blocks.items()}
    description: dict[str, Any] = {
        "pair": chosen.to_json(),
        "coupling": job.outcome.coupling,
        "shared": job.outcome.shared(chosen),
        "blocks": {role: [block.to_json() for block in parts] for role, parts in blocks.items()},
        "cost": asdict(pair_cost(job.outcome, chosen)),
        "params": {role: cost.params for role, cost in costs.items()},
        "peak_memory_bytes": {role: cost.peak_memory_bytes for role, cost in costs.items()},
        "num_classes": job.space.classes,
        "image_size": job.space.image_size,
    }
    if mode != "none":
        description["finetune"] = mode
    progress(1, 1)
    return [*paths, write_json(folder / "pair.json", description)]


def finetune(job: Job, progress: Progress) -> list[Path]:
    """Train the chosen pair on, on the train split: both networks together, or each apart from the other."""
    table = job.recipe.finetune
    options = table.over(job.recipe.train)
    fabric, net = one_process(options), job.untuned_pair()
    if table.mode == "independent":
        for role, network in net.towers().items():
            rule = Alone(network, options if role == "big" else replace(options, dropout=0.0))
            path = job.run.finetune / role / "weights.safetensors"
            job.fit(f"finetune/{role}", network, rule, options, path, fabric, progress)
    else:
        path = job.run.finetune / "weights.safetensors"
        job.fit("finetune", net, Together(net, options), options, path, fabric, progress)
    job.recalibrate(net)
    return _save_networks(job.run.pair, net.towers())


def route(job: Job, progress: Progress) -> list[Path]:
    """Calibrate the router and choose its threshold on the calib split."""
    policy, judged = job.fitted
    times = _times(job, policy, progress)
    policy = decide(policy, judged, job.recipe.route, times)
    progress(1, 1)
    return _save_policy(job.run, policy, judged)


def export(job: Job, progress: Progress) -> list[Path]:
    """Write the ONNX files and the policy that belongs to them."""
    policy = Policy.load(job.run.pair / "policy.json")
    export_bundle(job.pair_net.cpu(), policy, job.run.export, job.recipe.export)
    progress(1, 1)
    return sorted(job.run.export.iterdir())


def measure(job: Job, progress: Progress) -> list[Path]:
    """Measure the bundle on the test split, once."""
    measure_bundle(
        job.run.folder, job.pair_net.cpu(), test=job.splits.test, options=job.recipe.measure, progress=progress
    )
    return [job.run.measure, job.run.test_outputs, job.run.examples]


def baselines(job: Job, progress: Progress) -> list[Path]:
    """Train static networks on the train split, and measure each on the test split, once."""
    table, splits = job.recipe.baselines, job.splits
    options = table.over(job.recipe.train)
    fabric, test = one_process(options), splits.test.to(job.device)
    results = []
    for name in dict.fromkeys(table.networks):
        rng = stream(job.recipe.seed, "baselines", name)
        network = static_network(name, splits.num_classes, splits.image_size, splits.mean, splits.std, rng)
        path = job.run.baseline_weights / name / "weights.safetensors"
        job.fit(f"baselines/{name}", network, Alone(network, options), options, path, fabric, progress)
        job.recalibrate(network)
        results.append(asdict(measure_static(name, network, test, options.epochs)))
    found = {"networks": results, "test_images": len(test), "timm": version("timm")}
    return [write_json(job.run.baselines, found)]


def report(job: Job, progress: Progress) -> list[Path]:
    """Write the page that explains the run."""
    write_report(job.run.folder)
    progress(1, 1)
    return [job.run.report]


Stage = Callable[[Job, Progress], list[Path]]
_STAGES: dict[str, Stage] = {
    "train": train,
    "search": search,
    "pair": pair,
    "finetune": finetune,
    "route": route,
    "export": export,
    "measure": measure,
    "baselines": baselines,
    "report": report,
}


def run(
    recipe: Recipe,
    folder: Path | str,
    *,
    until: str = "report",
    supernet: Path | str | None = None,
    progress: StageProgress | None = None,
    family: Family | None = None,
    splits: Splits | None = None,
) -> Path:
    """Do every stage up to ``until`` that is not done yet, and return the run directory.

    Args:
        recipe: what to do; see ``load_recipe``.
        folder: the run directory; made, or continued if this recipe made it.
        until: the last stage to do.
        supernet: another run directory whose trained supernet is used instead of training one.
        progress: told how every stage goes; silent by default.
        family: a kind of network of one's own, where the recipe does not name it.
        splits: the recipe's images, where several runs share them; read by default.

    Raises:
        DuonasError: something in the recipe, the data or the run directory cannot be used.
    """
    if until not in _STAGES:
        raise DuonasError(f"no stage {until!r}: {nearest(until, STAGES)}.")
    watch = progress or Silent()
    with Run.open(Path(folder), recipe) as opened:
        job = Job(recipe, opened, family, splits)
        stages = STAGES[: STAGES.index(until) + 1]
        if not opened.writes:  # the helpers of torchrun only train
            stages = ("train",) if supernet is None else ()
        try:
            job.check()
            if supernet is not None and opened.writes and not opened.is_done("train"):
                _adopt(job, Path(supernet))
        except DuonasError:
            opened.forget_if_new()
            raise
        for name in stages:
            if not _is_asked_for(name, recipe):
                watch.skip(name, "not asked for")
                continue
            if opened.is_done(name):
                watch.skip(name, "done before")
                continue
            opened.start(name)
            with watch.stage(name) as told:
                opened.finish(name, _STAGES[name](job, told))
    return Path(folder)


def rechoose(folder: Path | str, *, progress: StageProgress | None = None, **target: float) -> Path:
    """Choose the threshold of a run's pair anew, without training: its recipe, its policy and its export change.

    What comes after the export is then no longer done: ``duonas report RUN`` does it again. Nothing changes where the
    target cannot be met. Killed, the run goes on by the same call, and by ``run`` too.

    Args:
        folder: a run that has its pair.
        progress: told how the stages go; silent by default.
        target: one of ``floor``, ``budget`` (MACs), ``share``, ``latency`` (ms) and ``energy`` (mJ, with ``watts``), as
            in ``[route]``; ``confidence`` may be given with it.

    Raises:
        DuonasError: not a run, one without a pair, no target or more than one, or one that cannot be met.
    """
    watch = progress or Silent()
    current = Run(folder).recipe
    recipe = rechosen(current, **target)
    with Run.open(Path(folder), current) as opened:
        _need_pair(opened)
        job, exported = Job(recipe, opened), opened.is_done("export")
        with watch.stage("route") as told:
            known = opened.is_done("route") and opened.calib.is_file()
            policy, judged = _stored_policy(opened) if known else job.fitted
            times = _times(job, policy, told, opened.export if known and exported else None)
            policy = decide(policy, judged, recipe.route, times)
            opened.change(recipe, "route")
            opened.start("route")
            opened.finish("route", _save_policy(opened, policy, judged))
        with watch.stage("export") as told:
            opened.start("export")
            if known and exported:
                retune_bundle(opened.export, policy)
                opened.finish("export", sorted(opened.export.iterdir()))
            else:
                opened.finish("export", export(job, told))
    return Path(folder)


def _need_pair(run: Run) -> None:
    for stage in ("pair", "finetune"):
        if _is_asked_for(stage, run.recipe) and not run.is_done(stage):
            raise DuonasError(f"{run.folder} has no finished pair yet: go on with it first, duonas run {run.folder}.")


def _stored_policy(run: Run) -> tuple[Policy, Judged]:
    return Policy.load(run.pair / "policy.json"), Judged.load(run.calib)


def _save_policy(run: Run, policy: Policy, judged: Judged) -> list[Path]:
    return [judged.save(run.calib), policy.save(run.pair / "policy.json")]


def _times(job: Job, policy: Policy, progress: Progress, exported: Path | None = None) -> PairCost | None:
    """The pair's ways in ms where the target is a time or an energy; of files for the occasion where none are given."""
    if job.recipe.route.latency is None and job.recipe.route.energy is None:
        return None
    options, before = job.recipe.measure, policy.costs.before
    if exported is not None:
        return time_paths(exported, before=before, options=options, progress=progress)
    with tempfile.TemporaryDirectory(dir=job.run.folder, prefix=".timed.", suffix=".part") as folder:
        bundle = export_bundle(job.pair_net.cpu(), policy, Path(folder, "export"), job.recipe.export)
        return time_paths(bundle, before=before, options=options, progress=progress)


def _is_asked_for(stage: str, recipe: Recipe) -> bool:
    """Whether the recipe has work for a stage; most always have."""
    if stage == "finetune":
        return recipe.finetune.mode != "none"
    return stage != "baselines" or bool(recipe.baselines.networks)


def _adopt(job: Job, other: Path) -> None:
    """Take the supernet that another run trained, if it is the one that this recipe asks for."""
    theirs = Run(other).recipe
    for table in ("seed", "data", "space", "pair", "train"):
        if getattr(theirs, table) != getattr(job.recipe, table):
            raise DuonasError(
                f"{other} was trained by another [{table}]: its supernet is not the one this recipe asks for."
            )
    if read_json(Run(other).splits) != job.splits.hashes:
        raise DuonasError(
            f"{other} was trained on other images than {job.recipe.data.path or job.recipe.data.name} holds."
        )
    if not Run(other).is_done("train"):
        raise DuonasError(f"{other} has no trained supernet yet: finish `duonas train {other}` first.")
    write_atomic(job.run.supernet, lambda temporary: shutil.copyfile(Run(other).supernet, temporary))
    if Run(other).logits.exists():  # what its archs answered is known too
        for answer in Run(other).logits.glob("*.safetensors"):
            write_bytes(job.run.logits / answer.name, answer.read_bytes())
    if replace(theirs.baselines, networks=()) == replace(job.recipe.baselines, networks=()):
        known = Run(other).baseline_weights  # static networks go on from where they are there
        for state in known.rglob("*.safetensors"):
            write_bytes(job.run.baseline_weights / state.relative_to(known), state.read_bytes())
    job.run.finish("train", [job.run.supernet], seconds=0.0)


def profile(recipe: Recipe, family: Family | None = None) -> Profile:
    """What the recipe's search space holds, before any training.

    Counts are exact; the least and most of a figure are those of the smallest and the largest arch, the median is over
    2,000 archs drawn by the recipe's seed.
    """
    splits = load_splits(recipe.data, recipe.seed)
    pairs = _pairs(recipe, family or find_family(recipe.space.name), splits)
    space = pairs.space
    rng = stream(recipe.seed, "profile")
    drawn = [analytic(space.blocks(space.sample(rng))).figures for _ in range(PROFILED)]
    least, most = (analytic(space.blocks(arch)).figures for arch in (space.smallest(), space.largest()))
    figures = {name: Spread(least[name], float(np.median([d[name] for d in drawn])), most[name]) for name in least}
    couplings = possible_pairs(space, recipe.pair.splits)
    return Profile(
        archs=space.size(),
        couplings={name: found.size() for name, found in couplings.items()},
        coupling=pairs.coupling,
        splits=couplings["partial"].splits if "partial" in couplings else (),
        figures=figures,
        constraints=_feasibility(pairs, _search_options(recipe), make_routers(recipe.search, recipe.route)),
    )


def _pairs(recipe: Recipe, family: Family, splits: Splits) -> PairSpace:
    """The pairs that a recipe allows for the images of ``splits``."""
    tables = (recipe.space, recipe.pair.little(recipe.space))
    space, little = (family.space(table, splits.image_size, splits.num_classes) for table in tables)
    return pair_space(space, recipe.pair.coupling, recipe.pair.splits, little)


def _feasibility(pairs: PairSpace, options: SearchOptions, routers: Sequence[Router]) -> tuple[Feasibility, ...]:
    """Each constraint against the least that any pair of the space needs."""
    least = Problem(Goal(tuple(options.objectives), {}), Pricer(pairs, analytic, routers)).least
    goal = Goal(tuple(options.objectives), dict(options.constraints))  # refuses names that it does not know
    return tuple(
        Feasibility(name, limit, limit >= least[name], f"the smallest pair needs {least[name]:,.0f}")
        for name, limit in goal.constraints.items()
    )


def _search_options(recipe: Recipe) -> SearchOptions:
    """The ``[search]`` table; a routing budget is also what the pair is searched for, unless it came after it."""
    if recipe.route.budget is None or not recipe.route.budget_in_search:
        return recipe.search
    limits = dict(recipe.search.constraints)
    limits["expected_macs"] = min(recipe.route.budget, limits.get("expected_macs", float("inf")))
    return replace(recipe.search, constraints=limits)


def _save_networks(folder: Path, networks: Mapping[str, nn.Module]) -> list[Path]:
    """Write ``<name>.safetensors`` for each network."""
    paths = []
    for name, network in networks.items():
        state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
        paths.append(write_bytes(folder / f"{name}.safetensors", save(state)))
    return paths
