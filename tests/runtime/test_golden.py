"""The self-test of a bundle: passed where it computes what was exported, and by nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from duonas.core.files import checksum
from duonas.runtime import Bundle, BundleError
from duonas.runtime.bundle import Prediction
from duonas.runtime.golden import Golden, load_golden, self_test
from duonas.runtime.policy import load_policy


@pytest.fixture(params=["after_little", "input"])
def folder(export, request):
    return export(True, request.param)[2]


@pytest.fixture
def stored(exported):
    return load_golden(exported[2], load_policy(exported[2] / "policy.json").onnx)


@pytest.fixture
def copy(exported, tmp_path):
    return Path(shutil.copytree(exported[2], tmp_path / "export"))


def checksums(folder):
    return load_policy(folder / "policy.json").onnx


def test_what_was_exported_passes_at_every_threshold(folder):
    bundle, stored = Bundle.load(folder, threads=1), load_golden(folder, checksums(folder))
    for tau in (bundle.tau, -np.inf, np.inf, float(stored.score[3])):
        bundle.tau = tau
        found = self_test(bundle, stored)
        assert bundle.tau == pytest.approx(tau)
        assert found.images == 20 and found.largest_difference <= found.tolerance < 0.1
        assert "Self-test passed: on 20 stored images" in found.sentence and json.dumps(found.to_json())


class Wrong:
    """A runtime that answers from stored logits, with something added."""

    def __init__(self, stored, little=0.0, big=0.0, score=0.0, flip=(), single=0.0):
        self.stored, self.tau = stored, 0.5
        self.added = SimpleNamespace(little=little, big=big, score=score, flip=list(flip), single=single)

    def predict(self, images):
        rows = [int(np.flatnonzero((self.stored.images == image).all((1, 2, 3)))[0]) for image in images]
        kept = self.stored.score[rows] >= self.tau
        kept ^= np.isin(rows, self.added.flip) & np.isfinite(self.tau)
        little, big = self.stored.little[rows] + self.added.little, self.stored.big[rows] + self.added.big
        logits = np.where(kept[:, None], little, big) + (self.added.single if len(rows) == 1 else 0)
        return Prediction(logits.argmax(1), logits, self.stored.score[rows] + self.added.score, kept)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"little": 0.5}, r"little's logits differs by up to 0\.5, but"),
        ({"big": -0.25}, r"big's logits differs by up to 0\.25, but"),
        ({"big": np.nan}, "big's logits differs by up to nan, but"),
        ({"single": 0.5}, r"little's logits one image at a time differs by up to 0\.5, but"),
        ({"score": 0.125}, r"the router's score differs by up to 0\.125, but"),
    ],
)
def test_another_computation_is_refused_with_its_largest_difference(stored, wrong, named):
    bundle = Wrong(stored, **wrong)
    with pytest.raises(BundleError, match=f"on 20 stored images {named} at most .* is allowed"):
        self_test(bundle, stored)
    assert bundle.tau == 0.5


def test_other_decisions_are_refused_but_for_scores_at_the_threshold(stored):
    far = int(np.abs(stored.score - 0.5).argmax())
    with pytest.raises(BundleError, match="decides 1 of 20 stored images otherwise"):
        self_test(Wrong(stored, flip=[far]), stored)
    near = stored.score.copy()
    near[far] = 0.5 + 5e-5
    found = self_test(
        Wrong(dataclasses.replace(stored, score=near), flip=[far]), dataclasses.replace(stored, score=near)
    )
    assert found.near_tau == 1


def test_rounding_is_allowed(stored):
    largest = max(1.0, np.abs(stored.big).max())
    assert self_test(Wrong(stored, big=0.0005 * largest), stored).largest_difference > 0


def test_a_bundle_may_have_no_images(copy):
    policy = json.loads((copy / "policy.json").read_text())
    del policy["onnx"]["golden.npz"]
    (copy / "policy.json").write_text(json.dumps(policy))
    assert load_golden(copy, checksums(copy)) is None


def test_a_device_may_have_been_given_no_images(copy):
    (copy / "golden.npz").unlink()
    assert load_golden(copy, checksums(copy)) is None


def test_a_foreign_file_is_refused(copy):
    path = copy / "golden.npz"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"golden\.npz is not the file that policy\.json was exported with"):
        load_golden(copy, checksums(copy))


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


FEW = {"little": np.zeros((2, 5), np.float32), "big": np.zeros((2, 5), np.float32), "score": np.zeros(2, np.float32)}
PIXELS = np.zeros((2, 3, 12, 12), np.uint8)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"nothing", "File is not a zip file"),
        (packed(images=PIXELS), "little.npy"),
        (packed(**FEW, images=PIXELS.astype(np.float32)), "expected images as uint8"),
        (packed(**FEW, images=PIXELS[:1]), "of different lengths"),
        (packed(**FEW, images=PIXELS[:0]), "of different lengths"),
        (packed(**{**FEW, "score": np.array([{}, {}])}, images=PIXELS), "Object arrays cannot be loaded"),
    ],
)
def test_damage_is_one_sentence(copy, content, named):
    write(copy, content)
    with pytest.raises(BundleError, match=rf"golden\.npz is damaged: .*{named}"):
        load_golden(copy, checksums(copy))


def test_what_unpacks_to_too_much_is_not_unpacked(copy, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("images.npy", bytes(100_000))
    write(copy, buffer.getvalue())
    monkeypatch.setattr("duonas.runtime.golden.MOST_GOLDEN", 10_000)
    with pytest.raises(BundleError, match=r"unpacks to more than 10,000 bytes"):
        load_golden(copy, checksums(copy))


def write(folder, content):
    (folder / "golden.npz").write_bytes(content)
    policy = json.loads((folder / "policy.json").read_text())
    policy["onnx"]["golden.npz"] = checksum(folder / "golden.npz")
    (folder / "policy.json").write_text(json.dumps(policy))


def test_the_same_content_has_the_same_bytes(stored, tmp_path):
    for name in ("a", "b"):
        stored.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert isinstance(stored, Golden) and stored.images.dtype == np.uint8
