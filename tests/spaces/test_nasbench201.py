"""The topology space of NAS-Bench-201: its text, its published costs, what is contained in what, and a whole run."""

from __future__ import annotations

import importlib.util
import itertools
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow
import pytest
import torch
from pyarrow import parquet

import duonas
from duonas.core.cell import EDGES, OPERATIONS, maps_alive, read_cell, write_cell
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.deploy.export import export_parts
from duonas.recipe.schema import options_for
from duonas.routing.routers.confidence import Confidence
from duonas.search.front import Front
from duonas.search.goal import Goal
from duonas.search.options import GivenPair
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.fixed import Fixed
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.options import PairOptions
from duonas.supernet.pair import PairSupernet

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})
# Params and FLOPs on CIFAR-10, both in millions, as published.
PUBLISHED = {
    EMPTY: (0.073306, 7.943872),
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": (
        0.129306,
        17.958592,
    ),
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|": (
        0.802426,
        116.692672,
    ),
    "|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|": (
        0.559386,
        84.743872,
    ),
    EMPTY.replace("none", "nor_conv_3x3"): (1.531546, 222.860992),
}


def space(size=32, classes=10, **options):
    return NasBench201.space(NasBench201.Options(**options), size, classes)


def script():
    spec = importlib.util.spec_from_file_location("costs", BENCHMARKS / "nasbench201_costs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("cell", "figures"), PUBLISHED.items())
def test_costs_are_the_published_ones(cell, figures):
    """Its FLOPs also count norms, ReLUs and poolings; ours are convolutions and linear layers alone."""
    blocks = space().blocks(space().arch(cell=cell))
    cost = analytic(blocks)
    assert cost.params == round(1e6 * figures[0])
    assert cost.macs + script().beside_macs(blocks) == round(1e6 * figures[1])
    convolutions = [cell.count(f"nor_conv_{side}x{side}") * side**2 * 16 * 16 * 32**2 * 15 for side in (1, 3)]
    assert cost.macs == 7_783_040 + sum(convolutions)


def test_the_text_of_a_cell_goes_both_ways():
    whole = space()
    assert whole.size() == 15_625 and whole.arch(cell=EMPTY) == whole.smallest()
    for cell in PUBLISHED:
        assert whole.cell(whole.arch(cell=cell)) == cell
    drawn = {tuple(stream(0, i).choice(OPERATIONS, len(EDGES)).tolist()) for i in range(50)}
    assert all(read_cell(write_cell(operations)) == operations for operations in drawn)
    text = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|avg_pool_3x3~1|skip_connect~2|"
    arch = whole.arch(cell=text)
    assert whole.value(arch, "edge02.operation") == "nor_conv_1x1" and arch["edge13.operation"] == 2
    assert whole.cell(whole.arch(cell=text, edge03_operation="nor_conv_3x3")) == text.replace("none", "nor_conv_3x3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EMPTY.replace("none~2", "nor_conv3x3~2"), "no operation 'nor_conv3x3': did you mean 'nor_conv_3x3'"),
        (EMPTY.replace("none~2", "none~1"), "wrong edges: node 3 must have inputs ~0, ~1, ~2, got ~0, ~1, ~1"),
        (EMPTY.replace("|none~1|+", "|+"), "wrong edges: node 2 must have inputs ~0, ~1, got ~0"),
        (EMPTY[:-1], r"cannot be read: expected \|op~0\|\+\|op~0\|op~1\|\+"),
        ("|none~0|", "cannot be read: expected"),
        ("", "cannot be read: expected"),
        (3, "cell 3 cannot be read: expected"),
    ],
)
def test_a_malformed_cell_is_refused_in_one_sentence(text, message):
    with pytest.raises(DuonasError, match=message):
        space().arch(cell=text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "nasbench"}, "has no preset 'nasbench': did you mean 'nasbench201'"),
        ({"axes": {"operation": ["conv"]}}, "operation has no value 'conv': choose from"),
        ({"axes": {"kernel": [3]}}, "no axis 'kernel': expected one of operation"),
    ],
)
def test_what_the_space_does_not_have_is_refused(options, message):
    with pytest.raises(DuonasError, match=message):
        space(**options)


def test_keys_of_a_skeleton_are_not_for_other_spaces():
    with pytest.raises(
        DuonasError, match=r"\[space\] has no key 'cells': .* name = 'nasbench201', but here .* 'mobilenet'"
    ):
        options_for("space", cells=2)
    with pytest.raises(DuonasError, match=r"no key 'squeeze_excite': it is a key of .* 'mobilenet'"):
        options_for("space", name="nasbench201", squeeze_excite="on")
    with pytest.raises(DuonasError, match="search space 'nasbench201' has only one kind of block"):
        PairOptions(little_blocks="simple").of_little(NasBench201.Options())


def test_channels_and_cells_are_options():
    def outline(**options):
        blocks = space(**options).blocks(space(**options).largest())
        return [sum(b.kind == "cell" for b in blocks)] + [b.out_channels for b in blocks if b.kind in ("stem", "basic")]

    assert outline() == outline(preset="nasbench201") == [15, 16, 32, 64]
    assert outline(preset="nasbench201-small") == [3, 8, 16, 32]
    assert outline(preset="nasbench201-small", channels=6) == [3, 6, 12, 24]
    assert outline(cells=2) == [6, 16, 32, 64]


