"""Pairs searched by a device's table: what is read, what is refused, and that every constraint holds."""

from __future__ import annotations

import hashlib
from itertools import product

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from duonas.core.cell import OPERATIONS
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.costs.device import cost_model
from duonas.costs.network_table import NetworkTable
from duonas.costs.options import DeviceOptions
from duonas.recipe.schema import options_for
from duonas.routing.routers.confidence import Confidence
from duonas.search.evaluate import NO_READINGS, SubnetResult
from duonas.search.front import Front
from duonas.search.goal import Goal
from duonas.search.options import GivenPair
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.fixed import Fixed
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

MEASURED = ("latency_ms", "energy_mj")
ROUTERS = (Confidence("margin"),)
KEPT = ["none", "skip_connect", "nor_conv_3x3"]


def cells(axes=KEPT):
    return NasBench201.space(NasBench201.Options(channels=2, cells=1, axes={"operation": axes}), 8, 4)


@pytest.fixture(scope="module")
def space():
    """729 cells."""
    return cells()


def table(space, **columns):
    """Made-up figures of all archs, as columns; latency follows operations only loosely."""
    archs, rng = list(space.archs()), stream(0, "device")
    busy = np.array([sum(index for _, index in arch.choices) for arch in archs])
    latency = 0.2 + 0.05 * busy * rng.uniform(0.5, 1.5, len(archs))
    columns = {"ms": latency.tolist(), "mj": (3 * latency[::-1]).tolist()} | columns
    numbers = range(len(archs))
    named = {"arch": [space.text(arch) for arch in archs], "name": [f"cell {i}" for i in numbers]}
    return named | {"number": list(numbers), **columns}


def load_profile(options, space):
    return cost_model(options, pair_space(space))


def write(path, columns, order=None):
    rows = pyarrow.table(columns)
    parquet.write_table(rows.take(order) if order is not None else rows, path)
    return str(path)


@pytest.fixture(scope="module")
def profile(space, tmp_path_factory):
    """Of both figures, one arch in four not measured."""
    columns = table(space)
    rng = stream(1, "nulls")
    columns["ms"] = [None if rng.random() < 0.25 else value for value in columns["ms"]]
    return load_profile(
        DeviceOptions(write(tmp_path_factory.mktemp("device") / "t.parquet", columns), latency="ms", energy="mj"), space
    )


