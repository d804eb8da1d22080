"""Networks of every source, read and tried: what is wrong with them is one sentence, before any work."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.deploy.options import ExportOptions
from duonas.given.candidates import candidates, image_size, read_all
from duonas.given.canonical import seeing
from duonas.given.handed import handed
from duonas.given.network import Wants, read
from duonas.given.tried import tried
from duonas.pair.options import GivenOptions, NetworkOptions, objection, spelled
from duonas.runtime.session import open_session
from support.graphs import COLOURS, classifier, colour_classifier

SIDE = 16


def images(count=4, side=SIDE):
    return stream(0, "given").random((count, 3, side, side), dtype=np.float32)


def saved(model, folder, name="net.onnx", **properties):
    helper.set_model_props(model, properties)
    onnx.save(model, folder / name)
    return str(folder / name)


def used(options, names=COLOURS, side=SIDE, opset=18):
    return tried(read(options, opset), options, images(side=side), names, opset)


def answers(options, names=COLOURS, side=SIDE, count=4):
    network, _ = used(options, names, side)
    return network(torch.from_numpy(images(count, side))).numpy()


def probabilities(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def directly(model, value):
    from duonas.pair.onnx_network import OnnxNetwork

    return OnnxNetwork(model)(torch.from_numpy(np.ascontiguousarray(value))).numpy()


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
def test_a_network_answers_as_it_did(opset, tmp_path):
    model = colour_classifier(2, opset=opset)
    found = answers(NetworkOptions(file=saved(model, tmp_path)))
    np.testing.assert_allclose(found, directly(model, images()), atol=1e-4)


def test_every_way_to_store_the_same_network_answers_the_same(tmp_path):
    """Channels last, a batch of 1, probabilities, another order of classes, its own mean and std, BGR, uint8."""
    expected = answers(NetworkOptions(file=saved(colour_classifier(2), tmp_path)))
    for name, options in {"nhwc": {"nhwc": True}, "batch of 1": {"batch": 1}}.items():
        found = answers(NetworkOptions(file=saved(colour_classifier(2, **options), tmp_path)))
        np.testing.assert_allclose(found, expected, atol=1e-4, err_msg=name)
    soft = answers(NetworkOptions(file=saved(colour_classifier(2, softmax=True, batch=1), tmp_path)))
    np.testing.assert_allclose(probabilities(soft), probabilities(expected), atol=1e-5)
    other = ("red", "blue", "green")
    path = saved(colour_classifier(2, order=other), tmp_path, class_names=json.dumps(other))
    np.testing.assert_allclose(answers(NetworkOptions(file=path, classes=other)), expected, atol=1e-4)
    (tmp_path / "names.txt").write_text("\n".join(other) + "\n")
    listed = NetworkOptions(file=path, classes=str(tmp_path / "names.txt"))
    np.testing.assert_allclose(answers(listed), expected, atol=1e-4)


def test_pixels_are_what_the_network_wants(tmp_path):
    model = classifier(3, classes=3, side=SIDE)
    path, batch = saved(model, tmp_path), images()
    mean, std = np.array([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1), np.array([0.5, 0.25, 0.4]).reshape(1, 3, 1, 1)
    normed = NetworkOptions(file=path, mean=tuple(mean.flat), std=tuple(std.flat))
    np.testing.assert_allclose(answers(normed), directly(model, ((batch - mean) / std).astype("f4")), atol=1e-4)
    wide = NetworkOptions(file=path, range=(0.0, 255.0), mean=(127.5,), std=(127.5,), channels="bgr")
    np.testing.assert_allclose(answers(wide), directly(model, (2 * batch - 1)[:, ::-1]), atol=1e-4)
    cropped = answers(NetworkOptions(file=path, crop=0.5), side=32)
    np.testing.assert_allclose(cropped, directly(model, images(side=32)[:, :, 8:24, 8:24]), atol=1e-4)
    halved = answers(NetworkOptions(file=path), side=32)  # to a half, bilinear is the mean of four pixels
    small = images(side=32).reshape(4, 3, 16, 2, 16, 2).mean((3, 5))
    np.testing.assert_allclose(halved, directly(model, small), atol=1e-4)


@pytest.mark.parametrize(("side", "size"), [(46, 224), (224, 227), (380, 240), (41, 32), (47, 32)])
def test_images_are_resized_to_exactly_the_size_that_a_network_wants(side, size):
    """Runtimes round the product of side and factor down, and a factor in float32 may be a little too small."""
    graph = seeing(classifier(side=size), Wants(size=size).complete, side)
    (found,) = open_session(graph.SerializeToString(), 1).run(None, {graph.graph.input[0].name: images(2, side)})
    assert found.shape == (2, 3, size, size)


def test_an_input_of_bytes_sees_the_pixels_as_they_were(tmp_path):
    inside, batch = colour_classifier(2), images()
    inside.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    scale = numpy_helper.from_array(np.float32(255), "white")
    first = [helper.make_node("Cast", ["pixels"], ["wide"], to=TensorProto.FLOAT)]
    first.append(helper.make_node("Div", ["wide", "white"], ["scaled"]))
    nodes = [*inside.graph.node]
    for node in nodes:
        node.input[:] = ["scaled" if name == "pixels" else name for name in node.input]
    del inside.graph.node[:]
    inside.graph.node.extend([*first, *nodes])
    inside.graph.initializer.append(scale)
    path = saved(inside, tmp_path)
    found = answers(NetworkOptions(file=path))
    np.testing.assert_allclose(found, directly(colour_classifier(2), np.round(batch * 255) / 255), atol=1e-3)
    with pytest.raises(DuonasError, match="takes pixels of uint8, from which no mean can be subtracted"):
        read(NetworkOptions(file=path, mean=(0.5,), std=(0.5,)), 18)


def test_a_probability_that_is_not_made_by_a_last_softmax_becomes_its_logarithm(tmp_path):
    model = colour_classifier(2, softmax=True)
    model.graph.node.append(helper.make_node("Identity", ["scores"], ["chances"]))
    model.graph.output[0].name = "chances"
    network, about = used(NetworkOptions(file=saved(model, tmp_path)))
    assert about.probabilities and any(node.op_type == "Log" for node in network.proto.graph.node)
    logs = network(torch.from_numpy(images())).numpy()
    np.testing.assert_allclose(np.exp(logs), directly(model, images()), atol=1e-5)
    kept = NetworkOptions(file=saved(model, tmp_path), output="logits")
    np.testing.assert_allclose(answers(kept), directly(model, images()), atol=1e-6)


def test_no_images_and_batch_mates_change_nothing(tmp_path):
    network, _ = used(NetworkOptions(file=saved(colour_classifier(1, batch=1), tmp_path)))
    batch = torch.from_numpy(images(7))
    alone = torch.cat([network(image[None]) for image in batch])
    torch.testing.assert_close(network(batch), alone, atol=1e-5, rtol=1e-5)
    assert network(batch[:0]).shape == (0, 3)


def test_weights_in_a_file_beside_it_are_read(tmp_path):
    model = colour_classifier(2)
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    options = NetworkOptions(file=str(tmp_path / "net.onnx"))
    np.testing.assert_allclose(answers(options), directly(colour_classifier(2), images()), atol=1e-4)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(
        DuonasError, match=r"keeps its weights in weights\.bin, which is not there: put that file beside it"
    ):
        read(options, 18)


@pytest.mark.parametrize(("place", "message"), [
    ("../weights.bin", "names a file of weights outside of its folder, '../weights.bin', which is not read"),
    ("weights.bin", "keeps its weights in weights.bin, of which not all can be read"),
])  # fmt: skip
def test_weights_elsewhere_or_cut_off_are_refused(place, message, tmp_path):
    model = colour_classifier(2)
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    for folder in (tmp_path, tmp_path.parent):
        (folder / "weights.bin").write_bytes(b"short")
    model = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    for one in (one for each in model.graph.initializer for one in each.external_data if one.key == "location"):
        one.value = place
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DuonasError, match=message):
        read(NetworkOptions(file=str(tmp_path / "net.onnx")), 18)


def test_what_duonas_stored_is_read(tmp_path):
    stored = {"image_size": 24, "range": [0, 1], "mean": None, "std": None}
    names = json.dumps(["a", "b", "c", "d", "e"])
    path = saved(classifier(side=None), tmp_path, preprocessing=json.dumps(stored), class_names=names)
    wants = read(NetworkOptions(file=path), 18).wants
    assert wants.size == 24 and wants.classes == ("a", "b", "c", "d", "e") and not wants.unknown
    assert read(NetworkOptions(file=path, size=32), 18).wants.size == 32
    other = read(NetworkOptions(file=saved(classifier(side=20), tmp_path)), 18).wants
    assert other == Wants(20, layout="nchw") and other.unknown == ("mean", "std")


def edited(change):
    model = colour_classifier(2)
    change(model)
    return model


def two_outputs(model):
    model.graph.output.append(helper.make_tensor_value_info("pooled", 1, ["N", 8, 1, 1]))


def two_inputs(model):
    model.graph.input.append(helper.make_tensor_value_info("more", 1, ["N", 3]))
    model.graph.node.append(helper.make_node("Identity", ["more"], ["unused"]))


def a_map(model):
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("map", 1, ["N", 8, 8, 8]))


def mixes(model):
    """Adds the mean over all images of a batch to the scores."""
    model.graph.node.append(helper.make_node("ReduceMean", ["scores", "batch_axis"], ["mean"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "batch_axis"))
    model.graph.node.append(helper.make_node("Add", ["scores", "mean"], ["mixed"]))
    model.graph.output[0].name = "mixed"


def infinite(model):
    for tensor in model.graph.initializer:
        if tensor.name == "offset":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), "offset"))


def constant(model):
    for tensor in model.graph.initializer:
        if tensor.name == "matrix":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros((3, 8), np.float32), "matrix"))


def labels(model):
    model.graph.node.append(helper.make_node("ArgMax", ["scores"], ["label"], axis=1))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["N", 1]))


def unknown_operation(model):
    model.graph.node[1].op_type = "NoSuchOperation"


@pytest.mark.parametrize(("change", "options", "message"), [
    (two_outputs, {}, r"has the outputs scores \(N, 3\), pooled \(N, 8, 1, 1\): say which one .* output_name"),
    (two_outputs, {"output_name": "score"}, "has no output 'score': its outputs are scores"),
    (two_inputs, {}, "must have one input, for images, and has pixels .*, more"),
    (a_map, {}, r"gives \(N, 8, 8, 8\), not one score for each class: it is no image classifier"),
    (mixes, {}, "answers 4 images at once in another way than one at a time.*dynamic batch"),
    (infinite, {}, "gives scores that are not finite numbers"),
    (constant, {}, "gives the same scores for every image"),
    (unknown_operation, {}, "does not run: ONNX Runtime cannot open the model"),
    (lambda m: None, {"classes": ("red", "green", "cyan")}, "it lacks 'blue', and it has 'cyan'"),
    (lambda m: None, {"classes": ("red", "green")}, "has 3 outputs, but 2 names of classes"),
    (lambda m: None, {"output": "softmax"}, "output = 'softmax', but its outputs do not sum to 1"),
    (lambda m: None, {"size": 20, "file": "square"}, "there is no network square"),
    (labels, {}, "must be the scores of classes, of float32.* and it is of int64: take an output before it"),
    (lambda m: setattr(m.opset_import[0], "version", 5), {}, "opset 5, which is too old: export it again"),
    (lambda m: setattr(m.opset_import[0], "version", 99), {}, "opset 99, and the package onnx here knows .* at most"),
    (lambda m: m.opset_import.pop(), {}, "does not say of which ONNX opset it is: export it again with opset 18"),
])  # fmt: skip
def test_what_cannot_be_used_is_one_sentence(change, options, message, tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(edited(change), path)
    with pytest.raises(DuonasError, match=message) as caught:
        used(NetworkOptions(**{"file": str(path)} | options))
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


def test_a_named_output_is_taken(tmp_path):
    path = saved(edited(two_outputs), tmp_path)
    found = answers(NetworkOptions(file=path, output_name="scores"))
    np.testing.assert_allclose(found, directly(colour_classifier(2), images()), atol=1e-4)


def test_other_numbers_of_classes_are_refused(tmp_path):
    path = saved(classifier(classes=5, side=SIDE), tmp_path)
    with pytest.raises(DuonasError, match=r"has 5 outputs, but the images have 3 classes \(blue, green, red\)"):
        used(NetworkOptions(file=path))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("not a network")
    for name, message in {
        "text.onnx": "is not an ONNX file",
        "": "is a folder",
        "none.onnx": "there is no network",
    }.items():
        with pytest.raises(DuonasError, match=message):
            read(NetworkOptions(file=str(tmp_path / name)), 18)
    with pytest.raises(DuonasError, match=r"the size of the images that it takes is not stored in it.*size = "):
        read(NetworkOptions(file=saved(classifier(), tmp_path)), 18)


def test_a_module_of_ones_own_is_exported(tmp_path):
    (tmp_path / "nets.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Small(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        torch.manual_seed(0)\n"
        "        super().__init__(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(196, 3))\n"
        "ready = Small()\n"
        "def several(x):\n    return x\n"
        "number = 3\n"
        "class Twice(nn.Module):\n    def forward(self, x):\n        return x, x\n"
    )
    path = tmp_path / "nets.py"
    expected = answers(NetworkOptions(module=f"{path}:ready", size=SIDE))
    torch.manual_seed(0)
    own = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(196, 3))
    with torch.inference_mode():
        np.testing.assert_allclose(expected, own(torch.from_numpy(images())).numpy(), atol=1e-4)
    np.testing.assert_allclose(answers(NetworkOptions(module=f"{path}:Small", size=SIDE)), expected, atol=1e-6)
    for name, message in {
        "several": "cannot be made without arguments", "number": "is no torch.nn.Module, and makes none",
        "Twice": "must give one tensor of the scores of classes, got tuple", "Smal": "does not define 'Smal'",
    }.items():  # fmt: skip
        with pytest.raises(DuonasError, match=message):
            read(NetworkOptions(module=f"{path}:{name}", size=SIDE), 18)
    with pytest.raises(DuonasError, match="the size of its images must be given"):
        read(NetworkOptions(module=f"{path}:Small"), 18)
    with pytest.raises(DuonasError, match="does not take images of 8 x 8"):
        read(NetworkOptions(module=f"{path}:Small", size=8), 18)


def test_a_network_of_timm_has_the_classes_of_its_weights_and_says_what_it_wants(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=3).eval()
    save_file(network.state_dict(), tmp_path / "small.safetensors")
    options = NetworkOptions(**spelled(f"timm:resnet10t@{tmp_path / 'small.safetensors'}", "little"), size=32)
    found = read(options, 18)
    assert found.wants.mean == (0.485, 0.456, 0.406) and found.wants.crop == 0.875 and found.wants.square == 37
    logits, _ = tried(found, options, images(side=37), COLOURS, 18)
    cut = torch.from_numpy(images(side=37))[:, :, 2:34, 2:34]
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (found.wants.mean, found.wants.std))
    with torch.inference_mode():
        expected = network((cut - mean) / std)
    torch.testing.assert_close(logits(torch.from_numpy(images(side=37))), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(DuonasError, match="timm has no network 'resnet10x': did you mean 'resnet10t'"):
        read(NetworkOptions(timm="resnet10x"), 18)
    with pytest.raises(DuonasError, match=r"there is no file of weights none\.pth"):
        read(NetworkOptions(timm="resnet10t", weights="none.pth"), 18)


def test_published_weights_that_are_not_there_are_one_sentence(monkeypatch):
    def offline(*arguments, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr("duonas.given.networks.timm.at_hand", lambda name: None)
    monkeypatch.setattr("timm.create_model", offline)
    message = (
        r"timm:resnet10t: its published weights are not on this machine .*give a file of weights, timm:resnet10t@FILE"
    )
    with pytest.raises(DuonasError, match=message):
        read(NetworkOptions(timm="resnet10t"), 18)


def test_candidates_are_named_and_counted(tmp_path):
    (tmp_path / "other").mkdir()
    little = NetworkOptions(file=saved(colour_classifier(4), tmp_path, "a.onnx"))
    twin = NetworkOptions(file=saved(colour_classifier(4), tmp_path / "other", "a.onnx"))
    big = NetworkOptions(file=saved(colour_classifier(1, side=24), tmp_path, "b.onnx"))
    given = GivenOptions((little, twin), (big,))
    found = read_all(given, 18)
    assert image_size(found) == 24
    pixels = (images(side=24) * 255).astype(np.uint8)
    every = candidates(given, found, pixels, COLOURS, ExportOptions())
    labels = [each.label for each in every["little"]]
    assert labels == [little.file, twin.file] and every["big"][0].label == "b"
    assert every["little"][0].digest == every["little"][1].digest
    assert "takes 16 x 16 of 24 x 24" in every["little"][0].about and "names no classes" in every["little"][0].about
    with pytest.raises(DuonasError, match="needs two different networks"):
        read_all(GivenOptions((big,), (big,)), 18)
    copied = GivenOptions((little,), (twin,))
    with pytest.raises(DuonasError, match=r"two different networks, and .*a.onnx and .*a.onnx are the same one"):
        candidates(copied, read_all(copied, 18), pixels, COLOURS, ExportOptions())
    with pytest.raises(DuonasError, match=r"needs a network for little: give little = "):
        read_all(GivenOptions((), (big,)), 18)


@pytest.mark.parametrize(("table", "message"), [
    ({}, "one of file, timm, module and run, got none of them"),
    ({"file": "a", "role": "big"}, "role is for a network of a run"),
    ({"file": "a", "timm": "b"}, "got file and timm"),
    ({"file": "a", "sise": 3}, "there is no key 'sise': did you mean 'size'"),
    ({"file": "a", "weights": "b"}, "weights are for a network of timm"),
    ({"file": "a", "mean": [1, 2]}, "mean must have a number for each of three channels"),
    ({"file": "a", "std": [0]}, "std must be above 0"),
    ({"file": "a", "range": [1, 1]}, "two different numbers"),
])  # fmt: skip
def test_wrong_tables_of_networks_are_told(table, message):
    assert message in objection(table)


def test_texts_stand_for_tables(tmp_path):
    for text, table in {
        "a/b.onnx": {"file": "a/b.onnx"},
        "nets.py:Small": {"module": "nets.py:Small"},
        "timm:resnet18": {"timm": "resnet18"},
        "timm:resnet18@w.pth": {"timm": "resnet18", "weights": "w.pth"},
        str(tmp_path): {"run": str(tmp_path), "role": "little"},
    }.items():
        assert spelled(text, "little") == table and objection(table) == ""
    assert spelled({"run": "a", "role": "big"}, "little")["role"] == "big"
    assert NetworkOptions(**spelled("timm:resnet18@w.pth", "big")).called == "timm:resnet18@w.pth"
    assert NetworkOptions(**spelled(str(tmp_path), "big")).called == f"big of {tmp_path}"


def test_a_module_that_python_hands_over_is_kept_as_a_file(tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(196, 3)).train()
    with pytest.raises(DuonasError, match="little: the size of the images that a module takes must be given in pixels"):
        handed(network, "little", tmp_path / "little.onnx")
    given = {"module": network, "size": SIDE, "mean": [0.5]}
    table = handed(given, "little", tmp_path / "little.onnx")
    assert table == {"file": str(tmp_path / "little.onnx"), "size": SIDE, "mean": [0.5]}
    assert handed(given, "little", tmp_path / "little.onnx") == table and network.training
    found = answers(NetworkOptions(file=table["file"]))
    with torch.inference_mode():
        np.testing.assert_allclose(found, network.eval()(torch.from_numpy(images())).numpy(), atol=1e-4)
    for other in ("big.onnx", {"file": "big.onnx"}, {"module": "nets.py:Small"}):
        assert handed(other, "big", tmp_path / "big.onnx") is other
    (tmp_path / "little.onnx").write_bytes(b"another")
    with pytest.raises(DuonasError, match=r"little is not the module with which the run in .* began"):
        handed(given, "little", tmp_path / "little.onnx")
