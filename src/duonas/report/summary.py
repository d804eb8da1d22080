"""The result of a run in sentences and key figures."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from duonas.core.cost import PairCost
from duonas.measure import constraints
from duonas.measure import guessing as guesses
from duonas.measure.accuracy import Outputs
from duonas.measure.balance import balance, majority
from duonas.measure.verdict import verdict_of
from duonas.measure.wording import trained_alone
from duonas.report import given
from duonas.report.energy import energies
from duonas.report.formatting import (
    THIN,
    count,
    fixed,
    milliseconds,
    number,
    percent,
    plural,
    points_apart,
    tick_percent,
    whole,
)
from duonas.routing.bounds import Interval, paired_difference
from duonas.routing.constraints import ConstraintCheck
from duonas.routing.options import GUARANTEES

SITES = {"after_little": "after little", "stem": "at the stem", "input": "at the input"}
EQUAL = 0.0005  # below a twentieth of a point accuracies are called equal


def summary(measured: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page takes from ``measure.json`` alone, by its names in the template."""
    return {
        "headline": headline(measured), "grounds": grounds(measured), "in_macs": in_macs(measured),
        "compared": compared(measured),
        "tiles": tiles(measured), "test_images": whole(measured["test_images"]),
        "routing": f"{routing(measured)} {decisions(measured)}",
        "timing": f"{ideal(measured)} {overhead(measured)} {energies(measured)}".rstrip(),
    }  # fmt: skip


def headline(measured: dict[str, Any]) -> str:
    """The verdict in one short sentence; its times and intervals are in the table below, but what is noise is said."""
    noise = re.sub(r"\((within the noise of the test images): [^()]*\)", r"[\1]", str(verdict_of(measured)["sentence"]))
    return re.sub(r" \([^()]*\)", "", noise).replace("[", "(").replace("]", ")")


def grounds(measured: dict[str, Any]) -> str:
    """Why the verdict is as it is, and the next step."""
    verdict = verdict_of(measured)
    return f"{verdict['reason']} {verdict['next']}".strip()


def compared(measured: dict[str, Any]) -> str:
    """What the table of the verdict compares."""
    plain = "plain" in measured
    others = "big alone, little alone and a plain network" if plain else "big alone and little alone"
    said = (
        f"The routed pair against {others}, on {plural(measured['test_images'], 'test image')}: exact 95{THIN}% "
        "intervals, and mean times of an image, all networks timed in turns on the same images."
    )
    if not plain:
        return said
    if alone := trained_alone(measured):
        return f"{said} {alone}"
    return said + (
        " The plain network is the best single subnet that the search saw at no more expected cost than the pair, "
        "as the supernet gives it."
    )


def in_macs(measured: dict[str, Any]) -> str:
    """The little share, and accuracy and MACs against those of big, in one sentence."""
    routed, big = measured["routed"], measured["big"]
    gap = routed["accuracy"] - big["accuracy"]
    ratio = routed["expected_macs"] / big["macs"]
    more = f"{points_apart(gap)} {'more' if gap > 0 else 'less'} accurate than big"
    quality = "as accurate as big" if abs(gap) < EQUAL else more
    price = f"at {percent(ratio, 0)} of its MACs" if ratio < 1 else f"but costs {percent(ratio, 0)} of its MACs"
    share = routed["little_share"]
    return f"Sends {_part(share)} of the images to little and is {quality} {price}."


def _part(share: float) -> str:
    """Write a share so that only all is called all, and only none is called none."""
    if share in (0, 1):
        return "all" if share else "none"
    if round(100 * share) in (0, 100):
        return "nearly all" if share > 0.5 else "almost none"
    return percent(share, 0)


def certainty(outputs: Outputs) -> str:
    """The exact 95 % interval of the accuracy difference to big on the same test images."""
    routed, big = outputs.routed_right, outputs.big_right
    apart = paired_difference(int((routed & ~big).sum()), int((big & ~routed).sum()), len(routed))
    lower, upper = _outward(apart)
    return (
        f"On {plural(len(routed), 'test image')} the accuracy of the routed pair minus that of big lies between "
        f"{lower} and {upper} points (exact 95{THIN}% interval of paired answers)."
    )


def _outward(apart: Interval) -> tuple[str, str]:
    """Write the limits in points, rounded away from each other, with two digits of what lies between them."""
    decimals = max(1, math.ceil(-math.log10(apart.upper - apart.lower)))
    scale = 10.0**decimals
    limits = math.floor(100 * apart.lower * scale) / scale, math.ceil(100 * apart.upper * scale) / scale
    lower, upper = (f"{'+' if limit > 0 else ''}{fixed(limit + 0.0, decimals)}" for limit in limits)
    return lower, upper


