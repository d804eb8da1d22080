"""The stages of a run, in order. Each reads and writes the run directory, and reads its own split and no other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import nn

from duonas.baselines.static import measure_static, static_network
from duonas.core.cost import PairCost
from duonas.core.couplings import possible_pairs
from duonas.core.errors import DuonasError, nearest
from duonas.core.files import write_bytes, write_json
from duonas.core.goal import Goal
from duonas.core.options import SearchOptions
from duonas.core.progress import Silent, StageProgress
from duonas.core.protocols import Progress, TrainRule
from duonas.core.rng import stream
from duonas.costs.analytic import analytic, pair_cost
from duonas.data.distributed import leave
from duonas.data.splits import Splits, load_splits
from duonas.deploy.bundle import export_bundle
from duonas.deploy.set_threshold import retune_bundle
from duonas.measure.measure import measure as measure_bundle
from duonas.measure.route_latency import time_paths
from duonas.pipeline.context import Job, cpu_threads, device_profile, pairs_of, search_options
from duonas.pipeline.profile import Feasibility, Profile, Spread
from duonas.pipeline.reuse import adopt
from duonas.recipe.schema import Recipe, rechosen
from duonas.report.html import write_report
from duonas.routing.gate import find_gate
from duonas.routing.policy import Policy
from duonas.routing.route import Judged, decide
from duonas.routing.threshold import doubt
from duonas.rundir.run import STAGES, Run
from duonas.search.front import Front
from duonas.search.prices import Pricer
from duonas.search.problem import Problem
from duonas.search.routers import make_routers
from duonas.search.search import search as search_pairs
from duonas.spaces.families import family as find_family
from duonas.supernet.supernet import Family
from duonas.training.checkpoint import save_tensors
from duonas.training.finetune import Alone, Together
from duonas.training.loop import build_fabric, one_process
from duonas.training.rules.make import make_rule

PROFILED = 2000  # archs drawn for the median


def train(job: Job, progress: Progress) -> list[Path]:
    """Train the supernet on the train split."""
    options = job.recipe.train
    rule, fabric = make_rule(job.pairs, options), build_fabric(options)
    path = job.fit("train", job.fresh_supernet(), rule, options, job.run.supernet, fabric, progress)
    leave()  # what follows is one process's work
    return [path, *_save_learned(job.run, rule)] if job.run.writes else [path]


def _save_learned(run: Run, rule: TrainRule) -> list[Path]:
    """What the rule itself learned, where somebody reads it later."""
    paths, gate, findings = [], find_gate(rule.weights), rule.findings()
    if gate is not None:
        paths.append(save_tensors(run.gate, gate.state_dict(), {}))
    if findings:
        paths.append(write_json(run.beta, findings))
    return paths


def search(job: Job, progress: Progress) -> list[Path]:
    """Search pairs on the val split."""
    recipe = job.recipe
    routers = make_routers(recipe.search, recipe.route)
    result = search_pairs(
        job.pairs, job.evaluator, search_options(recipe), routers, recipe.seed, progress, device=job.measured
    )
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
        "within": job.outcome.within,
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
    with Run.open(Path(folder), recipe) as opened, cpu_threads(recipe.threads):
        job = Job(recipe, opened, family, splits, watch)
        stages = STAGES[: STAGES.index(until) + 1]
        if not opened.writes:  # the helpers of torchrun only train
            stages = ("train",) if supernet is None else ()
        try:
            job.check()
            if supernet is not None and opened.writes and not opened.is_done("train"):
                adopt(job, Path(supernet))
        except DuonasError:
            opened.forget_if_new()
            raise
        if opened.writes and not opened.is_done("route") and (sentence := doubt(-(-len(job.splits.calib) // 2))):
            watch.warn(sentence)
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
    with Run.open(Path(folder), current) as opened, cpu_threads(recipe.threads):
        _need_pair(opened)
        job, exported = Job(recipe, opened, progress=watch), opened.is_done("export")
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


def profile(recipe: Recipe, family: Family | None = None) -> Profile:
    """What the recipe's search space holds, before any training.

    Counts are exact; the least and most of a figure are those of the smallest and the largest arch, the median is over
    2,000 archs drawn by the recipe's seed. What was measured on a device is of all archs that its table knows.
    """
    splits = load_splits(recipe.data, recipe.seed)
    pairs = pairs_of(recipe, family or find_family(recipe.space.name), splits)
    space = pairs.space
    rng = stream(recipe.seed, "profile")
    drawn = [analytic(space.blocks(space.sample(rng))).figures for _ in range(PROFILED)]
    least, most = (analytic(space.blocks(arch)).figures for arch in (space.smallest(), space.largest()))
    figures = {name: Spread(least[name], float(np.median([d[name] for d in drawn])), most[name]) for name in least}
    if (device := device_profile(recipe, space)) is not None:
        columns = {quantity: device.column(quantity) for quantity in device.quantities}
        figures |= {q: Spread(*map(float, (c.min(), np.median(c), c.max()))) for q, c in columns.items()}
    couplings = possible_pairs(space, recipe.pair.splits)
    options = search_options(recipe)
    pricer = Pricer(pairs, analytic, make_routers(recipe.search, recipe.route), device)
    return Profile(
        archs=space.size(),
        couplings={name: found.size() for name, found in couplings.items()},
        coupling=pairs.coupling,
        splits=couplings["partial"].splits if "partial" in couplings else (),
        figures=figures,
        constraints=_feasibility(options, pricer),
        measured=len(device.archs) if device else None,
        refusal=_refusal(Goal(options.objectives, dict(options.constraints)), pricer),
    )


def _feasibility(options: SearchOptions, pricer: Pricer) -> tuple[Feasibility, ...]:
    """Each constraint by itself: whether any pair of the space meets it, and what that needs."""
    Goal(options.objectives, dict(options.constraints)).check(pricer.quantities)
    free = Problem(Goal(options.objectives, {}), pricer)
    return tuple(
        Feasibility(name, limit, _refusal(Goal(options.objectives, {name: limit}), pricer) is None, free.needs(name))
        for name, limit in options.constraints.items()
    )


def _refusal(goal: Goal, pricer: Pricer) -> str | None:
    """Why no pair meets all constraints, in one sentence; ``None`` where one does."""
    try:
        Problem(goal, pricer)
    except DuonasError as error:
        return str(error)
    return None


def _save_networks(folder: Path, networks: Mapping[str, nn.Module]) -> list[Path]:
    """Write ``<name>.safetensors`` for each network."""
    paths = []
    for name, network in networks.items():
        state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
        paths.append(write_bytes(folder / f"{name}.safetensors", save(state)))
    return paths
