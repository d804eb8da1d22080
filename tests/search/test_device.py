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
from duonas.core.goal import Goal
from duonas.core.narrowed import WithBig
from duonas.core.options import DeviceOptions, GivenPair, SearchOptions, SpaceOptions
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.costs.network_table import DeviceProfile, load_profile
from duonas.routing.routers.confidence import Confidence
from duonas.search.evaluate import SubnetResult
from duonas.search.front import Front
from duonas.search.prices import Pricer
from duonas.search.problem import BigProblem, Problem
from duonas.search.search import search
from duonas.search.strategies.fixed import Given
from duonas.spaces.mobilenet import FAMILY as MOBILENET
from duonas.spaces.nasbench201 import FAMILY

ROUTERS = (Confidence("margin"),)
KEPT = ["none", "skip_connect", "nor_conv_3x3"]


def cells(axes=KEPT):
    return FAMILY.space(SpaceOptions(channels=2, cells=1, axes={"operation": axes}), 8, 4)


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
        DeviceOptions(write(tmp_path_factory.mktemp("device") / "t.parquet", columns), "ms", "mj"), space
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
    assert profile.archs == expected and profile.quantities == ("latency_ms", "energy_mj")
    assert profile.origin["known_archs"] == len(expected) and profile.origin["archs"] == 729
    assert profile.origin["sha256"] == hashlib.sha256((tmp_path / "t.parquet").read_bytes()).hexdigest()
    energy = load_profile(DeviceOptions(path, energy="mj"), space)
    assert energy.quantities == ("energy_mj",) and len(energy.archs) > len(expected) - 2


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({}, {}, r"\[search.device\] needs latency or energy or both"),
        ({"latency": "mss"}, {}, r"\[search.device\] latency: .* has no column 'mss': did you mean 'ms'\?$"),
        ({"energy": "ms", "key": "arc"}, {}, r"\[search.device\] key: .* no column 'arc': did you mean 'arch'\?$"),
        ({"latency": "arch"}, {}, "column 'arch' holds string, expected numbers"),
        ({"latency": "ms"}, {"ms": [None] * 729}, "column 'ms' has no figure at all"),
        ({"latency": "ms"}, {"ms": [float("nan")] * 729}, "column 'ms' has no figure at all"),
        ({"latency": "ms"}, {"ms": [-1.5] * 729}, r"column 'ms' has -1.5 for '\|none~0\|.*', expected a number that"),
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
    with pytest.raises(DuonasError, match=r"\[search.device\] path: there is no file .*nowhere.parquet"):
        load_profile(DeviceOptions(str(tmp_path / "nowhere.parquet"), "ms"), space)
    (tmp_path / "text.parquet").write_text("arch,ms\n")
    with pytest.raises(DuonasError, match=r"text.parquet cannot be read as Parquet"):
        load_profile(DeviceOptions(str(tmp_path / "text.parquet"), "ms"), space)
    path = write(tmp_path / "t.parquet", table(space))
    with pytest.raises(DuonasError, match=r"have a text to look up: those of 'mobilenet.*' have none"):
        load_profile(DeviceOptions(path, "ms"), MOBILENET.space(SpaceOptions(preset="digits"), 8, 4))


@pytest.mark.parametrize("name", ["expected_latency_ms", "peak_energy_mj"])
def test_without_a_table_nothing_can_be_asked_of_it(name, space):
    pricer = Pricer(pair_space(space, "nested"))
    with pytest.raises(DuonasError, match=rf"constraint {name} needs a device table: give \[search.device\] path and"):
        Problem(Goal(("accuracy",), {name: 9.0}), pricer)
    with pytest.raises(DuonasError, match=f"objective {name} needs a device table"):
        Problem(Goal(("accuracy", name), {}), pricer)