def test_contained_is_equal_or_without_weights_on_every_edge():
    whole = space()
    every = np.array(list(itertools.product(range(5), repeat=2)))
    for little, big in every:
        names = OPERATIONS[little], OPERATIONS[big]
        allowed = names[0] == names[1] or names[0] in ("none", "skip_connect")
        archs = [whole.arch(cell=EMPTY.replace("none~2", f"{name}~2")) for name in names]
        assert whole.contains(archs[1], archs[0]) is allowed
    pairs = pair_space(whole, "nested")
    assert pairs.size() == 13**6 - 5**6  # of an edge's 25 pairs of operations 13 are allowed
    for big, littles in ((whole.largest(), 3**6 - 1), (whole.smallest(), 2**6 - 1)):
        assert sum(pairs.contains(PairArch(arch, big)) for arch in whole.archs()) == littles


def test_a_narrower_space_has_the_weights_of_its_operations_alone():
    narrow = space(axes={"operation": ["skip_connect", "nor_conv_1x1"]})
    cell = narrow.whole()[2]
    assert {layer.kernel for layer in cell.layers} == {1} and len(cell.layers) == 6
    assert {layer.kernel for layer in space().whole()[2].layers} == {1, 3}
    alone = space(axes={"operation": ["avg_pool_3x3", "nor_conv_1x1"]})
    with pytest.raises(DuonasError, match="no allowed nested pair: widen"):
        Problem(GOAL, Prices(pair_space(alone, "nested"))).check()


def test_little_is_cut_down_to_a_skip():
    whole = space()
    little = whole.arch(cell=EMPTY.replace("none", "nor_conv_1x1"))
    assert whole.cell(whole.cut(little, whole.largest())) == EMPTY.replace("none", "skip_connect")
    assert whole.cut(whole.largest(), little) == little


def test_a_pair_that_does_not_nest_is_refused_with_the_reason():
    whole = space()
    pair = PairArch(whole.arch(edge01_operation="nor_conv_1x1"), whole.largest())
    said = "its edge01.operation is nor_conv_1x1 which is no part of big's nor_conv_3x3"
    with pytest.raises(DuonasError, match=re.escape(said)):
        pair_space(whole, "nested").validate(pair)
    with pytest.raises(DuonasError, match="choices in two stages or more: 'nasbench201' has 0"):
        pair_space(whole, "partial")


@pytest.mark.parametrize(
    ("operations", "maps"),
    [
        (("none",) * 6, 2),
        (("skip_connect",) * 6, 2),
        (("none",) * 3 + ("nor_conv_3x3", "none", "none"), 3),  # in, rectified, out
        (("none",) * 3 + ("avg_pool_3x3", "none", "none"), 2),
        (("nor_conv_3x3",) * 6, 5),  # two nodes to be read, a sum, a rectified node, what the convolution gives
        (("avg_pool_3x3",) * 6, 4),
    ],
)
def test_the_maps_that_are_alive_at_once(operations, maps):
    assert maps_alive(operations) == maps
    blocks = space().blocks(space().arch(cell=write_cell(operations)))
    assert blocks[2].peak_activations == maps * 16 * 32**2


def supernet(seed=0, size=8):
    table = NasBench201.Options(channels=4, cells=1)
    return NasBench201.supernet(NasBench201.space(table, size, 5), (0.5,) * 3, (0.25,) * 3, stream(seed, "init"), table)


def test_an_edge_with_nothing_vanishes():
    net = supernet()
    operations = ("skip_connect", "none", "nor_conv_3x3", "none", "none", "avg_pool_3x3")
    plain = net.extract(net.space.arch(cell=write_cell(operations))).get_submodule("stage1_cell0")
    assert list(plain.edges) == ["0", "2", "5"] and sum(p.numel() for p in plain.parameters()) == 4 * 4 * 9 + 8
    empty = net.extract(net.space.smallest()).eval()
    assert len(empty.get_submodule("stage1_cell0").edges) == 0
    assert torch.isfinite(empty(torch.rand(2, 3, 8, 8))).all()


@pytest.mark.slow
def test_siblings_of_cells_export_to_onnx(size=6):
    """At any batch size; one of them has nothing on any edge, and a map has an odd side."""
    pairs = pair_space(supernet(size=size).space, "sibling")
    both = PairSupernet(pairs, supernet(0, size), supernet(1, size)).eval()
    drawn = write_cell(tuple(stream(0).permutation([*OPERATIONS, "nor_conv_3x3"]).tolist()))
    net = both.extract_pair(PairArch(pairs.space.smallest(), pairs.space.arch(cell=drawn)))
    parts = export_parts(net, Confidence("margin"), 18)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for n in (1, 5):
        images = torch.rand(n, 3, size, size)
        with torch.inference_mode():
            expected = net(images)
        stem, *towers = (
            onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
            for part in (parts.stem, parts.little, parts.big)
        )
        features = stem.run(None, {"images": images.numpy()})[0]
        for tower, logits in zip(towers, (expected.little, expected.big), strict=True):
            np.testing.assert_allclose(tower.run(None, {"features": features})[0], logits, rtol=1e-3, atol=1e-4)


