"""Calls are timed by a clock of the test's own: rounds, deadlines, and a machine that is busy for a while."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime import timing
from duonas.runtime.timing import Clock, Watch, burst, clock_for, in_rounds, typical


class Machine:
    """A machine whose calls take the seconds that they are told, times its slowness."""

    def __init__(self, slowness=lambda now: 1.0):
        self.time, self.slowness, self.calls = 0.0, slowness, []
        self.clock = Clock(lambda: self.time, self.pass_by)

    def pass_by(self, seconds):
        self.time += seconds

    def work(self, name, seconds):
        def call():
            self.calls.append(name)
            self.time += seconds * self.slowness(self.time)

        return call


def test_a_burst_is_the_median_without_its_first_calls():
    machine, durations = Machine(), iter([9.0, 9.0, 1.0, 3.0, 2.0, 5.0, 4.0])
    assert burst(lambda: machine.pass_by(next(durations)), machine.clock) == pytest.approx(3000)


def test_short_calls_are_repeated_more_often_but_not_without_end():
    machine = Machine()
    for seconds in (1e-4, 0.0):
        machine.calls.clear()
        burst(machine.work("x", seconds), machine.clock)
        assert len(machine.calls) == 2 + (20 if seconds else 50)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_on_a_quiet_machine_every_call_is_timed_in_three_rounds(milliseconds):
    machine = Machine()
    calls = {i: machine.work(i, ms / 1e3) for i, ms in enumerate(milliseconds)}
    watch = Watch(machine.work("reference", 1e-3), machine.clock, patience=10)
    times = in_rounds(calls, watch, deadline=1e9, rng=random.Random(0))
    assert times == pytest.approx(dict(enumerate(milliseconds)))
    assert watch.share == watch.waited == 0 and len(watch.times) == 3 * len(calls)


def test_by_processor_time_other_programs_do_not_count_but_deadlines_are_by_the_wall():
    machine, computed = Machine(), [0.0]

    def call():
        computed[0] += 1e-3
        machine.pass_by(1.0)  # a millisecond of the core in each second

    clock = Clock(lambda: machine.time, machine.pass_by, lambda: computed[0])
    watch = Watch(call, clock, patience=0)
    assert clock.kind == "processor" and Clock().kind == "wall"
    times = in_rounds({number: call for number in range(5)}, watch, deadline=20.0, rng=random.Random(0))
    assert list(times.values()) == pytest.approx([1] * 3)  # a burst is 8 calls, and the third began before the deadline
    assert watch.share == 0 and watch.least == pytest.approx(1)


@pytest.mark.parametrize(
    ("threads", "provider", "readings", "kind"),
    [
        (1, "CPUExecutionProvider", itertools.count(), "processor"),
        (2, "CPUExecutionProvider", itertools.count(), "wall"),
        (0, "CPUExecutionProvider", itertools.count(), "wall"),
        (1, "CUDAExecutionProvider", itertools.count(), "wall"),
        (1, "CPUExecutionProvider", itertools.repeat(0.015625), "wall"),  # a clock of coarse steps
        (1, "CPUExecutionProvider", None, "wall"),  # a system without one
    ],
)
def test_processor_time_is_that_of_one_thread_on_the_cpu_where_it_is_told(
    monkeypatch, threads, provider, readings, kind
):
    if readings is None:
        monkeypatch.delattr(timing.time, "thread_time")
    else:
        monkeypatch.setattr(timing.time, "thread_time", lambda: next(readings))
    clock = clock_for(threads, provider)
    assert clock.kind == kind
    if kind == "processor":  # each reading takes a second, which is not the call's
        assert clock.reading == 1 and clock.time(lambda: None) == 0 and clock.time(lambda: next(readings)) == 1000


def test_load_of_half_of_the_rounds_changes_nothing():
    assert typical([1.0, 1.0, 1.0, 5.0, 9.0, 1.0, 7.0]) == 1.0


def test_calls_that_differ_from_round_to_round_have_more_rounds():
    machine = Machine()
    shaky = iter([5.0] * 7 + [1.0] * 100)
    calls = {"still": machine.work("still", 1.0), "shaky": lambda: machine.pass_by(next(shaky))}
    watch = Watch(machine.work("reference", 1e-3), machine.clock, patience=0)
    times = in_rounds(calls, watch, deadline=1e9, rng=random.Random(0))
    assert times == pytest.approx({"still": 1000, "shaky": 1000})
    assert machine.calls.count("still") == 3 * 7


def test_nothing_begins_after_the_deadline():
    machine = Machine()
    calls = {i: machine.work(i, 1.0) for i in range(5)}
    watch = Watch(machine.work("reference", 1e-3), machine.clock, patience=0)
    assert len(in_rounds(calls, watch, deadline=13.0, rng=random.Random(0))) == 2  # a burst is 7 calls
    assert in_rounds(calls, watch, deadline=0.0, rng=random.Random(0)) == {}


def test_a_busy_machine_is_waited_for_until_it_is_quiet():
    machine = Machine(lambda now: 3.0 if 1 < now < 1.5 else 1.0)
    watch = Watch(machine.work("reference", 1e-3), machine.clock, patience=10)
    watch.wait()
    machine.pass_by(1.2)
    watch.wait()
    assert machine.time >= 1.5 and 0 < watch.share < 1 and watch.least == pytest.approx(1)


def test_patience_has_an_end():
    machine = Machine(lambda now: 1.0 if now < 0.5 else 3.0)
    watch = Watch(machine.work("reference", 1e-3), machine.clock, patience=1.2)
    watch.wait()
    machine.pass_by(1)
    waits = []
    for _ in range(4):
        before = machine.time
        watch.wait()
        waits.append(machine.time - before)
    assert waits[0] > 1 > waits[1] > 0.2 and max(waits[2:]) < 0.01  # a second, the rest of the patience, nothing
