"""The OFA pair: two networks of the search that were taken for their own accuracy, routed by margin (paper D, table 1).

Each is the best of the search at the cost of one of the pair's two, as Once-for-All (Cai et al. 2020) would take it;
that they are going to share the images plays no part in the choice. They are trained as long as the pair, each by
itself, and the threshold is chosen on calib for the pair's mean cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from duonas.core.cost import PairCost
from duonas.core.pair import Role
from duonas.core.protocols import Progress
from duonas.core.tensors import read_header
from duonas.costs.analytic import analytic
from duonas.data.batches import evaluation_batches
from duonas.deploy.bundle import export_bundle
from duonas.exits.against import TIME, RoutedPair, against_pair, compared
from duonas.measure.beside import Beside
from duonas.measure.measure import evaluate
from duonas.pair.facts import ROLES, PairFacts, Preprocessing
from duonas.pair.pair import Pair
from duonas.pipeline.context import Context
from duonas.pipeline.exits import routed_pair, with_times
from duonas.pipeline.fitting import Fitting, fit
from duonas.pipeline.pairs import fresh_network
from duonas.recipe.schema import options_for
from duonas.routing.policy import Policy
from duonas.routing.route import decide
from duonas.routing.route import fit as fit_policy
from duonas.routing.routed import observe
from duonas.routing.router import make_router
from duonas.runtime.comparison import Time
from duonas.search.front import Front
from duonas.search.single import SAME, SingleNetwork
from duonas.training.fabric import one_process
from duonas.training.finetune import SupervisedTraining

NAME, CALLED = "OFA pair", "the OFA pair"  # alone, and in sentences
FOLDER = "ofa-pair"  # in that of the baselines


@dataclass(frozen=True)
class OfaPair:
    """The OFA pair on the test split.

    Args:
        found: what ``baselines.json`` has of it, but its times.
        routed: itself.
        pair: the run's pair.
        file: its ONNX file.
    """

    found: dict[str, Any]
    routed: RoutedPair
    pair: RoutedPair
    file: Path

    def timed(self, ways: tuple[Time, ...], beside: Beside) -> dict[str, Any]:
        """Return ``found`` with the mean times of an image.

        Args:
            ways: of an image that stays little, and of one that goes to big.
            beside: those of the run's pair.
        """
        ms, share = [time.mean for time in ways], self.routed.own_share
        mean = share * ms[0] + (1 - share) * ms[1]
        same = {"ms": mean, "pair_ms": beside.routed_ms(self.pair.own_share), "big_ms": beside.pair["big"].mean}
        found = compared(CALLED, self.pair.line_ms(beside.ways_ms), self.routed.line_ms(ms), TIME)
        times = {name: time.to_json() for name, time in zip(("stays_little", "asks_big"), ways, strict=True)}
        points = [point | {"ms": point["little_share"] * ms[0] + (1 - point["little_share"]) * ms[1]}
                  for point in self.found["points"]]  # fmt: skip
        in_time = _begun(found | {"at_pair": same, "sentence": with_times(found["sentence"], same)})
        return self.found | {"times_ms": times, "ms": mean, "points": points, "against_pair_in_time": in_time}


def measure_ofa(context: Context, pair: RoutedPair, progress: Progress) -> OfaPair | None:
    """Train the OFA pair, choose its threshold, export it and measure it on the test split.

    Args:
        context: of a run whose pair was measured.
        pair: that pair.
        progress: of the trainings.

    Returns:
        The OFA pair; ``None``, with a note, where the search found no two such networks that are not the run's own.
    """
    run, recipe, splits = context.run, context.recipe, context.splits
    front = Front.load(run.front)
    own = dict(zip(ROLES, context.pairs.subnets(front.best.pair), strict=True))
    costs = {role: cost.figures[context.problem.prices.compared] for role, cost in _costs(context, own).items()}
    chosen = best_alone(front, context.problem.prices.compared, costs)
    if chosen is None or all(chosen[role].subnet == own[role] for role in ROLES):
        why = "are those of the pair" if chosen else "are one and the same"
        context.note(f"There is no {NAME}: the best networks of the search at the costs of little and big {why}.")
        return None
    networks = {role: _trained(context, role, each, progress) for role, each in chosen.items()}
    made = _joined(context, chosen, networks)
    policy = _routed(context, made, pair.expected_macs)
    outputs = evaluate(made.cpu(), policy, splits.test)
    routed = routed_pair(policy, (outputs.score, outputs.little_right, outputs.big_right), outputs.is_little)
    columns = (each.tolist() for each in (routed.macs, routed.accuracy, routed.little_share))
    names = ("macs", "accuracy", "little_share")
    points = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    alone = {"little": outputs.little_right, "big": outputs.big_right}
    found: dict[str, Any] = {
        "name": NAME,
        "tau": policy.tau,
        "little_share": outputs.little_share,
        "accuracy": float(outputs.routed_right.mean()),
        "macs": routed.own_macs,
        "points": points,
        **{role: {"values": dict(chosen[role].values), "val_accuracy": chosen[role].accuracy,
                  "accuracy": float(alone[role].mean()), "macs": made.facts.networks[role].macs,
                  "params": made.facts.networks[role].params} for role in ROLES},
        "against_pair": _begun(against_pair(CALLED, routed, pair)),
    }  # fmt: skip
    plainly = replace(recipe.export, precision="fp32", targets=("onnxruntime",))  # as all baselines
    folder = export_bundle(made, policy, run.baseline_weights / FOLDER / "export", plainly)
    return OfaPair(found, routed, pair, folder / "dynamic.onnx")


def best_alone(front: Front, quantity: str, costs: Mapping[Role, float]) -> dict[Role, SingleNetwork] | None:
    """Return the best of the search's networks that cost no more than little, and those that cost no more than big.

    Args:
        front: of the search.
        quantity: of the costs.
        costs: of the pair's two networks.

    Returns:
        The networks by role. Where none is as cheap as little it is the cheapest there is; ``None`` where both would be
        the same.
    """
    found = dict[Role, SingleNetwork]()
    for role, cost in costs.items():
        within = [each for each in front.single if each.figures[quantity] <= cost * (1 + SAME)]
        found[role] = (within or front.single[:1])[-1]
    return None if found["little"] == found["big"] else found


def _begun(found: dict[str, Any]) -> dict[str, Any]:
    """Return what ``compared`` found, its sentence with a capital letter, which a name of a network does not need."""
    said = str(found["sentence"])
    return found | {"sentence": said[0].upper() + said[1:]}


def _costs(context: Context, subnets: Mapping[Role, Any]) -> dict[Role, Any]:
    """The costs of subnets as the search prices them."""
    return {role: context.problem.prices.subnet(subnet) for role, subnet in subnets.items()}


def _trained(context: Context, role: Role, chosen: SingleNetwork, progress: Progress) -> nn.Sequential:
    """Return a network as the search evaluated it, or trained on labels for as many steps as the pair."""
    mode, weights = context.recipe.finetune.mode, sorted(context.run.finetune.rglob("weights.safetensors"))
    if mode in ("none", "joint"):
        network = context.evaluator.network(chosen.subnet)
    else:
        network = fresh_network(context, chosen.subnet, FOLDER, role)
    if mode != "none":
        steps = max(int(read_header(path)["steps"]) for path in weights)
        options = replace(context.recipe.finetune.over(context.training), steps=steps)
        options = options if role == "big" else replace(options, dropout=0.0)
        path = context.run.baseline_weights / FOLDER / role / "weights.safetensors"
        rule, fabric = SupervisedTraining(network, options), one_process(options)
        fit(context, Fitting(f"baselines/{FOLDER}/{role}", network, rule, options, path, fabric), progress)
        context.recalibrate(network)
    return network.eval()


def _joined(context: Context, chosen: Mapping[Role, SingleNetwork], networks: Mapping[Role, nn.Sequential]) -> Pair:
    """Return both networks as a pair that shares nothing."""
    splits, blocks = context.splits, {role: context.pairs.blocks(each.subnet) for role, each in chosen.items()}
    costs = {role: analytic(each) for role, each in blocks.items()}
    facts = PairFacts(
        costs={"macs": PairCost(stem=0, router=0, little=costs["little"].macs, big=costs["big"].macs)},
        networks=costs,
        num_classes=splits.num_classes,
        preprocessing=Preprocessing(**asdict(splits.inspected.preparation)),
        class_names=splits.class_names,
        blocks=blocks,
        coupling="independent",
        finetune=context.recipe.finetune.mode,
    )
    return Pair.join(networks["little"], networks["big"], facts)


def _routed(context: Context, made: Pair, expected_macs: float) -> Policy:
    """Return the policy of a cascade by margin, whose threshold is chosen on calib for a mean cost."""
    recipe, calib = context.recipe, context.splits.calib.to(context.device)
    options = options_for("route", router="confidence", score="margin")
    router, batches = make_router(options), evaluation_batches(calib.pixels, recipe.search.batch_size)
    observed = observe(made.to(context.device), router, batches, calib.labels)
    policy, calibration = fit_policy(router, observed, made.facts, recipe.seed, context.splits.hashes)
    budget = max(expected_macs, float(policy.costs.least))
    return decide(policy, calibration, replace(options, budget=budget))
