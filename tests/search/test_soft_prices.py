"""Expected prices under probabilities: those of a pair where every choice is sure, and else the mean over draws."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from duonas.core.couplings import pair_space
from duonas.core.rng import stream
from duonas.search.metric import metrics
from duonas.search.prices import Prices
from duonas.search.soft_prices import SoftPrices
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.supernet.family import build_space

SUMS = ("expected_macs", "peak_macs", "little_macs", "big_params", "params", "weight_bytes", "expected_latency_ms")


@cache
def made(family, coupling):
    axes = {"depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2], "width": [0.5, 1.0]}
    options = (
        MobileNet.Options(preset="cifar", axes=axes)  # two resolutions, so that some pairs share no stem
        if family is MobileNet
        else NasBench201.Options(channels=2, cells=1)
    )
    return pair_space(build_space(family, options, 32, 4), coupling)


def sure(space, arch):
    return {name: torch.eye(len(axis.values))[arch.get(name, 0)] for name, axis in space.axes.items()}


@pytest.mark.parametrize(
    ("family", "coupling"),
    [(MobileNet, "nested"), (MobileNet, "partial"), (MobileNet, "independent"), (NasBench201, "sibling")],
)
def test_of_sure_choices_they_are_the_prices(family, coupling, timed):
    """Also time that each block takes by itself, and that routing takes."""
    pairs = made(family, coupling)
    prices = Prices(pairs, timed(0.01, 0.1, 0.2))
    soft = SoftPrices(prices)
    for number in range(6):
        pair = pairs.sample(stream(0, number))
        wanted = prices.price(pair, prices.routers[0])
        mixtures = sure(pairs.space, pair.little), sure(pairs.space, pair.big)
        found = soft.pair(*mixtures, pair.split, prices.routers[0])
        for name in SUMS:
            metric = metrics()[name]
            value = float(metric.value(found, 0.3))
            assert value == pytest.approx(metric.value(wanted, 0.3), rel=1e-5), name


def test_of_doubtful_choices_they_are_the_mean_and_have_gradients():
    pairs = made(MobileNet, "sibling")
    prices, rng = Prices(pairs), stream(0, "doubt")
    space = pairs.space
    even = {name: torch.full((len(axis.values),), 1 / len(axis.values)) for name, axis in space.axes.items()}
    mixture = {name: row.requires_grad_() for name, row in even.items()}
    price = SoftPrices(prices).pair(mixture, mixture, 0, prices.routers[0])
    found = price.parts["macs"].expected(0.3)
    drawn = [prices.price(pairs.sample(rng), prices.routers[0]).parts["macs"].expected(0.3) for _ in range(200)]
    assert float(found.detach()) == pytest.approx(
        np.mean(drawn), rel=4 * np.std(drawn) / np.mean(drawn) / len(drawn) ** 0.5
    )
    found.backward()
    assert mixture["stage3.width"].grad[1] > mixture["stage3.width"].grad[0]
