"""The evaluator: recalibrated answers, a cache that is believed only when it fits, and a supernet left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from duonas.core.couplings import NestedPairs
from duonas.core.options import SearchOptions, SpaceOptions
from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.data.images import Images
from duonas.search.evaluate import Evaluator
from duonas.spaces.mobilenet import FAMILY
from duonas.supernet.pair import PairSupernet

OPTIONS = SearchOptions(recalibration_images=24, batch_size=8)
TABLE = SpaceOptions(preset="digits", axes={"depth": [1, 2], "kernel": [3]})


def images(n, seed):
    rng = stream(seed, "images")
    pixels = rng.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)
    return Images(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, 4, n)))


def with_norm(norm):
    table = replace(TABLE, norm=norm)
    net = FAMILY.supernet(FAMILY.space(table, 8, 4), (0.5,) * 3, (0.25,) * 3, stream(0, "init"), table)
    return PairSupernet(NestedPairs(net.space), net)


@pytest.fixture
def supernet():
    return with_norm("recalibrated")


def make(supernet, folder, *, name="weights", val=None, options=OPTIONS):
    return Evaluator(supernet, images(40, 1).pixels, val or images(20, 2), folder, options, name)


def test_the_answer_is_that_of_the_recalibrated_network(supernet, tmp_path):
    evaluator = make(supernet, tmp_path)
    arch = supernet.pairs.sample_subnet("big", stream(0))
    result = evaluator.evaluate(arch)
    network = evaluator.network(arch)
    expected = network(images(20, 2).pixels.float() / 255).detach().numpy()
    np.testing.assert_allclose(result.logits, expected, rtol=1e-4, atol=1e-5)
    assert result.logits.dtype == np.float32
    assert result.accuracy == (result.logits.argmax(1) == evaluator.labels).mean()
    assert result.cost.macs == sum(block.macs for block in supernet.pairs.blocks(arch))
    assert not network.training


def test_three_norms_mean_three_things(tmp_path):
    """Trained statistics are used as they are, or measured anew; and an answer is one norm's own."""
    seen = {}
    for norm in ("recalibrated", "switchable", "both"):
        net = with_norm(norm).train()
        subnet = net.pairs.sample_subnet("big", stream(0))
        for seed in range(3):
            net(torch.from_numpy(stream(seed).random((8, 3, 8, 8), dtype=np.float32)), subnet)
        evaluator = make(net.eval(), tmp_path)
        logits = net(images(20, 2).pixels.float() / 255, subnet).detach().numpy()
        seen[norm] = evaluator.evaluate(subnet).logits
        assert np.allclose(seen[norm], logits, rtol=1e-4, atol=1e-5) == (norm == "switchable")
        assert not evaluator.network(subnet).training
    np.testing.assert_allclose(
        seen["both"], seen["recalibrated"], rtol=1e-4, atol=1e-5
    )  # norm weights are as they began
    assert not np.allclose(seen["both"], seen["switchable"], rtol=1e-2)


def test_nothing_stays_behind(supernet, tmp_path):
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    evaluator = make(supernet, tmp_path)
    archs = [supernet.pairs.sample_subnet("big", stream(seed)) for seed in range(3)]
    forth = {arch: evaluator.evaluate(arch).logits for arch in archs}
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    back = make(supernet, tmp_path / "other")
    for arch in reversed(archs):
        assert (back.evaluate(arch).logits == forth[arch]).all()


def test_an_answer_is_computed_once(supernet, tmp_path, monkeypatch):
    arch = supernet.pairs.sample_subnet("big", stream(0))
    first = make(supernet, tmp_path).evaluate(arch)
    again = make(supernet, tmp_path)
    monkeypatch.setattr(again, "logits", lambda network: pytest.fail("computed again"))
    second = again.evaluate(arch)
    assert (second.logits == first.logits).all() and second.accuracy == first.accuracy and second.cost == first.cost


@pytest.mark.parametrize("change", ["weights", "val", "images", "arch", "bytes", "cut"])
def test_a_stale_or_broken_cache_is_computed_again(change, supernet, tmp_path):
    evaluator = make(supernet, tmp_path)
    arch = supernet.pairs.sample_subnet("big", stream(0))
    true = evaluator.evaluate(arch)
    path = tmp_path / f"{arch.id}.safetensors"
    if change == "weights":
        evaluator = make(supernet, tmp_path, name="other weights")
    elif change == "val":
        evaluator = make(supernet, tmp_path, val=images(20, 3))
    elif change == "images":
        evaluator = make(supernet, tmp_path, options=SearchOptions(recalibration_images=16, batch_size=8))
    elif change == "arch":
        other = Subnet(supernet.pairs.space.largest())
        evaluator.evaluate(other)
        (tmp_path / f"{other.id}.safetensors").replace(path)
    elif change == "bytes":
        path.write_bytes(b"no tensors here")
    else:
        path.write_bytes(path.read_bytes()[:-40])
    computed = []
    original = evaluator.logits
    evaluator.logits = lambda network: computed.append(1) or original(network)
    result = evaluator.evaluate(arch)
    assert computed == [1]
    if change in ("arch", "bytes", "cut", "weights"):
        assert (result.logits == true.logits).all()
    with safe_open(path, framework="numpy") as file:
        assert (file.get_tensor("logits") == result.logits).all()
