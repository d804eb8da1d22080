from __future__ import annotations

import base64
import dataclasses
import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from torch import nn

from duonas.core.cost import Cost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.data.images import Images
from duonas.data.ondisk import OnDisk
from duonas.deploy.bundle import export_bundle
from duonas.deploy.options import ExportOptions
from duonas.measure.examples import choose_examples, png
from duonas.measure.judge import judge
from duonas.measure.measure import compare, evaluate, measure
from duonas.measure.options import MeasureOptions
from duonas.pair.plain import PlainNetwork
from duonas.runtime import Bundle


def test_the_figures_are_those_of_the_design(measured):
    folder, net, _, images, figures, _ = measured
    assert read_json(folder / "measure.json") == figures
    for role, macs in (("little", 1500), ("big", 10000)):
        assert figures[role]["macs"] == macs
        parts = [*net.stem.parameters(), *getattr(net, role).parameters()]
        assert figures[role]["params"] == sum(value.numel() for value in parts)
    routed = figures["routed"]
    share = routed["little_share"]
    assert 0.3 < share < 0.9
    assert routed["expected_macs"] == round(1500 + (1 - share) * 9000) and routed["peak_macs"] == 10500
    assert routed["ada_macs_edanas"] == round(share * 1500 + (1 - share) * 10000)
    for role in ("little", "big", "routed"):
        times = figures[role]["latency_ms"]
        assert 0 < times["p50"] <= times["p95"] <= times["p99"] and figures[role]["images_per_s"] > 0
        means = figures[role]["times_ms"]
        assert set(means) == {"1", "64"} and all(
            each["lower"] <= each["mean"] <= each["upper"] for each in means.values()
        )
    assert set(figures["ratio_to_ideal"]) == {"batch_1", "batch_64"}
    assert figures["position"] == "after_little" and figures["ece"] == figures["calibration"]["little"]["ece"]
    assert {len(figures["calibration"][role]["reliability"]) for role in ("little", "big")} == {15}
    assert (
        sum(row["images"] for row in figures["difficulty"]) == sum(row["images"] for row in figures["outcomes"]) == 350
    )
    overhead = figures["router_overhead"]
    assert overhead["macs"] == overhead["macs_share"] == 0 and overhead["us"] >= 0
    assert overhead["latency_share"] == pytest.approx(overhead["us"] / 1e3 / routed["latency_ms"]["p50"])
    assert figures["sensitivity"]["verdict"] in ("robust", "moderately sensitive", "fragile")
    assert figures["test_images"] == len(images) == 350 and figures["router"] == "confidence"
    assert 0 <= figures["ece"] <= 1 and 0 <= figures["auroc"] <= 1
    assert figures["oracle"]["accuracy"] >= routed["accuracy"]


def test_the_verdict_is_that_of_the_figures_beside_it(measured):
    _, net, policy, images, figures, _ = measured
    found = figures["verdict"]
    assert judge(figures).to_json() == found and [row["name"] for row in found["rows"]] == ["routed", "big", "little"]
    outputs = evaluate(net, policy, images)
    won = figures["big"]["against_routed"]
    assert won["only_routed"] - won["only_this"] == outputs.routed_right.sum() - outputs.big_right.sum()
    for role in ("little", "big"):  # float32 weights, none left out and none twice
        assert figures[role]["weight_bytes"] >= 4 * figures[role]["params"]
    assert [row["peak_memory_bytes"] for row in found["rows"]] == [4 * 16 * 36, 4 * 16 * 36, 4 * 11 * 36]
    parts = figures["little"]["weight_bytes"] + figures["big"]["weight_bytes"]
    assert figures["big"]["weight_bytes"] < figures["routed"]["weight_bytes"] < parts  # the stem is stored once


def test_a_plain_network_is_measured_and_judged_beside_the_pair(measured, exporter, monkeypatch, tmp_path):
    _, net, policy, images, figures, _ = measured
    monkeypatch.setattr("duonas.deploy.export.export_module", exporter)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)).eval()
    plain = PlainNetwork(network, (), Cost(12, 16, 64, 100), {"depth": 1}, 0.5)
    export_bundle(net, policy, tmp_path / "export", ExportOptions(), plain=network)
    options = MeasureOptions(latency_images=12, throughput_batches=3, threads=1, batch_sizes=(8,))
    found = measure(tmp_path, net, test=images, options=options, plain=plain)
    alone = found["plain"]
    with torch.inference_mode():
        right = (network(images.pixels.float() / 255).argmax(1) == images.labels).numpy()
    assert alone["accuracy"] == pytest.approx(right.mean()) and alone["val_accuracy"] == 0.5 and alone["macs"] == 12
    assert 64 <= alone["weight_bytes"] < 128 and set(alone["times_ms"]) == {"1", "8", "64"}
    won = alone["against_routed"]
    gap = (found["routed"]["accuracy"] - alone["accuracy"]) * len(images)
    assert won["only_routed"] - won["only_this"] == pytest.approx(gap)
    assert [row["name"] for row in found["verdict"]["rows"]] == ["routed", "big", "little", "plain"]
    assert found["classes"] == figures["classes"]
    (tmp_path / "export" / "single.onnx").unlink()
    with pytest.raises(DuonasError, match=r"single\.onnx does not exist"):
        measure(tmp_path, net, test=images, options=options, plain=plain)


