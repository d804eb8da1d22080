"""A small device kit, for the tests of what writes and what measures it."""

from __future__ import annotations

import pytest

from duonas.core.couplings import pair_space
from duonas.deploy.device_kit import KitSource, write_kit
from duonas.routing.routers.confidence import Confidence
from duonas.runtime.device_kit import Settings
from duonas.spaces.mobilenet import MobileNet

AXES = {"width": [0.5], "depth": [1, 2], "kernel": [3], "expansion": [1, 2]}


@pytest.fixture(scope="session")
def kit_source():
    space = MobileNet.space(MobileNet.Options(preset="digits", axes=AXES), 8, 5)
    return KitSource(pair_space(space), (Confidence(),), opset=18)


@pytest.fixture(scope="session")
def kit(kit_source, tmp_path_factory):
    """The folder of a kit; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("kit") / "device"
    write_kit(kit_source, Settings(minutes=0.05), folder)
    return folder
