"""The quickstart against plain CNNs that take as long as its routed pair, over several seeds.

    python benchmarks/2026-11-30-quickstart/plain.py --seeds 0 1 2 --out runs/quickstart-seeds

For each seed the recipe is run from data to report (a finished run is not repeated). Then a plain network is chosen:
of the sizes below, the last that takes no more time an image than the routed file, all timed in turns. It is trained on
the same images with the same augmentation, optimiser and schedule, once for as many epochs as supernet and pair
together and once for as many seconds, and judged on the same test images. Keys of the recipe are overridden by
``--set``. The figures go to ``plain.json`` in the folder.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import duonas
from duonas.baselines.baseline import measure_baseline
from duonas.deploy.export import export_module
from duonas.measure.sessions import bound
from duonas.pipeline.context import Context
from duonas.pipeline.fitting import Fitting, fit
from duonas.rundir.folder import RunFolder
from duonas.runtime.session import open_session
from duonas.training.fabric import one_process
from duonas.training.finetune import SupervisedTraining

# Width and depth of the plain networks, by rising time.
SIZES = ((8, 0), (16, 0), (8, 1), (24, 0), (8, 2), (32, 0), (16, 1), (16, 2), (24, 1), (24, 2), (32, 2))
OPSET = 18
ROUNDS = 5  # in which every network classifies every image
LONGEST = 10  # times as many epochs, at most


class Residual(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*convolution(channels, channels, 1), *convolution(channels, channels, 1)[:-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        return torch.relu(x + self.body(x))


def convolution(ins: int, outs: int, stride: int) -> list[nn.Module]:
    """A 3 x 3 convolution with its norm and activation."""
    return [nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU()]


def plain(width: int, depth: int, classes: int) -> nn.Sequential:
    """Four convolutions that halve the map, with ``depth`` residual blocks after each of the last three."""
    layers: list[nn.Module] = [nn.BatchNorm2d(3, affine=False), *convolution(3, width, 2)]
    for outs in (2 * width, 4 * width, 8 * width):
        layers += [*convolution(outs // 2, outs, 2), *(Residual(outs) for _ in range(depth))]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes))


def mean_ms(sessions: dict[str, Any], images: np.ndarray, tau: float) -> dict[str, float]:
    """The mean over the images of the median time of each in ms; the networks take turns in changing order."""
    given = {"routed": {"tau": np.array(tau, np.float32)}}
    calls = {
        name: [bound(session, image[None], **given.get(name, {})) for image in images]
        for name, session in sessions.items()
    }
    times = {name: np.zeros((ROUNDS, len(images))) for name in calls}
    order = [(name, image) for name in calls for image in range(len(images))]
    for turn in range(ROUNDS):
        random.Random(turn).shuffle(order)
        for name, image in order:
            times[name][turn, image] = seconds(calls[name][image]) * 1e3
    return {name: float(np.median(found, 0).mean()) for name, found in times.items()}


def seconds(call: Callable[[], object]) -> float:
    """What the second of two calls takes; the first brings the network back into the cache."""
    call()
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def of_equal_time(
    export: Path, images: np.ndarray, tau: float, classes: int
) -> tuple[tuple[int, int], dict[str, float]]:
    """Width and depth of the slowest plain network that is as fast as the routed file, and all mean times in ms."""
    files = {"routed": "dynamic.onnx", "big": "big.onnx", "little": "little.onnx"}
    sessions = {name: open_session(export / file, 1) for name, file in files.items()}
    sample, chosen, kept = torch.from_numpy(images[:2]), None, {}
    for size in SIZES:
        model = export_module(plain(*size, classes).eval(), sample, "images", "logits", OPSET)
        found = mean_ms(sessions | {"plain": open_session(model.SerializeToString(), 1)}, images[:100], tau)
        if found["plain"] > found["routed"]:
            break
        chosen, kept = size, found
    if chosen is None:
        raise SystemExit("No plain network is as fast as the routed file: add smaller SIZES.")
    return chosen, kept


def trained(context: Context, network: nn.Module, epochs: int, folder: Path) -> tuple[dict[str, float], float]:
    """Accuracy on test and MACs of a plain network trained for some epochs, and the seconds that took."""
    options = replace(context.recipe.baselines.over(context.recipe.train), epochs=epochs)
    rule = SupervisedTraining(network, options)
    begun = time.perf_counter()
    path = folder / f"plain-{epochs}" / "weights.safetensors"
    fit(context, Fitting("plain", network, rule, options, path, one_process(options)), lambda *_, **__: None)
    took = time.perf_counter() - begun
    context.recalibrate(network)
    result = measure_baseline("plain", network, context.splits.test, epochs)
    return {"accuracy": result.accuracy, "macs": result.macs, "epochs": epochs, "seconds": took}, took


def training_seconds(run: Path, batch_size: int) -> float:
    """The seconds that the steps of the supernet and of the pair took, by the run's log."""
    lines = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return sum(batch_size / line["images_per_s"] for line in lines if line.get("stage") in ("train", "finetune"))


