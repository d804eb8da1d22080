"""Whatever a policy holds, a device reads it or says in one sentence what is wrong."""

from __future__ import annotations

import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.routing.policy import Policy
from duonas.runtime import BundleError, Row
from duonas.runtime.policy import DevicePolicy, load_policy


@pytest.fixture(scope="module")
def folder(export):
    """An export folder."""
    return export(True, "after_little")[2]


@pytest.fixture(scope="module")
def written(folder):
    """The text of its policy."""
    return (folder / "policy.json").read_text(encoding="utf-8")


@pytest.fixture
def load(tmp_path):
    """Reads a policy from a text, bytes or a JSON value."""

    def load(value):
        path = tmp_path / "policy.json"
        if not isinstance(value, bytes):
            value = (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
        path.write_bytes(value)
        return load_policy(path)

    return load


def test_what_was_exported_is_read(folder, load, written):
    policy, found = Policy.load(folder / "policy.json"), load(written)
    assert (found.tau, found.table, found.class_names) == (policy.tau, policy.table, policy.class_names)
    assert found.images == policy.images == 200
    temperatures = found.little_temperature, found.big_temperature
    assert temperatures == (policy.little_temperature, policy.big_temperature)
    assert found.num_classes == policy.num_classes and found.onnx == policy.onnx and "dynamic.onnx" in found.onnx
    assert found.table[0].tau == math.inf and found.table[-1].tau == -math.inf


def row(**changes):
    """A change of the second row of the table."""
    return lambda policy: policy["table"][1].update(changes)


def top(**changes):
    """A change of the policy itself."""
    return lambda policy: policy.update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (top(version=9), "must be a policy of version 2, got version 9"),
        (top(version="2" * 10_000), r"must be a policy of version 2, got version .{30,40}\.$"),
        (lambda policy: policy.pop("tau"), "damaged: 'tau' is missing"),
        (top(tau="much"), "damaged: expected a number, got 'much'"),
        (top(tau=True), "damaged: expected a number, got True"),
        (top(tau=None), "damaged: expected a number, got None"),
        (top(tau=[0.5]), r"damaged: expected a number, got \[0.5\]"),
        (top(tau=10**299), None),
        (top(tau=10**400), "damaged: a number of 401 digits is too large"),
        (top(tau=math.nan), "damaged: NaN is not a number"),
        (top(tau=math.inf), "damaged: Infinity is not a number"),
        (top(tau="nan"), "damaged: expected a number, got 'nan'"),
        (top(table=[]), "damaged: the table is empty"),
        (top(table={}), r"damaged: the table must be a list, got \{\}"),
        (top(table=[3]), "damaged: a row of the table must be an object, got 3"),
        (top(table=[{"tau": 1}]), "damaged: 'little_share' is missing"),
        (lambda policy: policy["table"].reverse(), "damaged: the table must go down in tau and up in little_share"),
        (row(accuracy=1.5), "damaged: accuracy must be from 0 to 1, got 1.5"),
        (row(little_share=-0.1), "damaged: little_share must be from 0 to 1, got -0.1"),
        (row(holds="inf"), "damaged: holds must be from 0 to 1, got inf"),
        (row(expected_macs=-1), r"damaged: expected_macs must be from 0 to 1\.79769e\+308, got -1"),
        (row(expected_macs="inf"), r"damaged: expected_macs must be from 0 to 1\.79769e\+308, got inf"),
        (row(expected_macs=10**280), None),
        (row(accuracy=[[]]), r"damaged: expected a number, got \[\[\]\]"),
        (row(speed=3), "damaged: a row of the table has an unknown key 'speed'"),
        (row(expected_ms=3), "damaged: some rows of the table have expected_ms, and some do not"),
        (top(num_classes=4), "damaged: there are 4 classes, but 5 class_names"),
        (top(num_classes=5.5), "damaged: num_classes must be an integer, got 5.5"),
        (top(class_names=[]), None),
        (top(images=0.5), "damaged: images must be an integer, got 0.5"),
        (top(images=-1), "damaged: images must be from 0 to 1000000000, got -1"),
        (top(little_temperature=0), "damaged: little_temperature must be above 0, got 0"),
        (top(big_temperature="inf"), "damaged: big_temperature must be above 0, got inf"),
        (lambda policy: [policy.pop(key) for key in ("images", "little_temperature", "big_temperature")], None),
        (top(class_names=["a", "b", "c", "d"]), "damaged: there are 5 classes, but 4 class_names"),
        (top(class_names=["a", "b", "c", "d", 5]), "damaged: class_names must be a list of texts"),
        (top(class_names="abcde"), "damaged: class_names must be a list of texts, got 'abcde'"),
        (top(class_names=["a", "b", "c", "d", "\ud800"]), "damaged: .* can't encode character"),
        (top(onnx=["dynamic.onnx"]), r"damaged: onnx must be an object"),
        (top(onnx={"dynamic.onnx": "abc"}), "damaged: the checksum of 'dynamic.onnx' must be a SHA-256 in hex"),
        (top(onnx={"dynamic.onnx": 5}), "damaged: the checksum of 'dynamic.onnx' must be a SHA-256 in hex, got 5"),
        *(
            (top(onnx={name: "0" * 64}), "damaged: .* must be the name of a file beside the policy, without folders")
            for name in ("../secret", "/etc/passwd", "a/b.onnx", "..", ".", "", "C:\\x", "..\\x", "C:x", "x/")
        ),
    ],
)
def test_each_value_is_checked(load, written, change, message):
    policy = json.loads(written)
    change(policy)
    if message is None:
        assert isinstance(load(policy), DevicePolicy)
        return
    with pytest.raises(BundleError, match=rf"policy\.json (is )?{message}") as told:
        load(policy)
    assert len(str(told.value)) < 400 and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged"),
        ("{", "is damaged"),
        ("[]", "must be a policy of version 2, got version None"),
        ("3", "must be a policy of version 2"),
        (b"\xff\xfe{}", "is damaged: 'utf-8' codec"),
        (b"\xef\xbb\xbf{}", "is damaged"),
        ("[" * 100_000, "is damaged: it is nested too deeply"),
        ('{"a":' * 100_000, "is damaged: it is nested too deeply"),
        (f'{{"version": 2{"0" * 5000}}}', "is damaged: a number of 5001 digits is too large"),
        ('{"version": 2, "version": 2}', "is damaged: a key stands twice in one object"),
    ],
)
def test_what_is_no_policy_is_refused(load, text, message):
    with pytest.raises(BundleError, match=rf"policy\.json {message}"):
        load(text)


