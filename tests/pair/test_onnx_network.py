"""A network that is an ONNX graph is a module like any other, and a pair of two is saved and loaded (law 11)."""

from __future__ import annotations

import pickle
import subprocess
import sys
from copy import deepcopy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from safetensors.torch import load_file, save_file
from torch import nn

from duonas.core.cost import Cost, PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.rng import stream
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.pair import Pair
from support.graphs import classifier

SIDE = 8
FACTS = PairFacts(
    costs={"macs": PairCost(stem=0, router=0, little=100, big=900)},
    networks={"little": Cost(100, 10, 40, 1000), "big": Cost(900, 90, 360, 9000)},
    num_classes=5, preprocessing=Preprocessing(SIDE), class_names=("a", "b", "c", "d", "é"),
)  # fmt: skip
LOAD = """
import sys
from importlib.abc import MetaPathFinder

class Unimportable(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith(("duonas.spaces", "duonas.supernet", "duonas.training", "duonas.search", "duonas.recipe")):
            raise ImportError(name)

sys.meta_path.insert(0, Unimportable())
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from duonas.pair.pair import Pair
torch.set_num_threads(1)
folder = Path(sys.argv[1])
pair, images = Pair.load(folder), load_file(folder / "images")["images"]
with torch.inference_mode():
    save_file(pair(images)._asdict(), folder / "answers")
"""


def images(count=3):
    return torch.from_numpy(stream(1).random((count, 3, SIDE, SIDE), dtype=np.float32))


def network(seed=0, **options):
    return OnnxNetwork(classifier(seed, **options), threads=1).eval()


@pytest.fixture
def pair():
    stem = helper.make_model(
        helper.make_graph(
            [helper.make_node("Neg", ["x"], ["y"])], "stem",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        ), opset_imports=[helper.make_opsetid("", 18)], ir_version=8,
    )  # fmt: skip
    return Pair(OnnxNetwork(stem, threads=1), network(0), network(1), FACTS).eval()


def test_it_answers_what_onnx_runtime_answers():
    proto, batch = classifier(), images()
    (expected,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"pixels": batch.numpy()})
    found = OnnxNetwork(proto)(batch)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert network()(images()[:0]).shape == (0, 5)
    assert onnx.load_model_from_string(proto.SerializeToString()) == OnnxNetwork(proto).proto


def test_no_gradients_pass_and_strides_do_not_matter():
    net, batch = network(), images().requires_grad_()
    assert not net(batch).requires_grad and not list(net.parameters())
    assert torch.equal(net(batch), net(batch.detach().to(memory_format=torch.channels_last)))


def test_copies_answer_the_same_also_after_it_ran():
    net = network()
    expected = net(images())
    for copy in (deepcopy(net), pickle.loads(pickle.dumps(net)), deepcopy(net).cpu().float().eval()):
        assert torch.equal(copy(images()), expected)


@pytest.mark.parametrize(("changed", "message"), [
    (lambda g: g.output.append(helper.make_tensor_value_info("flat", 1, ["N", 8])), "one output, and it has 2"),
    (lambda g: g.input.append(helper.make_tensor_value_info("more", 1, ["N"])), "must have one input, and it has 2"),
    (lambda g: g.output[0].CopyFrom(helper.make_tensor_value_info("scores", 1, ["N", "K"])), "must have known sides"),
    (lambda g: g.input[0].CopyFrom(helper.make_tensor_value_info("pixels", 2, ["N", 3, 8, 8])), "must be of float32"),
])  # fmt: skip
def test_other_graphs_are_refused(changed, message):
    proto = classifier()
    changed(proto.graph)
    with pytest.raises(DuonasError, match=message):
        OnnxNetwork(proto)


def test_what_onnx_runtime_cannot_do_is_one_sentence():
    with pytest.raises(DuonasError, match=r"^ONNX Runtime cannot run the network: .*[Ii]nvalid"):
        network(side=8)(torch.zeros(1, 3, 4, 4))
    proto = classifier()
    proto.graph.node[1].op_type = "Unknown"
    with pytest.raises(DuonasError, match="ONNX Runtime cannot open the model"):
        OnnxNetwork(proto)(images())


def test_a_saved_pair_of_graphs_loads_without_anything_else(pair, tmp_path):
    paths = pair.save(tmp_path)
    assert {path.name for path in paths} == {"stem.onnx", "little.onnx", "big.onnx", "pair.json"}
    expected = pair(images())
    save_file({"images": images()}, tmp_path / "images")
    subprocess.run([sys.executable, "-c", LOAD, str(tmp_path)], check=True)
    answers = load_file(tmp_path / "answers")
    for part, values in expected._asdict().items():
        assert torch.equal(answers[part], values)
    loaded = Pair.load(tmp_path)
    assert loaded.facts == FACTS and not loaded.training
    for role, tower in loaded.towers().items():
        assert torch.equal(tower(images()), getattr(expected, role))


def test_a_pair_without_a_stem_has_two_files(pair, tmp_path):
    pair.stem = None
    assert {path.name for path in pair.save(tmp_path)} == {"little.onnx", "big.onnx", "pair.json"}
    loaded = Pair.load(tmp_path)
    assert loaded.stem is None and torch.equal(loaded(images()).big, pair(images()).big)


def test_damage_is_one_sentence(pair, tmp_path):
    pair.save(tmp_path)
    (tmp_path / "big.onnx").write_bytes((tmp_path / "little.onnx").read_bytes())
    with pytest.raises(DuonasError, match=r"big\.onnx is not the file that pair\.json was written with"):
        Pair.load(tmp_path)
    (tmp_path / "big.onnx").unlink()
    with pytest.raises(DuonasError, match=r"big\.onnx does not exist"):
        Pair.load(tmp_path)
    about = read_json(tmp_path / "pair.json")
    write_json(tmp_path / "pair.json", about | {"files": ["big.onnx"]})
    with pytest.raises(DuonasError, match=r"pair\.json is damaged"):
        Pair.load(tmp_path)
    write_json(tmp_path / "pair.json", {key: about[key] for key in about if key not in ("format", "files")})
    with pytest.raises(DuonasError, match="it describes no blocks, and names no ONNX files"):
        Pair.load(tmp_path)


def test_a_pair_of_both_kinds_is_not_saved(pair, tmp_path):
    pair.stem = nn.Identity()
    with pytest.raises(TypeError, match="others are not"):
        pair.save(tmp_path)
    assert not list(tmp_path.iterdir())
