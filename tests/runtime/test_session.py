from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from duonas.runtime import Bundle, BundleError
from duonas.runtime.session import open_session


@pytest.fixture
def asked(monkeypatch):
    """The options of the sessions that are opened."""
    found = []
    real = onnxruntime.InferenceSession

    def noting(model, options, **more):
        found.append(options)
        return real(model, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", noting)
    return found


def test_threads_sleep_between_calls_unless_they_shall_spin(exported, asked):
    for more in ({}, {"spinning": False}, {"spinning": True, "threads": 2}):
        Bundle.load(exported[2], **more)
    spins = [each.get_session_config_entry("session.intra_op.allow_spinning") for each in asked]
    assert spins == ["0", "0", "1"] and [each.intra_op_num_threads for each in asked] == [0, 0, 2]


def test_how_threads_wait_changes_no_answer(exported, images):
    one, other = (Bundle.load(exported[2], 2, spinning=spinning).predict(images[:64]) for spinning in (False, True))
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_arguments_of_the_wrong_kind_are_refused(exported):
    with pytest.raises(BundleError, match=r"^spinning must be True or False, got 1\.$"):
        Bundle.load(exported[2], spinning=1)


def test_what_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "dynamic.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"^ONNX Runtime cannot open .*dynamic\.onnx: .*\.$"):
        open_session(tmp_path / "dynamic.onnx")
    with pytest.raises(BundleError, match="cannot open the model: "):
        open_session(b"nothing")
