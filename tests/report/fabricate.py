"""A run directory made up for the tests: all the files of a real one, small, and with numbers that hang together."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet
from safetensors.numpy import save_file

from duonas.core.block import BlockSpec, Bottleneck, head_block, input_block, mbconv_block, stem_block
from duonas.core.cell import OPERATIONS
from duonas.core.cost import PairCost
from duonas.core.files import read_json, write_json
from duonas.core.plan import PAIR, SEARCH, SUPERNET, Division, Unit
from duonas.costs.analytic import analytic
from duonas.data.listing import Skipped
from duonas.data.report import DataReport, report_data
from duonas.measure.accuracy import Outputs, accuracies, routing
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.ranking.evaluate import RankRow
from duonas.ranking.rank import summary
from duonas.ranking.table import Benchmark
from duonas.routing.calibration import auroc, ece, fit_temperature, softmax
from duonas.routing.threshold import sweep
from duonas.spaces.nasbench201 import NasBench201
from support.listings import inspected, known, listed

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
EVIL = """<script>window.injected = true; alert(1)</script>"""
QUOTED = """it's a "dog" & cat' onmouseover="window.injected = true"""


def tower(widths: tuple[int, ...], depths: tuple[int, ...], expansion: int, classes: int) -> list[BlockSpec]:
    """A small MobileNet; stages halve the map."""
    blocks = [input_block(32, 32), stem_block(16, 32, stride=1, activation="hswish")]
    channels, side = 16, 32
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), 1):
        for index in range(depth):
            outer = Bottleneck(channels, width, side, 2 if index == 0 else 1, expansion, "hswish")
            name, kernel = f"stage{stage}.block{index}", 3 if stage < 3 else 5
            blocks.append(mbconv_block(name, stage, outer, kernel=kernel, squeeze_excite=stage == 3))
            channels, side = width, blocks[-1].out_resolution
    return [*blocks, head_block(len(widths) + 1, channels, channels * 3, classes, side, activation="hswish")]


def png(pixels: np.ndarray) -> str:
    """(H, W, 3) uint8 to a data URI."""
    height, width, _ = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def answers(rng: np.random.Generator, images: int, classes: int) -> dict[str, np.ndarray]:
    """Logits of two networks that find the same images hard, some classes harder than others; both too sure."""
    labels = np.arange(images) % classes
    ease = rng.normal(0, 1.1, images) + np.linspace(1.2, -1.0, classes)[labels]
    confused = rng.normal(0, 1, (images, classes))
    logits = {}
    for role, strength, own in (("little_logits", 3.3, 0.75), ("big_logits", 4.6, 0.55)):
        noise = confused + rng.normal(0, own, (images, classes))
        noise[np.arange(images), labels] += np.maximum(strength + ease, 0.3)
        logits[role] = (1.9 * noise).astype(np.float32)
    return logits | {"labels": labels}


_KNOWN: dict[str, dict[str, bytes]] = {}  # the files of a run by name, by its options


def fabricate(folder: Path, **options: Any) -> Path:
    """Write the run directory ``folder`` and return it; see ``_fabricate``, which is called once for equal options."""
    key = repr(sorted(options.items()))
    if key in _KNOWN:
        for name, content in _KNOWN[key].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder
    files = (path for path in _fabricate(folder, **options).rglob("*") if path.is_file())
    _KNOWN[key] = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return folder


