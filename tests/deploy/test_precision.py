"""Pairs in fp16 and int8: what stays equal, what each layer costs, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from duonas.core.errors import DuonasError
from duonas.data.images import Images
from duonas.deploy.bundle import export_bundle, precision_of
from duonas.deploy.export import export_network, export_towers
from duonas.deploy.half import in_fp16
from duonas.deploy.int8 import Material
from duonas.deploy.options import ExportOptions
from duonas.deploy.precision import make_precise
from duonas.deploy.quantize import check_opset, in_int8, layers_of, opset_of, prepared, ranges_of
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from duonas.routing.routed import RoutedPair
from duonas.runtime import Bundle
from support.exported import CLASSES, STORED, make_images, make_pair, make_policy

INT8 = ExportOptions(precision="int8")


@pytest.fixture(scope="module")
def networks(exporter):
    """(pair, its float graphs by part) by whether they share a stem, with a plain network where they do not."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("duonas.deploy.export.export_module", exporter)
        for shared in (True, False):
            net = make_pair(shared)
            found[shared] = net, export_towers(net, 18)
        found[False][1]["plain"] = export_network(make_pair(False).big, 12, 18)
    return found


@pytest.fixture(scope="module")
def material(networks):
    """Some images, of which those with a dark first channel are sent to big; big's answers are the labels."""
    net, pixels = networks[True][0], torch.from_numpy(make_images(300, seed=5))
    with torch.no_grad():
        labels = net(pixels.float() / 255).big.argmax(1)
    val = Images(pixels[100:], labels[100:])
    dark = pixels[:, 0].float().mean((1, 2)) < 90
    return Material(pixels[:100], pixels[:100][dark[:100]], val, dark[100:].numpy())


@pytest.fixture(scope="module")
def in_integers(networks, material):
    return {shared: make_precise(networks[shared][1], material, INT8) for shared in (True, False)}


def pair_of(models, facts):
    parts = {part: OnnxNetwork(model).eval() for part, model in models.items()}
    return Pair(parts.get("stem"), parts["little"], parts["big"], facts).eval()


def bundle_of(precise, facts, options, folder):
    net = pair_of(precise.models, facts)
    policy = make_policy(net)
    return net, policy, export_bundle(net, policy, folder / "export", options, STORED)


@pytest.mark.parametrize(("precision", "shared"), [("int8", True), ("int8", False), ("fp16", True)])
def test_a_bundle_decides_as_its_pair(networks, material, in_integers, tmp_path, precision, shared):
    """Laws 2, 3 and 4, on the parts as they are in PyTorch's place and on the stitched file."""
    options = ExportOptions(precision=precision)
    made = in_integers[shared] if precision == "int8" else make_precise(networks[shared][1], material, options)
    net, policy, folder = bundle_of(made, networks[shared][0].facts, options, tmp_path)
    assert precision_of(folder / "big.onnx") == precision
    bundle, pixels = Bundle.load(folder), make_images(200, seed=9)
    images = torch.from_numpy(pixels).float() / 255
    expected = RoutedPair(net, policy.router)(images, policy.tau)
    found = bundle.predict(pixels)
    same = found.is_little == expected.is_little.numpy()
    assert same.all() and 0 < found.is_little.sum() < 200
    assert np.abs(found.logits - expected.logits.numpy()).max() < 1e-4
    single = np.concatenate([bundle.predict(each[None]).logits for each in pixels[:40]])
    assert np.abs(single - found.logits[:40]).max() < 1e-4
    none = bundle.predict(pixels[:0])
    assert none.logits.shape == (0, CLASSES) and none.is_little.shape == (0,)
    for tau, tower in ((-np.inf, net.little), (np.inf, net.big)):
        bundle.tau = tau
        alone = tower(net.features(images)).numpy()
        assert np.abs(bundle.predict(pixels).logits - alone).max() < 1e-4


def test_big_in_integers_does_not_run_where_no_image_is_sent_to_it(networks, in_integers, tmp_path):
    """Law 5: scales that are not a number change nothing."""
    models = dict(in_integers[True].models)
    spoilt = onnx.ModelProto()
    spoilt.CopyFrom(models["big"])
    scales = [each for each in spoilt.graph.initializer if each.name.endswith("_scale")]
    for each in scales:
        values = np.full_like(numpy_helper.to_array(each), np.nan)
        each.CopyFrom(numpy_helper.from_array(values, each.name))
    facts, pixels, answers = networks[True][0].facts, make_images(60, seed=4), []
    policy = make_policy(pair_of(models, facts))
    for number, big in enumerate((models["big"], spoilt)):
        net = pair_of(models | {"big": big}, facts)
        folder = export_bundle(net, policy, tmp_path / str(number), INT8)
        answers.append(Bundle.load(folder).predict(pixels))
    kept = answers[0].is_little
    assert scales and 0 < kept.sum() < 60 and np.array_equal(kept, answers[1].is_little)
    assert np.array_equal(answers[0].logits[kept], answers[1].logits[kept])
    assert np.isnan(answers[1].logits[~kept]).any()


