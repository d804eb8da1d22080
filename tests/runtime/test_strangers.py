"""Bundles of strangers are harmless or refused in one sentence, before a runtime sees them."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import onnx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from duonas.runtime import Bundle, BundleError
from duonas.runtime.check import check
from duonas.runtime.comparison import compare
from duonas.runtime.onnx_file import check_onnx
from duonas.runtime.policy import load_policy

FIGURES = {"accuracy": 0.5, "accuracy_lower": 0.4, "accuracy_upper": 0.6, "holds": 0, "expected_macs": 100}
POLICY = {
    "version": 2, "tau": 0.5, "num_classes": 3, "class_names": ["a", "b", "c"], "image_size": 4, "kinds": [],
    "table": [FIGURES | {"tau": "inf", "little_share": 0}, FIGURES | {"tau": 0.5, "little_share": 1}],
}  # fmt: skip
FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def graph(*nodes, weights=(), side=4):
    """A routed pair that answers the mean colour, and whatever else is given."""
    value = helper.make_tensor_value_info
    pair = [
        helper.make_node("ReduceMean", ["images"], ["logits"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMax", ["logits"], ["score"], axes=[1], keepdims=0),
        helper.make_node("GreaterOrEqual", ["score", "tau"], ["is_little"]),
    ]
    entering = [value("images", FLOAT, ["N", 3, side, side]), value("tau", FLOAT, [])]
    leaving = [value("logits", FLOAT, ["N", 3]), value("score", FLOAT, ["N"]), value("is_little", BOOL, ["N"])]
    return helper.make_graph([*pair, *nodes], "pair", entering, leaving, list(weights))


def model(*nodes, functions=(), domains=(), **more):
    imported = [helper.make_opsetid("", 17), *(helper.make_opsetid(name, 1) for name in domains)]
    made = graph(*nodes, **more)
    return helper.make_model(made, opset_imports=imported, ir_version=8, functions=list(functions))


def bundle(folder, data=None, stored=None, **policy):
    data = data if isinstance(data, bytes) else (data or model()).SerializeToString()
    files = {"dynamic.onnx": data} | ({} if stored is None else {"golden.npz": stored})
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / "policy.json").write_text(json.dumps(POLICY | {"onnx": sums} | policy))
    return folder


def outside(place, name="w"):
    """A tensor whose values are in another file."""
    tensor = TensorProto(name=name, data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=place)
    return tensor


def used(name="w"):
    return helper.make_node("Identity", [name], ["unused"])


def sized(*dims, data=b"\0\0\0\0"):
    return model(used(), weights=[TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=data)])


def in_a_branch():
    leaving = [helper.make_tensor_value_info("o", FLOAT, [1])]
    branch = helper.make_graph([helper.make_node("Identity", ["v"], ["o"])], "b", [], leaving, [outside("x", "v")])
    return model(condition(), helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch))


def condition():
    return helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("yes", BOOL, [], [True]))


def in_a_constant():
    node = helper.make_node("Constant", [], ["unused"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(outside("/etc/passwd", ""))
    return model(node)


def sparse():
    made = model(used("s"))
    found = made.graph.sparse_initializer.add(dims=[4])
    found.values.CopyFrom(outside("/etc/passwd", "s"))
    found.indices.CopyFrom(numpy_helper.from_array(np.array([0]), "i"))
    return made


def for_training():
    made = model()
    made.training_info.add().initialization.initializer.append(outside("/etc/passwd"))
    return made


def hidden_in_a_function():
    inner = helper.make_node("Evil", ["x"], ["y"], domain="evil")
    function = helper.make_function("own", "F", ["x"], ["y"], [inner], [helper.make_opsetid("evil", 1)])
    call = helper.make_node("F", ["logits"], ["unused"], domain="own")
    return model(call, functions=[function], domains=["own", "evil"])


def endless():
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["i"], ["o"])]
    body = helper.make_graph(nodes, "b", [value("i", INT64, []), value("go", BOOL, [])],
                             [value("on", BOOL, []), value("o", INT64, [])])  # fmt: skip
    return model(condition(), helper.make_node("Loop", ["", "yes"], ["unused"], body=body))


def foreign(operation, domain):
    return model(helper.make_node(operation, ["logits"], ["unused"], domain=domain), domains=[domain])


def field(number, content):
    """A field of a message, as protocol buffers write it."""
    head, size = bytes([number << 3 | 2]), len(content)
    while size > 127:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    return head + bytes([size]) + content


def hidden_by_kind():
    """A loop whose name is followed by a number in its place, which ONNX Runtime passes over."""
    whole = endless()
    plain = next(node for node in whole.graph.node if node.op_type == "Loop").SerializeToString()
    graph = whole.graph.SerializeToString()
    tricked = graph.replace(field(1, plain), field(1, plain + b"\x20\x01"))
    assert tricked != graph
    return whole.SerializeToString().replace(field(7, graph), field(7, tricked))


def sized_by_kind():
    """A tensor of a terabyte with a further side of none, as a number of fixed length."""
    whole = sized(10**12)
    tensor, graph = whole.graph.initializer[0].SerializeToString(), whole.graph.SerializeToString()
    tricked = graph.replace(field(5, tensor), field(5, tensor + b"\x0d\0\0\0\0"))
    assert tricked != graph
    return whole.SerializeToString().replace(field(7, graph), field(7, tricked))


def deep():
    content = b""
    for _ in range(2000):
        content = field(1, field(5, field(6, content)))
    return field(7, content)


EXTERNAL = "has external data, but a bundle's weights are in its files"
HOSTILE = {
    "external data by an absolute path": (lambda: model(used(), weights=[outside("/etc/passwd")]), EXTERNAL),
    "external data above the folder": (lambda: model(used(), weights=[outside("../../secret")]), EXTERNAL),
    "external data beside the file": (lambda: model(used(), weights=[outside("weights.bin")]), EXTERNAL),
    "external data in a constant": (in_a_constant, EXTERNAL),
    "external data in a branch": (in_a_branch, EXTERNAL),
    "external data of sparse weights": (sparse, EXTERNAL),
    "external data for training": (for_training, EXTERNAL),
    "an operation of somebody": (lambda: foreign("Evil", "evil"), "'Evil' of 'evil' does not come with ONNX Runtime"),
    "Python": (lambda: foreign("PyOp", "ai.onnx.contrib"), "'PyOp' of 'ai.onnx.contrib' does not come with"),
    "a compiled engine": (lambda: foreign("EPContext", "com.microsoft"), "'EPContext' reads another file"),
    "an operation in a function": (hidden_in_a_function, "'Evil' of 'evil' does not come with ONNX Runtime"),
    "a loop": (endless, "'Loop' may never end"),
    "a loop behind a number": (hidden_by_kind, "is no ONNX file"),
    "a terabyte behind a number": (sized_by_kind, "is no ONNX file"),
    "images of a million pixels a side": (
        lambda: model(side=10**6),
        "can have 8,192 pixels a side at most, got .N, 3, 1000000",
    ),
    "a tensor of a terabyte": (lambda: sized(10**12), "larger than its values"),
    "a tensor whose size overflows": (lambda: sized(2**62, 4, data=b""), "larger than its values"),
    "a tensor of negative size": (lambda: sized(-1), "larger than its values"),
    "deep nesting": (deep, "nested too deeply"),
    "half a file": (lambda: model().SerializeToString()[:200], "is no ONNX file"),
    "an empty file": (lambda: b"", "is no ONNX file"),
    "a program": (lambda: b"\x7fELF" + bytes(500), "is no ONNX file"),
    "a file of ONNX Runtime's own format": (lambda: b"\x18\0\0\0ORTM" + bytes(400), "is no ONNX file"),
    "a number without end": (lambda: b"\xff" * 1000, "is no ONNX file"),
    "half a million fields": (lambda: b"\x08\x01" * 510_000, "is no ONNX file"),
}


def test_what_is_done_to_hostile_files_is_not_done_to_others(tmp_path):
    function = helper.make_function("own", "F", ["x"], ["y"], [helper.make_node("Identity", ["x"], ["y"])],
                                    [helper.make_opsetid("", 17)])  # fmt: skip
    call = helper.make_node("F", ["logits"], ["called"], domain="own")
    weights = [numpy_helper.from_array(np.zeros((2, 2), np.float32), "w"), TensorProto(name="e", data_type=1, dims=[0])]
    whole = model(call, used(), functions=[function], domains=["own"], weights=weights)
    assert list(check(bundle(tmp_path, whole, golden())))[-1].startswith("Self-test passed: on 2 stored images")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_graph_is_refused(tmp_path, kind):
    make, why = HOSTILE[kind]
    with pytest.raises(BundleError, match=why) as refused:
        Bundle.load(bundle(tmp_path, make()))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


@settings(max_examples=60, phases=[Phase.generate])
@given(st.data())
def test_any_damaged_file_is_refused_or_looked_through(tmp_path_factory, data):
    whole = bytearray(in_a_branch().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(whole)
    with path.open("rb") as file:
        try:
            check_onnx(path, file)
        except BundleError as error:
            assert str(path) in str(error)


def test_other_networks_of_a_bundle_are_compared_with_their_checksums_too(tmp_path):
    folder = bundle(tmp_path)
    (folder / "big.onnx").write_bytes(model().SerializeToString())
    with pytest.raises(BundleError, match=r"big\.onnx is not the file that policy\.json was exported with"):
        compare(folder, load_policy(folder / "policy.json"), np.zeros((1, 3, 4, 4), np.uint8), (1, False), 1.0)


def test_a_policy_and_a_graph_of_other_images_are_refused(tmp_path):
    with pytest.raises(
        BundleError, match=r"the policy prepares images of 512 x 512, but the networks take \(3, 4, 4\)"
    ):
        Bundle.load(bundle(tmp_path, image_size=512))
    with pytest.raises(BundleError, match="image_size must be from 1 to 8192, got 8193"):
        Bundle.load(bundle(tmp_path, image_size=8193))


def test_a_policy_of_millions_of_values_is_refused_before_it_is_parsed(tmp_path):
    bundle(tmp_path)
    (tmp_path / "policy.json").write_bytes(b"[" + b"[]," * 3_000_000 + b"[]]")
    with pytest.raises(BundleError, match="it has more than 3,000,000 values"):
        Bundle.load(tmp_path)


def golden(**arrays):
    """The stored images and answers of the pair; ``bytes`` are the content of a member, ``None`` leaves it out."""
    images = np.zeros((2, 3, 4, 4), np.uint8)
    logits = np.zeros((2, 3), np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, array in (
            {"images": images, "little": logits, "big": logits, "score": logits[:, 0]} | arrays
        ).items():
            if array is None:
                continue
            content = io.BytesIO(array) if isinstance(array, bytes) else io.BytesIO()
            if not isinstance(array, bytes):
                np.lib.format.write_array(content, array)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def member(header):
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + bytes(96)


def said(shape, kind="|u1"):
    return member(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n".encode())


def changed(place, value):
    """The file with a byte of the first member's two headers changed; ``place`` in the local and the central one."""
    data = bytearray(golden())
    data[data.find(b"PK\x03\x04") + place[0]] = data[data.find(b"PK\x01\x02") + place[1]] = value
    return bytes(data)