def _fabricate(
    folder: Path, *, classes: int = 10, images: int = 2000, tau: float | None = None, names: list[str] | None = None,
    position: str = "after_little",
) -> Path:  # fmt: skip
    """Write the run directory ``folder`` and return it; a router before little knows less."""
    rng = np.random.default_rng(classes)
    little, big = tower((16, 24, 48), (1, 2, 1), 2, classes), tower((24, 48, 96), (2, 3, 3), 4, classes)
    stem = sum(block.macs for block in little[:2])
    before, router = position != "after_little", 0 if position == "after_little" else 12_000
    cost = PairCost(stem, router, sum(b.macs for b in little) - stem, sum(b.macs for b in big) - stem, before)
    arrays = answers(rng, images, classes)
    temperature = {role: fit_temperature(arrays[f"{role}_logits"], arrays["labels"]) for role in ("little", "big")}
    top = np.sort(softmax(arrays["little_logits"], temperature["little"]), axis=1)
    score = (top[:, -1] - top[:, -2] + before * rng.normal(0, 0.3, images)).astype(np.float32)
    right = {role: arrays[f"{role}_logits"].argmax(1) == arrays["labels"] for role in ("little", "big")}
    if tau is None:
        curve = sweep(score, right["little"], right["big"])
        tau = float(curve.tau[curve.near_big(0.003)[-1]])
    is_little = score >= tau
    share = float(is_little.mean())
    all_names = names or (list(NAMES) if classes == 10 else [f"kind of animal number {i}" for i in range(classes)])
    shown: dict[str, Any] = {"pair": {"little": "a", "big": "b"}, "tau": str(tau) if np.isinf(tau) else tau}

    folder.mkdir(parents=True)
    save_file(arrays | {"score": score, "is_little": is_little.astype(np.uint8)}, folder / "test_outputs.safetensors")
    outputs = Outputs(arrays["little_logits"], arrays["big_logits"], score, is_little, arrays["labels"])
    _write_measure(folder, outputs, position, cost, temperature, shown["tau"], little, big)
    facts = PairFacts(
        costs={"macs": cost}, networks={"little": analytic(little), "big": analytic(big)}, num_classes=classes,
        preprocessing=Preprocessing(32), class_names=tuple(all_names), blocks={"little": little, "big": big},
        shared=2, coupling="nested", within=True,
    )  # fmt: skip
    write_json(folder / "pair/pair.json", facts.to_json())
    policy = {
        "version": 2,
        "router": {
            "kind": "confidence", "score": "margin", "position": position, "temperature": temperature["little"],
        },
        "little_temperature": temperature["little"],
        "big_temperature": temperature["big"], "tau": shown["tau"], "choice": {"floor": 0.9}, "table": [],
        "confidence": 0.95,
        "images": 1250,
        "costs": vars(cost),
        "splits": {name: f"{rng.integers(1 << 62):016x}" * 4 for name in ("train", "val", "calib", "test")},
        "onnx": {"dynamic.onnx": "ab" * 32}, "num_classes": classes, "image_size": 32, "class_names": all_names,
    }  # fmt: skip
    write_json(folder / "pair/policy.json", policy)
    write_json(folder / "data.json", data(all_names, images // classes).to_json())
    _write_search(folder, rng, cost, right)
    _write_examples(folder, rng, arrays, score, is_little)
    _write_story(folder, rng)
    _write_baselines(folder, cost, right)
    _write_plan(folder)
    assert 0 <= share <= 1
    return folder


def data(names: list[str], each: int) -> DataReport:
    """The report of a data set of ``each`` test images a class, one of them a copy of one to train on."""
    listing = listed({name: 4 * each for name in names}, skipped=(Skipped("pictures/notes.txt", "not an image"),))
    facts = known(listing)
    facts.pixels[3] = facts.pixels[0]
    return report_data(inspected(listing, facts))


LITTLE = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|none~2|"
BIG = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def topology(folder: Path, *, archs: int = 400, table: bool = True, axes: dict[str, Any] | None = None) -> Path:
    """Make a fabricated run one of cells: a pair of them, what the training learned of edges, and ranked archs."""
    space = NasBench201.space(NasBench201.Options(preset="nasbench201-small"), 32, 10)
    pair = read_json(folder / "pair/pair.json")
    blocks = {role: space.blocks(space.arch(cell=cell)) for role, cell in (("little", LITTLE), ("big", BIG))}
    pair["blocks"] = {role: [block.to_json() for block in each] for role, each in blocks.items()}
    write_json(folder / "pair/pair.json", pair)
    rng = np.random.default_rng(0)
    drawn = {axis: rng.dirichlet([1, 1, 1, 2, 3]).tolist() for axis in space.axes}
    beta = {axis: dict(zip(OPERATIONS, row, strict=True)) for axis, row in drawn.items()}
    write_json(folder / "beta.json", axes or beta)
    rows, theirs = [], []
    for _ in range(archs):
        arch = space.sample(rng)
        cost, cell = analytic(space.blocks(arch)), space.text(arch)
        theirs.append(0.1 if "conv" not in cell else 0.945 - float(rng.gamma(1.5, 0.02)) - 4e3 / cost.params)
        accuracy = 0.1 if theirs[-1] == 0.1 else 0.25 + 0.7 * theirs[-1] + float(rng.normal(0, 0.012))
        rows.append(RankRow(arch.id, cell, json.dumps(dict(arch.choices)), cost.params, cost.macs, accuracy))
    benchmark = Benchmark(Path("table.parquet"), "test_acc", dict(enumerate(theirs)))  # type: ignore[arg-type]
    known = np.array(theirs) if table else None
    trivial = {name: np.array([getattr(row, name) for row in rows]) for name in ("params", "macs")}
    columns: dict[str, Any] = {each.name: [getattr(row, each.name) for row in rows] for each in fields(RankRow)}
    (folder / "ranking").mkdir()
    more = {"table": theirs} if table else {}
    parquet.write_table(pyarrow.table(columns | more), folder / "ranking/archs.parquet")
    about = {"split": "val", "images": 2500, "recalibration_images": 2048, "space_archs": 15_625}
    write_json(folder / "ranking/ranking.json", about | summary(rows, trivial, benchmark if table else None, known))
    return folder


def _write_measure(folder: Path, outputs: Outputs, position: str, cost: PairCost, temperature: Any, tau: Any,
                   little: list[BlockSpec], big: list[BlockSpec]) -> None:  # fmt: skip
    share, accuracy = outputs.little_share, accuracies(outputs)
    times = {"little": (0.31, 0.36, 0.44), "big": (1.42, 1.55, 1.9), "routed": (0.34, 1.78, 2.1)}

    def alone(role: str, rest: float, blocks: list[BlockSpec]) -> dict[str, Any]:
        return {"accuracy": accuracy[role], "macs": int(cost.stem + rest), "params": sum(b.params for b in blocks)}

    def timed(role: str, speed: float) -> dict[str, Any]:
        ranks = dict(zip(("p50", "p95", "p99"), times[role], strict=True))
        return {"latency_ms": ranks | {"mean": ranks["p50"]}, "images_per_s": speed}

    write_json(folder / "measure.json", {
        "little": alone("little", cost.little, little) | timed("little", 6100.0),
        "big": alone("big", cost.big, big) | timed("big", 1210.0),
        "routed": {
            "accuracy": accuracy["routed"], "little_share": share,
            "expected_macs": int(cost.expected(share)), "ada_macs_edanas": int(cost.ada_edanas(share)),
            "peak_macs": int(cost.peak),
        } | timed("routed", 2630.0),
        "random": {"accuracy": accuracy["random"]},
        "oracle": {"accuracy": accuracy["oracle"]},
        "ece": ece(softmax(outputs.little_logits, temperature["little"]), outputs.labels),
        "auroc": auroc(outputs.score, outputs.little_right), "ratio_to_ideal": {"batch_1": 1.04, "batch_64": 1.02},
        "routing": routing(outputs),
        "router_overhead": {
            "macs": cost.router, "macs_share": cost.router / cost.expected(share), "us": 3.2, "latency_share": 0.0094,
        },
        "test_images": len(outputs.score), "router": "confidence", "position": position,
        "tau": tau, "environment": {"machine": "x86_64"},
    })  # fmt: skip


def _write_search(folder: Path, rng: np.random.Generator, cost: PairCost, right: Any) -> None:
    macs = np.sort(rng.uniform(cost.least * 0.6, cost.peak * 1.1, 120))
    ceiling = right["little"].mean() + (right["big"].mean() - right["little"].mean()) * np.log(
        macs / cost.least
    ) / np.log(cost.peak / cost.least)
    archs = {
        "arch": [f"{i:08x}" for i in range(120)], "choices": ["{}"] * 120, "macs": macs.astype(int).tolist(),
        "params": (macs / 40).astype(int).tolist(), "peak_memory_bytes": [131072] * 120,
        "accuracy": (ceiling - 0.01 - rng.gamma(2, 0.008, 120)).tolist(),
    }  # fmt: skip
    parquet.write_table(pyarrow.table(archs), folder / "archs.parquet")
    tried = rng.uniform(cost.least, cost.peak, 300)
    best = right["big"].mean() + 0.012 - 0.06 * ((cost.peak - tried) / cost.peak) ** 2
    trials = {
        "number": list(range(300)), "little": ["0a1b2c3d"] * 300, "big": ["9f8e7d6c"] * 300,
        "accuracy_little": [0.8] * 300, "accuracy_big": [0.9] * 300, "little_share": [0.5] * 300,
        "accuracy": [float("nan"), *(best - rng.gamma(2, 0.006, 300)).tolist()[1:]], "expected_macs": tried.tolist(),
    }  # fmt: skip
    parquet.write_table(pyarrow.table(trials), folder / "trials.parquet")
    along = np.linspace(cost.least * 1.05, cost.peak * 0.9, 40)
    best = right["big"].mean() + 0.015 - 0.06 * ((cost.peak - along) / cost.peak) ** 2
    points = [
        {"pair": {}, "tau": "-inf" if i == 0 else 0.3, "little_share": float(1 - i / 40), "accuracy": float(y),
         "expected_macs": float(x),
         "peak_macs": int(cost.peak * (0.5 + 0.5 * ((i * 7) % 40) / 40)), "params": 81000, "peak_memory_bytes": 262144}
        for i, (x, y) in enumerate(zip(along, best, strict=True))
    ]  # fmt: skip
    write_json(folder / "front.json", {"objectives": ["accuracy", "expected_macs", "peak_macs"], "constraints": {},
                                       "points": points,
                                       "chosen": 14, "evaluated_archs": 120, "scored_pairs": 3210})  # fmt: skip


def _write_plan(folder: Path) -> None:
    """A run of half an hour whose supernet took longer than planned."""
    units = {SUPERNET: Unit(0.1, 20, epoch=20), SEARCH: Unit(0.5, 10, most=150), PAIR: Unit(0.2, 20, epoch=20)}
    plan = Division(30, 20, 40, {SUPERNET: 0.4, SEARCH: 0.1, PAIR: 0.5}).plan(units)
    plan.begin(SUPERNET).spend(SUPERNET, 800).save(folder / "plan.json")
    before, now = ({"little": 0.7, "big": 0.8, "routed": each} for each in (0.79, 0.85))
    known = {"mode": "joint", "val_images": 500, "little_share": 0.6}
    write_json(folder / "finetuned.json", known | {"search": before, "now": now})


def _write_baselines(folder: Path, cost: PairCost, right: Any) -> None:
    """One within the picture's reach, one far beyond it."""
    static = (("mobilenetv3_small_100", -0.01, 1.5), ("efficientnet_b0", 0.02, 9))
    best = float(right["big"].mean())
    networks = [
        {"name": name, "accuracy": best + more, "macs": int(cost.peak * times), "params": 1_500_000, "epochs": 30}
        for name, more, times in static
    ]
    write_json(folder / "baselines.json", {"networks": networks, "test_images": 2000, "timm": "1.0.31"})


def _write_examples(
    folder: Path, rng: np.random.Generator, arrays: Any, score: np.ndarray, is_little: np.ndarray
) -> None:
    answer = np.where(is_little, arrays["little_logits"].argmax(1), arrays["big_logits"].argmax(1))
    order = np.argsort(score)
    wrong = np.flatnonzero(answer != arrays["labels"])
    picked = dict.fromkeys([*wrong[:12], *order[::-1][:12], *order[:12]])
    rows = []
    for i in picked:
        y, x = np.mgrid[0:32, 0:32]
        waves = [np.sin(x / rng.uniform(2, 9) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(2, 9)) for _ in range(3)]
        pixels = (127 + 110 * np.stack(waves, -1)).astype(np.uint8)
        rows.append({
            "index": int(i), "label": int(arrays["labels"][i]), "little": int(arrays["little_logits"][i].argmax()),
            "big": int(arrays["big_logits"][i].argmax()), "score": float(score[i]), "is_little": bool(is_little[i]),
            "png": png(pixels),
        })  # fmt: skip
    write_json(folder / "examples.json", rows)


def _write_story(folder: Path, rng: np.random.Generator) -> None:
    lines = []
    for step in range(1, 601):
        fall = np.exp(-step / 150)
        loss = {"largest": 0.25 + 2 * fall, "smallest": 0.5 + 1.8 * fall}
        loss = {name: value + float(rng.normal(0, 0.03)) for name, value in loss.items()}
        lines.append({"stage": "train", "step": step * 10, "epoch": step / 50, "lr": 0.1 * (1 - step / 601),
                      "images_per_s": 2100.0, "loss": 2.1 * sum(loss.values())} | loss)  # fmt: skip
    text = "\n".join(map(json.dumps, lines)) + '\n{"stage": "tra'  # as a killed run leaves it
    (folder / "log.jsonl").write_text(text)
    (folder / "recipe.toml").write_text(
        'seed = 0\n\n[data]\nname = "cifar10"  # </pre><script>window.injected = 1</script>\n\n'
        '[space.weights]\nname = "kshot"\n\n[train]\nrule = "focus-fair"\n\n[route]\nfloor = 0.9\n'
    )
    write_json(
        folder / "environment.json", {"python": "3.11.2", "torch": "2.15.0", "machine": {"system": "Linux", "cores": 2}}
    )
    write_json(
        folder / "stages.json", {"train": {"seconds": 612.4}, "search": {"seconds": 95.0}, "measure": {"seconds": 12.3}}
    )
