"""Property tests draw the same examples every time; ``pytest --hypothesis-profile=explore`` looks for new ones."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # beside others: a thread each, before torch counts the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from support.device_kits import kit, kit_source  # noqa: F401  (fixtures)
from support.exported import export, exported, images  # noqa: F401  (fixtures)
from support.interrupts import interruptible  # noqa: F401  (fixture)
from support.ondisk import make_folder, make_shard  # noqa: F401  (fixtures)

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session", autouse=True)
def torchlib_read_once():
    """PyTorch's exporter reads the sources of its operators again for every export, which takes half a second."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    read = staticmethod(cache(ONNXRegistry.from_torchlib))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", read)
        yield


@pytest.fixture(scope="session")
def exporter():
    """``export_module`` with a memory for towers: PyTorch takes a second for each, and they are the same every time."""
    from duonas.deploy.export import export_module
    from duonas.pair.onnx_network import OnnxNetwork

    known = {}

    def once(module, sample, entry, leaving, opset):
        weights = tuple(float(value.detach().sum()) for value in module.parameters())
        key = (entry, tuple(sample.shape), weights)
        if isinstance(module, OnnxNetwork):
            return export_module(module, sample, entry, leaving, opset)
        if entry == "seen" or key not in known:
            known[key] = export_module(module, sample, entry, leaving, opset)
        return known[key]

    return once


@pytest.fixture(scope="session")
def brightness():
    """The least router that stands before little, by its position: a bright first channel is easy."""
    from duonas.routing.router import Router

    @dataclass(frozen=True)
    class Brightness(Router):
        position: str = "input"

        name = "brightness"
        positions = ("input", "stem")

        def describe(self, seen):
            return seen[:, :1].mean((2, 3))

        def judge(self, described):
            return described[:, 0]

    return Brightness
