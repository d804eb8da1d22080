"""Files of pretrained weights: whatever they are called, and whatever is wrong with them."""

from __future__ import annotations

import pickle

import pytest
import torch
from safetensors.torch import save_file

from duonas.core.errors import DuonasError
from duonas.pretrained.read import fitting, read
from duonas.pretrained.sources import Source
from support.timm_weights import drawn, positional

NETWORK = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def state():
    return {name: values.clone() for name, values in drawn(NETWORK, 5).state_dict().items()}


def reading(path):
    return read(Source(path, "a test"), NETWORK)


@pytest.mark.parametrize(
    "written",
    [
        lambda state, path: save_file(state, path / "a.safetensors"),
        lambda state, path: torch.save(state, path / "a.pth"),
        lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path / "a.pth.tar"),
        lambda state, path: torch.save({f"module.{name}": value for name, value in state.items()}, path / "a.pt"),
        lambda state, path: torch.save(dict(reversed(state.items())), path / "a.bin"),
        lambda state, path: torch.save(positional(state), path / "a.pth"),
        lambda state, path: torch.save({n: v for n, v in state.items() if v.ndim}, path / "a.pth"),
    ],
)
def test_tensors_are_found_by_name_or_by_place(state, tmp_path, written):
    written(state, tmp_path)
    (path,) = tmp_path.iterdir()
    weights = reading(path)
    wanted = {name: value for name, value in state.items() if value.ndim}
    assert list(weights.like.shapes) == list(wanted) and weights.classes == 5
    assert all(torch.equal(mine, other) for mine, other in zip(weights.tensors, wanted.values(), strict=True))


def test_halves_become_floats(state, tmp_path):
    save_file(
        {name: value.half() if value.ndim else value for name, value in state.items()}, tmp_path / "a.safetensors"
    )
    weights = reading(tmp_path / "a.safetensors")
    assert {values.dtype for values in weights.tensors} == {torch.float32}


def test_a_number_that_is_a_weight_is_no_counter(tmp_path):
    """As the gains of networks without norms."""
    shapes, given = {"gain": (), "bias": (2,)}, {"bias": torch.ones(2), "gain": torch.tensor(3.0)}
    assert fitting(given, shapes, "x", tmp_path) == {"gain": given["gain"], "bias": given["bias"]}
    with pytest.raises(DuonasError, match="gain is missing"):
        fitting({"bias": torch.ones(2)}, shapes, "x", tmp_path)
    counters = {"bn.num_batches_tracked": torch.tensor(7), "first": torch.ones(2), "second": torch.tensor(9)}
    assert list(fitting(counters, {"bias": (2,)}, "x", tmp_path)) == ["bias"]


class Anything:
    pass


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


FIRST, LAST = "conv_stem.weight", "conv_head.weight"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda s: without(s, FIRST, LAST), f"timm's {NETWORK}: {FIRST}, {LAST} are missing"),
        (lambda s: s | {"fc.weight": torch.zeros(2, 2)}, r"fc\.weight is too many"),
        (
            lambda s: s | {FIRST: torch.zeros(24, 3, 3, 3), LAST: torch.zeros(1, 1)},
            r"conv_stem\.weight and 1 more have another shape, \[24, 3, 3, 3\] in place of \[16, 3, 3, 3\]",
        ),
        (lambda s: positional(without(s, LAST)), r"none of its names is known, it has \d+ tensors, expected \d+, and"),
        (lambda s: positional(s) | {"more": torch.zeros(5)}, r"none of its names is known, and it has \d+ tensors"),
        (lambda s: s | {LAST: torch.full_like(s[LAST], float("nan"))}, f"{LAST} has values that are not finite"),
        (lambda s: {}, "holds no weights"),
        (lambda s: [1, 2], "holds no state_dict: expected tensors by name"),
        (lambda s: {"state_dict": {"a": 3}}, "holds no state_dict"),
        (lambda s: {"model": Anything()}, "holds more than tensors, which is not read since it could run any code"),
    ],
)
def test_wrong_tensors_are_named(state, tmp_path, changed, message):
    torch.save(changed(state), tmp_path / "a.pth")
    with pytest.raises(DuonasError, match=message) as error:
        reading(tmp_path / "a.pth")
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.onnx", b"", r"is no file of weights: expected one that ends in \.safetensors"),
        ("a.pth", b"", "cannot be read as weights: it is empty"),
        ("a.pth", b"hello", "torch did not save it"),
        ("a.pt", b"<!DOCTYPE html>", r"torch did not save it \(it may be a web page"),
        ("a.bin", b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        ("a.pth", b"PK\x03\x04 not a zip", "cannot be read as weights"),
        ("a.safetensors", b"short", "cannot be read as weights"),
        ("a.pt", pickle.dumps({"a": 1}, protocol=2), "cannot be read as weights"),
    ],
)
def test_what_is_no_file_of_weights_is_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DuonasError, match=message) as error:
        reading(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_file_that_was_cut_off_is_one_sentence(state, tmp_path):
    torch.save(state, tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(DuonasError, match=r"a\.pth cannot be read as weights: [^.]+\.$"):
        reading(tmp_path / "a.pth")


def test_a_package_with_other_bytes_is_refused(state, tmp_path):
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(DuonasError, match=r"of the package x is not the published file .*: install it again"):
        read(Source(tmp_path / "a.pth", "the package x", "0" * 64), NETWORK)
