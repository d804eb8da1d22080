"""What a bundle's self-test expects, and which images it has."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duonas.core.errors import DuonasError
from duonas.deploy.golden import golden, load_images, save_images
from duonas.routing.routed import RoutedPair
from duonas.runtime.golden import load_golden
from duonas.runtime.policy import load_policy
from support.exported import STORED, make_images


def test_the_images_lie_between_hard_and_easy(tmp_path):
    pixels = torch.from_numpy(make_images(400, seed=5))
    score = np.random.default_rng(0).permutation(400).astype(np.float32)
    kept = load_images(save_images(tmp_path / "images.safetensors", pixels, score, 20))
    rows = [int(np.flatnonzero((pixels.numpy() == image.numpy()).all((1, 2, 3)))[0]) for image in kept]
    assert rows == sorted(rows) and {score[rows].min(), score[rows].max()} == {0, 399}
    assert np.diff(np.sort(score[rows])).max() <= 22  # of the 21 that even steps have


def test_fewer_images_than_asked_for_are_all_kept(tmp_path):
    kept = load_images(save_images(tmp_path / "images.safetensors", STORED[:3], np.zeros(3, np.float32), 32))
    assert torch.equal(kept, STORED[:3])


def test_images_that_are_lost_are_missed_by_name(tmp_path):
    with pytest.raises(DuonasError, match=r"images\.safetensors"):
        load_images(tmp_path / "images.safetensors")


@pytest.mark.parametrize("position", ["after_little", "input", "stem"])
def test_the_answers_are_those_of_the_routed_pair(export, position):
    pair, policy, folder = export(True, position)
    found = golden(pair, policy.router, STORED)
    with torch.no_grad():
        for tau, logits in ((float("-inf"), found.little), (float("inf"), found.big)):
            expected = RoutedPair(pair, policy.router)(STORED.float() / 255, tau)
            assert np.allclose(expected.logits.numpy(), logits, atol=1e-5)
            assert np.allclose(expected.score.numpy(), found.score, atol=1e-6)
    stored = load_golden(folder, load_policy(folder / "policy.json").onnx)
    assert all(np.array_equal(getattr(stored, name), getattr(found, name)) for name in ("images", "score"))
