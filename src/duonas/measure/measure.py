"""Measure accuracy, cost and latency of a bundle on the test split."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import write_json
from duonas.core.protocols import Progress, silent
from duonas.core.tensors import save_tensors
from duonas.data.batches import EVALUATION_BATCH, evaluation_batches
from duonas.data.batches import outputs as predictions
from duonas.data.images import Images, parts
from duonas.data.ondisk import Pixels
from duonas.deploy.bundle import check_files, precision_of
from duonas.layers.norm import folded
from duonas.measure.accuracy import Outputs, accuracies, by_difficulty, calibration, outcomes, per_class, routing
from duonas.measure.balance import balance, by_class, majority
from duonas.measure.constraints import compared
from duonas.measure.energy import energies
from duonas.measure.examples import choose_examples
from duonas.measure.judge import judge
from duonas.measure.latency import latency
from duonas.measure.options import MeasureOptions
from duonas.measure.precision import beside_fp32, file_sizes
from duonas.measure.promise import unlike_calib
from duonas.measure.sensitivity import slope
from duonas.measure.sessions import clock_of, threads_of
from duonas.measure.size import peak_memory, weight_bytes
from duonas.measure.top5 import top5, top5_accuracy
from duonas.pair.facts import ROLES
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from duonas.pair.plain import PlainNetwork
from duonas.routing.calibration import auroc
from duonas.routing.policy import Policy
from duonas.routing.routed import observe
from duonas.routing.threshold import keeps_little
from duonas.runtime import Bundle, machine
from duonas.runtime.files import FILE_OF
from duonas.runtime.meters import find_meter


def measure(
    folder: Path,
    pair: Pair,
    *,
    test: Images,
    options: MeasureOptions,
    progress: Progress = silent,
    plain: PlainNetwork | None = None,
    fp32: Path | None = None,
) -> dict[str, Any]:
    """Measure the bundle in ``folder / "export"`` and write measure.json, test_outputs.safetensors and examples.json.

    Accuracies are computed with PyTorch; ``onnx`` gives the number of routing decisions in which the ONNX file differs,
    and the largest difference of logits where decisions agree. Accuracies and shares are in [0, 1], MACs are integers,
    times are in ms, energies in mJ.

    Args:
        folder: the run directory.
        pair: the two networks.
        test: the test split.
        options: the ``[measure]`` table.
        progress: called during the timing.
        plain: the network of ``single.onnx`` in the bundle, to compare the pair with.
        fp32: a folder of the float networks, to compare them with, where the bundle is in another precision.

    Returns:
        The content of measure.json.

    Raises:
        DuonasError: there are no test images, or the bundle's files are missing or others.
        BundleError: the bundle is damaged.
    """
    if len(test) == 0:
        raise DuonasError("the test split is empty: give [data] test a larger fraction.")
    bundle = folder / "export"
    policy = Policy.load(bundle / "policy.json")
    check_files(bundle)
    outputs = evaluate(pair, policy, test)
    agreement = compare(Bundle.load(bundle), outputs, test.pixels)
    begun = time.perf_counter(), time.process_time()
    speed = latency(bundle, test.pixels, outputs.is_little, policy.tau, options, progress, fp32)
    spent_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
    figures = _figures(pair, policy, outputs, speed)
    if plain is not None and "plain" in speed:
        figures["plain"] = _plain(plain, test, outputs, policy.class_names) | speed["plain"]
    for name, by_role in _sizes(bundle, pair, policy).items():
        for role in by_role.keys() & figures:
            figures[role][name] = by_role[role]
    spent = energies(bundle, find_meter(options.watts), speed, options, outputs.little_share)
    for role in spent["energy_mj"].keys() & figures:
        figures[role] |= {"energy_mj": spent["energy_mj"][role]}
    environment = _environment(options, bundle, *spent_s) | {"busy_looks": speed["busy_looks"]}
    figures |= {"onnx": agreement, "environment": environment}
    figures |= {"energy": spent["energy"]}
    figures |= {"constraints": compared(policy.constraints, figures)}
    if fp32 is not None:
        figures |= {"precision": _precision(bundle, fp32, test, figures, speed)}
    figures |= {"verdict": judge(figures).to_json()}
    figures |= {"unlike_calib": unlike_calib(policy, figures["routed"], len(test))}
    _save_outputs(folder / "test_outputs.safetensors", outputs)
    write_json(folder / "examples.json", choose_examples(outputs, test.pixels))
    write_json(folder / "measure.json", figures)
    return figures


@torch.inference_mode()
def evaluate(pair: Pair, policy: Policy, images: Images) -> Outputs:
    """Run both networks on every image with PyTorch in eval mode, and route by the policy."""
    batches = evaluation_batches(images.pixels)
    described, answers = observe(pair, policy.router, batches, images.labels)
    score = policy.router.judge(described)
    is_little = keeps_little(score, policy.tau)
    return Outputs(answers.little, answers.big, score.numpy(), is_little.numpy(), answers.labels)


def compare(bundle: Bundle, outputs: Outputs, pixels: Pixels) -> dict[str, Any]:
    """Compare the ONNX file with PyTorch on images (N, 3, H, W) uint8."""
    chunks = [bundle.predict(part.cpu().numpy()) for part in parts(pixels, EVALUATION_BATCH)]
    same = np.concatenate([chunk.is_little for chunk in chunks]) == outputs.is_little
    apart = np.abs(np.concatenate([chunk.logits for chunk in chunks]) - outputs.routed_logits)[same]
    return {
        "differing_decisions": int((~same).sum()),
        "max_logit_difference": float(apart.max()) if same.any() else None,
    }


def _figures(pair: Pair, policy: Policy, outputs: Outputs, speed: dict[str, Any]) -> dict[str, Any]:
    cost, share = policy.costs, outputs.little_share
    calibrated = {
        "little": calibration(outputs.little_logits, outputs.labels, policy.little_temperature),
        "big": calibration(outputs.big_logits, outputs.labels, policy.big_temperature),
    }
    steepness = slope(outputs, policy.tau, cost)
    return {
        **_roles(pair, policy, outputs, speed),
        "majority": majority(outputs, policy.class_names),
        "ece": calibrated["little"]["ece"],
        "auroc": auroc(outputs.score, outputs.little_right),
        "calibration": calibrated,
        "routing": routing(outputs),
        "outcomes": outcomes(outputs),
        "difficulty": by_difficulty(outputs),
        "classes": per_class(outputs, policy.class_names, policy.little_temperature),
        "sensitivity": steepness and steepness.to_json(),
        "router_overhead": _overhead(cost, share, speed),
        "ratio_to_ideal": speed["ratio_to_ideal"],
        "ratio_to_two_calls": speed["ratio_to_two_calls"],
        "test_images": len(outputs.labels),
        "coupling": pair.facts.coupling,
        "router": policy.router.name,
        "position": policy.router.position,
        "tau": policy.tau,
    }


def _roles(pair: Pair, policy: Policy, outputs: Outputs, speed: dict[str, Any]) -> dict[str, Any]:
    """Return accuracy, cost and times of both networks alone and of the routed pair, and what other routers reach."""
    cost, share, accuracy = policy.costs, outputs.little_share, accuracies(outputs)
    balanced = balance(outputs, policy.class_names)
    found: dict[str, Any] = {}
    for role, rest in zip(ROLES, (cost.little, cost.big), strict=True):
        counted = {"macs": round(cost.stem + rest), "params": pair.facts.networks[role].params}
        against = _against(outputs, getattr(outputs, f"{role}_right"))
        found[role] = {"accuracy": accuracy[role]} | counted | balanced[role] | speed[role] | against
    routed = {
        "accuracy": accuracy["routed"],
        "little_share": share,
        "expected_macs": round(cost.expected(share)),
        "ada_macs_edanas": round(cost.ada_edanas(share)),
        "peak_macs": round(cost.peak),
    }
    oracle = round(cost.expected(routing(outputs)["oracle_little_share"]))
    found["routed"] = routed | balanced["routed"] | speed["routed"]
    for answers, five in top5(outputs).items():
        found[answers]["top5_accuracy"] = five
    return found | {
        "random": {"accuracy": accuracy["random"], "expected_macs": routed["expected_macs"]},
        "oracle": {"accuracy": accuracy["oracle"], "expected_macs": oracle},
    }


def _plain(plain: PlainNetwork, test: Images, outputs: Outputs, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return what is known of the plain network but its times."""
    logits = predictions(folded(plain.network), test.pixels).numpy()
    right, five = np.asarray(logits.argmax(1) == outputs.labels), top5_accuracy(logits, outputs.labels)
    return {
        "accuracy": float(right.mean()),
        **({} if five is None else {"top5_accuracy": five}),
        "val_accuracy": plain.accuracy,
        "alone": None if plain.alone is None else asdict(plain.alone),
        "macs": plain.cost.macs,
        "params": plain.cost.params,
        "peak_memory_bytes": plain.cost.peak_memory_bytes,
        "values": dict(plain.values),
        **by_class(right, outputs, class_names),
        **_against(outputs, right),
    }


