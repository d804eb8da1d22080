"""Scores: their values, their order, their independence of batch-mates, and that they export."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.core.registry import names
from duonas.deploy.export import export_module
from duonas.recipe.schema import options_for
from duonas.routing.routers.confidence import Confidence
from duonas.routing.threshold import keeps_little

INFINITY = float("inf")


def test_scores_of_known_probabilities():
    logits = torch.tensor([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]]).log()
    entropy = -(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1))
    expected = {"max_softmax": [0.7, 1 / 3], "margin": [0.5, 0.0], "entropy": [1 - entropy / math.log(3), 0.0],
                "logit_margin": [math.log(0.7 / 0.2), 0.0], "energy": [0.0, 0.0]}  # fmt: skip
    for name, values in expected.items():
        torch.testing.assert_close(Confidence(name).score(logits), torch.tensor(values), atol=1e-6, rtol=0)


@given(st.sampled_from(names("score")), st.integers(2, 130), st.integers(1, 40), st.floats(0.1, 10), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_a_score_is_in_the_unit_interval_and_bitwise_the_rows_own(name, classes, rows, temperature, seed):
    logits = torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed)) * 5
    router = Confidence(name, temperature)
    scores = router.score(logits)
    if name in ("max_softmax", "margin", "entropy"):
        assert ((scores >= -1e-6) & (scores <= 1 + 1e-6)).all()
    assert torch.equal(scores, torch.cat([router.score(row) for row in logits.split(1)]))
    assert torch.equal(scores.flip(0), router.score(logits.flip(0)))
    assert router.score(logits[:0]).shape == (0,)


@pytest.mark.parametrize("name", names("score"))
def test_a_surer_row_scores_higher(name):
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0)).abs()
    router = Confidence(name)
    assert (router.score(logits * 3) >= router.score(logits) - 1e-6).all()


def test_two_classes_are_ordered_alike_by_every_score_and_temperature():
    logits = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    orders = {
        tuple(Confidence(name, t).score(logits).argsort().tolist())
        for name in set(names("score")) - {"energy"}
        for t in (0.5, 1.0, 3.0)
    }
    assert len(orders) == 1


def test_the_ends_of_tau_and_scores_that_are_no_numbers():
    score = torch.tensor([0.0, 1.0, INFINITY, -INFINITY, float("nan")])
    assert keeps_little(score, INFINITY).tolist() == [False] * 5
    assert keeps_little(score, -INFINITY).tolist() == [True] * 4 + [False]
    assert keeps_little(score, torch.tensor(1.0)).tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("name", names("score"))
def test_a_score_exports_to_onnx_and_is_the_same_there(name):
    class Score(torch.nn.Module):
        def forward(self, logits):
            return Confidence(name, 1.7).score(logits)

    logits = torch.randn(64, 10, generator=torch.Generator().manual_seed(1)) * 4
    proto = export_module(Score(), logits[:2], "logits", "score", 18)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for rows in (1, 64):
        (out,) = session.run(None, {"logits": logits[:rows].numpy()})
        np.testing.assert_allclose(out, Confidence(name, 1.7).score(logits[:rows]).numpy(), atol=1e-5)


def test_bad_arguments_say_what_is_expected():
    with pytest.raises(DuonasError, match="did you mean 'margin'"):
        Confidence("margn")
    with pytest.raises(DuonasError, match="above 0"):
        Confidence("margin", 0.0)
    with pytest.raises(DuonasError, match="does not support position 'stem': choose from after_little"):
        Confidence.from_options(options_for("route", position="stem"))
