"""The laws of routing, held by the ONNX file."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from onnxruntime.quantization import quantize_dynamic

import duonas
from duonas.core.registry import names
from duonas.deploy.export import _Function, export_module
from duonas.routing.routed import RoutedPair
from duonas.routing.routers.confidence import Confidence

NAMES = ("dynamic.onnx", "little.onnx", "big.onnx")
INF = float("inf")


def open_model(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    model = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def noted(session):
    """The tau that a file says is its own."""
    return float(session.get_modelmeta().custom_metadata_map["tau"])


def route(session, images, tau=None):
    feeds = {"images": images, "tau": np.array(noted(session) if tau is None else tau, np.float32)}
    return session.run(["logits", "score", "is_little"], feeds)


SITES = {
    "after little": (True, "after_little"), "after little, two resolutions": (False, "after_little"),
    "graphs, after little": (True, "after_little", True), "graphs, at the input": (False, "input", True),
    "at the stem": (True, "stem"), "at the input": (True, "input"), "at the input, two resolutions": (False, "input"),
}  # fmt: skip


@pytest.fixture(scope="module", params=SITES.values(), ids=SITES)
def exported(request, export):
    """(pair, policy, folder) with the router at every position."""
    return export(*request.param)


@pytest.fixture(scope="module")
def floats(images):
    return images.astype(np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def sessions(exported):
    return {name: open_model(exported[2] / name) for name in NAMES}


def poisoned(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """The same graph with NaN for every weight of one part."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    branches = [attribute.g for node in copy.graph.node if node.op_type == "If" for attribute in node.attribute]
    graphs = [copy.graph, *branches]
    count = 0
    for graph in graphs:
        for tensor in graph.initializer:
            if tensor.name.startswith(prefix) and tensor.data_type == onnx.TensorProto.FLOAT:
                value = np.full_like(numpy_helper.to_array(tensor), np.nan)
                tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
                count += 1
    assert count >= 4
    return copy


def test_the_interface_is_the_one_that_is_promised(exported):
    model = onnx.load(exported[2] / "dynamic.onnx")
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    batch = shapes["images"][0]
    assert isinstance(batch, str)
    assert shapes == {
        "images": [batch, 3, 12, 12], "tau": [], "logits": [batch, 5], "score": [batch], "is_little": [batch]
    }  # fmt: skip
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)


