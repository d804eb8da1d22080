from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.files import checksum, read_json
from duonas.deploy import bundle as exporting
from duonas.deploy.bundle import check_files, export_bundle, set_threshold
from duonas.deploy.options import ExportOptions
from duonas.routing.policy import Policy
from duonas.runtime import Bundle
from support.exported import STORED


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def noted_tau(folder):
    (tau,) = [each.value for each in onnx.load(folder / "dynamic.onnx").metadata_props if each.key == "tau"]
    return float(tau)


@pytest.fixture
def quick(exporter, monkeypatch):
    """Tests of what comes after PyTorch's exporter take the networks that it gave before."""
    monkeypatch.setattr("duonas.deploy.export.export_module", exporter)


def test_the_policy_names_the_files(exported):
    _, policy, folder = exported
    files = ["big.onnx", "dynamic.onnx", "golden.npz", "little.onnx"]
    assert sorted(contents(folder)) == [*files, "policy.json"]
    written = Policy.load(folder / "policy.json")
    assert written.onnx == {name: checksum(folder / name) for name in files}
    assert dataclasses.replace(written, onnx={}) == policy


def test_exporting_changes_nothing_and_replaces_what_was_there(exported, tmp_path):
    net, policy, folder = exported
    before = {name: value.clone() for name, value in net.state_dict().items()}
    target = tmp_path / "export"
    target.mkdir()
    (target / "stale.onnx").write_text("old")
    net.train()
    assert export_bundle(net, policy, target, ExportOptions(), STORED) == target
    assert net.training
    net.eval()
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert contents(target) == contents(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_nothing_is_half_written(exported, tmp_path, monkeypatch):
    net, policy, _ = exported
    target = tmp_path / "export"
    target.mkdir()
    (target / "dynamic.onnx").write_text("old")

    def full(path, write):
        if path.name == "big.onnx":
            raise OSError(28, "No space left on device")
        return write_atomic(path, write)

    write_atomic = exporting.write_atomic
    monkeypatch.setattr(exporting, "write_atomic", full)
    monkeypatch.setattr(exporting, "_models", lambda *_: dict.fromkeys(["dynamic.onnx", "big.onnx"], _Small()))
    with pytest.raises(DuonasError, match=r"cannot write .*export: No space left on device; nothing was changed"):
        export_bundle(net, policy, target, ExportOptions())
    assert contents(target) == {"dynamic.onnx": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


class _Small:
    def SerializeToString(self):
        return b"model"


def test_a_policy_of_other_classes_is_refused(exported, quick, tmp_path):
    net, policy, _ = exported
    with pytest.raises(DuonasError, match=r"5 classes, but its policy has 7"):
        export_bundle(net, dataclasses.replace(policy, num_classes=7), tmp_path / "export", ExportOptions())
    assert not list(tmp_path.iterdir())


def test_infinite_thresholds_survive(exported, quick, tmp_path):
    net, policy, _ = exported
    folder = export_bundle(net, dataclasses.replace(policy, tau=-np.inf), tmp_path / "export", ExportOptions())
    assert read_json(folder / "policy.json")["tau"] == "-inf" and noted_tau(folder) == -np.inf


def test_another_tau_is_turned_in_without_the_networks(exported, tmp_path):
    """Back and forth gives the bytes that were exported."""
    _, policy, folder = exported
    copy = Path(shutil.copytree(folder, tmp_path / "export"))
    other = dataclasses.replace(policy, tau=float("-inf"), choice={"share": 1.0})
    assert set_threshold(copy, other) == copy
    assert noted_tau(copy) == -np.inf
    written = Policy.load(copy / "policy.json")
    assert written == other.belonging_to({name: checksum(copy / name) for name in written.onnx})
    assert len(written.onnx) == 4 and Bundle.load(copy).tau == -np.inf
    set_threshold(copy, policy)
    assert contents(copy) == contents(folder) and [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_plain_network_is_exported_beside_the_pair_and_stays_there(export, quick, tmp_path):
    net, policy, folder = export(True, "after_little")
    plain = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(100, 5)).train()
    copy = export_bundle(net, policy, tmp_path / "export", ExportOptions(), plain=plain)
    assert plain.training and contents(copy).items() >= {
        name: data for name, data in contents(folder).items() if name.endswith(".onnx")
    }.items()  # fmt: skip
    images = np.random.default_rng(0).random((7, 3, 12, 12), dtype=np.float32)
    (found,) = onnxruntime.InferenceSession(copy / "single.onnx").run(["logits"], {"images": images})
    with torch.inference_mode():
        np.testing.assert_allclose(found, plain.eval()(torch.from_numpy(images)).numpy(), atol=1e-5)
    single = (copy / "single.onnx").read_bytes()
    set_threshold(copy, dataclasses.replace(policy, tau=0.25))
    assert (copy / "single.onnx").read_bytes() == single
    (copy / "single.onnx").write_bytes(b"other")
    with pytest.raises(DuonasError, match=r"single\.onnx is not the file that policy\.json was written with"):
        check_files(copy)


def test_a_default_of_an_earlier_version_does_not_outlive_its_policy(exported, tmp_path):
    _, policy, folder = exported
    copy = Path(shutil.copytree(folder, tmp_path / "export"))
    model = onnx.load(copy / "dynamic.onnx")
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.9, np.float32), "tau"))
    onnx.save(model, copy / "dynamic.onnx")
    sign(copy)
    set_threshold(copy, policy)
    assert contents(copy) == contents(folder)


def test_what_is_no_export_cannot_be_retuned(exported, tmp_path):
    copy = Path(shutil.copytree(exported[2], tmp_path / "export"))
    (copy / "dynamic.onnx").write_bytes(b"nothing")
    sign(copy)
    before = contents(copy)
    with pytest.raises(DuonasError, match="cannot be read as an export"):
        set_threshold(copy, exported[1])
    assert contents(copy) == before


def test_files_of_another_export_are_not_given_its_policy(exported, tmp_path):
    """Not even those that a device does not need, and that are measured."""
    copy = Path(shutil.copytree(exported[2], tmp_path / "export"))
    check_files(copy)
    shutil.copy(copy / "big.onnx", copy / "little.onnx")
    before = contents(copy)
    with pytest.raises(DuonasError, match=r"little\.onnx is not the file that policy\.json was written with"):
        set_threshold(copy, exported[1])
    assert contents(copy) == before
    (copy / "little.onnx").unlink()
    with pytest.raises(DuonasError, match=r"little\.onnx does not exist"):
        check_files(copy)


def sign(folder):
    """Let the policy of an export name the files as they are."""
    policy = Policy.load(folder / "policy.json")
    policy.belonging_to({name: checksum(folder / name) for name in policy.onnx}).save(folder / "policy.json")
