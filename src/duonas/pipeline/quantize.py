"""The pair and the plain network in the precision of ``[export]``, before a router is fitted to what they answer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from duonas.core.files import write_bytes, write_json
from duonas.core.protocols import Progress
from duonas.core.rng import stream
from duonas.data.batches import evaluation_batches
from duonas.data.images import take
from duonas.data.ondisk import Pixels
from duonas.deploy.against_float import PARTS_OF
from duonas.deploy.export import export_network, export_towers
from duonas.deploy.int8 import Material
from duonas.deploy.precision import make_precise
from duonas.deploy.stitch import whole
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from duonas.pair.plain import PlainNetwork
from duonas.pipeline.context import Context
from duonas.pipeline.route import fit_router
from duonas.routing.options import TARGETS
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, decide, scores
from duonas.routing.routed import observe
from duonas.runtime.files import FILE_OF

SEEN = 8  # times as many training images as are wanted, among which those that little sends to big are looked for


def quantize(context: Context, progress: Progress) -> list[Path]:
    """Write the pair in the precision of ``[export]``, the float networks beside it, and what was found out."""
    run, options = context.run, context.recipe.export
    chosen, plain = Pair.load(run.pair), load_plain(run.plain)
    models = export_towers(chosen, options.opset)
    if plain is not None:
        side = chosen.facts.preprocessing.image_size
        models["plain"] = export_network(plain.network, side, options.opset)
    made = make_precise(models, material(context, chosen), options, progress)
    shutil.rmtree(run.quantized, ignore_errors=True)  # of an earlier pair, which may have had a stem
    networks = {part: OnnxNetwork(model).eval() for part, model in made.models.items()}
    quantised = Pair(networks.get("stem"), networks["little"], networks["big"], chosen.facts)
    paths = quantised.save(run.quantized)
    if plain is not None:
        accuracy = made.findings["networks"]["plain"]["accuracy"]
        paths += replace(plain, network=networks["plain"], accuracy=accuracy).save(run.quantized_plain)
    for role, parts in PARTS_OF.items():
        if role in models:
            float_one = whole(role, models.get("stem") if "stem" in parts else None, models[role], {})
            paths.append(write_bytes(run.fp32 / FILE_OF[role], float_one.SerializeToString()))
    return [*paths, write_json(run.quantized_facts, made.findings)]


def load_plain(folder: Path) -> PlainNetwork | None:
    """Return the plain network of a folder; ``None`` if there is none."""
    return PlainNetwork.load(folder) if folder.exists() else None


def deployed_pair(context: Context) -> Pair:
    """Return the pair that a run routes and exports: in the precision of ``[export]``."""
    return Pair.load(context.run.quantized if context.recipe.export.converts else context.run.pair)


def deployed_plain(context: Context) -> PlainNetwork | None:
    """Return the plain network that a run exports beside the pair, in the same precision."""
    return load_plain(context.run.quantized_plain if context.recipe.export.converts else context.run.plain)


def material(context: Context, chosen: Pair) -> Material:
    """Return the images to calibrate on, some of the train split, and those to judge on, the val split.

    Which of them little sends to big is decided by a router that is fitted to the float pair, whatever the target.
    """
    splits, wanted = context.splits, context.recipe.export.calibration_images
    order = stream(context.recipe.seed, "quantize").permutation(len(splits.train))
    first, seen = np.sort(order[:wanted]), np.sort(order[: SEEN * wanted])
    if context.recipe.export.precision != "int8":  # which alone is calibrated
        return Material(take(splits.train.pixels, first), None, splits.val, np.ones(len(splits.val), bool))
    policy = _policy(context, *fit_router(context, chosen, for_good=False))
    to_big = _sent(context, chosen, policy, take(splits.train.pixels, seen))
    sent = seen[to_big][:wanted]
    return Material(
        train=take(splits.train.pixels, first),
        sent=take(splits.train.pixels, sent) if 0 < to_big.sum() < len(seen) else None,
        val=splits.val,
        val_sent=_sent(context, chosen, policy, splits.val.pixels),
    )


def _policy(context: Context, policy: Policy, calibration: CalibrationSet) -> Policy:
    """Return a policy with the threshold that there is without a target.

    The one of ``[route]`` can be turned later (``duonas route``), and another pair would belong to each.
    """
    free: dict[str, Any] = dict.fromkeys(TARGETS)
    return decide(policy, calibration, replace(context.recipe.route, **free))


def _sent(context: Context, chosen: Pair, policy: Policy, pixels: Pixels) -> np.ndarray:
    """Return which of the images (N,) little sends to big."""
    batches = (batch.to(context.device) for batch in evaluation_batches(pixels, context.recipe.search.batch_size))
    labels = torch.zeros(len(pixels), dtype=torch.int64)
    described = observe(chosen.to(context.device), policy.router, batches, labels).described
    return ~np.asarray(scores(policy.router, described) >= policy.tau)  # a score that is no number goes to big