def test_layers_compute_with_integers_and_logits_stay_float(in_integers):
    big = in_integers[True].models["big"]
    given = {name: node.op_type for node in big.graph.node for name in node.output}
    for node in big.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            assert {given[name] for name in node.input[:2]} == {"DequantizeLinear"}
    assert given[big.graph.output[0].name] == "Gemm"
    kept = {each.name: numpy_helper.to_array(each) for each in big.graph.initializer}
    weights = [value for value in kept.values() if value.dtype == np.int8 and value.ndim > 1]
    assert len(weights) == 4 and max(np.abs(each.astype(int)).max() for each in weights) == 64
    assert all(len(kept[name]) == 16 for name in kept if name.endswith("weight_scale") and "linear" not in name.lower()
               and kept[name].ndim == 1 and len(kept[name]) != CLASSES)  # fmt: skip


def test_the_file_is_smaller_and_the_figures_are_those_of_the_networks(networks, material, in_integers):
    found = in_integers[False].findings
    assert found["precision"] == "int8" and found["val_images"] == 200
    labels = material.val.labels.numpy()
    for role in ("little", "big", "plain"):
        each = found["networks"][role]
        now, before = (
            OnnxNetwork(models[role])(material.val.pixels.float() / 255).numpy().argmax(1)
            for models in (in_integers[False].models, networks[False][1])
        )
        assert each["accuracy"] == pytest.approx((now == labels).mean())
        assert each["fp32_accuracy"] == pytest.approx((before == labels).mean())
        assert each["flips"] == (now != before).sum()
        assert each["bytes"] == in_integers[False].models[role].ByteSize()
    ways = found["calibration"]["ways"]
    assert ways.keys() == {"all", "sent"} and ways["sent"]["images"] == len(material.sent)
    best = max(ways.values(), key=lambda way: (way["right_of_sent"], way["right"]))
    assert ways[found["calibration"]["big"]]["right_of_sent"] == best["right_of_sent"]


def test_a_layer_alone_costs_what_it_costs_alone(networks, material, in_integers):
    model = prepared(networks[False][1]["big"])
    row = next(row for row in in_integers[False].findings["layers"] if row["part"] == "big")
    first = layers_of(model)[0]
    assert row["layer"] == first.label and row["weights"] == first.weights
    pixels = material.sent if in_integers[False].findings["calibration"]["big"] == "sent" else material.train
    alone = in_int8(model, ranges_of(model, [(pixels.float() / 255).numpy()], "big"), only=[first.node])
    assert [node.op_type for node in alone.graph.node].count("QuantizeLinear") == 2  # what it reads and what it gives
    images = material.val.pixels.float() / 255
    before, after = (OnnxNetwork(each)(images).numpy() for each in (model, alone))
    assert row["flips"] == (before.argmax(1) != after.argmax(1)).sum()
    assert row["noise"] == pytest.approx(np.square(after - before).mean() / before.var(axis=1).mean(), rel=1e-3)


def test_the_worst_layers_stay_in_float_until_the_bound_is_kept(networks, material, in_integers):
    strict = make_precise(networks[True][1], material, replace(INT8, most_points_lost=0.0))
    rows = strict.findings["layers"]
    kept = [row for row in rows if row["in_float"]]
    for each in strict.findings["networks"].values():
        assert each["fp32_accuracy"] <= each["accuracy"]
    whole = in_integers[True].findings["networks"]
    assert kept and any(each["accuracy"] < each["fp32_accuracy"] for each in whole.values())
    assert strict.findings["bound"] == {"most_points_lost": 0.0, "layers_in_float": len(kept)}
    for part in ("little", "big"):  # the worst ones
        mine = [row for row in rows if row["part"] in ("stem", part)]
        left = [(row["flips"], row["noise"]) for row in mine if not row["in_float"]]
        inside = [(row["flips"], row["noise"]) for row in mine if row["in_float"] and row["part"] == part]
        assert not inside or not left or max(inside) >= max(left)
    generous = make_precise(networks[True][1], material, replace(INT8, most_points_lost=100.0))
    assert not any(row["in_float"] for row in generous.findings["layers"])
    assert generous.models["big"].SerializeToString() == in_integers[True].models["big"].SerializeToString()


