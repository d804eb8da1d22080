"""Both ways through the deployed graph, on a clock that only they move."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from duonas.measure import route_latency
from duonas.measure.options import MeasureOptions
from duonas.measure.route_latency import time_routes
from duonas.runtime.timing import Clock

OPTIONS = MeasureOptions(latency_images=20)


@pytest.mark.parametrize("before", [False, True])
def test_an_image_costs_what_its_way_takes(monkeypatch, tmp_path, before):
    now, ways = [0.0], []

    def bound(session, images, *, tau):
        assert images.shape == (1, 3, 8, 8)

        def way():
            ways.append(float(tau))
            now[0] += 0.002 if tau > 0 else 0.0005

        return way

    session = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name="images", shape=["N", 3, 8, 8])])
    monkeypatch.setattr(route_latency, "open_session", lambda *_, **__: session)
    monkeypatch.setattr(route_latency, "threads_of", lambda *_: 1)
    monkeypatch.setattr(route_latency, "clock_of", lambda *_: Clock(lambda: now[0]))
    monkeypatch.setattr(route_latency, "bound", bound)
    cost = time_routes(tmp_path, before=before, options=OPTIONS)
    assert cost.expected(1.0) == pytest.approx(0.5) and cost.expected(0.0) == pytest.approx(2.0)
    assert cost.expected(0.4) == pytest.approx(0.4 * 0.5 + 0.6 * 2.0) and cost.before is before
    assert ways.count(float("inf")) == ways.count(float("-inf")) >= OPTIONS.latency_images
    assert ways[0] == ways[10] != ways[11]  # in blocks, in turn


def test_a_real_bundle_is_timed(measured):
    cost = time_routes(measured[0] / "export", before=False, options=OPTIONS)
    assert cost.least > 0 and cost.scaled(2.0).least == 2 * cost.least
