"""Property tests draw the same examples every time; ``pytest --hypothesis-profile=explore`` looks for new ones."""

from __future__ import annotations

import gc
import hashlib
import os
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np
import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # beside others: a thread each, before torch counts the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    gc.disable()  # until all is imported, which makes no garbage and takes a fifth less time so

from support.device_kits import kit, kit_source  # noqa: F401  (fixtures)
from support.exported import export, exported, images  # noqa: F401  (fixtures)
from support.interrupts import interruptible  # noqa: F401  (fixture)
from support.ondisk import make_coco, make_folder, make_imagenet, make_shard  # noqa: F401  (fixtures)

settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("explore", deadline=None)
settings.load_profile("fixed")


def pytest_collection_finish(session):
    """What is imported stays, so later searches for garbage need not walk through it."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def torchlib_read_once():
    """PyTorch's exporter reads the sources of its operators again for every export, which takes half a second."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    read = staticmethod(cache(ONNXRegistry.from_torchlib))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", read)
        yield


@pytest.fixture(scope="session", autouse=True)
def digits_read_once():
    """Hundreds of tests read scikit-learn's digits: half a second for its text file and for 1,797 images."""
    import sklearn.datasets

    inspecting, decoded = import_module("duonas.data.inspect"), {}
    digits, decode = cache(sklearn.datasets.load_digits), inspecting.decode_sizes

    def once(listed, preparations, progress):
        if len(listed) != len(digits().images) or not all(np.shape(image) == (8, 8) for image in listed):
            return decode(listed, preparations, progress)
        key = hashlib.sha256(np.stack(listed).tobytes()).hexdigest() + str(preparations)
        if key not in decoded:
            decoded[key] = decode(listed, preparations)
        progress(len(listed), len(listed))
        return deepcopy(decoded[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.datasets, "load_digits", digits)
        patch.setattr(inspecting, "decode_sizes", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_archs_profiled():
    """``profile`` draws 2,000 archs for a median, which takes a second; few have a median, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("duonas.pipeline.profile"), "PROFILED", 100)
        yield


@pytest.fixture(scope="session")
def exporter():
    """``export_module`` with a memory for towers: PyTorch takes a second for each, and they are the same every time."""
    import onnx

    from duonas.deploy.export import export_module
    from duonas.pair.onnx_network import OnnxNetwork

    known = {}

    def once(module, sample, entry, leaving, opset):
        if isinstance(module, OnnxNetwork) or entry == "seen":
            return export_module(module, sample, entry, leaving, opset)
        key = (entry, leaving, opset, tuple(sample.shape), *_description(module))
        if key not in known:
            known[key] = export_module(module, sample, entry, leaving, opset).SerializeToString()
        return onnx.load_model_from_string(known[key])

    return once


def _description(module):
    """What two modules have in common that compute the same: their layers with all settings, and their tensors."""
    for layer in module.modules():
        yield type(layer).__qualname__
        yield str({name: value for name, value in vars(layer).items() if not name.startswith("_")})
    yield hashlib.sha256(b"".join(value.numpy().tobytes() for value in module.state_dict().values())).hexdigest()


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
