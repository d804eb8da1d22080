"""Every target that this machine can run keeps the contract; the code around the others runs on the processor."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.core.errors import DuonasError
from duonas.core.registry import find, names
from duonas.deploy.options import ExportOptions
from duonas.deploy.target import check_targets
from duonas.runtime import Bundle, BundleError
from duonas.runtime.engine import engine_names
from duonas.runtime.session import CPU
from duonas.testing import TargetContract
from duonas.testing.targets import agree, export, pictures

HERE = ("onnxruntime", "openvino", "split")  # what the tests of this repository run


class TestOnnxRuntime(TargetContract):
    def target(self):
        return "onnxruntime"


class TestOpenVino(TargetContract):
    def target(self):
        return "openvino"


class TestSplit(TargetContract):
    def target(self):
        return "split"


@pytest.mark.parametrize("name", HERE)
def test_what_the_contract_was_run_for_is_here(name):
    assert not find("target", name).engine.missing() and not find("target", name).untested


@pytest.mark.parametrize("name", names("target"))
def test_a_target_has_an_engine_of_its_name(name):
    assert find("target", name).engine.name == name


def test_every_engine_has_a_target():
    assert set(engine_names()) == set(names("target"))


@pytest.mark.parametrize("name", ["cuda", "tensorrt", "xnnpack"])
@pytest.mark.parametrize("form", ["after little, shared stem", "at the image, two networks"])
def test_providers_that_are_not_here_are_run_by_the_usual_one(name, form, tmp_path, monkeypatch):
    path = export(form, name, tmp_path / "export")
    engine = find("target", name).engine
    with pytest.raises(BundleError, match=f"the engine '{name}' cannot run here: this build of ONNX Runtime has no "):
        Bundle.load(path, engine=name)
    monkeypatch.setattr(engine, "provider", CPU)
    bundle, reference = Bundle.load(path, engine=name), Bundle.load(path)
    images = pictures(70)
    for tau in (reference.tau, np.inf):
        bundle.tau = reference.tau = tau
        agree(bundle.predict(images), reference.predict(images), tau)


def test_an_unknown_target_is_named_before_any_work():
    with pytest.raises(DuonasError, match=r"\[export\] targets has no choice 'opnvino': did you mean 'openvino'\?"):
        check_targets(["split", "opnvino"])


@pytest.mark.parametrize("buckets", [(4, 2), (1, 1), (5000,)])
def test_buckets_are_ascending(buckets):
    with pytest.raises(DuonasError, match="buckets must be ascending numbers of rows, 4,096 at most"):
        ExportOptions(buckets=buckets)