def graphs(graph):
    """A graph and the branches in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


def test_tau_must_be_given(exported, sessions, floats):
    """An input with a default cannot be set in most runtimes, and is lost in tools that simplify graphs."""
    session = sessions["dynamic.onnx"]
    assert [each.name for each in session.get_inputs()] == ["images", "tau"]
    assert not session.get_overridable_initializers()
    with pytest.raises(ValueError, match="tau"):
        session.run(None, {"images": floats[:1]})


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_a_type_and_a_shape(exported, name):
    for graph in graphs(onnx.load(exported[2] / name).graph):
        made = {output for node in graph.node for output in node.output if output}
        known = {each.name: each.type.tensor_type for each in (*graph.value_info, *graph.output)}
        assert made <= known.keys()
        assert all(kind.elem_type and kind.HasField("shape") for kind in known.values())
        sides = {side.dim_param for kind in known.values() for side in kind.shape.dim if not side.HasField("dim_value")}
        assert sides <= {"N", "hard_rows", "easy_rows"}


def test_no_feature_is_transposed(exported):
    """Channels first everywhere: a transposition is a copy of the features, and in the way of quantisation."""
    model = onnx.load(exported[2] / "dynamic.onnx")
    nodes = [node for graph in graphs(model.graph) for node in graph.node if node.op_type == "Transpose"]
    assert all(node.output[0].endswith("_indices") or "/" in node.output[0] for node in nodes)


@pytest.mark.parametrize("name", NAMES)
def test_files_say_what_they_are_and_nothing_of_the_machine(exported, name):
    pair, policy, folder = exported
    model = onnx.load(folder / name)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(metadata["class_names"]) == ["a", "b", "<c>", "d", "é"]
    assert json.loads(metadata["preprocessing"])["image_size"] == pair.facts.preprocessing.image_size
    assert metadata["duonas_version"] == model.producer_version == duonas.__version__
    if name == "dynamic.onnx":
        assert float(metadata["tau"]) == policy.tau
        assert (metadata["router"], metadata["router_position"]) == (policy.router.name, policy.router.position)
    assert ("tau" in model.doc_string) == (name == "dynamic.onnx") and "pair of image classifiers" in model.doc_string
    assert all(value.doc_string.endswith(".") for value in (*model.graph.input, *model.graph.output))
    assert b"site-packages" not in model.SerializeToString() and b".py" not in model.SerializeToString()


def test_decisions_are_those_of_pytorch(exported, sessions, floats):
    """Law 4, on 3,000 images at 9 thresholds."""
    net, policy, _ = exported
    with torch.inference_mode():
        score = RoutedPair(net, policy.router)(torch.from_numpy(floats), 0.0).score.numpy()
    differing = 0
    for tau in [policy.tau, *np.quantile(score, np.linspace(0.1, 0.9, 8))]:
        with torch.inference_mode():
            expected = RoutedPair(net, policy.router)(torch.from_numpy(floats), float(np.float32(tau)))
        logits, scores, is_little = route(sessions["dynamic.onnx"], floats, tau)
        differs = is_little != expected.is_little.numpy()
        assert (np.abs(scores[differs] - tau) < 1e-4).all()
        differing += int(differs.sum())
        np.testing.assert_allclose(scores, expected.score.numpy(), atol=1e-4)
        np.testing.assert_allclose(logits[~differs], expected.logits.numpy()[~differs], atol=1e-3)
        assert 0 < is_little.sum() < len(floats)
    assert differing <= 3


def test_infinite_thresholds_are_little_and_big_bit_for_bit(sessions, floats):
    """Law 2."""
    for tau, name, kept in ((-INF, "little.onnx", True), (INF, "big.onnx", False)):
        for count in (1, 7, 64):
            logits, _, is_little = route(sessions["dynamic.onnx"], floats[:count], tau)
            (alone,) = sessions[name].run(None, {"images": floats[:count]})
            assert np.array_equal(logits, alone) and (is_little == kept).all()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.integers(0, 2999), min_size=1, max_size=40), share=st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_a_row_does_not_depend_on_its_batch_mates(sessions, floats, rows, share):
    """Law 3: any size, any order, repeats, none hard, all hard."""
    session = sessions["dynamic.onnx"]
    whole = route(session, floats[:200])[1]
    tau = {0.0: INF, 1.0: -INF}.get(share, float(np.quantile(whole, 1 - share)))
    together = route(session, floats[rows], tau)
    alone = [route(session, floats[row : row + 1], tau) for row in rows]
    sure = np.abs(together[1] - tau) > 1e-5
    for got, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(got[sure], np.concatenate(parts)[sure], atol=1e-4)


def test_the_noted_tau_is_the_policys(exported, sessions, floats):
    policy, session = exported[1], sessions["dynamic.onnx"]
    _, score, is_little = route(session, floats)
    assert np.array_equal(is_little, score >= np.float32(policy.tau)) and 0.3 < is_little.mean() < 0.9
    assert route(session, floats, 2.0)[2].sum() == 0


def test_big_is_not_run_on_easy_rows(exported, sessions, floats):
    """Law 5: NaN in big reaches no row that stays little."""
    broken = open_model(poisoned(onnx.load(exported[2] / "dynamic.onnx"), "big/"))
    sound, found = route(sessions["dynamic.onnx"], floats), route(broken, floats)
    kept = sound[2]
    assert np.array_equal(found[2], kept) and np.array_equal(found[1], sound[1])
    assert np.array_equal(found[0][kept], sound[0][kept])
    assert np.isnan(found[0][~kept]).all() and (~kept).any()


def test_a_broken_little_leaves_big_alone(exported, sessions, floats):
    """Law 5, the other way.

    After little a NaN score is never sure, and nothing of little is left in big's answer; before it little reaches only
    the rows that it is asked for.
    """
    broken = open_model(poisoned(onnx.load(exported[2] / "dynamic.onnx"), "little/"))
    sound = sessions["dynamic.onnx"]
    for tau in (None, 0.0, -INF, INF):
        logits, score, is_little = route(broken, floats[:64], tau)
        if exported[1].router.before:
            expected = route(sound, floats[:64], tau)
            assert np.array_equal(score, expected[1]) and np.array_equal(is_little, expected[2])
            assert np.array_equal(logits[~is_little], expected[0][~is_little]) and np.isnan(logits[is_little]).all()
        else:
            assert np.isnan(score).all() and not is_little.any()
            assert np.array_equal(logits, sessions["big.onnx"].run(None, {"images": floats[:64]})[0])


def test_an_image_without_a_score_goes_to_big(exported, sessions, floats):
    """NaN in, at every position: the row is big's, its batch-mates are what they were."""
    spoilt = floats[:20].copy()
    spoilt[3] = np.nan
    sound, (_, score, is_little) = route(sessions["dynamic.onnx"], floats[:20]), route(sessions["dynamic.onnx"], spoilt)
    others = np.arange(20) != 3
    assert np.isnan(score[3]) and not is_little[3]
    assert np.array_equal(is_little[others], sound[2][others]) and np.array_equal(score[others], sound[1][others])


