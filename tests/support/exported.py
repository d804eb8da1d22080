"""A random pair, its policy and its export folder, for the tests of deployment and of the runtime."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from duonas.core.cost import PairCost
from duonas.deploy.bundle import export_bundle
from duonas.deploy.export import export_module
from duonas.deploy.options import ExportOptions
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from duonas.recipe.schema import options_for
from duonas.routing.route import decide, fit
from duonas.routing.routed import Observed, seen
from duonas.routing.router import Answers, Router, make_router

CLASSES, SIDE = 5, 12
FACTS = PairFacts(
    costs={"macs": PairCost(stem=1000, router=0, little=500, big=9000)}, networks={}, num_classes=CLASSES,
    preprocessing=Preprocessing(SIDE), class_names=("a", "b", "<c>", "d", "é"),
)  # fmt: skip


class Input(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        if x.shape[-1] != self.side:
            x = F.interpolate(x, size=(self.side, self.side), mode="bilinear")
        return (x - 0.4) / 0.25


def conv(ins, outs, stride=1, groups=1):
    layer = nn.Conv2d(ins, outs, 3, stride, 1, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outs), nn.ReLU())


def head(channels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))


def make_pair(shared: bool) -> Pair:
    """Random towers, batch norms with real statistics; without a shared stem little looks at smaller images."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if shared:
            stem = nn.Sequential(Input(SIDE), conv(3, 8))
            little = nn.Sequential(conv(8, 8, 2, groups=8), head(8))
            big = nn.Sequential(conv(8, 16, 2), conv(16, 16, groups=16), conv(16, 16), head(16))
        else:
            stem = None
            little = nn.Sequential(Input(8), conv(3, 8, 2), head(8))
            big = nn.Sequential(Input(SIDE), conv(3, 16, 2), conv(16, 16), head(16))
        net = Pair(stem, little, big, FACTS).train()
        with torch.no_grad():
            for part in (net.little[-1][-1], net.big[-1][-1]):
                part.weight.mul_(8)
            for _ in range(30):
                net(torch.rand(32, 3, SIDE, SIDE))
    return net.eval()


def as_graphs(net: Pair, exporter=export_module) -> Pair:
    """The same pair, its parts ONNX graphs."""
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = net.features(images).clone()
    parts = {"stem": (net.stem, images), "little": (net.little, features), "big": (net.big, features)}
    graphs = {
        part: None if network is None else OnnxNetwork(exporter(network, sample, "features", "logits", 18), threads=1)
        for part, (network, sample) in parts.items()
    }
    return Pair(**graphs, facts=net.facts).eval()


def make_images(count, seed):
    """(count, 3, SIDE, SIDE) uint8, of all contrasts and colours."""
    rng = np.random.default_rng(seed)
    noise = rng.random((count, 3, SIDE, SIDE)) * rng.random((count, 1, 1, 1)) + rng.random((count, 3, 1, 1)) * 0.5
    return (np.clip(noise, 0, 1) * 255).astype(np.uint8)


def make_policy(net: Pair, early: Router | None = None):
    """Of a cascade, or of a router that stands before little."""
    with torch.no_grad():
        out = net(images := torch.from_numpy(make_images(400, seed=1)).float() / 255)
    labels = out.big.argmax(1).numpy()
    options = options_for("route", share=0.6, score="margin")
    router = early or make_router(options)
    described = router.describe(seen(router, images, out))
    answers = Answers(out.little.numpy(), out.big.numpy(), labels)
    return decide(*fit(router, Observed(described, answers), net.facts, seed=0), options)


STORED = torch.from_numpy(make_images(20, seed=2))  # for the self-test of the bundle


@pytest.fixture(scope="session")
def export(exporter, brightness, tmp_path_factory):
    """(pair, policy, folder) by whether the stem is shared, where the router stands, and whether the parts are ONNX
    graphs; each is made once."""

    @cache
    def exported(shared, position, graphs=False):
        net = as_graphs(make_pair(shared), exporter) if graphs else make_pair(shared)
        policy = make_policy(net, None if position == "after_little" else brightness(position))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("duonas.deploy.export.export_module", exporter)
            folder = export_bundle(net, policy, tmp_path_factory.mktemp("bundle") / "export", ExportOptions(), STORED)
        return net, policy, folder

    return exported


@pytest.fixture(scope="session", params=[True, False], ids=["shared stem", "two resolutions"])
def exported(request, export):
    """(pair, policy, folder) of a cascade."""
    return export(request.param, "after_little")


@pytest.fixture(scope="session")
def images():
    """(3000, 3, SIDE, SIDE) uint8."""
    return make_images(3000, seed=0)
