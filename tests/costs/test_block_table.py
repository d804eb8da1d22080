"""Device tables of blocks: every space is priced by the sum of its blocks, and searched by it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.costs.block_table import write_block_table
from duonas.costs.device import cost_model
from duonas.costs.device_table import block_text
from duonas.costs.distinct import distinct_blocks
from duonas.costs.options import DeviceOptions
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import sweep
from duonas.search.evaluate import NO_READINGS, SubnetResult
from duonas.search.goal import Goal
from duonas.search.options import SearchOptions
from duonas.search.pair_table import PairTable
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.search import search
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

ABOUT = {"device": "made up", "runtime": "none", "threads": "1", "precision": "float32", "date": "2026-11-30"}
MEASURED = ("latency_ms", "energy_mj")
SPACES = {
    "mobilenet": ({"preset": "cifar-small", "axes": {"width": [0.5, 1.0], "depth": [1, 2], "kernel": [3, 5]}}, 32),
    "nasbench201": ({"channels": 2, "cells": 1, "axes": {"operation": ["none", "skip_connect", "nor_conv_3x3"]}}, 8),
    "uib": ({"preset": "uib-digits"}, 8),
}
CASES = [(name, coupling) for name in SPACES for coupling in ("nested", "sibling", "partial")]
CASES.remove(("nasbench201", "partial"))  # one stage: nothing to share
EACH = [("mobilenet", "partial"), ("nasbench201", "sibling"), ("uib", "nested")]  # each space, each coupling


def pairs_of(name, coupling):
    table, size = SPACES[name]
    kind = find("space", name)
    return pair_space(kind.space(kind.Options(**table), size, 4), coupling)


def rows_of(pairs):
    """Made-up figures of every block, which do not grow with it."""
    rows = {}
    for block in distinct_blocks(pairs):
        rng = stream(0, block_text(block))
        rows[block] = {"latency_ms": rng.uniform(0.01, 0.2), "energy_mj": rng.uniform(1, 5)}
    return rows


class AtInput(Router):
    name, positions, macs = "at-input", ("input",), 700

    def judge(self, described):
        return described.flatten(1).sum(1)


class Drawn:
    """Answers that are drawn."""

    def __init__(self, pairs, images=40):
        self.pairs, self.labels = pairs, stream(0, "labels").integers(0, 4, images)

    def evaluate(self, subnet, readings=NO_READINGS):
        macs = analytic(self.pairs.blocks(subnet)).macs
        noise = stream(0, subnet.id).normal(size=(len(self.labels), 4))
        logits = np.eye(4)[self.labels] * np.log(macs) / 3 + 2 * noise
        return SubnetResult.of(subnet, logits.astype(np.float32), self.labels, readings)


@pytest.mark.parametrize(
    ("name", "coupling", "suffix"), [*((*case, "parquet") for case in CASES), ("uib", "nested", "csv")]
)
def test_a_pair_takes_what_its_blocks_take(name, coupling, suffix, tmp_path):
    """Both its parts against a sum over blocks, alone and among all pairs, at every threshold."""
    pairs = pairs_of(name, coupling)
    rows = rows_of(pairs)
    path = write_block_table(tmp_path / f"table.{suffix}", rows, ABOUT)
    model = cost_model(DeviceOptions(str(path)), pairs)
    assert model.quantities == ("macs", *MEASURED) and model.origin()["device"] == "made up"
    keyed = {block_text(block): row for block, row in rows.items()}

    def brute(blocks, quantity):
        return sum(keyed[block_text(block)][quantity] for block in blocks)

    routers = Confidence(), AtInput()
    prices = Prices(pairs, model, routers)
    drawn = [pairs.sample(stream(seed, "pair")) for seed in range(8)]
    subnets = list(dict.fromkeys(subnet for pair in drawn for subnet in pairs.subnets(pair)))
    goal = Goal(("accuracy", "expected_latency_ms"), {})
    table, seen = PairTable(prices, subnets, goal), 0
    rng = stream(0, "answers")
    score, little_right, big_right = rng.random(30), rng.random(30) < 0.6, rng.random(30) < 0.8
    share = sweep(score, little_right, big_right).little_share
    stays = [np.sort(score)[::-1][: round(s * 30)] for s in share]
    for little in range(len(subnets)):
        for number, _, row in table.rows(little):
            for place, big in enumerate(row.bigs.tolist()):
                pair, before = table.pair(little, big), routers[number].before
                mine, other = (pairs.blocks(subnet) for subnet in pairs.subnets(pair))
                shared = pairs.shared(pair)
                for quantity in MEASURED:
                    stem, rest_l, rest_b = (brute(b, quantity) for b in (mine[:shared], mine[shared:], other[shared:]))
                    ways = [(rest_l if easy else rest_b) if before else rest_l + rest_b * (not easy)
                            for easy in (True, False)]  # fmt: skip
                    mean = [stem + (ways[0] * len(some) + ways[1] * (30 - len(some))) / 30 for some in stays]
                    part = row.parts[quantity].take(np.array([place]))
                    alone = prices.price(pair, routers[number]).parts[quantity]
                    np.testing.assert_allclose(part.expected(share), mean)
                    np.testing.assert_allclose(alone.expected(share), mean)
                    assert alone.peak == pytest.approx(stem + max(ways))
                    seen += shared > 0
    assert seen > (3 if coupling == "partial" else 7)


@pytest.mark.parametrize(("name", "coupling"), EACH)
def test_every_space_is_searched_by_it(name, coupling, tmp_path):
    """Constraints hold, also those near the least that there is; the front says where its figures are from."""
    pairs = pairs_of(name, coupling)
    path = write_block_table(tmp_path / "table.parquet", rows_of(pairs), ABOUT)
    prices = Prices(pairs, cost_model(DeviceOptions(str(path)), pairs))
    free = Problem(Goal(("accuracy",), {"peak_latency_ms": 1e9}), prices)
    least = free.lowest("peak_latency_ms")
    limits = {"peak_latency_ms": 1.2 * least, "expected_energy_mj": 1e3}
    objectives = ("accuracy", "expected_latency_ms", "weight_bytes")
    options = SearchOptions("random", evaluations=20, objectives=objectives, constraints=limits)
    result = search(Problem(Goal(objectives, limits), prices), Drawn(pairs), options, 0)
    assert all(point.figures["peak_latency_ms"] <= limits["peak_latency_ms"] for point in result.front.points)
    assert all(row["peak_latency_ms"] <= limits["peak_latency_ms"] for row in result.trials)
    assert result.front.device["runtime"] == "none"
    best = result.front.best
    little, big = (prices.subnet(subnet) for subnet in pairs.subnets(best.pair))
    assert best.figures["peak_latency_ms"] < little.latency_ms + big.latency_ms  # what both share is paid once
    tight = {"peak_latency_ms": 0.5 * least}
    with pytest.raises(DuonasError, match=r"peak_latency_ms = .* cannot be met: the fastest pair found needs .* ms"):
        Problem(Goal(objectives, tight), prices).check()


def test_the_least_is_found_where_it_is_not_with_the_smallest(tmp_path):
    """In a space that can be walked through, what is said to be possible is nearly all there is."""
    axes = {"operation": ["none", "skip_connect", "nor_conv_3x3"]}
    space = NasBench201.space(NasBench201.Options(channels=2, cells=1, axes=axes), 8, 4)
    pairs = pair_space(space, "sibling")
    prices = Prices(
        pairs, cost_model(DeviceOptions(str(write_block_table(tmp_path / "t.csv", rows_of(pairs), ABOUT))), pairs)
    )
    archs = list(space.archs())
    least = min(prices.figures(PairArch(a, a))["big_latency_ms"] for a in archs)
    found = Problem(Goal(("accuracy",), {"big_latency_ms": 1.0}), prices).lowest("big_latency_ms")
    assert least <= found <= 1.1 * least


def test_a_table_that_lacks_a_block_may_be_refused_before_any_training(tmp_path):
    pairs = pairs_of("mobilenet", "nested")
    rows = rows_of(pairs)
    lacking = next(block for block in rows if block.kind == "mbconv" and block.kernel == 5)
    del rows[lacking]
    path = write_block_table(tmp_path / "table.csv", rows, ABOUT)
    block = rf"mbconv {lacking.in_channels} to {lacking.out_channels} channels at {lacking.resolution} px"
    words = rf"table.csv lacks 1 of the {len(rows) + 1} blocks of this search space, such as {block}"
    with pytest.raises(DuonasError, match=words):
        cost_model(DeviceOptions(str(path), missing="refuse"), pairs)
    device = [f"search.device.table={path}", "search.device.missing=refuse"]
    recipe = duonas.load_recipe("digits", device)
    for refused in (lambda: duonas.profile(recipe), lambda: duonas.run(recipe, tmp_path / "run")):
        with pytest.raises(DuonasError, match=r"table.csv lacks .*: measure it, set .*, or narrow \[space.axes\]"):
            refused()
    assert not (tmp_path / "run" / "checkpoint").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency": "ms"}, "has no column 'ms'"),
        ({"table": "nowhere.csv"}, r"\[search.device\]"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(changes, message, tmp_path):
    pairs = pairs_of("nasbench201", "nested")
    path = write_block_table(tmp_path / "table.csv", rows_of(pairs), ABOUT)
    with pytest.raises(DuonasError, match=message):
        cost_model(DeviceOptions(**{"table": str(path), **changes}), pairs)


@pytest.mark.parametrize("line", ["x,0.1,nan", "x,-1,2", "{},fast,1"])
def test_figures_that_no_cost_can_be_are_refused(line, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"# device = pi\nblock,latency_ms,energy_mj\n{line}\n")
    with pytest.raises(DuonasError, match=r"table\.csv"):
        cost_model(DeviceOptions(str(path)), pairs_of("nasbench201", "nested"))


def test_profile_shows_what_a_table_tells(tmp_path):
    recipe = duonas.load_recipe("digits")
    pairs = pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10), "nested")
    path = write_block_table(tmp_path / "table.parquet", rows_of(pairs), ABOUT)
    limit = ["search.constraints.peak_latency_ms=100", "search.constraints.weight_bytes=300e3"]
    found = duonas.profile(duonas.load_recipe("digits", [f"search.device.table={path}", *limit]))
    assert set(found.figures) == {"macs", "params", "weight_bytes", "peak_memory_bytes", *MEASURED}
    assert (
        found.refusal is None and all(each.met for each in found.constraints) and recipe.search.device.table == "none"
    )
    spread = found.figures["latency_ms"]
    assert spread.least < spread.median < spread.most
    assert {each.name: each.why for each in found.constraints}["peak_latency_ms"].startswith(
        "the fastest pair found needs"
    )


def test_the_whole_is_the_sum_of_its_parts(tmp_path):
    """Law 12, for every cost model; memory is the most of them."""
    pairs = pairs_of("uib", "nested")
    path = write_block_table(tmp_path / "table.parquet", rows_of(pairs), ABOUT)
    for model, seed in product((analytic, cost_model(DeviceOptions(str(path)), pairs)), range(3)):
        blocks = pairs.space.blocks(pairs.space.sample(stream(seed)))
        whole, parts = model(blocks).figures, [model((block,)).figures for block in blocks]
        for name, value in whole.items():
            total = max if name == "peak_memory_bytes" else sum
            assert value == pytest.approx(total(part[name] for part in parts))