def guessing(outputs: Outputs, class_names: tuple[str, ...], recipe: str | None) -> str:
    """A warning if the pair is not provably better than always answering the most frequent class; else empty.

    Args:
        outputs: predictions of the pair.
        class_names: (K,), or empty.
        recipe: the text of a TOML file, or ``None`` if it is not known.
    """
    train = tomllib.loads(recipe)["train"] if recipe else {}
    routed = balance(outputs, class_names)["routed"] | {"accuracy": float(outputs.routed_right.mean())}
    balanced = "balanced" in (train.get("class_weights"), train.get("sampling"))
    return guesses.guessing(majority(outputs, class_names), routed, balanced=balanced)


def promise(policy: dict[str, Any], measured: dict[str, Any]) -> str:
    """What is promised for new images, and what the pair takes of all that the search was constrained by."""
    if "floor" in policy["choice"]:
        floor = percent(policy["choice"]["floor"], 2)
        promised = GUARANTEES[policy.get("floor_on", "accuracy")].format(floor)
        sure = f"{tick_percent(policy['confidence'])}{THIN}%"
        said = (
            f"The threshold guarantees {promised} for new images like these, "
            f"with {sure} confidence, by {plural(policy['images'], 'calib image')}."
        )
    else:
        said = "Nothing is guaranteed for new images, since the threshold was not chosen by a floor."
    return " ".join([said, *(_sentence(each) for each in _constraints(policy)), *constraints.comparisons(measured)])


def unkept(policy: dict[str, Any], measured: dict[str, Any]) -> str:
    """Which constraints of the search the deployed pair does not keep, as predicted or measured; empty if it does."""
    predicted = (_sentence(each) for each in _constraints(policy) if not each.kept)
    return " ".join([*predicted, *constraints.unkept(measured)])


def _constraints(policy: dict[str, Any]) -> list[ConstraintCheck]:
    return [ConstraintCheck.from_json(each) for each in policy.get("constraints", ())]


def _sentence(check: ConstraintCheck) -> str:
    return f"{check.sentence[0].upper()}{check.sentence[1:]}."


@dataclass(frozen=True)
class Tile:
    """A key figure, a note to compare it with, and how full its bar is (a fraction; above 1 it is full)."""

    name: str
    value: str
    note: str
    fill: float
    colour: str = "routed"

    @property
    def width(self) -> str:
        """The length of the bar, in CSS."""
        return f"{100 * min(max(self.fill, 0.0), 1.0):.1f}%"


def tiles(measured: dict[str, Any]) -> list[Tile]:
    """The key figures."""
    little, big, routed = measured["little"], measured["big"], measured["routed"]
    share, slower = routed["little_share"], big["images_per_s"] / routed["images_per_s"]
    single, alone_single = (each["latency_ms"].get("mean", each["latency_ms"]["p50"]) for each in (routed, big))
    work, counted = routed["expected_macs"] / big["macs"], routed["ada_macs_edanas"] / big["macs"]
    auroc = measured["auroc"]
    alone = f"little {percent(little['accuracy'])}, big {percent(big['accuracy'])}"
    of_macs = f"{percent(work, 0)} of big's {count(big['macs'])}; peak {count(routed['peak_macs'])}"
    of_time = (
        f"{percent(single / alone_single, 0)} of big's {milliseconds(alone_single)}, one at a time; "
        f"{percent(slower, 0)} at batch 64"
    )
    router = f"{measured['router']} {SITES[measured['position']]}, τ = {number(float(measured['tau']))}"
    ranks = f"{_ranks(auroc)}; ECE {percent(measured['ece'])}"
    omitted = "little's" if measured["position"] == "after_little" else "the router's"
    return [
        Tile("Accuracy", percent(routed["accuracy"]), alone, routed["accuracy"]),
        Tile("Expected MACs", count(routed["expected_macs"]), of_macs, work),
        Tile("Time per image", milliseconds(single), of_time, single / alone_single),
        Tile("Little share", percent(share), router, share, "little"),
        Tile("Router's AUROC", number(auroc), ranks, auroc or 0.0, "little"),
        Tile(
            "ADA MACs",
            count(routed["ada_macs_edanas"]),
            f"as counted by EDANAS, without {omitted} runs on images sent to big",
            counted,
        ),
    ]


def _ranks(auroc: float | None) -> str:
    """What an AUROC says of the router."""
    if auroc is None:
        return "undefined, since little is always right or always wrong here"
    if auroc < 0.5:
        return "worse than chance here: scores little's wrong answers above its right ones"
    return "scores little's right answers above its wrong ones"


def routing(measured: dict[str, Any]) -> str:
    """What the router reads and what its score decides."""
    if measured["position"] == "after_little":
        return (
            "Little runs on every image, and the router gives its answer a score. At or above the threshold little's "
            "answer is used; below it big runs."
        )
    at_stem = measured["position"] == "stem"
    read, rest = (
        ("the output of the blocks that both networks share", "the rest of ") if at_stem else ("its pixels", "")
    )
    return (
        f"The router gives each image a score from {read}. At or above the threshold {rest}little runs, below it "
        f"{rest}big; the other one does not run."
    )