def test_big_is_calibrated_on_all_images_where_little_sends_none(networks, material):
    made = make_precise(networks[True][1], replace(material, sent=None), replace(INT8, layer_images=0))
    assert made.findings["calibration"]["big"] == "all" and made.findings["calibration"]["ways"].keys() == {"all"}
    assert made.findings["layers"] == []


def test_the_same_images_give_the_same_bytes(networks, material, in_integers):
    again = make_precise(networks[True][1], material, replace(INT8, layer_images=0))
    for part, model in in_integers[True].models.items():
        assert again.models[part].SerializeToString() == model.SerializeToString()


def test_a_part_that_no_image_reaches_is_refused(networks):
    model = prepared(networks[True][1]["big"])
    for nothing in ([], [np.zeros((0, 8, 12, 12), np.float32)]):
        with pytest.raises(DuonasError, match=r"^big cannot be quantised: no image is left to calibrate it on\.$"):
            ranges_of(model, nothing, "big")
    with pytest.raises(DuonasError, match=r"on a training image its value 'features' is not finite"):
        ranges_of(model, [np.full((1, 8, 12, 12), np.nan, np.float32)], "big")


def graph(*nodes, opset=18, weights=()):
    made = helper.make_graph(
        nodes, "given", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 12, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])], list(weights),
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_a_network_without_layers_and_an_old_graph_are_refused(material):
    mean = helper.make_node("GlobalAveragePool", ["x"], ["m"]), helper.make_node("Flatten", ["m"], ["y"])
    with pytest.raises(DuonasError, match=r"^little cannot be quantised: it has no Conv, Gemm, MatMul with stored"):
        make_precise({"little": graph(*mean), "big": graph(*mean)}, material, INT8)
    with pytest.raises(DuonasError, match=r"^int8 needs a graph of ONNX opset 13 or newer, and this one has opset 11"):
        check_opset(graph(*mean, opset=11))
    assert opset_of(graph(*mean)) == 18


def test_a_stem_without_layers_stays_as_it_is(networks, material):
    models = dict(networks[False][1])
    node = helper.make_node("Relu", ["x"], ["y"])
    stem = graph(node)
    stem.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 12, 12]))
    for precision in ("int8", "fp16"):
        made = make_precise(models | {"stem": stem}, material, ExportOptions(precision=precision, layer_images=0))
        assert [each.op_type for each in made.models["stem"].graph.node] == ["Relu"]


def test_fp16_that_overflows_is_refused_and_tiny_weights_are_no_warning(networks, material):
    models = {part: onnx.ModelProto() for part in networks[False][1]}
    for part, model in models.items():
        model.CopyFrom(networks[False][1][part])
    conv_weights = next(each for each in models["big"].graph.initializer if len(each.dims) == 4)
    huge = numpy_helper.to_array(conv_weights) * 1e5
    huge.flat[0] = 1e-12
    conv_weights.CopyFrom(numpy_helper.from_array(huge, conv_weights.name))
    with pytest.raises(DuonasError, match=r"^big cannot be exported in fp16, which ends at 65,504: its value .* \d"):
        make_precise(models, material, ExportOptions(precision="fp16"))


def test_fp16_has_half_the_bytes_and_float_ends(networks):
    model = prepared(networks[True][1]["big"])
    made = in_fp16(model)
    assert made.ByteSize() < 0.6 * model.ByteSize()
    session = onnxruntime.InferenceSession(made.SerializeToString())
    assert {each.type for each in (*session.get_inputs(), *session.get_outputs())} == {"tensor(float)"}
    inside = onnxruntime.InferenceSession(in_fp16(model, inside_only=False).SerializeToString())
    assert {each.type for each in (*inside.get_inputs(), *inside.get_outputs())} == {"tensor(float16)"}


def test_given_nodes_without_names_are_named(material):
    weights = [numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), name) for name in ("a.weight", "b")]
    model = graph(
        helper.make_node("Conv", ["x", "a.weight"], ["p"]), helper.make_node("Relu", ["p"], ["q"]),
        helper.make_node("Conv", ["q", "b"], ["r"]), helper.make_node("GlobalAveragePool", ["r"], ["m"]),
        helper.make_node("Flatten", ["m"], ["y"]), weights=weights,
    )  # fmt: skip
    layers = layers_of(prepared(model))
    assert [each.label for each in layers] == ["a", "b"] and len({each.node for each in layers}) == 2
    assert not model.graph.node[0].name