def test_onnx_answers_as_pytorch(measured):
    onnx = measured[4]["onnx"]
    assert onnx["differing_decisions"] == 0 and 0 <= onnx["max_logit_difference"] < 1e-3


def test_a_difference_would_be_seen(measured):
    folder, net, policy, images, _, _ = measured
    outputs = evaluate(net, policy, images)
    turned = dataclasses.replace(outputs, is_little=outputs.is_little ^ (np.arange(350) < 5))
    moved = dataclasses.replace(outputs, little_logits=outputs.little_logits + 1)
    bundle, pixels = Bundle.load(folder / "export", threads=1), images.pixels
    assert compare(bundle, turned, pixels)["differing_decisions"] == 5
    assert compare(bundle, moved, pixels)["max_logit_difference"] == pytest.approx(1, abs=1e-3)


def test_outputs_tell_the_same_story(measured):
    folder, _, policy, images, figures, _ = measured
    found = load_file(folder / "test_outputs.safetensors")
    assert found["is_little"].dtype == np.uint8 and np.array_equal(found["labels"], images.labels.numpy())
    kept = found["is_little"].astype(bool)
    assert np.array_equal(kept, found["score"] >= policy.tau)
    answer = np.where(kept, found["little_logits"].argmax(1), found["big_logits"].argmax(1))
    assert (answer == found["labels"]).mean() == pytest.approx(figures["routed"]["accuracy"])


def test_progress_ends_at_its_total(measured):
    told = measured[5]
    assert told == sorted(told) and told[-1] == (15, 15) and len(told) >= 3


def test_an_empty_test_split_is_refused(measured, tmp_path):
    _, net, _, images, _, _ = measured
    empty = Images(images.pixels[:0], images.labels[:0])
    with pytest.raises(DuonasError, match="test split is empty"):
        measure(tmp_path, net, test=empty, options=None)
    assert not list(tmp_path.iterdir())


def test_examples_are_failures_then_easy_then_hard(measured):
    folder, net, policy, images, _, _ = measured
    rows = read_json(folder / "examples.json")
    outputs = evaluate(net, policy, images)
    assert len({row["index"] for row in rows}) == len(rows) <= 36  # here one of the two is always right
    wrong = [row["little" if row["is_little"] else "big"] != row["label"] for row in rows]
    assert all(wrong[:12]) and not wrong[12]
    scores = [row["score"] for row in rows[:12]]
    assert scores == sorted(scores, reverse=True)
    found = [row["score"] for row in rows]
    assert outputs.score.max() in found and outputs.score.min() in found
    for row in rows:
        at = row["index"]
        assert row["label"] == images.labels[at] and row["is_little"] == bool(outputs.is_little[at])


def test_what_the_router_sent_wrongly_comes_before_what_was_lost(measured):
    _, net, policy, images, _, _ = measured
    outputs = evaluate(net, policy, images)
    labels = np.where(np.arange(350) % 3 == 0, 6, outputs.labels)  # a class that neither network knows
    rows = choose_examples(dataclasses.replace(outputs, labels=labels), images.pixels)
    saved = [row["label"] in (row["little"], row["big"]) for row in rows]
    assert all(saved[:12]) and not any(saved[12:24])


def test_pictures_are_the_images():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 7, 7), dtype=np.uint8)
    head, data = png(pixels).split(",")
    assert head == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), pixels.transpose(1, 2, 0))
    assert Image.open(io.BytesIO(base64.b64decode(png(np.zeros((3, 224, 224), np.uint8)).split(",")[1]))).size == (
        96,
        96,
    )


def test_scores_that_are_no_numbers_are_not_shown(measured):
    _, net, policy, images, _, _ = measured
    outputs = evaluate(net, policy, images)
    broken = dataclasses.replace(outputs, score=np.full(350, np.nan, np.float32))
    assert choose_examples(broken, images.pixels) == []


def test_images_on_disk_are_measured_alike(measured, tmp_path):
    folder, net, _, images, figures, _ = measured
    (tmp_path / "pixels").write_bytes(images.pixels.flip(0).contiguous().numpy().tobytes())
    (whole,) = OnDisk.open(tmp_path / "pixels", len(images), images.pixels.shape[-1:])
    stored = whole[np.arange(len(images))[::-1].copy()]
    copy = shutil.copytree(folder, tmp_path / "run")
    found = measure(
        copy,
        net,
        test=Images(stored, images.labels),
        options=MeasureOptions(latency_images=12, throughput_batches=3, threads=1),
    )
    assert {name: found[name] for name in ("onnx", "outcomes", "classes")} == {
        name: figures[name] for name in ("onnx", "outcomes", "classes")
    }
    for name in ("test_outputs.safetensors", "examples.json"):
        assert (copy / name).read_bytes() == (folder / name).read_bytes()
