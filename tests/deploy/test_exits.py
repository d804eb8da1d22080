"""The laws of networks of several exits, held by the ONNX file."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from duonas.core.rng import stream
from duonas.deploy.exits import export_exits, nested
from duonas.exits.network import ExitNet
from duonas.routing.score import find_score

SIDE, CLASSES, EXITS = 4, 3, 3
IMAGES = stream(0, "images").random((60, 3, SIDE, SIDE), np.float32)
INF = np.inf


class Stage(nn.Module):
    """A convolution; what the state has beside the map is handed on, and the first tensor of it is read if ``back``."""

    def __init__(self, inputs, back=False):
        super().__init__()
        self.convolution, self.back = nn.Conv2d(inputs, 4, 3, padding=1), back

    def forward(self, x, *more):
        made = torch.cat([self.convolution(x).relu(), more[0]], 1) if self.back else self.convolution(x).relu()
        return (made, *(more or (x,)))


class Head(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x, *more):
        return 40 * self.classifier(x.mean((2, 3)))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stages = [Stage(3), Stage(4), Stage(4, back=True)]
        return ExitNet(stages, [Head(4), Head(4), Head(7)]).eval()


@pytest.fixture(scope="module")
def parts(network):
    return export_exits(network, SIDE, 18)


@pytest.fixture(scope="module")
def model(parts):
    return nested(parts, [0.5, INF], {"class_names": "[]"})


@pytest.fixture(scope="module")
def session(model):
    return opened(model)


@pytest.fixture(scope="module")
def answers(network):
    """The logits (M, N, K) and the confidences (M, N - 1) that PyTorch has of all exits."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(IMAGES))
        sure = [find_score("max_softmax")(each) for each in logits[:-1]]
    return torch.stack(logits, 1).numpy(), torch.stack(sure, 1).numpy()


def opened(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def answer(session, images, thresholds):
    feeds = {"images": images, "thresholds": np.asarray(thresholds, np.float32)}
    return session.run(["logits", "exit"], feeds)


def middling(sure):
    """Thresholds by which some images leave at each exit."""
    first = np.quantile(sure[:, 0], 0.6)
    return [first, np.quantile(sure[sure[:, 0] < first, 1], 0.5)]


def graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


def test_what_is_only_handed_on_is_no_part_of_an_exit(parts):
    assert [(part.reads, part.hands_on) for part in parts] == [((0,), (None, 0)), ((0,), (None, 1)), ((0, 1), ())]


def test_images_leave_where_they_do_in_pytorch(session, answers):
    """Law 4."""
    logits, sure = answers
    taus = middling(sure)
    leave = np.append(sure >= taus, np.ones((len(sure), 1), bool), axis=1).argmax(1)
    assert len(set(leave)) == EXITS
    found, exits = answer(session, IMAGES, taus)
    np.testing.assert_array_equal(exits, leave + 1)
    np.testing.assert_allclose(found, logits[np.arange(len(leave)), leave], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("taus", list(product([-INF, INF], repeat=2)))
def test_infinite_thresholds_send_all_images_to_one_exit(session, answers, taus):
    """Law 2."""
    last = 0 if taus[0] < 0 else 1 if taus[1] < 0 else 2
    found, exits = answer(session, IMAGES, taus)
    assert (exits == last + 1).all()
    np.testing.assert_allclose(found, answers[0][:, last], rtol=1e-4, atol=1e-4)


def test_a_batch_is_answered_as_its_images_are_alone(session, answers):
    """Law 3, and no images at all."""
    taus = middling(answers[1])
    found, exits = answer(session, IMAGES, taus)
    for row in range(0, len(IMAGES), 7):
        alone, left = answer(session, IMAGES[row : row + 1], taus)
        assert left[0] == exits[row]
        np.testing.assert_allclose(alone[0], found[row], rtol=1e-4, atol=1e-5)
    nothing, nowhere = answer(session, IMAGES[:0], taus)
    assert nothing.shape == (0, CLASSES) and nowhere.shape == (0,)


def test_no_stage_runs_on_images_that_left(model, session, answers):
    """Law 5: NaN weights in the stages that are not reached."""
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    last = [tensor for graph in graphs(broken.graph) for tensor in graph.initializer if tensor.name.startswith("exit3/")
            and tensor.data_type == onnx.TensorProto.FLOAT]  # fmt: skip
    for tensor in last:
        tensor.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(tensor), np.nan), tensor.name))
    taus = middling(answers[1])
    wanted, exits = answer(session, IMAGES, taus)
    found, same = answer(opened(broken), IMAGES, taus)
    assert last and (exits == same).all() and set(exits) == {1, 2, 3}
    np.testing.assert_array_equal(found[exits < 3], wanted[exits < 3])
    assert np.isnan(found[exits == 3]).all()


def test_the_weights_of_a_stage_are_inside_its_branch(model):
    """So they are loaded once, and nothing of them is computed outside."""
    holders = [{tensor.name.partition("/")[0] for tensor in graph.initializer if "/" in tensor.name}
               for graph in graphs(model.graph)]  # fmt: skip
    assert [sorted(each) for each in holders if each] == [["exit1"], ["exit2"], ["exit3"]]


def test_the_python_of_the_page_runs(model, session, tmp_path):
    page = Path(__file__).parents[2].joinpath("docs/using/early-exits.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    name = "runs/digits/baselines/msdnet/network.onnx"
    assert name in block
    onnx.save(model, tmp_path / "network.onnx")
    given = {"images": IMAGES}
    exec(block.replace(name, str(tmp_path / "network.onnx")), given)
    logits, exits = answer(session, IMAGES, [0.5, INF])
    np.testing.assert_array_equal(given["exits"], exits)
    np.testing.assert_array_equal(given["logits"], logits)


def test_the_thresholds_are_noted(model):
    noted = {each.key: each.value for each in model.metadata_props}
    assert [float(each) for each in noted["thresholds"].split()] == [0.5, INF] and noted["class_names"] == "[]"
    assert {value.name for value in (*model.graph.input, *model.graph.output)} == {
        "images", "thresholds", "logits", "exit",
    }  # fmt: skip
