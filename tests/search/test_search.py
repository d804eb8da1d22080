"""The search as a whole: reproducible, resumable by replay, and true in what it reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pyarrow import parquet

from duonas.core.errors import DuonasError
from duonas.core.pair import PairArch
from duonas.costs.analytic import analytic, pair_cost
from duonas.recipe.schema import options_for
from duonas.routing.route import scores
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import keeps_little
from duonas.search.front import Front

OPTIONS = options_for("search", evaluations=24, population=8)
ROUTERS = (Confidence("margin"),)


@pytest.fixture
def result(pairs, evaluator, search):
    return search(pairs, evaluator, OPTIONS, ROUTERS, 0)


def test_every_point_of_the_front_is_true(result, pairs, evaluator):
    assert result.front.points
    for point in result.front.points[::5]:
        assert pairs.contains(point.pair)
        little, big = map(evaluator.logits, pairs.subnets(point.pair))
        stays = keeps_little(scores(Confidence("margin"), little), point.tau)
        answer = np.where(stays, little.argmax(1), big.argmax(1))
        assert point.accuracy == (answer == evaluator.labels).mean() and point.little_share == stays.mean()
        cost = pair_cost(pairs, point.pair)
        assert (point.figures["expected_macs"], point.figures["peak_macs"]) == (cost.expected(stays.mean()), cost.peak)


def test_each_arch_is_evaluated_once_and_all_pairs_are_scored(result, pairs, evaluator):
    assert len(evaluator.asked) == len(set(evaluator.asked)) == result.front.evaluated_archs
    archs = [subnet.arch for subnet in evaluator.asked]
    allowed = sum(pairs.contains(PairArch(a, b)) for a in archs for b in archs)
    assert result.front.scored_pairs == allowed >= len(result.trials) == 24


def test_the_front_is_no_worse_than_any_trial(result):
    for trial in result.trials:
        assert any(
            point.accuracy >= trial["accuracy"] and point.figures["expected_macs"] <= trial["expected_macs"] * 1.05
            for point in result.front.points
        )


@pytest.mark.parametrize("launch", [None, 0.0, 0.05])
def test_no_evaluated_network_beats_a_pair_of_the_front(launch, pairs, evaluator, search, timed):
    """In MACs, and in the time of devices on which routing takes time of its own."""
    model = analytic if launch is None else timed(launch, keep=0.01, ask=0.01)
    figure = "macs" if launch is None else "latency_ms"
    objectives = ("accuracy", f"expected_{figure}", f"peak_{figure}")
    found = search(pairs, evaluator, replace(OPTIONS, objectives=objectives), ROUTERS, 0, model=model)
    front, archs = found.front, [(row["accuracy"], row[figure]) for row in found.archs]

    def beaten(accuracy, cost):
        return any(right >= accuracy and spent <= cost for right, spent in archs)

    assert not front.beaten and front.points
    for point in front.points:
        assert 0 < point.little_share < 1
        assert not beaten(point.accuracy, point.figures[f"expected_{figure}"])
    assert {(each.accuracy, each.figures[figure]) for each in front.single} == {
        (right, spent) for right, spent in archs if not any(
            (a >= right and c < spent) or (a > right and c <= spent) for a, c in archs)
    }  # fmt: skip
    best = front.best
    affordable = [right for right, spent in archs if spent <= best.figures[f"expected_{figure}"]]
    assert front.plain.accuracy == max(affordable) < best.accuracy


def test_the_hypervolume_that_is_reached_rises_and_is_that_of_the_trials(result):
    assert [count for count, _ in result.front.reached] == [8, 16, 24]
    volumes = [volume for _, volume in result.front.reached]
    assert volumes[0] > 0 and volumes == sorted(volumes) and volumes[-1] < 1
    assert Front.from_json(result.front.to_json()) == result.front


def test_progress_is_told_of_the_hypervolume_with_the_last_of_each_generation(pairs, evaluator, search):
    told = []
    found = search(pairs, evaluator, OPTIONS, ROUTERS, 0, lambda done, total, **more: told.append((done, more)))
    assert [(done, more["hypervolume"]) for done, more in told if "hypervolume" in more] == [*found.front.reached]


def ordered(evaluator, pairs):
    """The same images, of which a larger network gets all right that a smaller one does, and is as sure of them."""

    def logits(subnet):
        reach = np.log(analytic(pairs.blocks(subnet)).macs) / 16
        return (np.eye(4)[evaluator.labels] * (reach - evaluator.hard)[:, None]).astype(np.float32)

    evaluator.logits = logits
    return evaluator


@pytest.mark.parametrize("strategy", ["nsga2", "evolution", "random"])
def test_by_time_a_little_of_a_fifth_of_bigs_time_is_found(strategy, pairs, evaluator, search, timed):
    options, model = replace(OPTIONS, strategy=strategy, evaluations=60), timed(0.001, keep=0.01, ask=0.01)
    front = search(pairs, ordered(evaluator, pairs), options, ROUTERS, 0, model=model).front
    assert front.objectives == ("accuracy", "expected_latency_ms", "peak_latency_ms") and not front.beaten
    best = max(front.points, key=lambda point: point.accuracy)
    assert best.figures["little_latency_ms"] <= best.figures["big_latency_ms"] / 5
    assert best.figures["expected_latency_ms"] < best.figures["big_latency_ms"] / 2


def test_where_routing_takes_longer_than_it_saves_the_search_says_so(pairs, evaluator, search, timed):
    """And goes on with the pair that loses least."""
    evaluator = ordered(evaluator, pairs)
    options = replace(OPTIONS, objectives=("accuracy", "expected_latency_ms"))
    assert not search(pairs, evaluator, options, ROUTERS, 0, model=timed(0.0)).front.beaten
    found = search(pairs, evaluator, options, ROUTERS, 0, model=timed(0.0, keep=9.0))
    assert found.front.beaten and found.pair == found.front.best.pair
    assert found.front.plain.accuracy >= found.front.best.accuracy
    assert "a single network beats each of the" in found.front.warning


@pytest.mark.parametrize("strategy", ["random", "nsga2"])
def test_the_same_seed_gives_the_same_files(strategy, pairs, evaluator, tmp_path, search):
    options = replace(OPTIONS, strategy=strategy)
    for name in ("a", "b"):
        search(pairs, evaluator, options, ROUTERS, 0).save(tmp_path / name)
    for file in ("front.json", "trials.parquet", "archs.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert search(pairs, evaluator, options, ROUTERS, 1) != search(pairs, evaluator, options, ROUTERS, 0)


@pytest.mark.parametrize("killed_after", [1, 11, 30])
def test_a_killed_search_run_again_is_one_that_never_was(killed_after, pairs, evaluator, result, search):
    known, fresh = {}, []
    original = evaluator.evaluate

    def evaluate(arch, *readings):
        if arch not in known:
            if len(known) == killed_after and not fresh:
                fresh.append("killed")
                raise KeyboardInterrupt
            known[arch] = original(arch, *readings)
        return known[arch]

    evaluator.evaluate = evaluate
    with pytest.raises(KeyboardInterrupt):
        search(pairs, evaluator, OPTIONS, ROUTERS, 0)
    assert search(pairs, evaluator, OPTIONS, ROUTERS, 0) == result


@pytest.mark.parametrize("strategy", ["random", "nsga2"])
def test_constraints_hold_and_the_choice_is_the_most_accurate(strategy, pairs, evaluator, search):
    constraints = {"expected_macs": 1.6e6, "peak_macs": 9e6}
    options = replace(OPTIONS, strategy=strategy, constraints=constraints)
    found = search(pairs, evaluator, options, [Confidence("entropy")], 0)
    front = found.front
    assert all(p.figures["expected_macs"] <= 1.6e6 and p.figures["peak_macs"] <= 9e6 for p in front.points)
    assert front.best.accuracy == max(point.accuracy for point in front.points)
    assert front.best.accuracy >= max(trial["accuracy"] for trial in found.trials)
    assert all(trial["expected_macs"] <= 1.6e6 for trial in found.trials)
    assert found.pair == front.best.pair


def test_the_tables_say_what_was_tried(result, tmp_path):
    result.save(tmp_path)
    assert Front.load(tmp_path / "front.json") == result.front
    trials = parquet.read_table(tmp_path / "trials.parquet").to_pylist()
    archs = {row["arch"]: row for row in parquet.read_table(tmp_path / "archs.parquet").to_pylist()}
    assert [row["number"] for row in trials] == list(range(24))
    for row in trials:
        assert row["accuracy_little"] == archs[row["little"]]["accuracy"]
        assert row["accuracy_big"] == archs[row["big"]]["accuracy"]
        assert row["accuracy"] >= max(row["accuracy_little"], row["accuracy_big"])
        assert archs[row["little"]]["macs"] <= row["expected_macs"] <= row["peak_macs"]


def test_progress_is_told_where_a_replay_ends(pairs, evaluator, search):
    """As after a kill: what was answered in an earlier time is known, up to some pair."""
    evaluate, told, known = evaluator.evaluate, [], set()
    search(pairs, evaluator, OPTIONS, ROUTERS, 0)
    asked = list(evaluator.asked)
    evaluator.evaluate = lambda subnet, *readings: replace(evaluate(subnet, *readings), known=subnet in known)
    for count in (10, len(asked)):
        known |= set(asked[:count])
        search(pairs, evaluator, OPTIONS, ROUTERS, 0, lambda done, total, **_: told.append((done, total)))
    first, tried = told[0][0], [each for each in told if each[1] == 24]
    assert 5 <= first < 24 and tried == [*((done, 24) for done in range(first, 25)), *[(24, 24)]]


def test_progress_is_told_of_every_pair(pairs, evaluator, search):
    told = []

    def progress(done, total, **figures):
        told.append((done, total, figures))

    result = search(pairs, evaluator, OPTIONS, ROUTERS, 0, progress)
    front = result.front
    pairs = front.scored_pairs
    assert told[-1] == (pairs, pairs, {"chosen_val_accuracy": front.best.accuracy})
    assert [(done, total) for done, total, _ in told[:25]] == [(i, 24) for i in range(25)]
    scored = [done for done, total, _ in told[25:-1] if total == pairs]
    assert len(scored) == len(told) - 26 and scored == sorted(scored) and (scored[0], scored[-1]) == (0, pairs)
    best = [figures["best_val_accuracy"] for _, _, figures in told[1:-1]]
    assert best == sorted(best)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("None", r"ask\(24\) must return a list of up to 24 candidates, got NoneType"),
        ("[problem.sample(rng)]", "got one of type PairArch"),
        ("[Candidate(problem.sample(rng))] * 25", "got 25"),
        ("[Candidate(PairArch(widest.big, widest.little))]", "which the nested coupling does not allow"),
        ("[]", "Odd proposed no pair"),
    ],
)
def test_what_a_strategy_of_ones_own_must_propose_is_said(answer, message, pairs, evaluator, tmp_path, search):
    (tmp_path / "own.py").write_text(
        "from duonas.core.pair import PairArch\n"
        "from duonas.core.rng import stream\n"
        "from duonas.core.trial import Candidate\n"
        "from duonas.search.strategy import Strategy\n"
        "class Odd(Strategy):\n"
        "    def ask(self, n):\n"
        "        problem, rng, space = self.problem, stream(0), self.problem.pairs.space\n"
        "        widest = PairArch(space.smallest(), space.largest())\n"
        f"        return {answer}\n"
    )
    with pytest.raises(DuonasError, match=message):
        search(pairs, evaluator, replace(OPTIONS, strategy=f"{tmp_path}/own.py:Odd"), ROUTERS, 0)