SEVEN, NINE = np.zeros((2, 7), np.float32), np.zeros((2, 3, 9, 9), np.uint8)
STORED = {
    "a hundred gigabytes": (lambda: golden(images=said("(100000000000,)")), "images is not as large as it says"),
    "a size that overflows": (lambda: golden(images=said("(4294967296, 4294967296, 4294967296)")), "not as large"),
    "a negative size": (lambda: golden(images=said("(-5,)")), "not as large"),
    "texts of gigabytes": (lambda: golden(images=said("(2,)", "|S2000000000")), "not as large"),
    "a bomb": (lambda: golden(images=bytes(2**21)), "unpacks to more than"),
    "encryption": (lambda: changed((6, 8), 1), "is encrypted"),
    "an unknown compression": (lambda: changed((8, 10), 99), "compression"),
    "pickles": (lambda: golden(images=np.array([{}], object)), "Object arrays cannot be loaded"),
    "an expression": (lambda: golden(images=member(b"__import__('os').getcwd()\n")), "damaged"),
    "a header that is no Python": (lambda: golden(images=member(b"{'descr': \"\"\"\n")), "damaged"),
    "a deep header": (lambda: golden(images=member(b"(" * 9000)), "damaged"),
    "structures": (lambda: golden(images=np.zeros(2, [("a", "u1"), ("b", "f4")])), "expected images as uint8"),
    "a member less": (lambda: golden(score=None), "no item named 'score.npy'"),
    "images of another size": (lambda: golden(images=NINE), r"shape \(N, 3, 4, 4\), got \(2, 3, 9, 9\)"),
    "other classes": (lambda: golden(little=SEVEN, big=SEVEN), r"in golden.npz \(2, 7\)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", STORED)
def test_hostile_stored_images_are_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("duonas.runtime.golden.MOST_GOLDEN", 2**20)
    make, why = STORED[kind]
    with pytest.raises(BundleError, match=why) as refused:
        list(check(bundle(tmp_path, stored=make())))
    assert "\n" not in str(refused.value)


def test_nothing_in_a_bundle_is_run(tmp_path, monkeypatch):
    """Python files beside the networks, with the names of what the runtime imports."""
    for name in ("numpy.py", "onnxruntime.py", "duonas.py", "policy.py", "golden.py"):
        (tmp_path / name).write_text("raise SystemExit('this ran')")
    assert len(list(check(bundle(tmp_path, stored=golden())))) == 2
