"""The run in words and key figures."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from typing import Any

from duonas.core.cost import PairCost
from duonas.measure import accuracy
from duonas.measure.accuracy import Outputs
from duonas.report.words import NOTHING, THIN, correlation, count, milliseconds, number, percent, points, size, whole

SITES = {"after_little": "after little", "stem": "at the stem", "input": "at the input"}
EQUAL = 0.0005  # below a twentieth of a point accuracies are called equal


def headline(measured: dict[str, Any]) -> str:
    """The result in one sentence."""
    routed, big = measured["routed"], measured["big"]
    gap = routed["accuracy"] - big["accuracy"]
    ratio = routed["expected_macs"] / big["macs"]
    more = f"{100 * abs(gap):.1f} points {'more' if gap > 0 else 'less'} accurate than big"
    quality = "as accurate as big" if abs(gap) < EQUAL else more
    price = f"at {percent(ratio, 0)} of its MACs" if ratio < 1 else f"but costs {percent(ratio, 0)} of its MACs"
    share = routed["little_share"]
    sent = "all" if share == 1 else "none" if share == 0 else percent(share, 0)
    return f"Sends {sent} of the images to little and is {quality} {price}."


def certainty(outputs: Outputs) -> str:
    """How far chance may have moved the difference to big: a normal 95 % interval over the paired test images."""
    difference = outputs.routed_right.astype(float) - outputs.big_right
    error = 1.96 * float(difference.std()) / len(difference) ** 0.5
    middle = float(difference.mean())
    return (
        f"On {whole(len(difference))} test images the difference to big lies between {points(middle - error)} "
        f"and {points(middle + error)} "
        f"(95{THIN}% interval)."
    )


@dataclass(frozen=True)
class Tile:
    """A key figure, what it is to be compared with, and how full its bar is (0 to 1)."""

    name: str
    value: str
    note: str
    fill: float
    colour: str = "routed"


def tiles(measured: dict[str, Any]) -> list[Tile]:
    """The key figures."""
    little, big, routed = measured["little"], measured["big"], measured["routed"]
    share, slower = routed["little_share"], big["images_per_s"] / routed["images_per_s"]
    work, counted = routed["expected_macs"] / big["macs"], routed["ada_macs_edanas"] / big["macs"]
    auroc = measured["auroc"]
    alone = f"little {percent(little['accuracy'])}, big {percent(big['accuracy'])}"
    of_macs = f"{percent(work, 0)} of big's {count(big['macs'])}; peak {count(routed['peak_macs'])}"
    of_time = f"{percent(slower, 0)} of big's, at batch 64; alone {milliseconds(routed['latency_ms']['p50'])} (p50)"
    router = f"{measured['router']} {SITES[measured['position']]}, τ = {number(float(measured['tau']))}"
    ranks = f"ranks little's right answers; ECE {percent(measured['ece'])}"
    vain = "little's vain runs" if measured["position"] == "after_little" else "the router's work"
    found = [
        Tile("Accuracy", percent(routed["accuracy"]), alone, routed["accuracy"]),
        Tile("Expected MACs", count(routed["expected_macs"]), of_macs, work),
        Tile("Time per image", milliseconds(1000 / routed["images_per_s"]), of_time, slower),
        Tile("Little share", percent(share), router, share, "little"),
        Tile("Router's AUROC", NOTHING if auroc is None else number(auroc), ranks, auroc or 0.0, "little"),
        Tile("ADA MACs", count(routed["ada_macs_edanas"]), f"as EDANAS counts: without {vain} before big", counted),
    ]
    return [replace(tile, fill=min(max(tile.fill, 0.0), 1.0)) for tile in found]


@dataclass(frozen=True)
class Outcome:
    """A kind of image by who is right, and where the router sent it; fractions of all test images."""

    name: str
    fraction: str
    kept: str
    meaning: str


KINDS = {
    "both": ("Both right", "big would be wasted"),
    "only_big": ("Only big right", "big is needed"),
    "only_little": ("Only little right", "big would spoil it"),
    "neither": ("Both wrong", "big would not help"),
}


def outcomes(outputs: Outputs) -> list[Outcome]:
    """The four kinds of images."""
    rows = []
    for row in accuracy.outcomes(outputs):
        name, meaning = KINDS[row["right"]]
        rows.append(Outcome(name, percent(row["images"] / len(outputs.labels)), _share(row["little_share"]), meaning))
    return rows


def _share(fraction: float | None) -> str:
    return NOTHING if fraction is None else percent(fraction)


def routing(measured: dict[str, Any]) -> str:
    """Where the router stands and what its score does."""
    return {
        "after_little": (
            "Little runs on every image, and the router gives its answer a score. At or above the threshold little's "
            "answer stands, below it big is asked."
        ),
        "stem": (
            "The router gives each image a score from what the blocks shared by both networks find in it. At or above "
            "the threshold little goes on with it, below it big does; the other one does not run."
        ),
        "input": (
            "The router gives each image a score from the image itself. At or above the threshold little answers it, "
            "below it big does; the other one does not run."
        ),
    }[measured["position"]]


def decisions(measured: dict[str, Any]) -> str:
    """Whether the router sends the right images, in both directions."""
    found = measured["routing"]
    kept, sent = _share(found["little_right_when_kept"]), _share(found["big_needed_when_sent"])
    return (
        f"Little has {kept} of the images right that it keeps. Of those sent to big {sent} needed it (little is wrong "
        f"and big right), which are {_share(found['sent_when_big_needed'])} of all that do. The oracle is "
        f"{points(found['oracle_gap'])[1:]} better."
    )


def latency_table(measured: dict[str, Any]) -> list[list[str]]:
    """Rows: network, accuracy, MACs, p50, p95, p99, images a second."""
    rows = []
    for role in ("little", "routed", "big"):
        entry = measured[role]
        times = [milliseconds(entry["latency_ms"][name]) for name in ("p50", "p95", "p99")]
        macs = count(entry["expected_macs"] if role == "routed" else entry["macs"])
        rows.append([role, percent(entry["accuracy"]), macs, *times, whole(entry["images_per_s"])])
    return rows


def ideal(measured: dict[str, Any]) -> str:
    """How near the routed time comes to the sum of what must run."""
    ratio = measured["ratio_to_ideal"]
    parts = [
        f"{number(value)} times the ideal at {name.replace('_', ' ')}"
        for name, value in ratio.items()
        if value is not None
    ]
    return (
        "The routed pair takes " + " and ".join(parts) + ", the ideal being the time of just the parts that must run."
        if parts
        else ""
    )


def overhead(measured: dict[str, Any]) -> str:
    """What the router itself costs."""
    found = measured["router_overhead"]
    return (
        f"The router's score costs {count(found['macs'], 'MACs')} an image ({percent(found['macs_share'])} of the "
        f"expected ones) and {number(found['us'], 2)}{THIN}µs ({percent(found['latency_share'])} of the routed p50)."
    )


def price(cost: PairCost) -> str:
    """What an easy and a hard image cost."""
    shared = f"stem {count(cost.stem)}, router {count(cost.router)}"
    easy = f"An easy image costs {count(cost.least, 'MACs')} ({shared}, little {count(cost.little)}); "
    if cost.before:
        return easy + f"a hard one {count(cost.expected(0))} ({shared}, big {count(cost.big)}), and nothing for little."
    return easy + f"a hard one pays another {count(cost.big)} for big, {count(cost.peak)} in all."


def origin(pair: dict[str, Any]) -> str:
    """Where the pair's weights come from, and how many there are."""
    stored = count(stored_params(pair), "params")
    if is_within(pair):
        return f"Both come straight from the supernet; little's weights are a part of big's {stored}."
    ways = {
        "none": "Both come straight from the supernet.",
        "joint": "Both come from the supernet and were then trained on together.",
        "scratch": "Both were trained together from fresh weights.",
        "independent": "Both were trained from fresh weights, each apart from the other.",
    }
    return f"{ways[pair.get('finetune', 'none')]} Together they have {stored}, shared ones counted once."