@pytest.mark.parametrize("before", [False, True])
def test_a_pair_costs_what_its_two_networks_cost(before, space, profile, routers):
    """After little both, before it one of them; an arch that is not known has no pair."""
    pricer = Pricer(pair_space(space, "nested"), routers=routers[1:2] if before else ROUTERS, device=profile)
    rng, routed = stream(0), 0
    for _ in range(60):
        pair = pricer.pairs.sample(rng)
        little, big = (profile.archs.get(arch) for arch in (pair.little, pair.big))
        if little is None or big is None:
            assert pricer.possible(pair) == []
            continue
        figures = pricer.figures(pair)
        for quantity in profile.quantities:
            few, many = little[quantity], big[quantity]
            assert (figures[f"little_{quantity}"], figures[f"big_{quantity}"]) == (few, many)
            assert figures[f"expected_{quantity}"] == few
            assert figures[f"peak_{quantity}"] == pytest.approx(max(few, many) if before else few + many)
            (cost,) = {pricer.routed(pair, router)[quantity] for router in pricer.routers}
            assert cost.expected(0.25) == pytest.approx(0.75 * many + (0.25 * few if before else few))
        dearer = any(little[quantity] > big[quantity] for quantity in profile.quantities)
        assert pricer.possible(pair) == ([] if before and dearer else [0])
        routed += pricer.possible(pair) == [0]
    assert routed > 5


class Answers:
    """Drawn answers, better for archs with more convolutions."""

    def __init__(self, pairs, images=40):
        self.pairs, self.labels = pairs, stream(0, "labels").integers(0, 4, images)

    def evaluate(self, subnet):
        rng, macs = stream(0, subnet.id), analytic(self.pairs.blocks(subnet)).macs
        logits = np.eye(4)[self.labels] * np.log(macs) / 3 + 2 * rng.normal(size=(len(self.labels), 4))
        right = float((logits.argmax(1) == self.labels).mean())
        return SubnetResult(subnet, logits.astype(np.float32), right, analytic(self.pairs.blocks(subnet)))


@pytest.mark.parametrize(
    ("strategy", "order", "coupling"), [("evolution", "joint", "nested"), ("nsga2", "sequential", "sibling")]
)
def test_what_a_search_takes_keeps_the_constraints(strategy, order, coupling, space, profile, tmp_path):
    pairs = pair_space(space, coupling)
    limits = {"expected_latency_ms": 0.5, "peak_latency_ms": 1.0, "little_energy_mj": 1.4, "expected_macs": 1e5}
    options = SearchOptions(strategy=strategy, order=order, evaluations=20, population=5, constraints=limits,
                            objectives=("accuracy", "expected_latency_ms", "peak_energy_mj"))  # fmt: skip
    result = search(pairs, Answers(pairs), options, ROUTERS, 0, device=profile)
    assert len(result.front.points) > 2
    for point in result.front.points:
        little, big = profile.archs[point.pair.little], profile.archs[point.pair.big]
        assert point.expected_latency_ms == pytest.approx(
            little["latency_ms"] + (1 - point.little_share) * big["latency_ms"]
        )
        assert point.peak_latency_ms == little["latency_ms"] + big["latency_ms"]
        assert point.peak_energy_mj == little["energy_mj"] + big["energy_mj"]
        assert little["energy_mj"] <= 1.4
        assert all(getattr(point, name) <= limit for name, limit in limits.items() if not name.startswith("little"))
    assert result.front.best.accuracy == max(point.accuracy for point in result.front.points)
    result.save(tmp_path)
    assert Front.load(tmp_path / "front.json") == result.front
    assert result.front.device == profile.origin
    rows = parquet.read_table(tmp_path / "trials.parquet").to_pylist()
    archs = {row["arch"]: row["latency_ms"] for row in parquet.read_table(tmp_path / "archs.parquet").to_pylist()}
    assert all(row["peak_latency_ms"] == archs[row["little"]] + archs[row["big"]] for row in rows if row["router"])
    assert all(row["peak_latency_ms"] == archs[row["big"]] for row in rows if not row["router"])
    assert search(pairs, Answers(pairs), options, ROUTERS, 0, device=profile) == result


def known_pairs(pairs, profile):
    return [p for p in (PairArch(a, b) for a, b in product(profile.archs, repeat=2)) if pairs.contains(p)]


@pytest.fixture(scope="module")
def few():
    """64 cells, and the figures of those that hold a convolution: of the smallest pairs nothing is known."""
    space = cells(["skip_connect", "nor_conv_3x3"])
    rng = stream(4, "few")
    archs = {arch: {"latency_ms": rng.uniform(1, 2)} for arch in space.archs() if arch != space.smallest()}
    return space, DeviceProfile(archs, ("latency_ms",), {})


