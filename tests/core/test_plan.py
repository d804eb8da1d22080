"""How the minutes of a run are divided, and what becomes of the plan while the run goes on."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.core.plan import LONGER, PAIR, PLAIN, SEARCH, SUPERNET, Division, Plan, Unit

SHARES = {SUPERNET: 0.4, SEARCH: 0.1, PAIR: 0.5}
UNITS = {SUPERNET: Unit(0.1, 20, epoch=20), SEARCH: Unit(0.5, 10, most=400), PAIR: Unit(0.2, 20, epoch=20)}
WITH_PLAIN = UNITS | {PLAIN: Unit(0.05, 20, epoch=20)}

units = st.builds(Unit, st.floats(1e-4, 100), st.integers(1, 500), st.just(None), st.integers(1, 500))


def divided(minutes=30.0, units=UNITS, shares=SHARES, before=20.0, after=40.0):
    return Division(minutes, before, after, shares).plan(units)


def test_every_part_gets_its_share_of_what_is_left():
    plan = divided()
    assert plan.seconds == 30 * 60 - 60
    assert plan.parts[SUPERNET].count == int(0.4 * 1740 / 0.1) and plan.parts[SUPERNET].epochs == 348
    assert plan.parts[SEARCH].count == int(0.1 * 1740 / 0.5) and plan.parts[SEARCH].epochs is None
    assert sum(part.seconds for part in plan.parts.values()) == pytest.approx(plan.seconds)


def test_the_plain_network_gets_as_long_as_all_other_training():
    plan = divided(units=WITH_PLAIN)
    assert plan.parts[PLAIN].seconds == plan.seconds == (30 * 60 - 60) / 2
    assert sum(part.seconds for name, part in plan.parts.items() if name != PLAIN) == pytest.approx(plan.seconds)


def test_what_a_search_does_not_need_is_for_training():
    few = UNITS | {SEARCH: Unit(0.5, 10, most=40)}
    of_two = {SUPERNET: 0.9, SEARCH: 0.1}
    plan, alone = divided(units=few), divided(units={name: few[name] for name in of_two}, shares=of_two)
    assert plan.parts[SEARCH].count == 40 and plan.parts[SEARCH].seconds == 20
    assert plan.parts[PAIR].seconds == pytest.approx(0.5 * 1740 + 174 - 20)
    assert alone.parts.keys() == {SUPERNET, SEARCH}


def test_a_part_whose_share_is_too_little_has_its_least_and_the_others_share_the_rest():
    dear = UNITS | {SEARCH: Unit(60.0, 10, most=400)}
    plan = divided(units=dear)
    assert plan.parts[SEARCH].count == 10 and plan.parts[SEARCH].seconds == 600
    assert plan.parts[SUPERNET].seconds == pytest.approx((1740 - 600) * 0.4 / 0.9)
    assert plan.parts[PAIR].seconds == pytest.approx((1740 - 600) * 0.5 / 0.9)


@given(st.fixed_dictionaries({SUPERNET: units, SEARCH: units, PAIR: units}, optional={PLAIN: units}))
def test_the_least_minutes_of_the_message_are_enough(units):
    """And a little less is not."""
    division = Division(1e-6, 3.0, 5.0, SHARES)
    with pytest.raises(DuonasError) as caught:
        division.plan(units)
    enough = float(re.search(r"Give (\S+) minutes or more", str(caught.value))[1])
    plan = replace(division, minutes=enough).plan(units)
    assert all(part.count >= part.unit.least * (1 - 1e-6) - 1 for part in plan.parts.values())
    with pytest.raises(DuonasError):
        replace(division, minutes=0.99 * division.least(units)).plan(units)


def test_too_short_a_time_says_what_each_epoch_takes():
    with pytest.raises(DuonasError) as caught:
        divided(0.2, WITH_PLAIN, before=3, after=5)
    assert str(caught.value) == (
        "[budget] minutes = 0.2 is too short for the least that makes sense: here 20 steps (1 epoch) of the supernet "
        "take 2 s, a search of 10 pairs takes 5 s, 20 steps (1 epoch) of the pair take 4 s, 20 steps (1 epoch) of the "
        "plain network take 1 s; images, prices and timing took 3 s, and export, measurement and report are going to "
        "take 5 s. Give 0.6 minutes or more (0.4 with [baselines] plain = false), or take fewer or smaller images, or "
        "a smaller [space]."
    )


def test_the_pair_gets_what_supernet_and_search_have_left():
    plan = divided(units=WITH_PLAIN).begin(SUPERNET).spend(SUPERNET, 100).begin(SEARCH).spend(SEARCH, 30)
    later = plan.begin(PAIR, Unit(0.1, 20, epoch=20))
    assert later.parts[PAIR].seconds == pytest.approx(870 - 130) and later.parts[PAIR].count == 7400
    later = later.spend(PAIR, 500).begin(PLAIN, WITH_PLAIN[PLAIN])
    assert later.parts[PLAIN].seconds == 630 and later.parts[PLAIN].count == 12600


def test_where_the_supernet_took_too_long_all_others_lack_in_proportion():
    plan = divided(units=WITH_PLAIN).begin(SUPERNET).spend(SUPERNET, 2 * 348)
    planned = {name: part.seconds for name, part in plan.parts.items()}
    left = 1740 - 2 * 348
    searching = plan.begin(SEARCH)
    scale = left / (planned[SEARCH] + planned[PAIR] + planned[PLAIN])
    assert searching.parts[SEARCH].seconds == pytest.approx(scale * planned[SEARCH])
    assert searching.parts[SEARCH].count == int(scale * planned[SEARCH] / (2 * 0.5))  # as slow as the supernet was
    tuning = searching.spend(SEARCH, scale * planned[SEARCH]).begin(PAIR)
    borrowed = LONGER * 30 * 60
    assert tuning.parts[PAIR].seconds == pytest.approx(min(planned[PAIR], scale * planned[PAIR] + borrowed))
    plain = tuning.spend(PAIR, tuning.parts[PAIR].seconds).begin(PLAIN)
    assert sum(part.used for part in plain.parts.values()) + plain.parts[PLAIN].seconds == pytest.approx(1740)


SLOWER = st.floats(0.3, 1.6)  # times as slow as when the units were timed


@given(st.fixed_dictionaries(dict.fromkeys(UNITS, SLOWER)), st.booleans(), st.floats(2, 60))
def test_whatever_the_machine_does_the_total_is_kept_and_the_pair_too(slower, plain, minutes):
    """Within a tenth, since what has begun keeps its steps; and no pair has less than half of what was planned."""
    plan = divided(minutes, WITH_PLAIN if plain else UNITS, before=10, after=10)
    planned = plan.parts[PAIR].seconds
    for name in plan.parts:
        pace = slower.get(name, 1.0)
        unit = plan.parts[name].unit
        fresh = replace(unit, seconds=unit.seconds * pace) if name in (PAIR, PLAIN) else None
        plan = plan.begin(name, fresh)
        plan = plan.spend(name, plan.parts[name].count * unit.seconds * pace)
    assert 20 + sum(part.used for part in plan.parts.values()) <= 1.1 * 60 * minutes + 1
    assert plan.parts[PAIR].seconds >= planned / 2


def test_the_least_of_a_pair_is_kept_even_where_nothing_is_left():
    plan = divided().begin(SUPERNET).spend(SUPERNET, 5000).begin(SEARCH).spend(SEARCH, 1)
    assert plan.begin(PAIR).parts[PAIR].count == UNITS[PAIR].least


def test_a_search_that_turns_out_dear_has_its_fewest_pairs_up_to_twice_its_share():
    plan = divided()
    assert plan.begin(SEARCH, Unit(25.0, 10, most=400)).parts[SEARCH].count == 10  # 250 s of 174
    assert plan.begin(SEARCH, Unit(60.0, 10, most=400)).parts[SEARCH].count == 5


def test_a_search_for_which_no_time_is_left_gets_none_and_one_pair():
    late = divided().begin(SUPERNET).spend(SUPERNET, 4000.0)
    part = late.begin(SEARCH).parts[SEARCH]
    assert part.seconds == 0 and part.count == 1


def test_a_part_with_too_little_is_warned_of_and_no_other():
    plan = divided().begin(SUPERNET)
    late = plan.spend(SUPERNET, 60 * 40.0).begin(SEARCH)
    assert plan.shortage(SUPERNET) == ""
    assert late.shortage(SEARCH).startswith("the search gets 1 pair, and less than ")
    assert "what came before took longer than planned, so give more than 30 minutes." in late.shortage(SEARCH)


def test_a_newer_estimate_of_what_comes_after_is_for_the_pair():
    plan = divided().begin(SUPERNET).spend(SUPERNET, 696).begin(SEARCH).spend(SEARCH, 174)
    assert plan.begin(PAIR, after=10).parts[PAIR].seconds == pytest.approx(plan.begin(PAIR).parts[PAIR].seconds + 30)


def test_a_part_that_has_begun_keeps_its_steps():
    plan = divided().begin(SUPERNET)
    assert plan.begin(SUPERNET, Unit(99.0, 1)) == plan
    begun = plan.spend(SUPERNET, 100).begin(PAIR)
    assert begun.spend(PAIR, 10).begin(PAIR, Unit(99.0, 1)).parts[PAIR].count == begun.parts[PAIR].count


def test_on_disk_it_is_the_same(tmp_path):
    plan = divided(units=WITH_PLAIN).begin(SUPERNET).spend(SUPERNET, 12.5)
    assert Plan.load(plan.save(tmp_path / "plan.json")) == plan


@pytest.mark.parametrize("change", [{"version": 2}, {"minutes": "soon"}, {"parts": []}, {"parts": {"pair": {}}}])
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, change):
    path = divided().save(tmp_path / "plan.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DuonasError, match=r"plan.json is damaged or of another version"):
        Plan.load(path)


def test_in_words():
    assert divided().in_words() == (
        "plan of 30 minutes: images, prices, timing 20 s; supernet 11:36 for 6,960 steps (348 epochs); search 2:54 for "
        "348 pairs; pair 14:30 for 4,350 steps (218 epochs); export, measurement, report 40 s"
    )
