"""The split form: what is damaged is refused, rows are padded, and a network without rows does not run."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from duonas.runtime import Bundle, BundleError
from duonas.runtime.engines.split import Split
from duonas.testing.targets import export, pictures

CASCADE, EARLY = "after little, shared stem", "at the stem"


@pytest.fixture
def folder(tmp_path):
    return export(CASCADE, "split", tmp_path / "export")


class Counting(Split):
    """Counts the calls of each part, by its file and the number of rows."""

    def part(self, part, rows):
        run = super().part(part, rows)
        self.calls = getattr(self, "calls", [])

        def call(values):
            self.calls.append((part.file.removeprefix("split-").removesuffix(".onnx"), len(values)))
            return run(values)

        return call


def calls_of(folder, count, tau):
    bundle = Bundle.load(folder, threads=1, engine=Counting)
    bundle.tau = tau
    bundle.predict(pictures(count))
    return bundle._engine.calls


def write(folder, manifest, **others):
    """Another manifest, with the checksum that the policy then needs."""
    (folder / "split.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    checksum = hashlib.sha256((folder / "split.json").read_bytes()).hexdigest()
    policy = json.loads((folder / "policy.json").read_text())
    policy["onnx"] |= {"split.json": checksum}
    (folder / "policy.json").write_text(json.dumps(policy | others))


@pytest.mark.parametrize(
    ("count", "tau", "expected"),
    [
        (1, -np.inf, [("little", 1)]),
        (1, np.inf, [("little", 1), ("big", 1)]),
        (5, np.inf, [("little", 16), ("big", 16)]),
        (130, -np.inf, [("little", 64), ("little", 64), ("little", 4)]),
        (130, np.inf, [("little", 64), ("little", 64), ("little", 4), ("big", 64), ("big", 64), ("big", 4)]),
    ],
)
def test_rows_are_padded_to_buckets(folder, count, tau, expected):
    assert calls_of(folder, count, tau) == expected


def test_a_router_before_little_runs_each_network_on_its_rows(tmp_path):
    early = export(EARLY, "split", tmp_path / "export")
    assert calls_of(early, 3, np.inf) == [("stem", 4), ("big", 4)]
    assert calls_of(early, 3, -np.inf) == [("stem", 4), ("little", 4)]


def test_no_images_run_nothing(folder):
    bundle = Bundle.load(folder, threads=1, engine=Counting)
    assert bundle.predict(pictures(0)).logits.shape == (0, 5)
    assert not hasattr(bundle._engine, "calls")


def test_all_parts_can_be_opened_before_the_first_image(folder):
    bundle = Bundle.load(folder, threads=1, engine=Counting)
    bundle._engine.warm_up()
    assert sorted(bundle._engine.calls) == sorted((name, rows) for name in ("little", "big") for rows in (1, 4, 16, 64))


def test_a_bundle_without_the_split_form_says_how_to_get_one(tmp_path):
    plain = export(CASCADE, "onnxruntime", tmp_path / "export")
    with pytest.raises(BundleError, match=r"has no split form: export again with \[export\] targets that name 'split'"):
        Bundle.load(plain, engine="split")


def test_another_part_is_refused(folder):
    big = folder / "split-big.onnx"
    big.write_bytes(big.read_bytes()[:-1] + b"x")
    bundle = Bundle.load(folder, engine="split")
    bundle.tau = np.inf
    with pytest.raises(BundleError, match=r"split-big\.onnx is not the file that policy\.json was exported with"):
        bundle.predict(pictures(1))


BIG = {"file": "split-big.onnx", "reads": "features", "shape": [8, 10, 10], "gives": ["logits"]}


def manifest():
    parts = {"big": BIG, "little": BIG | {"gives": ["logits", "features"]}, "score": BIG}
    return {"version": 1, "image": [3, 12, 12], "before": False, "parts": parts, "buckets": [1, 4]}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": 2}, "expected version 1, got 2"),
        ({"buckets": []}, "the buckets must be ascending"),
        ({"buckets": [4, 1]}, "the buckets must be ascending"),
        ({"buckets": [10**9]}, "the buckets must be ascending"),
        ({"buckets": [True]}, "the buckets must be ascending"),
        ({"parts": {}}, "the parts must be little, big, score and maybe stem"),
        ({"before": 1}, "the parts must be little, big, score and maybe stem|before"),
        ({"image": [3, -1, 12]}, "expected a shape"),
        ({"image": [3, 12]}, "not enough values to unpack"),
        (
            {"parts": manifest()["parts"] | {"big": manifest()["parts"]["big"] | {"file": "../../secret"}}},
            "without folders",
        ),
        ({"parts": None}, "is damaged"),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_sentence(folder, changed, told):
    write(folder, manifest() | changed)
    with pytest.raises(BundleError, match=told) as error:
        Bundle.load(folder, engine="split")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(folder, text):
    write(folder, text)
    with pytest.raises(BundleError, match=r"split\.json is damaged"):
        Bundle.load(folder, engine="split")
