"""The tables of the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duonas.core.cell import write_cell
from duonas.core.files import reading
from duonas.core.plan import Plan
from duonas.measure import accuracy, balance
from duonas.measure.accuracy import Outputs
from duonas.measure.top5 import top5
from duonas.measure.verdict import verdict_of
from duonas.report.energy import millijoules
from duonas.report.figure import ROLES
from duonas.report.figures.cells import operations
from duonas.report.files import Probabilities
from duonas.report.formatting import NOTHING, count, duration, milliseconds, percent, plural, size, whole
from duonas.report.table import Table

KINDS = {
    "both": ("Both right", "big would be wasted"),
    "only_big": ("Only big right", "big is needed"),
    "only_little": ("Only little right", "big would be wrong"),
    "neither": ("Both wrong", "big would not help"),
}


def outcomes(outputs: Outputs) -> Table:
    """The four kinds of images by who is right, and where the router sent them."""
    rows = []
    for row in accuracy.outcomes(outputs):
        name, meaning = KINDS[row["right"]]
        rows.append((name, percent(row["images"] / len(outputs.labels)), percent(row["little_share"]), meaning))
    return Table(("Who is right", "Of all images", "Answered by little", "Meaning"), rows, {3: "words muted"})


def class_balance(outputs: Outputs, class_names: tuple[str, ...]) -> Table:
    """Accuracy, balanced accuracy and worst class of little, the routed pair, big and a constant answer.

    Top-5 accuracy stands beside them where there are more than ten classes.
    """
    found, constant = balance.balance(outputs, class_names), balance.majority(outputs, class_names)
    right, five = accuracy.accuracies(outputs), top5(outputs)
    rows = []
    for role in ROLES:
        worst = found[role]["worst_class"]
        hardest = f"{worst['class']}: {percent(worst['accuracy'])} of {plural(worst['images'], 'image')}"
        among = [percent(five[role])] if five else []
        rows.append((role, percent(right[role]), *among, percent(found[role]["balanced_accuracy"]), hardest))
    unknown = [NOTHING] if five else []
    always = (percent(constant["accuracy"]), *unknown, percent(constant["balanced_accuracy"]), NOTHING)
    head = ("Answers", "Accuracy", *(["Top-5"] if five else []), "Balanced accuracy", "Worst class")
    return Table(head, [*rows, (f"always {constant['class']}", *always)], {len(head) - 1: "words"})


def verdict(measured: dict[str, Any]) -> Table:
    """The routed pair and each network alone: accuracy, mean time of an image by batch size, MACs and weights."""
    rows = verdict_of(measured)["rows"]
    sizes = list(rows[0]["batch"])
    cells = []
    for row in rows:
        times = [milliseconds(row["batch"][batch]) for batch in sizes]
        between = " to ".join(percent(limit) for limit in row["interval"]) if row["interval"] else NOTHING
        sizes_in_bytes = (row[name] for name in ("weight_bytes", "peak_memory_bytes"))
        stored = [NOTHING if each is None else size(each) for each in sizes_in_bytes]
        cells.append((row["name"], percent(row["accuracy"]), between, *times, count(row["macs"]), *stored))
    batches = (f"Batch {batch}" for batch in sizes)
    head = ("Network", "Accuracy", "95 % interval", *batches, "MACs", "Weights in the ONNX file", "Peak activations")
    return Table(head, cells)


def latencies(measured: dict[str, Any]) -> Table:
    """Accuracy, MACs, latency, throughput and, where it is known, energy of little, the routed pair and big."""
    rows = []
    energy = all("energy_mj" in measured[role] for role in ROLES)
    for role in ROLES:
        entry = measured[role]
        times = [milliseconds(entry["latency_ms"][name]) for name in ("p50", "p95", "p99")]
        macs = count(entry["expected_macs"] if role == "routed" else entry["macs"])
        spent = [millijoules(entry["energy_mj"])] if energy else []
        rows.append((role, percent(entry["accuracy"]), macs, *times, whole(entry["images_per_s"]), *spent))
    head = ("Network", "Accuracy", "MACs", "p50", "p95", "p99", "Images/s", *(["Energy"] if energy else []))
    return Table(head, rows)


def baselines(found: dict[str, Any]) -> Table:
    """The networks that were trained for comparison: static ones, and each exit of those that may stop early."""
    known = [(row["name"], row, row) for row in found["networks"]]
    for each in found.get("exits", ()):
        known += [(f"{each['name']}, exit {row['exit']}", row, each) for row in each["anytime"]]
    timed = any("times_ms" in row for _, row, _ in known) or "ms" in (found.get("ofa_pair") or {})
    rows = []
    for name, row, network in known:
        time = milliseconds(row["times_ms"]["1"]["mean"]) if "times_ms" in row else NOTHING
        figures = percent(row["accuracy"]), count(row["macs"]), *([time] if timed else [])
        rows.append((name, *figures, count(network["params"]), whole(network["epochs"])))
    if other := found.get("ofa_pair"):
        mean = [milliseconds(other["ms"]) if "ms" in other else NOTHING] if timed else []
        params = count(sum(other[role]["params"] for role in ("little", "big")))
        rows.append((other["name"], percent(other["accuracy"]), count(other["macs"]), *mean, params, NOTHING))
    return Table(("Baseline", "Accuracy", "MACs", *(["Mean time"] if timed else []), "Params", "Epochs"), rows)


def plan(found: dict[str, Any]) -> Table:
    """What each part of a run was given of its minutes, and what it took."""
    with reading(Path("plan.json")):
        made = Plan.from_json(found)
    rows = [
        (name, work or NOTHING, duration(seconds), NOTHING if used is None else duration(used))
        for name, work, seconds, used in made.rows()
    ]
    return Table((f"Plan of {made.minutes:g} minutes", "Work", "Planned", "Took"), rows, {1: "words"})


def cells(pair: dict[str, Any]) -> Table:
    """The cells of little and big in the notation of NAS-Bench-201; without rows where they have none."""
    return Table(
        ("Network", "Cell"), [(role, write_cell(each)) for role, each in operations(pair).items()], {1: "words"}
    )


def preferences(found: Probabilities) -> Table:
    """The most probable value of each axis, and the others."""
    rows = []
    for axis, row in found.items():
        first, *others = sorted(row, key=lambda value: -row[value])
        rest = ", ".join(f"{value}: {percent(row[value], 0)}" for value in others)
        rows.append((axis, first, percent(row[first]), rest or NOTHING))
    return Table(("Axis", "Most probable", "Probability", "Others"), rows)


def networks(pair: dict[str, Any]) -> Table:
    """Blocks, MACs, params, float32 weights and peak activation memory of little and big."""
    rows = []
    for role in ("little", "big"):
        blocks, known = pair["blocks"].get(role), pair["networks"][role]
        params, memory = known["params"], size(known["peak_memory_bytes"])
        macs = count(known["macs"] if blocks is None else sum(block["macs"] for block in blocks))
        number = NOTHING if blocks is None else str(len(blocks))
        rows.append((role, number, macs, count(params), size(4 * params), memory))
    return Table(("Network", "Blocks", "MACs", "Params", "Weights (float32)", "Peak activations"), rows)
