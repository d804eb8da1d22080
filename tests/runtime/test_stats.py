from __future__ import annotations

import numpy as np
import pytest

from duonas.runtime import Bundle, BundleError
from duonas.runtime.stats import Stats


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def test_each_image_of_a_batch_counts_with_its_part_of_the_time():
    found = Stats(clock := Clock())
    for ms in (1.0, 2.0, 3.0):
        found.add(1, 1, ms)
    found.add(7, 2, 70.0)
    found.add(0, 0, 5.0)
    assert (found.count, found.little_share, found.mean_ms) == (10, 0.5, pytest.approx(7.6))
    assert found.p50_ms == pytest.approx(10, rel=0.003) and found.p95_ms == pytest.approx(10, rel=0.003)
    assert found.since.timestamp() == 1_000_000
    assert repr(found).startswith("Stats(10 images since ") and "50.0% little, 7.6 ms on average, p50 " in repr(found)
    clock.now += 60
    found.reset()
    assert (found.count, found.little_share, found.mean_ms, found.p50_ms, found.p95_ms) == (0, None, None, None, None)
    assert found.since.timestamp() == 1_000_060 and repr(found).startswith("Stats(no images since ")


def test_percentiles_are_those_of_all_times():
    times = np.random.default_rng(0).lognormal(0, 1, 2000)
    found = Stats()
    for ms in times:
        found.add(1, 0, float(ms))
    for rank, value in ((50, found.p50_ms), (95, found.p95_ms)):
        assert value == pytest.approx(np.percentile(times, rank, method="inverted_cdf"), rel=0.003)


def test_a_bundle_counts_every_image_and_none_that_it_refused(export, images):
    bundle = Bundle.load(export(True, "after_little")[2], threads=1)
    little = [bundle.predict(images[:50]).is_little, bundle.predict(images[50:51]).is_little]
    bundle.predict(images[:0])
    frame = bundle.predict_frame(np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(BundleError):
        bundle.predict(images.astype(np.float64))
    assert bundle.stats.count == 52
    assert bundle.stats.little_share == (sum(each.sum() for each in little) + (frame.by == "little")) / 52
    assert 0 < bundle.stats.p50_ms <= bundle.stats.p95_ms and bundle.stats.mean_ms > 0
    bundle.stats.reset()
    assert bundle.stats.count == 0