def _precision(
    bundle: Path, fp32: Path, test: Images, figures: dict[str, Any], speed: dict[str, Any]
) -> dict[str, Any]:
    """Return what the networks of the bundle are beside the float ones, on the test images."""
    found: dict[str, dict[str, Any]] = {}
    labels = test.labels.cpu().numpy()
    for role, sizes in file_sizes(bundle, fp32, FILE_OF).items():
        name = FILE_OF[role]
        now, before = (
            predictions(OnnxNetwork.load(folder / name), test.pixels).numpy().argmax(1) for folder in (bundle, fp32)
        )
        found[role] = {
            "accuracy": figures[role]["accuracy"],
            "fp32_accuracy": float((before == labels).mean()),
            "flips": int((now != before).sum()),
            "times_ms": speed[role]["times_ms"],
            "fp32_times_ms": speed["fp32_times_ms"][role],
        } | sizes
    return beside_fp32(precision_of(bundle / FILE_OF["big"]), found)


def _sizes(bundle: Path, pair: Pair, policy: Policy) -> dict[str, dict[str, int | None]]:
    """Return the bytes of weights and of activations by role, as far as they are known."""
    stored = {role: weight_bytes(bundle / name) for role, name in FILE_OF.items() if (bundle / name).is_file()}
    return {"weight_bytes": dict(stored), "peak_memory_bytes": peak_memory(pair.facts, before=policy.router.before)}


