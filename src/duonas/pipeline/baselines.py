"""Train the networks that the pair is compared with, measure each on the test split, and time all beside the pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from torch import nn

from duonas import __version__
from duonas.baselines.baseline import measure_baseline
from duonas.core.files import write_bytes, write_json
from duonas.core.pair import Role
from duonas.core.protocols import Progress
from duonas.data.splits import Splits
from duonas.deploy.exits import export_exits, nested
from duonas.deploy.export import export_network
from duonas.deploy.stitch import whole
from duonas.exits.network import ExitNet
from duonas.measure.beside import time_beside
from duonas.measure.exits import agreement
from duonas.pair.facts import ROLES, Preprocessing
from duonas.pipeline.context import Context
from duonas.pipeline.exits import MeasuredExits, measure_exits, measured_pair
from duonas.pipeline.fitting import Fitting, fit, steps_per_epoch
from duonas.pipeline.ofa import NAME as OFA
from duonas.pipeline.ofa import OfaPair, measure_ofa
from duonas.pipeline.opponents import fresh_opponent, rule_of
from duonas.pipeline.pairs import fresh_network
from duonas.search.front import Front
from duonas.training.fabric import one_process

NETWORK = "network.onnx"

Rows = dict[str, dict[str, Any]]  # what ``baselines.json`` has of each network


def train_baselines(context: Context, progress: Progress) -> list[Path]:
    """Train static networks, those of several exits and the OFA pair on train, and measure each on test.

    Where the pair was exported, they are exported, too, and timed in turns with it.
    """
    run, pair, pixels = context.run, measured_pair(context), context.splits.test.pixels
    static, dynamic, files = Rows(), dict[str, MeasuredExits | OfaPair](), dict[str, Path]()
    for name in dict.fromkeys(context.recipe.baselines.networks):
        network, epochs = _trained(context, name, progress)
        if isinstance(network, ExitNet):
            dynamic[name] = measured = measure_exits(context, name, network, epochs, pair)
            if file := _exported(context, name, network, measured.thresholds):
                measured.found["onnx"] = agreement(file, network, pixels, measured.thresholds)
        else:
            static[name] = asdict(measure_baseline(name, network, context.splits.test.to(context.device), epochs))
            file = _exported(context, name, network)
        files |= {name: file} if file else {}
    if context.recipe.baselines.ofa_pair and pair is not None and (ofa := measure_ofa(context, pair, progress)):
        dynamic[OFA], files[OFA] = ofa, ofa.file
    rows = static | {name: each.found for name, each in dynamic.items()}
    found: dict[str, Any] = {"test_images": len(pixels), "timm": version("timm")}
    if files:
        beside = time_beside(run.export, files, pixels, context.recipe.measure)
        found["beside"] = beside.to_json(None if pair is None else pair.own_share)
        for name, times in beside.others.items():
            alone = {"times_ms": {"1": times[0].to_json()}}
            rows[name] = dynamic[name].timed(times, beside) if name in dynamic else rows[name] | alone
    _tell(context, rows)
    found |= {"networks": [rows[name] for name in static], "exits": [rows[name] for name in dynamic if name != OFA]}
    return [write_json(run.baselines, found | {"ofa_pair": rows.get(OFA)}), *files.values()]


def _trained(context: Context, name: str, progress: Progress) -> tuple[nn.Module, int]:
    """Return a network that is trained on the train split, and for how many epochs."""
    splits, options = context.splits, context.recipe.baselines.over(context.recipe.train)
    network = fresh_opponent(name, context.recipe.seed, splits, partial(_of_pair, context, name))
    folder = _folder(context, name)
    path, stage = folder / "weights.safetensors", f"baselines/{folder.name}"
    fit(context, Fitting(stage, network, rule_of(network, options), options, path, one_process(options)), progress)
    context.recalibrate(network)
    return network.eval(), options.covering(steps_per_epoch(splits, options)).epochs


def _of_pair(context: Context, name: str, role: Role) -> tuple[nn.Sequential, list[int]]:
    """Return one of the pair's networks with initial weights for a baseline, and the stages that its blocks are in."""
    pair = context.pairs.subnets(Front.load(context.run.front).best.pair)
    subnet = dict(zip(ROLES, pair, strict=True))[role]
    return fresh_network(context, subnet, "baselines", name), [block.stage for block in context.pairs.blocks(subnet)]


def _exported(context: Context, name: str, network: nn.Module, thresholds: Sequence[float] = ()) -> Path | None:
    """Write a network as an ONNX file; ``None`` where the pair was not exported, or it cannot be, with a warning."""
    if not context.run.export.exists():
        return None
    splits, opset = context.splits, context.recipe.export.opset
    metadata = _metadata(splits)
    try:
        if isinstance(network, ExitNet):
            model = nested(export_exits(network, splits.image_size, opset), thresholds, metadata)
        else:
            model = whole("plain", None, export_network(network, splits.image_size, opset), metadata)
    except Exception as error:  # the exporter's exceptions have no common base class
        said = " ".join(str(error).split())[:200].rstrip(".")
        context.warn(f"{name} is not timed, since it cannot be exported: {type(error).__name__} {said}.")
        return None
    return write_bytes(_folder(context, name) / NETWORK, model.SerializeToString())


def _metadata(splits: Splits) -> dict[str, str]:
    """The properties of an ONNX file."""
    return {
        "duonas_version": __version__,
        "class_names": json.dumps(splits.class_names, ensure_ascii=False),
        "preprocessing": json.dumps(asdict(Preprocessing(**asdict(splits.inspected.preparation)))),
    }


def _folder(context: Context, name: str) -> Path:
    """The folder of a network; the user's own is named by a path, which must not lead out of the run."""
    return context.run.baseline_weights / quote(name, safe="")


def _tell(context: Context, rows: Rows) -> None:
    """Show where the pair is better than each network of several exits, and where not."""
    for row in rows.values():
        for compared in ("against_pair", "against_pair_in_time"):
            context.note(row.get(compared, {}).get("sentence", ""))
