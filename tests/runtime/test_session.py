from __future__ import annotations

import json
import shutil

import numpy as np
import onnxruntime
import pytest

from duonas.runtime import Bundle, BundleError
from duonas.runtime.session import CPU, open_session, provider_of_any


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


def test_threads_sleep_unless_they_shall_spin_and_always_between_calls(exported, asked):
    for more in ({}, {"spinning": False}, {"spinning": True, "threads": 2}):
        Bundle.load(exported[2], **more)
    assert [each.get_session_config_entry("session.intra_op.allow_spinning") for each in asked] == ["0", "0", "1"]
    assert {each.get_session_config_entry("session.force_spinning_stop") for each in asked} == {"1"}
    assert {each.get_session_config_entry("session.intra_op.spin_duration_us") for each in asked} == {"20"}


def test_a_small_pair_takes_one_thread_and_a_large_one_all(exported, asked, tmp_path):
    """More threads wait longer for each other than they save where there is little to do."""
    large = shutil.copytree(exported[2], tmp_path / "large")
    policy = json.loads((large / "policy.json").read_text())
    for row in policy["table"]:
        row["expected_macs"] *= 1e5
    (large / "policy.json").write_text(json.dumps(policy))
    for folder, threads in ((exported[2], 0), (large, 0), (large, 1), (exported[2], 3)):
        Bundle.load(folder, threads)
    assert [each.intra_op_num_threads for each in asked] == [1, 0, 1, 3]


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


def test_a_provider_of_another_machine_is_known_and_one_of_none_is_not():
    assert provider_of_any("cuda") == "CUDAExecutionProvider" and provider_of_any(CPU) == CPU
    with pytest.raises(BundleError, match=r"no execution provider 'CUDAA': did you mean CUDA\?$"):
        provider_of_any("CUDAA")
    with pytest.raises(BundleError, match=r"no execution provider '0000': expected one of .*CPU"):
        provider_of_any("0000")