TINY = ["train.epochs=1", "train.batch_size=1024", "train.rule=uniform", "space.name=nasbench201", "space.preset=",
        "space.channels=4", "space.cells=1", "search.recalibration_images=64", "search.evaluations=6",
        "search.population=3", "measure.latency_images=3", "measure.throughput_batches=1"]  # fmt: skip


def device(path):
    """Settings with a table of made-up latencies, of the cells without a pooling."""
    cells = [cell for cell in map(write_cell, itertools.product(OPERATIONS, repeat=6)) if "pool" not in cell]
    latency = (0.5 + stream(0, "device").random(len(cells))).tolist()
    parquet.write_table(pyarrow.table({"arch": cells, "ms": latency}), path)
    return [f"search.device.table={path}", "search.device.latency=ms"]


def test_cells_go_from_data_to_report(tmp_path):
    """Two steps; a nested pair is searched, by MACs and by latency."""
    settings = [*TINY, *device(tmp_path / "t.parquet"), "search.strategy=evolution",
                "search.population=", "search.evolution.population=3",
                "search.constraints.peak_latency_ms=1.8"]  # fmt: skip
    run = duonas.run(duonas.load_recipe("digits", settings), tmp_path / "run")
    front = Front.load(run / "front.json")
    assert 1 < front.best.figures["peak_latency_ms"] <= 1.8 and front.device["known_archs"] == 4**6
    assert "By the device table" in (run / "report.html").read_text()
    pair, measured = read_json(run / "pair" / "pair.json"), read_json(run / "measure.json")
    assert pair["shared"] == 2 and {b["kind"] for b in pair["blocks"]["big"]} >= {"cell", "basic"}
    assert measured["onnx"]["differing_decisions"] == 0 and measured["onnx"]["max_logit_difference"] < 1e-3
    assert measured["routed"]["peak_macs"] == sum(pair["costs"]["macs"].values())
    assert "stage1_cell0 (cell)" in (run / "report.html").read_text()


def test_a_device_table_is_profiled(tmp_path):
    """Two networks that take 0.5 ms or more each never take less than 1 ms in all."""
    settings = [*TINY, *device(tmp_path / "t.parquet"), "space.axes={operation = ['none', 'nor_conv_3x3']}"]
    limits = ["search.constraints.peak_latency_ms=0.9", "search.constraints.little_latency_ms=0.9"]
    profile = duonas.profile(duonas.load_recipe("digits", [*settings, *limits]))
    spread = profile.figures["latency_ms"]
    assert profile.measured == profile.archs == 64 and 0.5 < spread.least < spread.median < spread.most < 1.5
    assert {limit.name: limit.met for limit in profile.constraints} == {
        "peak_latency_ms": False,
        "little_latency_ms": True,
    }
    pair, little = (re.fullmatch(r"the lowest .* is (\d\.\d+) ms", limit.why)[1] for limit in profile.constraints)
    assert float(pair) > 1 and float(little) == pytest.approx(spread.least, rel=1e-5)


def test_a_device_table_that_will_not_do_is_refused_before_training(tmp_path):
    settings = [*TINY, *device(tmp_path / "t.parquet")]
    for wrong, message in (
        ("search.device.latency=mss", "has no column 'mss': did you mean 'ms'"),
        (
            "search.constraints.peak_latency_ms=0.9",
            r"peak_latency_ms = 0.9 cannot be met: the lowest of any pair .* is 1\.\d+ ms",
        ),
        ("search.constraints.peak_energy_mj=9", "needs a device table with figures of energy_mj"),
    ):
        with pytest.raises(DuonasError, match=message):
            duonas.run(duonas.load_recipe("digits", [*settings, wrong]), tmp_path / "run")
        assert not (tmp_path / "run" / "recipe.toml").exists()
    with pytest.raises(DuonasError, match=r"\[search.device\] latency names a column of a table"):
        duonas.load_recipe("digits", ["search.device.latency=ms"])


def test_a_pair_may_be_given_by_its_cells():
    little, big = EMPTY.replace("none", "skip_connect"), EMPTY.replace("none", "nor_conv_1x1")
    problem = Problem(GOAL, Prices(pair_space(space(), "nested")))
    (asked,) = Fixed(problem, Fixed.Options(pair=GivenPair(little={"cell": little}, big={"cell": big})), 0).ask(1)
    assert (space().cell(asked.pair.little), space().cell(asked.pair.big)) == (little, big)
    spread = GivenPair(little={"operation": "skip_connect"}, big={"operation": "nor_conv_1x1"})
    assert Fixed(problem, Fixed.Options(pair=spread), 0).ask(1) == [asked]
    with pytest.raises(DuonasError, match="did you mean 'skip_connect'"):
        Fixed(problem, Fixed.Options(pair=GivenPair(little={"cell": little.replace("connect", "conect")})), 0)