def decisions(measured: dict[str, Any]) -> str:
    """Whether the router sends the right images to little and to big."""
    found = measured["routing"]
    right, needed = percent(found["little_right_when_kept"]), percent(found["big_needed_when_sent"])
    return (
        f"Little is right on {right} of the images that it answers. Of those sent to big, {needed} needed big (little "
        f"is wrong and big is right); that is {percent(found['sent_when_big_needed'])} of all images that need big. "
        f"An oracle router is {points_apart(found['oracle_gap'])} better."
    )


def ideal(measured: dict[str, Any]) -> str:
    """How near the routed latency comes to the sum of the parts that must run."""
    ratios = {
        batch.replace("_", " "): value for batch, value in measured["ratio_to_ideal"].items() if value is not None
    }
    if not ratios:
        return ""
    parts = " and ".join(f"{number(value)} times the ideal at {batch}" for batch, value in ratios.items())
    return f"The routed pair takes {parts}, where the ideal is the time of only those parts that must run."


def overhead(measured: dict[str, Any]) -> str:
    """The cost of the router alone."""
    found = measured["router_overhead"]
    return (
        f"The router's score costs {count(found['macs'], 'MACs')} an image ({percent(found['macs_share'])} of the "
        f"expected ones) and {number(found['us'], 2)}{THIN}µs ({percent(found['latency_share'])} of the routed p50)."
    )


def price(cost: PairCost) -> str:
    """The cost of an image that little answers, and of one that goes to big."""
    shared = f"stem {count(cost.stem)}, router {count(cost.router)}"
    easy = f"An easy image costs {count(cost.least, 'MACs')} ({shared}, little {count(cost.little)}); "
    if cost.before:
        return easy + f"a hard one {count(cost.expected(0))} ({shared}, big {count(cost.big)}), and nothing for little."
    return easy + f"a hard one pays another {count(cost.big)} for big, {count(cost.peak)} in all."


def origin(pair: dict[str, Any]) -> str:
    """Where the weights of the pair come from, and how many there are."""
    if pair["coupling"] == "given":
        return given.origin(pair)
    stored = count(stored_params(pair), "params")
    if pair["within"]:
        return f"Both come straight from the supernet; little's weights are a part of big's {stored}."
    ways = {
        "none": "Both come straight from the supernet.",
        "joint": "Both come from the supernet and were then fine-tuned together.",
        "scratch": "Both were trained together from fresh weights.",
        "independent": "Both were trained from fresh weights, separately.",
    }
    return f"{ways[pair['finetune']]} Together they have {stored}, counting shared ones once."


def stored_params(pair: dict[str, Any]) -> int:
    """The number of different weights of a pair: big's, or those of both networks, counting shared ones once."""
    little, big = (int(pair["networks"][role]["params"]) for role in ("little", "big"))
    if pair["within"]:
        return big
    return little + big - sum(int(block["params"]) for block in pair["blocks"].get("big", ())[: pair["shared"]])


def is_given(recipe: str) -> bool:
    """Whether the pair of a recipe (the text of a TOML file) is made of networks that were given."""
    return bool(tomllib.loads(recipe).get("pair", {}).get("coupling") == "given")


def trains_supernet(recipe: str) -> bool:
    """Whether a recipe (the text of a TOML file) trains a supernet; given networks and chosen pairs need none."""
    return not is_given(recipe) and tomllib.loads(recipe)["train"].get("epochs") != 0


def searched(found: dict[str, Any], part: dict[str, Any] | None = None) -> str:
    """How the pair of a search was found.

    Args:
        found: the content of ``front.json``.
        part: that of ``narrow.json``, where a part of the space was searched.
    """
    how = _evaluated(found)
    return how if part is None else f"{part['said']} {how}"


def _evaluated(found: dict[str, Any]) -> str:
    if found["points"][found["chosen"]]["accuracy"] is None:
        return str(found["strategy"]["said"])
    nouns = "network" if "given" in (found.get("device") or {}) else "subnet"
    return (
        f"Every {nouns} is evaluated once; accuracy and cost of each pair at each threshold then follow by arithmetic. "
        "The front holds the pairs that no other pair beats in every objective."
    )


def trained(recipe: str) -> str:
    """How the supernet of a recipe (the text of a TOML file) was trained."""
    if is_given(recipe):
        return "Nothing was trained: both networks are as they were given."
    tables = tomllib.loads(recipe)
    if not trains_supernet(recipe):
        return "The supernet was not trained: all training was of the pair."
    rule, weights = tables["train"]["rule"], tables["space"]["weights"]["name"]
    words = "all archs share its weights"
    if weights != "shared":
        words = f"the weights of each arch are generated ({weights})"
    return f"One supernet serves every subnet: {words}. Training rule: {rule}."
