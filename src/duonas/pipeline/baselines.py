"""Train the networks that the pair is compared with, measure each on the test split, and time all beside the pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from torch import nn

from duonas import __version__
from duonas.baselines.baseline import find_baseline, measure_baseline
from duonas.core.files import write_bytes, write_json
from duonas.core.protocols import Progress
from duonas.core.rng import stream
from duonas.data.splits import Splits
from duonas.deploy.exits import export_exits, nested
from duonas.deploy.export import export_network
from duonas.deploy.stitch import whole
from duonas.exits.network import ExitNet
from duonas.measure.beside import time_beside
from duonas.measure.exits import agreement
from duonas.pair.facts import Preprocessing
from duonas.pipeline.context import Context
from duonas.pipeline.exits import MeasuredExits, measure_exits, measured_pair
from duonas.pipeline.fitting import Fitting, fit, steps_per_epoch
from duonas.training.exits import ExitTraining
from duonas.training.fabric import one_process
from duonas.training.finetune import SupervisedTraining

NETWORK = "network.onnx"

Rows = dict[str, dict[str, Any]]  # what ``baselines.json`` has of each network


def train_baselines(context: Context, progress: Progress) -> list[Path]:
    """Train static networks and those of several exits on the train split, and measure each on the test split.

    Where the pair was exported, they are exported, too, and timed in turns with it.
    """
    splits, options = context.splits, context.recipe.baselines.over(context.recipe.train)
    test, pair = splits.test.to(context.device), measured_pair(context)
    epochs = options.covering(steps_per_epoch(splits, options)).epochs
    rows, exits, files = Rows(), dict[str, MeasuredExits](), dict[str, Path]()
    for name in dict.fromkeys(context.recipe.baselines.networks):
        network = _trained(context, name, progress)
        thresholds: tuple[float, ...] = ()
        if isinstance(network, ExitNet):
            exits[name] = measure_exits(context, name, network, epochs, pair)
            rows[name], thresholds = exits[name].found, exits[name].thresholds
        else:
            rows[name] = asdict(measure_baseline(name, network, test, epochs))
        file = _exported(context, name, network, thresholds) if context.run.export.exists() else None
        if file is not None:
            files[name] = file
            if isinstance(network, ExitNet):
                rows[name]["onnx"] = agreement(file, network, splits.test.pixels, thresholds)
    found: dict[str, Any] = {"test_images": len(test), "timm": version("timm")}
    if files:
        beside = time_beside(context.run.export, files, splits.test.pixels, context.recipe.measure)
        found["beside"] = beside.to_json(None if pair is None else pair.own_share)
        for name, times in beside.others.items():
            timed = {"times_ms": {"1": times[0].to_json()}}
            rows[name] = exits[name].timed(times, beside) if name in exits else rows[name] | timed
    _tell(context, rows)
    found |= {"networks": [row for name, row in rows.items() if name not in exits],
              "exits": [row for name, row in rows.items() if name in exits]}  # fmt: skip
    return [write_json(context.run.baselines, found), *files.values()]


def _trained(context: Context, name: str, progress: Progress) -> nn.Module:
    """Return a network that is trained on the train split."""
    splits, options = context.splits, context.recipe.baselines.over(context.recipe.train)
    rng, folder = stream(context.recipe.seed, "baselines", name), _folder(context, name)
    network = find_baseline(name).network(splits.num_classes, splits.image_size, splits.mean, splits.std, rng)
    network.to(memory_format=torch.channels_last)
    rule = ExitTraining(network, options) if isinstance(network, ExitNet) else SupervisedTraining(network, options)
    path, stage = folder / "weights.safetensors", f"baselines/{folder.name}"
    fit(context, Fitting(stage, network, rule, options, path, one_process(options)), progress)
    context.recalibrate(network)
    return network.eval()


def _exported(context: Context, name: str, network: nn.Module, thresholds: Sequence[float]) -> Path | None:
    """Write a network as an ONNX file; ``None``, with a warning, where it cannot be exported."""
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
