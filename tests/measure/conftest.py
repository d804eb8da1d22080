from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from duonas.core.cost import Cost, PairCost
from duonas.data.images import Images
from duonas.deploy.bundle import export_bundle
from duonas.deploy.options import ExportOptions
from duonas.measure.measure import measure
from duonas.measure.options import MeasureOptions
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.pair.pair import Pair
from duonas.recipe.schema import options_for
from duonas.routing.route import decide, fit
from duonas.routing.routed import Observed
from duonas.routing.router import Answers, make_router
from duonas.runtime.energy import GivenPower
from duonas.runtime.meters import Found

COST = PairCost(stem=1000, router=0, little=500, big=9000)
FACTS = PairFacts(
    costs={"macs": COST},
    networks={"little": Cost(1500, 260, 4 * 260, 4 * 11 * 36), "big": Cost(10000, 844, 4 * 844, 4 * 16 * 36)},
    num_classes=4, preprocessing=Preprocessing(6), class_names=("a", "b", "c", "d"),
)  # fmt: skip
OPTIONS = MeasureOptions(latency_images=12, throughput_batches=3, threads=1)


def make_pair() -> Pair:
    """Random towers over 6 x 6 images, the stem shared."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        little = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
        big = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
        net = Pair(stem, little, big, FACTS).eval()
        with torch.no_grad():
            for tower in (net.little, net.big):
                tower[-1].weight.mul_(20)
    return net


@pytest.fixture(scope="session")
def images(measured):
    """The test split that ``measured`` was measured on."""
    return measured[3]


@pytest.fixture(scope="session")
def exported_at(measured, brightness, exporter, tmp_path_factory):
    """The export folder of the same pair with a router at a position."""
    folder, net, policy, *_ = measured

    def exported(position):
        if position == "after_little":
            return folder / "export"
        router = brightness(position)
        other = replace(policy, router=router, tau=0.4, costs=policy.costs.routed_by(router.macs, before=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("duonas.deploy.export.export_module", exporter)
            return export_bundle(net, other, tmp_path_factory.mktemp("bundle") / "export", ExportOptions())

    return exported


@pytest.fixture(scope="session")
def measured(exporter, tmp_path_factory):
    """(run folder, pair, policy, test images, figures, progress reports)."""
    folder = tmp_path_factory.mktemp("run")
    net = make_pair()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (700, 3, 6, 6), dtype=np.uint8))
    pixels = (pixels * torch.linspace(0.2, 1, 700).view(-1, 1, 1, 1)).to(torch.uint8)
    with torch.no_grad():
        out = net(pixels.float() / 255)
    # Big is right on three images in four, little on every second: there is something to route for.
    labels = torch.where(torch.arange(700) % 8 > 1, out.big.argmax(1), (out.big.argmax(1) + 1) % 4)
    labels = torch.where(torch.arange(700) % 8 > 3, out.little.argmax(1), labels)
    calib, test = slice(0, None, 2), slice(1, None, 2)  # with strides, as a subset may have them
    options = options_for("route", share=0.6)
    answers = Answers(out.little[calib].numpy(), out.big[calib].numpy(), labels[calib].numpy())
    policy = decide(*fit(make_router(options), Observed(out.little[calib], answers), net.facts, seed=0), options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("duonas.deploy.export.export_module", exporter)
        patch.setattr("duonas.measure.measure.find_meter", lambda watts: Found(GivenPower(2.5), ""))
        export_bundle(net, policy, folder / "export", ExportOptions())
        images, told = Images(pixels[test], labels[test]), []
        figures = measure(
            folder,
            net,
            test=images,
            options=OPTIONS,
            progress=lambda done, total, **_: told.append((done, total)),
        )
    return folder, net, policy, images, figures, told
