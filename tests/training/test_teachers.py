"""Teachers of every kind, and what is said of those that cannot be used."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import timm
import torch
from safetensors.torch import save_file

from duonas.core.errors import DuonasError
from duonas.layers.plain import Input, resized
from duonas.training.teachers import load_teacher

NAME = "test_efficientnet"  # timm's least


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model(NAME, num_classes=4).eval()


class Stranger:
    """An object that only a pickle holds, and that is not read."""


def state(network):
    return {name: value.contiguous() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("ending", ["safetensors", "pth", "nested.pt"])
def test_a_network_of_timm_sees_the_images_as_timm_shows_them(network, tmp_path, ending):
    path = tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        save_file(state(network), path)
    else:
        torch.save({"state_dict": state(network)} if "nested" in ending else state(network), path)
    before = torch.get_rng_state()
    teacher = load_teacher(NAME, str(path), 4)
    assert torch.equal(before, torch.get_rng_state())
    images = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    own = network.pretrained_cfg
    with torch.no_grad():
        expected = network(Input(own["input_size"][-1], own["mean"], own["std"])(images))
    torch.testing.assert_close(teacher(images), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(teacher(images[:1]), teacher(images)[:1], rtol=1e-4, atol=1e-5)  # in eval mode
    teacher.check(["a", "b", "c", "d"], 12)


def test_an_onnx_file_is_a_network_that_normalises_itself(tmp_path):
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    nodes = [
        onnx.helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        onnx.helper.make_node("Flatten", ["pooled"], ["features"]),
        onnx.helper.make_node("Gemm", ["features", "weight"], ["logits"], transB=1),
    ]
    entry, leaving = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("images", ["N", 3, 32, 32]), ("logits", ["N", 4]))
    )
    graph = onnx.helper.make_graph(
        nodes, "teacher", [entry], [leaving], [onnx.numpy_helper.from_array(weight, "weight")]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "teacher.onnx")
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = resized(images, 32).mean((2, 3)) @ torch.from_numpy(weight).T
    teacher = load_teacher(None, str(tmp_path / "teacher.onnx"), 4)
    torch.testing.assert_close(teacher(images), expected)
    teacher.check(["a", "b", "c", "d"], 12)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("test_eficientnet", None, "timm has no 'test_eficientnet' for a teacher: did you mean 'test_efficientnet'"),
        ("resnet50", None, "for the teacher 'resnet50' are for 1,000 classes, and the images have 4: fine-tune it"),
        ("resnet50.nonsense", None, "timm cannot make the teacher 'resnet50.nonsense': Invalid pretrained tag"),
        (NAME, "none.pth", "none.pth does not exist"),
        (
            NAME,
            "five.safetensors",
            r"teacher_file five.safetensors does not hold .* classifier.weight and 1 more have another shape, \[5, ",
        ),
        (
            NAME,
            "other.safetensors",
            r"timm's test_efficientnet: none of its names is known, it has 1 tensors, expected \d+",
        ),
        (NAME, "broken.safetensors", "broken.safetensors cannot be read as weights"),
        (NAME, "pickle.pt", "teacher_file pickle.pt holds more than tensors"),
        (NAME, "list.pt", "teacher_file list.pt holds no state_dict"),
        (NAME, "weights.npz", "weights.npz is no file of weights: expected one that ends in"),
        (None, "other.safetensors", "does not say which network it is: name the network of timm"),
        (None, "broken.onnx", "ONNX Runtime cannot open"),
    ],
)
def test_what_cannot_teach_is_refused_in_one_sentence(tmp_path, monkeypatch, name, file, message):
    with torch.random.fork_rng():
        save_file(state(timm.create_model(NAME, num_classes=5)), tmp_path / "five.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    torch.save({"weight": Stranger()}, tmp_path / "pickle.pt")
    for broken in ("broken.safetensors", "broken.onnx", "weights.npz"):
        (tmp_path / broken).write_bytes(b"no")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DuonasError, match=message):
        load_teacher(name, file, 4)


def test_other_classes_are_refused(network, tmp_path):
    save_file(state(network), tmp_path / "weights.safetensors")
    teacher = load_teacher(NAME, str(tmp_path / "weights.safetensors"), 4)
    with pytest.raises(DuonasError, match="gives 2 x 4 for two images, and a teacher must have the 3 classes"):
        teacher.check(["a", "b", "c"], 8)
    teacher.class_names = ("a", "c", "b", "d")
    with pytest.raises(DuonasError, match="number 1 is 'c' there and 'b' here"):
        teacher.check(["a", "b", "c", "d"], 8)


def test_weights_that_timm_cannot_get_are_asked_for(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("duonas.pretrained.download._knock", offline)
    with pytest.raises(DuonasError, match=r"cannot be downloaded \(OSError\): give them with teacher_file"):
        load_teacher("resnet18", None, 1000)