def test_what_no_row_asks_for_does_not_run(exported, floats, tmp_path):
    """ONNX Runtime's own profile: big's layers are there when a row is hard, and not when none is.

    Little's are likewise where the router stands before it; after little they always run.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    ran = {}
    for tau in (-INF, INF):
        options.enable_profiling = True
        options.profile_file_prefix = str(tmp_path / "profile")
        session = onnxruntime.InferenceSession(str(exported[2] / "dynamic.onnx"), options)
        route(session, floats[:5], tau)
        with open(session.end_profiling(), encoding="utf-8") as file:
            names = [event["name"] for event in json.load(file) if event["cat"] == "Node"]
        ran[tau] = {role: sum(name.startswith(f"{role}/") for name in names) for role in ("stem", "little", "big")}
    assert ran[-INF]["big"] == 0 and ran[INF]["big"] >= 4
    assert ran[-INF]["little"] >= 2 and (ran[INF]["little"] == 0) == exported[1].router.before
    assert ran[-INF]["stem"] == ran[INF]["stem"]


def test_no_image_at_all(exported, sessions, floats):
    """N = 0 needs no case of its own."""
    logits, score, is_little = route(sessions["dynamic.onnx"], floats[:0])
    assert logits.shape == (0, 5) and score.shape == is_little.shape == (0,)


def test_dynamic_quantisation_reaches_big_and_leaves_the_file_working(exported, floats, tmp_path):
    """As it comes it passes the branches by, where big's weights are."""
    path = tmp_path / "quantised.onnx"
    quantize_dynamic(exported[2] / "dynamic.onnx", path, extra_options={"EnableSubgraph": True})
    kinds = [node.op_type for graph in graphs(onnx.load(path).graph) for node in graph.node]
    assert not {"Conv", "Gemm", "MatMul"} & set(kinds)
    logits, _, is_little = route(open_model(path), floats[:200])
    expected = route(open_model(exported[2] / "dynamic.onnx"), floats[:200])
    assert (is_little == expected[2]).mean() > 0.9
    assert (logits.argmax(1) == expected[0].argmax(1)).mean() > 0.9


@pytest.mark.parametrize("function", names("score"))
def test_scores_are_those_of_pytorch(function):
    router = Confidence(function, 0.7)
    logits = torch.randn(500, 6, generator=torch.Generator().manual_seed(0)) * 6
    logits[0] = 0.0
    model = export_module(_Function(router.score).eval(), logits, "logits", "score", 18)
    (found,) = open_model(model).run(None, {"logits": logits.numpy()})
    np.testing.assert_allclose(found, router.score(logits).numpy(), atol=1e-6)
    (nothing,) = open_model(model).run(None, {"logits": np.full((3, 6), np.nan, np.float32)})
    assert not (nothing >= -INF).any()
