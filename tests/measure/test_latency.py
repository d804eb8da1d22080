from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from duonas.deploy.split import split
from duonas.measure import latency as timing
from duonas.measure.latency import BATCH, Timer, latency
from duonas.measure.options import MeasureOptions
from duonas.measure.sessions import Sessions, clock_of, open_sessions, run
from duonas.runtime.timing import Clock


def fake_sessions(monkeypatch, milliseconds, before=False):
    """Sessions that take as long as ``milliseconds[name]`` for each image, on a clock that only they move."""
    now = [0.0]

    def session(name):
        def work(*_, **__):
            now[0] += milliseconds[name] / 1e3
            return [np.zeros((BATCH, 1))]

        return work

    fakes = Sessions(**{name: name for name in Sessions._fields})._replace(
        little_tower="little_tower" if before else None
    )
    monkeypatch.setattr(Sessions, "features", lambda self, images: images)
    monkeypatch.setattr(Sessions, "seen", lambda self, images: images)
    monkeypatch.setattr(timing, "open_sessions", lambda *_: fakes)
    monkeypatch.setattr(timing, "bound", lambda name, images, **more: _work(session, name, images, more))
    monkeypatch.setattr(timing, "clock_of", lambda *_: Clock(lambda: now[0], lambda _: None))


def _work(session, name, images, more):
    # The routed fake takes big's time for the images it is told are hard: those whose first pixel is not 0.
    if name == "routed":
        rows = images[:, 0, 0, 0] > 0
        light, hard = session("routed_easy"), session("routed_hard")
        return lambda: hard() if rows.any() else light()
    return session(name)


