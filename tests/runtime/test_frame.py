"""One frame in, one answer out: the same as of what was prepared apart."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.routing.policy import Policy
from duonas.runtime import Bundle, BundleError, FramePrediction
from duonas.runtime.arguments import checked_images
from duonas.runtime.frame import prepared_frame, probabilities
from duonas.runtime.prepare import Preparation


@pytest.fixture
def bundle(export):
    return Bundle.load(export(True, "after_little")[2], threads=1)


def frames(count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        height, width = rng.integers(5, 60, 2)
        yield (rng.random((height, width, 3)) * 255 * rng.random(3)).astype(np.uint8)


def test_a_frame_is_answered_as_what_is_prepared_of_it(bundle, export):
    policy = Policy.load(export(True, "after_little")[2] / "policy.json")
    asked = set()
    for frame in frames(30):
        found, expected = bundle.predict_frame(frame), bundle.predict(bundle.prepare(frame))
        assert found.label == expected.labels[0] and found.score == expected.score[0]
        assert found.by == ("little" if expected.is_little[0] else "big") and found.tau == bundle.tau
        assert found.class_name == bundle.class_names[found.label]
        temperature = policy.little_temperature if found.by == "little" else policy.big_temperature
        grown = np.exp(expected.logits[0] / temperature)
        assert np.allclose(found.probabilities, grown / grown.sum(), atol=1e-6)
        assert found.probability == found.probabilities.max() and found.milliseconds >= found.prepare_ms > 0
        asked.add(found.by)
    assert asked == {"little", "big"}


def test_bgr_is_rgb_turned(bundle):
    for frame in frames(5, seed=1):
        found, turned = bundle.predict_frame(frame), bundle.predict_frame(frame[..., ::-1], order="bgr")
        assert np.array_equal(found.probabilities, turned.probabilities) and found.score == turned.score


def test_it_shows_what_matters_and_lists_the_most_probable(bundle):
    found = bundle.predict_frame(next(frames(1)))
    sign = ">=" if found.by == "little" else "<"
    says = f"{found.by}: score {found.score:.3g} {sign} tau {found.tau:.3g}, {found.milliseconds:.2f} ms)"
    assert repr(found) == f"FramePrediction({found.class_name!r} {found.probability:.1%}, {says}"
    top = found.top(3)
    assert top[0] == (found.class_name, found.probability) and len(top) == 3
    assert [share for _, share in top] == sorted((share for _, share in top), reverse=True)
    assert len(found.top(99)) == len(bundle.class_names)


def test_its_tau_is_the_one_that_was_asked_with(bundle, monkeypatch):
    """Another thread may move the threshold while a frame is prepared or answered."""
    checked, run, asked = checked_images, bundle._engine.run, []

    def moving(*given):
        bundle.tau = 0.25
        return checked(*given)

    def answering(images, tau):
        asked.append(float(tau))
        bundle.tau = 0.75
        return run(images, tau)

    monkeypatch.setattr("duonas.runtime.bundle.checked_images", moving)
    monkeypatch.setattr(bundle._engine, "run", answering)
    assert [bundle.predict_frame(next(frames(1))).tau] == asked == [0.25]


def test_classes_without_names_are_numbered(export, tmp_path):
    folder = shutil.copytree(export(True, "after_little")[2], tmp_path / "export")
    policy = json.loads((folder / "policy.json").read_text())
    (folder / "policy.json").write_text(json.dumps(policy | {"class_names": []}))
    found = Bundle.load(folder, threads=1).predict_frame(next(frames(1)))
    assert isinstance(found, FramePrediction) and found.class_name == f"class {found.label}"


@pytest.mark.parametrize(
    ("frame", "order", "message"),
    [
        (np.zeros((4, 4), np.uint8), "rgb", r"an array \(H, W, 3\) of uint8, got \(4, 4\) of uint8"),
        (np.zeros((4, 4, 4), np.uint8), "rgb", r"got \(4, 4, 4\) of uint8: bundle.prepare takes grey images, alpha"),
        (np.zeros((4, 4, 3)), "rgb", r"got \(4, 4, 3\) of float64"),
        (np.zeros((0, 4, 3), np.uint8), "rgb", r"got \(0, 4, 3\)"),
        ("photo.jpg", "rgb", "got str: bundle.prepare takes other images"),
        (None, "rgb", "got NoneType"),
        (np.zeros((4, 4, 3), np.uint8), "BGR", "order must be 'rgb' or 'bgr', got 'BGR'"),
        (np.zeros((4, 4, 3), np.uint8), None, "order must be 'rgb' or 'bgr', got None"),
    ],
)
def test_what_is_no_frame_is_refused_and_not_counted(bundle, frame, order, message):
    with pytest.raises(BundleError, match=message):
        bundle.predict_frame(frame, order)
    assert bundle.stats.count == 0


def test_a_policy_that_does_not_say_how_to_prepare_is_refused():
    with pytest.raises(BundleError, match="does not say how images are prepared"):
        prepared_frame(np.zeros((4, 4, 3), np.uint8), "rgb", None)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["crop", "squash", "pad"]), st.integers(0, 9))
def test_frames_of_any_size_are_prepared(height, width, resize, seed):
    frame = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    preparation = Preparation(9, resize)
    assert np.array_equal(prepared_frame(frame, "rgb", preparation)[0], preparation(frame))
    assert np.array_equal(prepared_frame(frame, "bgr", preparation)[0], preparation(frame[..., ::-1]))


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9), st.floats(0.05, 20))
def test_probabilities_add_up_and_keep_the_order(logits, temperature):
    found = probabilities(np.array(logits, np.float32), temperature)
    assert found.dtype == np.float32 and found.sum() == pytest.approx(1, abs=1e-5)
    assert found[int(np.argmax(logits))] == found.max()
