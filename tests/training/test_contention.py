from __future__ import annotations

import pytest

from duonas.training.contention import ADVICE, STEPS, Contention


class Clocks:
    """A machine where a step takes ``seconds``, of which the thread runs for a share."""

    def __init__(self, seconds, share):
        self.seconds, self.share, self.now = seconds, share, 0.0

    def said(self, threads, steps, first=0.0):
        watched = Contention(threads, lambda: self.now, lambda: self.share * self.now)
        told = []
        for step in range(steps):
            with watched.step():
                self.now += self.seconds + (0 if step else first)
            told.append(watched.advice())
        return told


def test_threads_that_wait_for_cores_are_said_once_after_twenty_steps():
    told = Clocks(0.1, 0.5).said(2, 100)
    assert [step for step, each in enumerate(told, 1) if each] == [STEPS + 1] and ADVICE in told


def test_slow_steps_are_said_sooner():
    told = Clocks(6.0, 0.5).said(2, 10)
    assert told.index(ADVICE) == 4  # 24 seconds without the first step


@pytest.mark.parametrize(("threads", "share"), [(2, 0.95), (1, 0.5)])
def test_idle_cores_and_one_thread_are_not_mentioned(threads, share):
    assert not any(Clocks(0.1, share).said(threads, 100))


def test_what_the_first_step_waits_for_does_not_count():
    machine = Clocks(0.1, 1.0)
    watched = Contention(2, lambda: machine.now, lambda: min(machine.now, 0.1) + max(machine.now - 30, 0))
    for step in range(STEPS + 1):
        with watched.step():
            machine.now += 0.1 if step else 30.0
    assert watched.advice() == ""