TIMES = {
    "little": 0.9, "big": 4.0, "stem": 0.8, "light": 1.0, "big_tower": 3.0, "little_tower": 0.2, "score": 0.05,
    "idle": 0.01, "routed_easy": 1.1, "routed_hard": 4.2, "plain": 2.0,
    "reference": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("hard", [(), (0,), (1, 5), tuple(range(10))])
def test_the_ideal_is_the_time_of_what_must_run(monkeypatch, hard, before):
    fake_sessions(monkeypatch, TIMES, before)
    is_little = ~np.isin(np.arange(10), hard)
    pixels = torch.zeros(10, 3, 2, 2, dtype=torch.uint8)
    pixels[~torch.from_numpy(is_little)] = 255
    found = latency(Path("none"), pixels, is_little, 0.5, MeasureOptions(latency_images=40, throughput_batches=2))
    share = len(hard) / 10
    routed = 1.1 * (1 - share) + 4.2 * share
    ideal, calls = 1.0 + (4.0 - 0.8) * share, 1.0 + 3.0 * share
    batch = 1.0 + 3.0 * bool(hard)
    if before:  # little is asked too, for the easy ones
        ideal, calls, batch = ideal + 0.1 * (1 - share), calls + 0.2 * (1 - share), batch + 0.2 * (share < 1)
    assert found["ratio_to_ideal"]["batch_1"] == pytest.approx(routed / ideal)
    assert found["ratio_to_two_calls"]["batch_1"] == pytest.approx(routed / calls)
    assert found["ratio_to_ideal"]["batch_64"] == pytest.approx((4.2 if hard else 1.1) / batch)
    assert found["router_us"] == pytest.approx(40)
    assert found["plain"]["times_ms"]["1"] == pytest.approx({"mean": 2.0, "lower": 2.0, "upper": 2.0})
    assert found["routed"]["times_ms"]["64"]["mean"] == pytest.approx((4.2 if hard else 1.1) / 64)
    assert found["big"]["latency_ms"] == pytest.approx({"p50": 4.0, "p90": 4.0, "p95": 4.0, "p99": 4.0, "mean": 4.0})
    peak = 4.2 if share not in (0, 1) else None  # one kind alone does not tell what the other takes
    assert found["routed"]["latency_ms"]["peak"] == pytest.approx(peak)
    assert found["little"]["images_per_s"] == pytest.approx(64 / 0.9e-3)
    assert found["routed"]["latency_ms"]["mean"] == pytest.approx(routed)
    assert found["routed"]["latency_ms"]["p99"] == pytest.approx(4.2 if hard else 1.1)


def test_float_networks_are_timed_in_turn_with_the_bundles(monkeypatch):
    fake_sessions(monkeypatch, TIMES | {"float little": 0.6, "float big": 3.0})
    monkeypatch.setattr(timing, "open_networks", lambda *_: {role: f"float {role}" for role in ("little", "big")})
    pixels = torch.zeros(10, 3, 2, 2, dtype=torch.uint8)
    options = MeasureOptions(latency_images=20, throughput_batches=2)
    found = latency(Path("none"), pixels, np.ones(10, bool), 0.5, options, fp32=Path("fp32"))
    times = found["fp32_times_ms"]
    assert times.keys() == {"little", "big"}
    assert times["big"]["1"] == pytest.approx({"mean": 3.0, "lower": 3.0, "upper": 3.0})
    assert times["little"]["64"]["mean"] == pytest.approx(0.6 / 64)
    assert found["big"]["times_ms"]["1"]["mean"] == pytest.approx(4.0)


@pytest.mark.parametrize(("references", "busy"), [([1.0], 0.0), ([1.0, 1.2], 0.0), ([1.0, 2.0], 0.5)])
def test_a_busy_machine_is_noticed_by_the_reference(monkeypatch, references, busy):
    class Milliseconds(dict):
        looks = 0

        def __getitem__(self, name):
            if name != "reference":
                return TIMES[name]
            self.looks += 1
            return references[self.looks % len(references)]

    fake_sessions(monkeypatch, Milliseconds())
    pixels = torch.zeros(10, 3, 2, 2, dtype=torch.uint8)
    options = MeasureOptions(latency_images=20, throughput_batches=2)
    found = latency(Path("none"), pixels, np.ones(10, bool), 0.5, options)
    assert found["busy_looks"] == pytest.approx(busy, abs=0.05)
    assert found["big"]["latency_ms"]["mean"] == pytest.approx(TIMES["big"])


@pytest.mark.parametrize(("seconds", "passes"), [(0.001, 10), (0.3, 3), (0.4, 2), (2.0, 1)])
def test_quick_networks_are_timed_again_on_further_images(seconds, passes):
    now = [0.0]

    class Fake(Timer):
        def times(self, turns, size, order, report, first=0):
            now[0] += seconds
            return {"big": list(range(first, first + turns))}

    found = Fake(None, None, None, 0.0, Clock(lambda: now[0])).repeated(7, None, None)
    assert found == {"big": list(range(7 * passes))}


@pytest.mark.parametrize("position", ["after_little", "stem", "input"])
def test_pieces_put_together_are_the_whole(exported_at, images, position):
    """What is timed is what is deployed."""
    folder = exported_at(position)
    floats = images.pixels[:40].numpy().astype(np.float32) / np.float32(255)
    sessions = open_sessions(folder, MeasureOptions(threads=1))
    *first, score = run(sessions.light, floats)
    (tower,) = run(sessions.big_tower, sessions.features(floats))
    little = first[0] if position == "after_little" else run(sessions.little_tower, sessions.features(floats))[0]
    for tau, expected in ((-np.inf, little), (np.inf, tower)):
        logits, found, _ = run(sessions.routed, floats, tau=np.array(tau, np.float32))
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        assert np.array_equal(found, score)
    np.testing.assert_allclose(run(sessions.score, sessions.seen(floats))[0], score, atol=1e-6)
    assert run(sessions.idle, sessions.seen(floats))[0][0] == 40
    np.testing.assert_allclose(run(sessions.little, floats)[0], little, atol=1e-5)
    pieces = split(onnx.load(folder / "dynamic.onnx"))
    assert (pieces.little is None) == (position == "after_little")
    for piece in filter(None, pieces):
        onnx.checker.check_model(piece, full_check=True)


@pytest.mark.parametrize(("threads", "kind"), [(1, "processor"), (2, "wall")])
def test_one_thread_is_timed_by_what_the_processor_takes(measured, monkeypatch, threads, kind):
    monkeypatch.setattr("duonas.runtime.timing._cost_of_reading", lambda _: 1e-6)
    assert clock_of(measured[0] / "export", MeasureOptions(threads=threads)).kind == kind