def stored_params(pair: dict[str, Any]) -> int:
    """How many different weights a pair has: big's, or both networks', shared ones counted once."""
    little, big = (int(pair["params"][role]) for role in ("little", "big"))
    if is_within(pair):
        return big
    return little + big - sum(int(block["params"]) for block in pair["blocks"]["big"][: pair["shared"]])


def is_within(pair: dict[str, Any]) -> bool:
    """Whether little's weights are a part of big's; runs of before there were others do not say so of nested pairs."""
    return bool(pair.get("within", pair["coupling"] == "nested"))


def baseline_table(found: dict[str, Any]) -> list[list[str]]:
    """Rows: static network, accuracy, MACs, params, epochs."""
    return [
        [row["name"], percent(row["accuracy"]), count(row["macs"]), count(row["params"]), whole(row["epochs"])]
        for row in found["networks"]
    ]


def trained(recipe: str) -> str:
    """How the supernet of a recipe, as TOML, was trained."""
    tables = tomllib.loads(recipe)
    rule, weights = tables["train"]["rule"], tables["space"].get("weights", "shared")
    held = "All archs share its weights" if weights == "shared" else f"Each arch's weights are made for it ({weights})"
    return f"{held}; rule {rule}."


def prefers_table(found: dict[str, dict[str, float]]) -> list[list[str]]:
    """Rows: axis, its most probable value, how probable, the others."""
    rows = []
    for axis, row in found.items():
        first, *others = sorted(row, key=lambda value: -row[value])
        rest = ", ".join(f"{value}: {percent(row[value], 0)}" for value in others)
        rows.append([axis, first, percent(row[first]), rest or NOTHING])
    return rows


