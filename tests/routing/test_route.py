"""From answers on calib to a policy, and the policy's file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.recipe.schema import options_for
from duonas.routing.constraints import Constraint
from duonas.routing.options import RouteOptions
from duonas.routing.policy import Policy
from duonas.routing.route import CalibrationSet, Timed, choose, decide, fit, halves, scores
from duonas.routing.routed import Observed
from duonas.routing.router import Answers, make_router

COST = PairCost(stem=50, router=0, little=100, big=1000)
FACTS = PairFacts({"macs": COST}, {}, 4, Preprocessing(8), ("a", "b", "c", "d"))


def answers(n=2000, seed=0):
    """A little and a big that are unsure where they err."""
    rng = stream(seed, "answers")
    labels = rng.integers(0, 4, n)
    sides = np.eye(4)[labels]
    hard = rng.random((n, 1)) * 4
    little, big = (sides * gain + rng.normal(size=(n, 4)) * hard for gain in (3, 5))
    return little.astype(np.float32), big.astype(np.float32), labels


def fitted(little, big, labels, options, seed=0, **more):
    """The policy of a confidence router for these answers."""
    found = fit(make_router(options), observed(little, big, labels, options), FACTS, seed, **more)
    return decide(*found, options)


def observed(little, big, labels, options=options_for("route")):  # noqa: B008
    described = make_router(options).describe(torch.from_numpy(little))
    return Observed(described, Answers(little, big, labels))


def policy(options=None, seed=0, **changes):
    return fitted(*answers(), options or RouteOptions(), seed, splits={"calib": "00ff"}, **changes)


def test_the_halves_are_disjoint_whole_and_seeded():
    first, second = halves(101, 3)
    assert sorted([*first, *second]) == list(range(101)) and abs(len(first) - len(second)) == 1
    assert halves(101, 3)[0].tolist() == first.tolist() != halves(101, 4)[0].tolist()
    with pytest.raises(DuonasError, match="at least two"):
        halves(1, 0)


def test_temperature_and_tau_come_from_different_images():
    little, big, labels = answers()
    base = policy()
    fitting, choosing = halves(len(labels), 0)
    poisoned = labels.copy()
    poisoned[choosing] = (poisoned[choosing] + 1) % 4
    other = fitted(little, big, poisoned, options_for("route", share=0.5))
    assert other.router == base.router and other.big_temperature == base.big_temperature
    poisoned = labels.copy()
    poisoned[fitting] = (poisoned[fitting] + 1) % 4
    other = fitted(little, big, poisoned, options_for("route"))
    assert other.router != base.router


def test_the_chosen_row_is_in_the_table_and_true():
    little, big, labels = answers()
    for options in (
        options_for("route"),
        options_for("route", floor=0.8),
        options_for("route", budget=600),
        options_for("route", share=0.4),
    ):
        made = policy(options)
        row = next(row for row in made.table if row.tau == made.tau)
        _, choosing = halves(len(labels), 0)
        stays = scores(made.router, little[choosing]) >= made.tau
        right = np.where(stays, little[choosing].argmax(1), big[choosing].argmax(1)) == labels[choosing]
        assert row.little_share == stays.mean()
        assert row.accuracy_lower < row.accuracy == right.mean() < row.accuracy_upper
        assert row.expected_macs == COST.expected(row.little_share)
        assert len(made.table) <= 201
    assert policy(options_for("route", floor=0.8)).choice == {"floor": 0.8}
    assert policy().choice == {"within_big": 0.005}


def test_every_choice_keeps_its_promise():
    def chosen(options):
        made = policy(options)
        return next(row for row in made.table if row.tau == made.tau)

    assert chosen(options_for("route", floor=0.8)).accuracy_lower >= 0.8
    assert chosen(options_for("route", budget=600)).expected_macs <= 600
    assert chosen(options_for("route", share=0.4)).little_share == pytest.approx(0.4, abs=0.001)
    table = policy().table
    assert chosen(options_for("route")).accuracy >= table[0].accuracy - 0.005


def test_two_targets_are_one_too_many():
    _, judged = fit(make_router(RouteOptions()), observed(*answers()), FACTS, seed=0)
    with pytest.raises(DuonasError, match="floor and share"):
        choose(
            judged.curve, judged.rungs("accuracy", 0.9), (), options_for("route", floor=0.5, share=0.5), {"macs": COST}
        )


TIMES = PairCost(stem=0, router=0, little=0.5, big=2.0)


def timed(**target):
    """The policy for a target that is a time, and its row."""
    policy, judged = fit(make_router(RouteOptions()), observed(*answers()), FACTS, seed=0)
    watts = target.get("watts")
    energy = TIMES.scaled(4.0 if watts is None else watts)
    made = decide(policy, judged, RouteOptions(**target), Timed(TIMES, energy, watts))
    return made, next(row for row in made.table if row.tau == made.tau)


def test_a_latency_and_an_energy_are_kept_and_are_one_thing():
    made, row = timed(latency=1.2)
    assert row.expected_ms <= 1.2 and made.choice == {"latency": 1.2} and made.times == TIMES
    assert row.accuracy >= max(other.accuracy for other in made.table if other.expected_ms <= 1.2)
    same, _ = timed(energy=3.6, watts=3.0)
    assert same.tau == made.tau and same.choice == {"energy": 3.6, "watts": 3.0}
    by_meter, _ = timed(energy=4.8)  # which found 4 W
    assert by_meter.tau == made.tau and by_meter.choice == {"energy": 4.8}
    assert Policy.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    ("unit", "key", "quantity"), [("ms", "budget_ms", "latency_ms"), ("mJ", "budget_mj", "energy_mj")]
)
def test_a_budget_with_a_unit_is_kept_by_the_table_of_the_search(unit, key, quantity, tmp_path):
    """Nothing is timed for it, and the prices are in the file that the threshold is chosen from again."""
    priced = PairCost(stem=0.1, router=0.05, little=0.3, big=1.5)
    policy, judged = fit(make_router(RouteOptions()), observed(*answers()), FACTS, seed=0)
    options = options_for("route", budget=f"0.9{unit}")
    with pytest.raises(DuonasError, match=rf"budget in {unit} needs a pair that was searched with a device table"):
        decide(policy, judged, options)
    judged = CalibrationSet.load(replace(judged, prices={quantity: priced}).save(tmp_path / "calib.safetensors"))
    made = decide(policy, judged, options)
    curve = judged.curve
    kept = priced.expected(curve.little_share) <= 0.9
    chosen = int(np.flatnonzero(curve.tau == made.tau)[0])
    assert kept[chosen] and curve.correct[chosen] == curve.correct[kept].max()
    assert made.choice == {key: 0.9} and made.times is None
    with pytest.raises(
        DuonasError, match=rf"a budget of 0.2 {unit} cannot be met: .* smallest possible is 0.45 {unit}"
    ):
        decide(policy, judged, options_for("route", budget=f"0.2{unit}"))


def test_the_threshold_keeps_a_percentile_that_the_search_was_constrained_by():
    policy, judged = fit(make_router(RouteOptions()), observed(*answers()), FACTS, seed=0)
    images = len(judged.labels)
    figures = COST.percentile(0.95, np.arange(images + 1) / images)
    judged = replace(judged, constraints=(Constraint("p95_macs", 200.0, "min", figures),))
    free = decide(policy, replace(judged, constraints=()), options_for("route"))
    made = decide(policy, judged, options_for("route"))
    share = float(judged.curve.at(np.array([made.tau])).little_share[0])
    assert share >= 0.95 > float(judged.curve.at(np.array([free.tau])).little_share[0])
    assert [check.kept for check in made.constraints] == [True] and made.constraints[0].figure == COST.least
    (check,) = decide(policy, judged, options_for("route", share=0.5)).constraints
    assert not check.kept and check.figure == COST.peak


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"latency": 0.2},
            r"a latency of 0\.2 ms cannot be met: the smallest possible is 0.5 ms an image",
        ),
        ({"energy": 0.2, "watts": 2.0}, r"an energy of 0\.2 mJ cannot be met: the smallest possible is 1 mJ"),
        ({"floor": 0.999}, "with 95% confidence on .* images: the highest possible is"),
    ],
)
def test_what_cannot_be_had_is_said_with_what_can(target, message):
    with pytest.raises(DuonasError, match=message):
        timed(**target)


def test_a_pair_that_was_not_timed_has_no_latency():
    with pytest.raises(DuonasError, match="a pair whose latency was measured"):
        policy(options_for("route", latency=1.0))
    assert policy().times is None and all(row.expected_ms is None for row in policy().table)


def test_a_floor_is_promised_only_by_thresholds_that_other_images_gave():
    made = policy(options_for("route", share=0.4123))
    chosen = next(row for row in made.table if row.tau == made.tau)
    assert chosen.holds == 0
    holds = [row.holds for row in made.table if row is not chosen]
    assert holds == sorted(holds, reverse=True) and holds[0] == made.table[0].accuracy_lower > 0
    floor = policy(options_for("route", floor=0.8))
    row = next(row for row in floor.table if row.tau == floor.tau)
    assert row.holds >= 0.8 > max(other.holds for other in floor.table if other.little_share > row.little_share)


def under(limit, direction="min", name="expected_latency_ms", figures=(1.0, 0.2)):
    """The images to choose tau on, for a pair that was searched with a limit on what a big or a little image takes."""
    policy, judged = fit(make_router(RouteOptions()), observed(*answers()), FACTS, seed=0)
    shares = np.linspace(0, 1, len(judged.score) + 1)
    values = (1 - shares) * figures[0] + shares * figures[1]
    return policy, replace(judged, constraints=(Constraint(name, limit, direction, values),))


def row_of(policy):
    return next(row for row in policy.table if row.tau == policy.tau)


def test_without_a_target_the_constraints_of_the_search_are_kept():
    """As accurate as big where that keeps them, else as accurate as they allow."""
    free = decide(*under(2.0), RouteOptions())
    assert free.choice == {"within_big": 0.005} and free.constraints[0].kept
    tight = decide(*under(0.3), RouteOptions())
    (held,) = tight.constraints
    assert held.kept and held.figure <= 0.3 < free.constraints[0].figure and "within_constraints" in tight.choice
    curve = under(0.3)[1].curve
    assert row_of(tight).accuracy == curve.accuracy[curve.little_share >= 0.875 - 1e-9].max()
    never = decide(*under(0.1), RouteOptions())
    assert never.tau == free.tau and not never.constraints[0].kept  # then said, since no threshold keeps it


@pytest.mark.parametrize(
    ("target", "limit", "name", "kept"),
    [
        ({"budget": 900}, 0.5, "expected_latency_ms", True),
        ({"budget": 900}, 0.1, "expected_latency_ms", False),
        ({"budget": 900}, 0.01, "expected_macs", False),  # the new budget is instead of the one that was searched for
        ({"floor": 0.7}, 0.5, "expected_latency_ms", True),
        ({"floor": 0.7}, 0.19, "expected_latency_ms", False),
        ({"share": 0.1}, 0.5, "expected_latency_ms", False),
    ],
)
def test_a_target_keeps_the_constraints_of_the_search_where_it_can(target, limit, name, kept):
    policy = decide(*under(limit, name=name), RouteOptions(**target))
    (held,) = policy.constraints
    assert held.kept is kept and policy.choice == target
    alone = decide(*under(99.0, name="params"), RouteOptions(**target))
    assert kept or policy.tau == alone.tau
    row = row_of(policy)
    assert row.expected_macs <= target.get("budget", np.inf) and row.holds >= target.get("floor", 0)


def test_a_lower_limit_and_a_figure_that_no_threshold_changes():
    assert decide(*under(0.5, "max", "mine.py:Up", (0.0, 1.0)), RouteOptions(budget=1150)).constraints[0].kept
    policy, judged = under(1.0)
    same = (Constraint("peak_macs", 900.0, "min", np.array([1150.0])),)
    made = decide(policy, replace(judged, constraints=same), RouteOptions())
    assert made.tau == decide(policy, replace(judged, constraints=()), RouteOptions()).tau
    assert made.constraints[0].figure == 1150 and not made.constraints[0].kept


@pytest.mark.parametrize("floor_on", ["balanced", "worst_class"])
def test_a_floor_on_classes_is_in_the_policy_and_its_table(floor_on):
    made = policy(options_for("route", floor=0.7, floor_on=floor_on))
    plain = policy(options_for("route", floor=0.7))
    assert made.floor_on == floor_on and row_of(made).holds >= 0.7
    assert row_of(made).little_share <= row_of(plain).little_share
    assert Policy.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_the_ladder_does_not_know_the_images_that_tau_is_chosen_on():
    little, big, labels = answers()
    _, choosing = halves(len(labels), 0)
    ladders = []
    for poison in (0, 1):
        labels = labels.copy()
        labels[choosing] = (labels[choosing] + poison) % 4
        little = little.copy()
        little[choosing] *= 1 + poison
        _, judged = fit(make_router(RouteOptions()), observed(little, big, labels), FACTS, seed=0)
        ladders.append(judged.ladder)
    assert np.array_equal(*ladders) and ladders[0][0] == np.inf and ladders[0][-1] == -np.inf


def test_tau_is_chosen_again_from_a_file_as_it_was_from_the_networks(tmp_path):
    policy, judged = fit(make_router(RouteOptions()), observed(*answers()), FACTS, seed=0)
    judged = replace(judged, constraints=under(0.3)[1].constraints)
    path = judged.save(tmp_path / "calib.safetensors")
    assert decide(policy, CalibrationSet.load(path), RouteOptions()) == decide(policy, judged, RouteOptions())
    judged = replace(judged, constraints=())
    path = judged.save(tmp_path / "calib.safetensors")
    for options in (RouteOptions(floor=0.8), RouteOptions(budget=600), RouteOptions(share=0.4)):
        assert decide(policy, CalibrationSet.load(path), options) == fitted(*answers(), options)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DuonasError, match=r"calib\.safetensors cannot be used"):
        CalibrationSet.load(path)
    with pytest.raises(DuonasError, match=r"none\.safetensors cannot be used"):
        CalibrationSet.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("router", ["confidence", "window", "random", "learned"])
def test_a_policy_survives_its_file(router, tmp_path):
    keys = {"learned": {"learned": {"steps": 20}}, "random": {}}.get(router, {"score": "entropy"})
    options = options_for("route", router=router, position="after_little", share=0.3, **keys)
    made = policy(options).belonging_to({"dynamic.onnx": "ab"})
    assert Policy.load(made.save(tmp_path / "policy.json")) == made
    assert made.costs.router == made.router.macs and (made.router.macs > 0) == (router == "learned")


@pytest.mark.parametrize("tau", [float("inf"), float("-inf")])
def test_infinite_thresholds_are_strings_in_strict_json(tau, tmp_path):
    made = replace(policy(), tau=tau)
    path = made.save(tmp_path / "policy.json")
    assert json.loads(path.read_text(), parse_constant=pytest.fail)["tau"] == ("inf" if tau > 0 else "-inf")
    assert Policy.load(path) == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 1}, "version 2"),
        ({"router": {"kind": "confidenc", "score": "margin", "position": "after_little"}}, "did you mean 'confidence'"),
        ({"router": {"kind": "confidence", "score": "margn", "position": "after_little", "temperature": 1}}, "margin"),
        ({"tau": "high"}, "damaged"),
        ({"tau": float("nan")}, "damaged"),
        ({"table": [{"tau": 1}]}, "lacks 'little_share'"),
        ({"costs": 3}, "damaged"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_with_its_path(change, message, tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy().to_json() | change))
    with pytest.raises(DuonasError, match=message) as caught:
        Policy.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_entry_is_named():
    value = policy().to_json()
    del value["costs"]
    with pytest.raises(DuonasError, match="lacks 'costs'"):
        Policy.from_json(value)
    with pytest.raises(DuonasError, match="expected a policy"):
        Policy.from_json([])
