"""The contract of targets: what runs a bundle there decides as ONNX Runtime does."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest import SkipTest

import numpy as np
import onnxruntime
import torch
from torch import nn

from duonas.core.cost import PairCost
from duonas.core.registry import find
from duonas.deploy.bundle import set_threshold, write_bundle
from duonas.deploy.export import Parts, export_parts, export_score
from duonas.deploy.options import ExportOptions
from duonas.deploy.target import Job, Target
from duonas.pair.facts import PairFacts, Preprocessing
from duonas.pair.pair import Pair
from duonas.routing.policy import Policy
from duonas.routing.routed import seen
from duonas.routing.router import Router
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.runtime import Bundle, BundleError, Prediction
from duonas.runtime.golden import CLOSE
from duonas.runtime.policy import Row
from duonas.runtime.prepare import Preparation

CLASSES, SIDE = 5, 12
BUCKETS = (1, 4, 16, 64)
NEAR = 1e-3  # of logits and scores
MOST_NEAR_TAU = 0.02  # of the images may be decided otherwise, each with a score that is near to tau
APART = "after little, two networks"
FORMS: dict[str, tuple[bool, Router]] = {
    "after little, shared stem": (True, Confidence()),
    APART: (False, Confidence()),
    "at the stem": (True, Difficulty(position="stem")),
    "at the image, two networks": (False, Difficulty(position="input")),
}


class TargetContract(ABC):
    """Tests of every target (laws 2, 3 and 4): a shared stem or none, a router before or after little.

    A machine that cannot run the target skips the tests of its answers with the reason.
    """

    @abstractmethod
    def target(self) -> str:
        """Return the target under test: the name of a shipped one, or ``file.py:CLASS``."""

    def kind(self) -> type[Target]:
        """Return the class of the target."""
        found: type[Target] = find("target", self.target())
        return found

    def bundle(self, form: str, folder: Path) -> tuple[Bundle, Bundle]:
        """Return the bundle of a form as the target runs it, and as ONNX Runtime does."""
        kind = self.kind()
        if reason := kind.cannot_export() or kind.engine.missing():
            raise SkipTest(f"{self.target()}: {reason}")
        path = export(form, self.target(), folder / form)
        return Bundle.load(path, threads=1, engine=kind.engine), Bundle.load(path, threads=1)

    def test_it_runs_here_or_says_why_not(self, tmp_path: Path) -> None:
        """What is missing is one clause without a full stop, and the refusal of a bundle has it."""
        engine = self.kind().engine
        reason = engine.missing()
        assert reason == reason.strip().rstrip(".") and "\n" not in reason
        if reason:
            path = export(APART, "onnxruntime", tmp_path / "export")
            try:
                Bundle.load(path, engine=engine)
            except BundleError as error:
                assert reason in str(error)
            else:
                raise AssertionError(f"a bundle is opened although {reason}")

    def test_it_decides_as_onnx_runtime(self, tmp_path: Path) -> None:
        """Whatever the number of images, and with the threshold moved between calls."""
        images = pictures(130)
        for form in FORMS:
            bundle, reference = self.bundle(form, tmp_path)
            scores = np.quantile(reference.predict(images).score, (0.1, 0.5, 0.9))
            for tau in (*map(float, scores + 1e-3), -np.inf, np.inf, reference.tau):
                for count in (0, 1, 3, 64, 65, 130):
                    bundle.tau = reference.tau = tau
                    agree(bundle.predict(images[:count]), reference.predict(images[:count]), tau)

    def test_it_is_little_or_big_exactly(self, tmp_path: Path) -> None:
        """At an infinite threshold all images get what the network alone answers."""
        images = pictures(40)
        for form in FORMS:
            bundle, _ = self.bundle(form, tmp_path)
            for name, tau in (("little", -np.inf), ("big", np.inf)):
                bundle.tau = tau
                alone = onnxruntime.InferenceSession(str(tmp_path / form / f"{name}.onnx"))
                expected = alone.run(None, {"images": images.astype(np.float32) / np.float32(255)})[0]
                found = bundle.predict(images)
                assert (found.is_little == (name == "little")).all()
                np.testing.assert_allclose(found.logits, expected, rtol=NEAR, atol=NEAR)

    def test_a_result_does_not_depend_on_the_batch(self, tmp_path: Path) -> None:
        """One by one, images get what they get together."""
        images = pictures(20)
        for form in FORMS:
            bundle, _ = self.bundle(form, tmp_path)
            bundle.tau = float(np.median(bundle.predict(images).score)) + 1e-3
            together = bundle.predict(images)
            for row in range(len(images)):
                alone = bundle.predict(images[row : row + 1])
                agree(alone, Prediction(*(each[row : row + 1] for each in together)), bundle.tau)

    def test_its_answers_are_kept(self, tmp_path: Path) -> None:
        """A later call does not write over what an earlier one answered, nor over the images."""
        bundle, _ = self.bundle("after little, shared stem", tmp_path)
        images = pictures(16).astype(np.float32) / np.float32(255)
        before, first = images.copy(), bundle.predict(images[:8])
        kept = [each.copy() for each in first]
        bundle.predict(images[8:])
        assert np.array_equal(images, before)
        assert all(np.array_equal(one, other) for one, other in zip(first, kept, strict=True))

    def test_threads_share_a_bundle(self, tmp_path: Path) -> None:
        """Threads that ask one bundle at the same time get what each gets alone."""
        bundle, _ = self.bundle("after little, shared stem", tmp_path)
        images = pictures(48)
        parts = [images[begin : begin + 8] for begin in range(0, len(images), 8)]
        alone = [bundle.predict(part) for part in parts]
        with ThreadPoolExecutor(3) as pool:
            for _ in range(4):
                for one, other in zip(alone, pool.map(bundle.predict, parts), strict=True):
                    assert all(map(np.array_equal, one, other))

    def test_another_threshold_keeps_its_files(self, tmp_path: Path) -> None:
        """``duonas route`` writes the policy again and leaves what the target needs."""
        _, reference = self.bundle(APART, tmp_path)
        set_threshold(tmp_path / APART, policy(FORMS[APART][1], tau=0.125))
        bundle = Bundle.load(tmp_path / APART, threads=1, engine=self.kind().engine)
        assert bundle.tau == 0.125 != reference.tau
        bundle.predict(pictures(3))


def agree(found: Prediction, expected: Prediction, tau: float) -> int:
    """Check that answers are those of ONNX Runtime; return how many were decided otherwise, which are near to tau."""
    assert [each.shape for each in found] == [each.shape for each in expected]
    assert [each.dtype for each in found] == [each.dtype for each in expected]
    otherwise = found.is_little != expected.is_little
    assert (np.abs(expected.score[otherwise] - np.float32(tau)) < CLOSE).all()
    assert otherwise.sum() <= max(1, MOST_NEAR_TAU * len(otherwise))
    np.testing.assert_allclose(found.score, expected.score, rtol=NEAR, atol=NEAR)
    np.testing.assert_allclose(found.logits[~otherwise], expected.logits[~otherwise], rtol=NEAR, atol=NEAR)
    return int(otherwise.sum())


def pictures(count: int) -> np.ndarray:
    """Images (count, 3, SIDE, SIDE) uint8, of all contrasts and colours; fewer are the first of more."""
    rng = np.random.default_rng(5)
    noise = [rng.random((3, SIDE, SIDE)) * rng.random() + rng.random((3, 1, 1)) * 0.5 for _ in range(count)]
    return (np.clip(np.array(noise).reshape(-1, 3, SIDE, SIDE), 0, 1) * 255).astype(np.uint8)


def export(form: str, target: str, folder: Path) -> Path:
    """Write a bundle of a small random pair for a target."""
    folder.mkdir(parents=True)
    for name, content in _files(form, target).items():
        (folder / name).write_bytes(content)
    return folder


@cache
def _files(form: str, target: str) -> dict[str, bytes]:
    """The files of a bundle by name; a converter may take minutes for them."""
    shared, router = FORMS[form]
    job = Job(_parts(form), make_pair(shared), policy(router), ExportOptions(targets=(target,), buckets=BUCKETS))
    with tempfile.TemporaryDirectory() as temporary:
        return {path.name: path.read_bytes() for path in write_bundle(job, Path(temporary, "export")).iterdir()}


@cache
def _parts(form: str) -> Parts:
    shared, router = FORMS[form]
    if form != (first := next(each for each in FORMS if FORMS[each][0] == shared)):  # the same networks
        net, images = make_pair(shared), torch.rand(2, 3, SIDE, SIDE)
        with torch.no_grad():
            sample = seen(router, images, net(images))
        score = export_score(router, sample, ExportOptions().opset)
        return replace(_parts(first), score=score, position=router.position)
    return export_parts(make_pair(shared), router, ExportOptions().opset)


@cache
def make_pair(shared: bool) -> Pair:
    """Two small random networks, with a stem or without."""

    def conv(ins: int, outs: int, stride: int = 1) -> nn.Module:
        return nn.Sequential(nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU())

    def head(channels: int) -> nn.Module:
        linear = nn.Linear(channels, CLASSES)
        nn.init.normal_(linear.weight, std=4)  # logits of some size
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        stem = conv(3, 8) if shared else None
        entering = 8 if shared else 3
        little = nn.Sequential(conv(entering, 8, 2), head(8))
        big = nn.Sequential(conv(entering, 16, 2), conv(16, 16), head(16))
    facts = PairFacts(
        costs={"macs": PairCost(stem=10, router=0, little=5, big=90)}, networks={}, num_classes=CLASSES,
        preprocessing=Preprocessing(SIDE), class_names=tuple("abcde"),
    )  # fmt: skip
    return Pair(stem, little, big, facts).eval()


def policy(router: Router, tau: float = 0.3) -> Policy:
    """A policy of three thresholds."""
    rows = [(np.inf, 0.0, 100.0), (tau, 0.6, 51.0), (-np.inf, 1.0, 15.0)]
    return Policy(
        router=router, tau=tau, choice={}, num_classes=CLASSES, class_names=tuple("abcde"),
        preparation=Preparation(SIDE), costs=PairCost(stem=10, router=0, little=5, big=90),
        table=tuple(Row(at, share, 0.9, 0.8, 0.95, 0.0, cost) for at, share, cost in rows),
    )  # fmt: skip
