"""The evaluator: recalibrated answers, a cache that is believed only when it fits, and a supernet left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from duonas.core.couplings import NestedPairs
from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.core.tensors import save_tensors
from duonas.data.images import Images
from duonas.recipe.schema import options_for
from duonas.routing.route import scores as score_of
from duonas.routing.routers.confidence import Confidence
from duonas.search.evaluate import Evaluator, SubnetResult
from duonas.search.options import SearchOptions
from duonas.search.prices import Prices
from duonas.search.scores import Scores
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet

LOGITS = {"logits": lambda subnet, logits: logits}
OPTIONS = SearchOptions(recalibration_images=24, batch_size=8)
TABLE = MobileNet.Options(preset="digits", axes={"depth": [1, 2], "kernel": [3]})


def images(n, seed):
    rng = stream(seed, "images")
    pixels = rng.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)
    return Images(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, 4, n)))


def with_norm(norm):
    table = replace(TABLE, norm=norm)
    net = MobileNet.supernet(MobileNet.space(table, 8, 4), (0.5,) * 3, (0.25,) * 3, stream(0, "init"), table)
    return PairSupernet(NestedPairs(net.space), net)


@pytest.fixture
def supernet():
    return with_norm("recalibrated")


def make(supernet, folder, *, name="weights", val=None, options=OPTIONS):
    return Evaluator(supernet, images(40, 1).pixels, val or images(20, 2), folder, options, name)


def test_the_answer_is_that_of_the_recalibrated_network(supernet, tmp_path):
    evaluator = make(supernet, tmp_path)
    arch = supernet.pairs.sample_subnet("big", stream(0))
    logits = evaluator.evaluate(arch, LOGITS).readings["logits"]
    network = evaluator.network(arch)
    expected = network(images(20, 2).pixels.float() / 255).detach().numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert logits.dtype == np.float32
    result = evaluator.evaluate(arch)
    assert (result.right == (logits.argmax(1) == evaluator.labels)).all() and result.accuracy == result.right.mean()
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
        seen[norm] = evaluator.evaluate(subnet, LOGITS).readings["logits"]
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
    forth = {arch: evaluator.evaluate(arch, LOGITS).readings["logits"] for arch in archs}
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    back = make(supernet, tmp_path / "other")
    for arch in reversed(archs):
        assert (back.evaluate(arch, LOGITS).readings["logits"] == forth[arch]).all()


def test_an_answer_is_computed_once(supernet, tmp_path, monkeypatch):
    arch = supernet.pairs.sample_subnet("big", stream(0))
    first = make(supernet, tmp_path).evaluate(arch, LOGITS)
    again = make(supernet, tmp_path)
    monkeypatch.setattr(again, "logits", lambda network: pytest.fail("computed again"))
    second = again.evaluate(arch, LOGITS)
    assert second.known and not first.known and (second.right == first.right).all()
    assert (second.readings["logits"] == first.readings["logits"]).all()


@pytest.mark.parametrize("change", ["weights", "val", "images", "arch", "bytes", "cut"])
def test_a_stale_or_broken_cache_is_computed_again(change, supernet, tmp_path):
    evaluator = make(supernet, tmp_path)
    arch = supernet.pairs.sample_subnet("big", stream(0))
    true = evaluator.evaluate(arch, LOGITS)
    path = tmp_path / f"{arch.id}.safetensors"
    if change == "weights":
        evaluator = make(supernet, tmp_path, name="other weights")
    elif change == "val":
        evaluator = make(supernet, tmp_path, val=images(20, 3))
    elif change == "images":
        evaluator = make(supernet, tmp_path, options=options_for("search", recalibration_images=16, batch_size=8))
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
    result = evaluator.evaluate(arch, LOGITS)
    assert computed == [1]
    if change in ("arch", "bytes", "cut", "weights"):
        assert (result.readings["logits"] == true.readings["logits"]).all()
    with safe_open(path, framework="numpy") as file:
        assert (file.get_tensor("logits") == result.readings["logits"]).all()


def test_a_missing_reading_is_made_and_others_are_left_alone(supernet, tmp_path):
    """What a file has too much of does no harm; what it lacks has the subnet asked again."""
    arch, first = supernet.pairs.sample_subnet("big", stream(0)), {"first": lambda subnet, logits: logits[:, 0]}
    assert not make(supernet, tmp_path).evaluate(arch, LOGITS).known
    assert make(supernet, tmp_path).evaluate(arch).known
    assert not make(supernet, tmp_path).evaluate(arch, first).known
    assert make(supernet, tmp_path).evaluate(arch, first).known


def test_one_bit_and_one_score_an_image_are_kept(pairs, evaluator, tmp_path):
    """So 400 archs with 50,000 images of 1,000 classes take 83 MB; their logits would take 80 GB."""
    images, classes = 5_000, 1000
    labels = stream(0, "labels").integers(0, classes, images)
    logits = stream(0, "logits").random((images, classes), dtype=np.float32)
    evaluator.labels = labels
    scores = Scores(evaluator, Prices(pairs), 0)
    result = SubnetResult.of(pairs.subnets(pairs.sample(stream(0)))[0], logits, labels, scores.readings)
    path = save_tensors(tmp_path / "kept.safetensors", {"right": np.packbits(result.right), **result.readings})
    bits, score = images // 8, 4 * images
    assert bits + score <= path.stat().st_size <= bits + score + 500
    assert 4_000 * path.stat().st_size < 85e6 < 80e9 == 4_000 * logits.nbytes
    (kept,) = result.readings.values()
    assert (kept == score_of(Confidence(), logits)).all() and kept.dtype == np.float32