def _against(outputs: Outputs, this: np.ndarray) -> dict[str, Any]:
    """Count the images that only the routed pair, or only a network alone, right on ``this`` (N,), gets right."""
    routed = outputs.routed_right
    return {"against_routed": {"only_routed": int((routed & ~this).sum()), "only_this": int((this & ~routed).sum())}}


def _overhead(cost: PairCost, share: float, speed: dict[str, Any]) -> dict[str, Any]:
    """Return MACs and microseconds of the score, also as fractions of expected MACs and routed p50 latency."""
    microseconds = speed["router_us"]
    return {
        "macs": round(cost.router),
        "macs_share": cost.router / cost.expected(share),
        "us": microseconds,
        "latency_share": microseconds / 1e3 / speed["routed"]["latency_ms"]["p50"],
    }


def _save_outputs(path: Path, outputs: Outputs) -> None:
    tensors = {
        "little_logits": outputs.little_logits,
        "big_logits": outputs.big_logits,
        "score": outputs.score,
        "labels": outputs.labels,
        "is_little": outputs.is_little.astype(np.uint8),
    }
    save_tensors(path, tensors)


def _environment(options: MeasureOptions, bundle: Path, wall_s: float, processor_s: float) -> dict[str, Any]:
    """Return what the networks were timed on and how; ``busy`` is what other programs had of one thread's core."""
    alone = threads_of(bundle, options) == 1  # waiting threads, too, take the processor
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": machine.cores(),
        "onnxruntime": onnxruntime.__version__,
        "threads": threads_of(bundle, options) or "default",
        "clock": clock_of(bundle, options).kind,
        "spinning": options.spinning,
        "busy": min(max(1 - processor_s / wall_s, 0.0), 1.0) if alone else None,
    }