def test_a_table_is_read_by_the_text_of_archs(space, tmp_path):
    """Its rows may lie in any order, some may be missing and others be of no arch; what is null is not known."""
    columns = table(space)
    columns["ms"][5], columns["arch"][6] = None, "|elsewhere|"
    order = stream(0).permutation(729)[:700]
    path = write(tmp_path / "t.parquet", columns, order)
    profile = load_profile(DeviceOptions(path, latency="ms", energy="mj"), space)
    expected = {
        arch: {"latency_ms": columns["ms"][i], "energy_mj": columns["mj"][i]}
        for i, arch in enumerate(space.archs())
        if i in set(order.tolist()) - {5, 6}
    }
    assert profile.networks == expected and profile.quantities == ("macs", "latency_ms", "energy_mj")
    assert profile.source["known_archs"] == len(expected) and profile.source["archs"] == 729
    assert profile.source["sha256"] == hashlib.sha256((tmp_path / "t.parquet").read_bytes()).hexdigest()
    energy = load_profile(DeviceOptions(path, energy="mj"), space)
    assert energy.quantities == ("macs", "energy_mj") and len(energy.networks) > len(expected) - 2


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({}, {}, r"\[search.device\] needs latency or energy or both"),
        ({"latency": "mss"}, {}, r"\[search.device\] latency: .* has no column 'mss': did you mean 'ms'\?$"),
        ({"energy": "ms", "key": "arc"}, {}, r"\[search.device\] key: .* no column 'arc': did you mean 'arch'\?$"),
        ({"latency": "arch"}, {}, "column 'arch' holds string, expected numbers"),
        ({"latency": "ms"}, {"ms": [None] * 729}, "column 'ms' has no numbers"),
        ({"latency": "ms"}, {"ms": [float("nan")] * 729}, "column 'ms' has no numbers"),
        ({"latency": "ms"}, {"ms": [-1.5] * 729},
         r"column 'ms' has -1.5 for '\|none~0\|.*', expected a finite number that"),
        ({"latency": "ms"}, {"ms": [float("inf")] * 729}, "column 'ms' has inf"),
        ({"latency": "ms"}, {"arch": ["|a|"] * 729}, r"has the arch '\|a\|' more than once"),
        ({"latency": "ms", "key": "number"}, {}, "column 'number' holds int64, expected the text of an arch"),
        ({"latency": "ms", "key": "name"}, {}, r"none of the archs .* 'name': expected such as .* got 'cell 0'"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused(options, changes, message, space, tmp_path):
    path = write(tmp_path / "t.parquet", table(space, **changes))
    with pytest.raises(DuonasError, match=message):
        load_profile(DeviceOptions(path, **options), space)


def test_files_and_spaces_that_do_not_go_with_it(space, tmp_path):
    with pytest.raises(DuonasError, match=r"\[search.device\] table: there is no file .*nowhere.parquet"):
        load_profile(DeviceOptions(str(tmp_path / "nowhere.parquet"), latency="ms"), space)
    (tmp_path / "text.parquet").write_text("arch,ms\n")
    with pytest.raises(DuonasError, match=r"text.parquet cannot be read as Parquet"):
        load_profile(DeviceOptions(str(tmp_path / "text.parquet"), latency="ms"), space)
    path = write(tmp_path / "t.parquet", table(space))
    with pytest.raises(
        DuonasError, match=r"have a name to look up: those of 'mobilenet.*' have none; give a table of blocks"
    ):
        load_profile(DeviceOptions(path, latency="ms"), MobileNet.space(MobileNet.Options(preset="digits"), 8, 4))


@pytest.mark.parametrize("name", ["expected_latency_ms", "peak_energy_mj"])
def test_without_a_table_nothing_can_be_asked_of_it(name, space):
    pricer = Prices(pair_space(space, "nested"))
    with pytest.raises(
        DuonasError, match=rf"constraint {name} needs a device table with figures of .*: give \[search.device\] table"
    ):
        Problem(Goal(("accuracy",), {name: 9.0}), pricer).check()
    with pytest.raises(DuonasError, match=f"objective {name} needs a device table"):
        Problem(Goal(("accuracy", name), {}), pricer).check()


@pytest.mark.parametrize("before", [False, True])
def test_a_pair_costs_what_its_two_networks_cost(before, space, profile, routers):
    """After little both, before it one of them; an arch that is not known has no pair."""
    pricer = Prices(pair_space(space, "nested"), profile, routers[1:2] if before else ROUTERS)
    rng, routed = stream(0), 0
    for _ in range(60):
        pair = pricer.pairs.sample(rng)
        little, big = (profile.networks.get(arch) for arch in (pair.little, pair.big))
        if little is None or big is None:
            assert pricer.possible(pair) == []
            continue
        figures = pricer.figures(pair)
        for quantity in MEASURED:
            few, many = little[quantity], big[quantity]
            assert (figures[f"little_{quantity}"], figures[f"big_{quantity}"]) == (few, many)
            assert figures[f"expected_{quantity}"] == few
            assert figures[f"peak_{quantity}"] == pytest.approx(max(few, many) if before else few + many)
            (cost,) = {pricer.price(pair, router).parts[quantity] for router in pricer.routers}
            assert cost.expected(0.25) == pytest.approx(0.75 * many + (0.25 * few if before else few))
        dearer = any(little[quantity] > big[quantity] for quantity in MEASURED)
        assert pricer.possible(pair) == ([] if before and dearer else [0])
        routed += pricer.possible(pair) == [0]
    assert routed > 5


class Answers:
    """Drawn answers, better for archs with more convolutions."""

    def __init__(self, pairs, images=40):
        self.pairs, self.labels = pairs, stream(0, "labels").integers(0, 4, images)

    def evaluate(self, subnet, readings=NO_READINGS):
        rng, macs = stream(0, subnet.id), analytic(self.pairs.blocks(subnet)).macs
        logits = np.eye(4)[self.labels] * np.log(macs) / 3 + 2 * rng.normal(size=(len(self.labels), 4))
        return SubnetResult.of(subnet, logits.astype(np.float32), self.labels, readings)


@pytest.mark.parametrize(
    ("strategy", "coupling"), [("evolution", "nested"), ("nsga2", "sibling"), ("sequential", "sibling")]
)
def test_what_a_search_takes_keeps_the_constraints(strategy, coupling, space, profile, tmp_path, search):
    pairs = pair_space(space, coupling)
    limits = {"expected_latency_ms": 0.5, "peak_latency_ms": 1.0, "little_energy_mj": 1.4, "expected_macs": 1e5}
    sizes = {"population": 5} if strategy == "nsga2" else {}
    options = options_for("search", strategy=strategy, evaluations=20, constraints=limits, **sizes,
                          objectives=("accuracy", "expected_latency_ms", "peak_energy_mj"))  # fmt: skip
    result = search(pairs, Answers(pairs), options, ROUTERS, 0, model=profile)
    assert len(result.front.points) > 2
    for point in result.front.points:
        little, big = profile.networks[point.pair.little], profile.networks[point.pair.big]
        figures = point.figures
        assert figures["expected_latency_ms"] == pytest.approx(
            little["latency_ms"] + (1 - point.little_share) * big["latency_ms"]
        )
        assert figures["peak_latency_ms"] == little["latency_ms"] + big["latency_ms"]
        assert figures["peak_energy_mj"] == little["energy_mj"] + big["energy_mj"]
        assert little["energy_mj"] <= 1.4
        assert all(figures[name] <= limit for name, limit in limits.items())
    assert result.front.best.accuracy == max(point.accuracy for point in result.front.points)
    result.save(tmp_path)
    assert Front.load(tmp_path / "front.json") == result.front
    assert result.front.device == profile.origin()
    rows = parquet.read_table(tmp_path / "trials.parquet").to_pylist()
    archs = {row["arch"]: row["latency_ms"] for row in parquet.read_table(tmp_path / "archs.parquet").to_pylist()}
    assert all(row["peak_latency_ms"] == archs[row["little"]] + archs[row["big"]] for row in rows)
    assert search(pairs, Answers(pairs), options, ROUTERS, 0, model=profile) == result


def known_pairs(pairs, profile):
    return [p for p in (PairArch(a, b) for a, b in product(profile.networks, repeat=2)) if pairs.contains(p)]


@pytest.fixture(scope="module")
def few():
    """64 cells, and the figures of those that hold a convolution: of the smallest pairs nothing is known."""
    space = cells(["skip_connect", "nor_conv_3x3"])
    rng = stream(4, "few")
    archs = {arch: {"latency_ms": rng.uniform(1, 2)} for arch in space.archs() if arch != space.smallest()}
    return space, NetworkTable({}, archs, ("macs", "latency_ms"))


@pytest.mark.parametrize("coupling", ["nested", "sibling"])
@pytest.mark.parametrize("name", ["peak_latency_ms", "big_latency_ms", "expected_latency_ms", "params"])
def test_a_pair_is_found_exactly_if_there_is_one(coupling, name, few):
    """However tight the constraint, and where latency says nothing of an arch's size."""
    space, profile = few
    pricer = Prices(pair_space(space, coupling), profile)
    every = {pair: pricer.figures(pair)[name] for pair in known_pairs(pricer.pairs, profile)}
    least = min(every.values())
    tight = Problem(Goal(("accuracy",), {name: least}), pricer).check()
    if name.endswith("_ms"):
        assert tight.lowest(name) == least and tight.needs(name).endswith(f"in the device table is {least:.6g} ms")
    assert pricer.figures(tight.sample(stream(0)))[name] == least
    with pytest.raises(DuonasError, match=f"meets all constraints together|{name} = .* cannot be met: the "):
        Problem(Goal(("accuracy",), {name: 0.999 * least}), pricer).check()


def test_an_impossible_limit_says_what_a_pair_of_the_table_needs(few):
    """A pair is little and big, so its peak is more than the fastest arch needs."""
    space, profile = few
    pricer = Prices(pair_space(space, "sibling"), profile)
    needed = min(pricer.figures(pair)["peak_latency_ms"] for pair in known_pairs(pricer.pairs, profile))
    fastest = float(profile.column("latency_ms").min())
    assert needed >= 2 * fastest
    problem = Problem(Goal(("accuracy",), {"peak_latency_ms": (fastest + needed) / 2}), pricer)
    with pytest.raises(
        DuonasError, match=rf"cannot be met: the lowest of any pair in the device table is {needed:.6g}"
    ):
        problem.check()


def test_a_little_of_other_blocks_is_not_what_was_measured(few):
    space, profile = few
    little = NasBench201.space(
        NasBench201.Options(channels=1, cells=1, axes={"operation": ["skip_connect", "nor_conv_3x3"]}),
        8,
        4,
    )
    with pytest.raises(DuonasError, match="cannot price a little"):
        Prices(pair_space(space, "sibling", little=little), profile)


def test_a_table_of_a_single_arch_has_no_pair(space, tmp_path):
    columns = {name: values[:1] for name, values in table(space).items()}
    profile = load_profile(DeviceOptions(write(tmp_path / "one.parquet", columns), latency="ms"), space)
    with pytest.raises(DuonasError, match="no two of the 1 archs in the table are a nested pair"):
        Problem(Goal(("accuracy",), {}), Prices(pair_space(space, "nested"), profile)).check()


def test_a_given_pair_that_is_none_says_whose_arch_it_is(few):
    space, profile = few
    problem = Problem(Goal(("accuracy",), {}), Prices(pair_space(space, "nested"), profile))
    with pytest.raises(DuonasError, match=r"^\[search.pair\] little: cell 'x' cannot be read: expected \|op~0\|"):
        Fixed(problem, Fixed.Options(pair=GivenPair(little={"cell": "x"})), 0)
    with pytest.raises(DuonasError, match=r"^\[search.pair\] big: .* has no axis 'depth'"):
        Fixed(problem, Fixed.Options(pair=GivenPair(big={"depth": 2})), 0)


def test_a_given_pair_must_be_known(few):
    space, profile = few
    problem = Problem(Goal(("accuracy",), {}), Prices(pair_space(space, "nested"), profile))
    with pytest.raises(DuonasError, match=r"\[search.pair\] has no price: the device table does not have both"):
        Fixed(problem, Fixed.Options(pair=GivenPair(little={"operation": "skip_connect"})), 0)
    limited = Problem(Goal(("accuracy",), {"peak_latency_ms": 2.5}), problem.prices)
    with pytest.raises(
        DuonasError, match=r"\[search.pair\] does not meet peak_latency_ms = 2.5: it needs .* ms or more"
    ):
        Fixed(
            limited,
            Fixed.Options(pair=GivenPair(little={"operation": "nor_conv_3x3", "edge01.operation": "skip_connect"})),
            0,
        )


def test_every_space_says_whether_its_archs_have_a_text():
    every = cells(list(OPERATIONS))
    assert every.text(every.largest()) == every.cell(every.largest())
    digits = MobileNet.space(MobileNet.Options(preset="digits"), 8, 4)
    assert digits.text(digits.largest()) is None