def compare(run: Path) -> dict[str, Any]:
    """The figures of one finished run and of the plain networks beside it."""
    recipe = RunFolder(run).recipe
    measured = json.loads((run / "measure.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "run")
        shutil.copytree(run, folder, ignore=shutil.ignore_patterns("tensorboard"))
        with RunFolder.open(folder, recipe) as opened:
            context = Context(recipe, opened)
            test = context.splits.test.pixels.numpy().astype(np.float32) / 255
            size, times = of_equal_time(run / "export", test, measured["tau"], context.splits.num_classes)

            def fresh() -> nn.Module:
                torch.manual_seed(recipe.seed)
                return plain(*size, context.splits.num_classes)

            tuned = recipe.finetune.epochs if recipe.finetune.mode != "none" else 0
            epochs = recipe.train.epochs + (tuned or 0)
            alike, took = trained(context, fresh(), epochs, folder)
            whole = training_seconds(run, recipe.train.batch_size)
            longer, _ = trained(context, fresh(), max(round(epochs * min(whole / took, LONGEST)), 1), folder)
    roles = {name: measured[name]["accuracy"] for name in ("routed", "big", "little")}
    share = measured["routed"]["little_share"]
    return {"seed": recipe.seed, "accuracy": roles, "mean_ms": times, "little_share": share,
            "verdict": measured["verdict"]["sentence"], "training_seconds": whole, "size": size,
            "plain_as_many_epochs": alike, "plain_as_many_seconds": longer}  # fmt: skip


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    times, accuracy = row["mean_ms"], row["accuracy"]
    cells = [f"{row['seed']}"]
    cells += [f"{100 * accuracy[name]:.1f} %, {times[name]:.3f} ms" for name in ("routed", "big", "little")]
    for name in ("plain_as_many_epochs", "plain_as_many_seconds"):
        found = row[name]
        cells.append(f"{100 * found['accuracy']:.1f} %, {times['plain']:.3f} ms, {found['epochs']} epochs")
    return " | ".join(["", *cells, f"{times['big'] / times['routed']:.2f} x", ""]).strip()


def main() -> None:
    """Run, compare, and print one row a seed as it is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/quickstart-seeds"))
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.KEY=VALUE")
    given = parser.parse_args()
    rows = []
    print("| seed | routed | big | little | plain, as many epochs | plain, as many seconds | big / routed time |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for seed in given.seeds:
        begun = time.perf_counter()
        run = Path(
            duonas.run(duonas.load_recipe("quickstart", [f"seed={seed}", *given.set]), given.out / f"seed-{seed}")
        )
        took = time.perf_counter() - begun
        rows.append(compare(run) | {"run_seconds": took})
        print(line(rows[-1]), flush=True)
        (given.out / "plain.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