def test_the_tool_refuses_the_same_tables(written):
    policy = json.loads(written)
    policy["table"][1]["accuracy"] = 7
    with pytest.raises(DuonasError, match=r"the policy is damaged: accuracy must be from 0 to 1, got 7"):
        Policy.from_json(policy)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3).map(lambda n: n * 10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["inf", "-inf", "nan", "../x", "\ud800", "1e400"]),
)
VALUES = st.recursive(ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))


def places(value, path=()):
    """The paths to all parts of a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


def spoilt(policy, path, action, value):
    """A copy of a policy in which one part is replaced, left out or renamed."""
    policy = copy.deepcopy(policy)
    if not path:
        return value
    parent = policy
    for key in path[:-1]:
        parent = parent[key]
    last = path[-1]
    if action == "replace":
        parent[last] = value
    elif action == "rename" and isinstance(parent, dict):
        parent[str(value)] = parent.pop(last)
    else:
        del parent[last]
    return policy


@settings(max_examples=80)
@given(st.data())
def test_any_policy_is_used_or_refused_in_a_sentence(tmp_path_factory, written, data):
    policy = json.loads(written)
    policy["table"] = policy["table"][:4]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(policy))))
        action = data.draw(st.sampled_from(["replace", "rename", "remove"]))
        policy = spoilt(policy, path, action, data.draw(VALUES))
    text = json.dumps(policy)
    if data.draw(st.booleans()):
        text = text[: data.draw(st.integers(0, len(text)))]
    check_policy(tmp_path_factory.getbasetemp() / "any.json", text.encode("utf-8", "surrogatepass"), data)


@given(st.binary(max_size=50), st.data())
def test_any_bytes_are_refused_in_a_sentence(tmp_path_factory, content, data):
    check_policy(tmp_path_factory.getbasetemp() / "any.json", content, data)


def check_policy(path, content, data):
    """Read a policy and choose all kinds of thresholds from it."""
    path.write_bytes(content)
    try:
        policy = load_policy(path)
    except BundleError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return
    target = data.draw(st.floats(allow_nan=False))
    for choose in (policy.at_budget, policy.at_latency, policy.at_share, policy.at_floor):
        try:
            assert isinstance(choose(target), Row)
        except BundleError as error:
            assert str(error)