@pytest.mark.parametrize("coupling", ["nested", "sibling"])
@pytest.mark.parametrize("name", ["peak_latency_ms", "big_latency_ms", "expected_latency_ms", "params"])
def test_a_pair_is_found_exactly_if_there_is_one(coupling, name, few):
    """However tight the constraint, and where latency says nothing of an arch's size; also for bigs by themselves."""
    space, profile = few
    pricer = Pricer(pair_space(space, coupling), device=profile)
    every = {pair: pricer.figures(pair)[name] for pair in known_pairs(pricer.pairs, profile)}
    least = min(every.values())
    tight = Problem(Goal(("accuracy",), {name: least}), pricer)
    assert pricer.figures(tight.sample(stream(0)))[name] == least
    with pytest.raises(DuonasError, match=f"meets all constraints together|{name} = .* cannot be met: the .* needs"):
        Problem(Goal(("accuracy",), {name: 0.999 * least}), pricer)
    bigs = BigProblem(Problem(Goal(("accuracy",), {name: 1.05 * least}), pricer))
    open_to = {pair.big for pair, figure in every.items() if figure <= 1.05 * least}
    assert {arch for arch in profile.archs if bigs.feasible(PairArch(arch, arch))} == open_to
    big = bigs.sample(stream(1)).big
    assert big in open_to
    assert Problem(bigs.goal, pricer.over(WithBig(pricer.pairs, big))).sample(stream(2)).big == big


def test_a_limit_below_every_arch_says_what_the_table_has(few):
    space, profile = few
    fastest = f"{profile.column('latency_ms').min():.6g}"
    with pytest.raises(
        DuonasError, match=rf"= 0.5 cannot be met: the fastest arch of the device table needs {fastest} ms"
    ):
        Problem(Goal(("accuracy",), {"little_latency_ms": 0.5}), Pricer(pair_space(space, "nested"), device=profile))


def test_a_little_of_other_blocks_is_not_what_was_measured(few):
    space, profile = few
    little = FAMILY.space(SpaceOptions(channels=1, cells=1, axes={"operation": ["skip_connect", "nor_conv_3x3"]}), 8, 4)
    with pytest.raises(DuonasError, match="cannot price a little"):
        Pricer(pair_space(space, "sibling", little=little), device=profile)


def test_a_table_of_a_single_arch_has_no_pair(space, tmp_path):
    columns = {name: values[:1] for name, values in table(space).items()}
    profile = load_profile(DeviceOptions(write(tmp_path / "one.parquet", columns), latency="ms"), space)
    with pytest.raises(DuonasError, match="no two of the 1 archs that the table knows are a nested pair"):
        Problem(Goal(("accuracy",), {}), Pricer(pair_space(space, "nested"), device=profile))


def test_a_given_pair_that_is_none_says_whose_arch_it_is(few):
    space, profile = few
    problem = Problem(Goal(("accuracy",), {}), Pricer(pair_space(space, "nested"), device=profile))
    with pytest.raises(DuonasError, match=r"^\[search.pair\] little: cell 'x' cannot be read: expected \|op~0\|"):
        Given(problem, GivenPair(little={"cell": "x"}))
    with pytest.raises(DuonasError, match=r"^\[search.pair\] big: .* has no axis 'depth'"):
        Given(problem, GivenPair(big={"depth": 2}))


def test_a_given_pair_must_be_known(few):
    space, profile = few
    problem = Problem(Goal(("accuracy",), {}), Pricer(pair_space(space, "nested"), device=profile))
    with pytest.raises(DuonasError, match=r"\[search.pair\] cannot be priced: the device table does not know both"):
        Given(problem, GivenPair(little={"operation": "skip_connect"}))
    limited = Problem(Goal(("accuracy",), {"peak_latency_ms": 2.5}), problem.pricer)
    with pytest.raises(
        DuonasError, match=r"\[search.pair\] does not meet peak_latency_ms = 2.5: it needs .* ms or more"
    ):
        Given(limited, GivenPair(little={"operation": "nor_conv_3x3", "edge01.operation": "skip_connect"}))


def test_every_space_says_whether_its_archs_have_a_text():
    every = cells(list(OPERATIONS))
    assert every.text(every.largest()) == every.cell(every.largest())
    digits = MOBILENET.space(SpaceOptions(preset="digits"), 8, 4)
    assert digits.text(digits.largest()) is None
