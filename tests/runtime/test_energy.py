"""Energy of a stretch of work, on a clock and with meters that only the tests move."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime import BundleError
from duonas.runtime.energy import GivenPower, Measurement, Meter, MeterError, PowerMeter, energy_mj


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds=1.0):
        self.now += seconds


class Told(PowerMeter):
    """A meter of a power that changes with time."""

    name = "told"
    every = float("inf")
    resolution = 0.0

    def __init__(self, clock, power):
        super().__init__("the board")
        self.clock, self.power = clock, power
        self.log = []

    def start(self):
        self.log.append("start")

    def stop(self):
        self.log.append("stop")

    def read(self):
        return self.power(self.clock())


@given(st.floats(0.01, 1000), st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=6))
def test_given_watts_are_multiplied_by_the_time(watts, stretches):
    clock = Clock()
    with GivenPower(watts).measuring(clock) as found:
        for seconds in stretches:
            clock.work(seconds)
            assert found.joules == pytest.approx(watts * clock.now)
    clock.work(100)  # after the block nothing counts
    assert found.joules == pytest.approx(watts * sum(stretches)) and found.seconds == pytest.approx(sum(stretches))


@pytest.mark.parametrize("watts", [0, -3, float("inf"), float("nan")])
def test_a_power_must_be_above_zero(watts):
    with pytest.raises(BundleError, match=r"^watts must be above 0, got"):
        GivenPower(watts)


def test_a_power_that_changes_is_integrated():
    clock = Clock()
    meter = Told(clock, lambda now: 2 + now)  # W, rising by 1 W a second
    with meter.measuring(clock) as found:
        for _ in range(4):
            clock.work(1)
            assert found.joules == pytest.approx(2 * clock.now + clock.now**2 / 2)
    assert found.joules == pytest.approx(16) and meter.log == ["start", "stop"]


def test_the_thread_reads_while_the_work_goes_on():
    seen = threading.Event()

    class Watched(Told):
        every = 0.001

        def read(self):
            if threading.current_thread() is not threading.main_thread():
                seen.set()
            return 5.0

    clock = Clock()
    with Watched(clock, None).measuring(clock) as found:
        assert seen.wait(30)
        clock.work(2)
    assert found.joules == pytest.approx(10) and not [each for each in threading.enumerate() if each.name == "meter"]


def test_a_meter_that_fails_in_between_is_no_figure():
    clock = Clock()

    def power(now):
        if now > 1:
            raise MeterError("the meter is gone.")
        return 1.0

    meter = Told(clock, power)
    with meter.measuring(clock) as found:
        clock.work(2)
    with pytest.raises(MeterError, match=r"^the meter is gone\.$"):
        found.joules  # noqa: B018
    assert meter.log == ["start", "stop"]


def test_a_meter_that_fails_at_once_is_stopped():
    def power(now):
        raise MeterError("the meter is gone.")

    meter = Told(Clock(), power)
    with pytest.raises(MeterError), meter.measuring():
        pass
    assert meter.log == ["start", "stop"]


@pytest.mark.parametrize(("resolution", "calls"), [(0.0, 4), (2.0, 16)])
def test_the_energy_of_a_call_is_the_mean_of_as_many_as_the_meter_can_tell(resolution, calls):
    clock, done = Clock(), []

    class Coarse(Told):
        pass

    Coarse.resolution = resolution

    def call():
        done.append(clock())
        clock.work(0.125)

    assert energy_mj(Coarse(clock, lambda now: 8.0), call, 0.5, clock) == pytest.approx(1000)  # 8 W times 0.125 s
    assert len(done) == calls + 1  # the first one is not counted


def test_a_meter_says_what_it_is():
    assert GivenPower(5).describe() == {"meter": "watts", "covers": "the power given by the user", "watts": 5.0}
    assert isinstance(GivenPower(5).measuring(), Measurement) and issubclass(GivenPower, Meter)