def reached_table(found: dict[str, Any]) -> list[list[str]]:
    """Rows: whose accuracies, number of archs, mean, best."""
    rows = [("from the supernet", found["archs"], found["accuracy"])]
    if table := found["table"]:
        rows += [("from scratch, the same archs", found["archs"], table["same"])]
        rows += [("from scratch, the whole table", table["whole"]["archs"], table["whole"])]
    return [[name, whole(archs), percent(row["mean"], 2), percent(row["best"], 2)] for name, archs, row in rows]


def agreement_table(found: dict[str, Any]) -> list[list[str]]:
    """Rows: what tells the order, Kendall's tau, Spearman's rho, number of archs."""
    names = {"accuracy": "accuracy from the supernet", "params": "number of params alone", "macs": "MACs alone"}
    return [
        [names[name], correlation(row["kendall"]), correlation(row["spearman"]), whole(row["archs"])]
        for name, row in found["agreement"].items()
    ]


def regret_table(found: dict[str, Any]) -> list[list[str]]:
    """Rows: k, the best of the k top-ranked by the table, how far from these archs' best and from the table's."""
    return [
        [
            str(row["k"]),
            percent(row["found"], 2),
            *(f"{100 * row[name]:.2f} points" for name in ("regret", "regret_whole")),
        ]
        for row in found["regret"]
    ]


def ranking(found: dict[str, Any]) -> str:
    """What was ranked, and against what."""
    drawn = "All" if found["archs"] == found["space_archs"] else whole(found["archs"])
    table = found["table"]
    off = found.get("branches_off_after", 0)  # older runs ranked bigs alone
    where = f" that branch off after stage {off}" if off else ""
    littles = f" as littles{where}," if found.get("role") == "little" else ""
    against = f" From scratch they reach what {table['file']} has as {table['column']}." if table else ""
    return (
        f"{drawn} of the {whole(found['space_archs'])} archs,{littles} straight from the supernet: batch norms "
        f"measured on {whole(found['recalibration_images'])} training images, asked about the "
        f"{whole(found['images'])} images of the {found['split']} split.{against}"
    )


def pair_table(pair: dict[str, Any]) -> list[list[str]]:
    """Rows: network, blocks, MACs, params, weights in float32, peak activation memory."""
    rows = []
    for role in ("little", "big"):
        blocks, params = pair["blocks"][role], pair["params"][role]
        macs = count(sum(block["macs"] for block in blocks))
        rows.append(
            [role, str(len(blocks)), macs, count(params), size(4 * params), size(pair["peak_memory_bytes"][role])]
        )
    return rows
