"""The contract of routers."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from duonas.core.cost import PairCost
from duonas.core.rng import stream
from duonas.costs.count import count_macs
from duonas.deploy.export import export_score
from duonas.routing.metrics import chord
from duonas.routing.router import Answers, Router, read_router, write_router
from duonas.routing.threshold import keeps_little, sweep

CLASSES = 10
FITTED, JUDGED = slice(0, 600), slice(600, None)
LUCK = 1.86  # 1 of 1000 random curves is further below the chord (one-sided Smirnov bound)


class RouterContract(ABC):
    """Tests of every router (laws 3, 4, 7 and 9)."""

    @abstractmethod
    def router(self) -> Router:
        """Return the router under test, not fitted yet."""

    def easiness(self, n: int) -> np.ndarray:
        """Return how easy the images of ``seen`` are, (n,) in [0, 1]."""
        return stream(11, n).random(n)

    def seen(self, n: int = 1200) -> Tensor:
        """Return the router's input for n images: easy images have low variance, or confident logits after little."""
        rng, easy = stream(12, n), self.easiness(n)
        if self.router().position == "after_little":
            return torch.from_numpy(self.answers(n).little)
        shape = (n, 3, 8, 8) if self.router().position == "input" else (n, 6, 4, 4)
        noise = rng.random(shape) * (1 - easy)[:, None, None, None]
        return torch.from_numpy((0.5 + (noise - noise.mean((1, 2, 3), keepdims=True)) / 2).astype(np.float32))

    def answers(self, n: int = 1200) -> Answers:
        """Return predictions of a little that is correct on easy images, and of a big that is mostly correct on all."""
        rng, easy = stream(13, n), self.easiness(n)
        labels = rng.integers(0, CLASSES, n)
        sides = np.eye(CLASSES)[labels]
        little = sides * (6 * easy)[:, None] + rng.normal(size=(n, CLASSES))
        big = sides * 4 + rng.normal(size=(n, CLASSES))
        return Answers(little.astype(np.float32), big.astype(np.float32), labels)

    def fitted(self, answers: Answers | None = None) -> Router:
        """Return the router fitted on the first 600 images."""
        router, answers = self.router(), answers or self.answers()
        held = answers.take(np.arange(1200)[FITTED])
        return router.fit(router.describe(self.seen()[FITTED]), held, stream(3, "fit"))

    def test_one_score_a_row_whatever_its_mates(self) -> None:
        """A row's score does not depend on the batch, and two calls agree, from other threads too."""
        router, seen = self.fitted(), self.seen()[:200]
        scores = router.score(seen)
        assert scores.shape == (200,) and torch.isfinite(scores).all()
        others: list[Tensor] = []
        threads = [threading.Thread(target=lambda: others.append(router.score(seen))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(torch.equal(scores, other) for other in others) and len(others) == 3
        for row in (0, 17, 199):
            torch.testing.assert_close(router.score(seen[row : row + 1]), scores[row : row + 1], rtol=1e-5, atol=1e-6)
        assert router.score(seen[:0]).shape == (0,)

    def test_a_score_is_what_it_judges_of_what_it_describes(self) -> None:
        """Scores are bitwise equal, also for features of the router before it was fitted, as in a run."""
        router, seen = self.fitted(), self.seen()[:200]
        for describing in (router, self.router()):
            assert torch.equal(router.judge(describing.describe(seen)), router.score(seen))

    def test_fitting_is_repeatable_and_leaves_global_randomness_alone(self) -> None:
        """Equal images and seeds give equal routers."""
        before = torch.get_rng_state(), str(np.random.get_state())
        assert write_router(self.fitted()) == write_router(self.fitted())
        assert torch.equal(before[0], torch.get_rng_state()) and before[1] == str(np.random.get_state())

    def test_it_survives_its_file(self) -> None:
        """A router that is saved and loaded gives bitwise equal scores."""
        router, seen = self.fitted(), self.seen()[:50]
        again = read_router(json.loads(json.dumps(write_router(router), allow_nan=False)))
        assert again.position == router.position and again.macs == router.macs
        assert torch.equal(again.score(seen), router.score(seen))

    def test_it_exports(self) -> None:
        """ONNX Runtime gives the same scores for any batch size."""
        router, seen = self.fitted(), self.seen()[:64]
        proto = export_score(router, seen[:2], 18)
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        for rows in (0, 1, 64):
            (out,) = session.run(None, {"seen": seen[:rows].numpy()})
            np.testing.assert_allclose(out, router.score(seen[:rows]).numpy(), rtol=1e-4, atol=1e-5)

    def test_it_is_no_worse_than_chance(self) -> None:
        """On held-out images the curve is not significantly below the chord."""
        assert self._above_chord(self.fitted()) >= -LUCK

    def test_nonsense_teaches_it_nothing(self) -> None:
        """Fitted on shuffled labels, the curve is not significantly below the chord."""
        answers = self.answers()
        shuffled = Answers(answers.little, answers.big, stream(5, "shuffled").permutation(answers.labels))
        assert self._above_chord(self.fitted(shuffled)) >= -LUCK

    def test_its_cost_is_what_runs(self) -> None:
        """The position is supported, and MACs equal those that ran."""
        router, seen = self.fitted(), self.seen()[:3]
        assert router.position in router.positions
        assert router.before == (router.position != "after_little")
        assert count_macs(router.score, seen) == len(seen) * router.macs

    def test_a_lower_threshold_keeps_more_and_costs_less(self) -> None:
        """Images that stay little at a threshold stay little at every lower one, which costs less."""
        router, judged = self.fitted(), self.answers().take(np.arange(1200)[JUDGED])
        score = router.score(self.seen()[JUDGED])
        curve = sweep(score.numpy(), judged.little_right, judged.big_right)
        stays = np.stack([keeps_little(score, float(tau)).numpy() for tau in curve.tau])
        assert (stays[1:] >= stays[:-1]).all() and np.array_equal(stays.mean(1), curve.little_share)
        cost = PairCost(5, 0, 10, 100).routed_by(router.macs, before=router.before)
        assert (np.diff(cost.expected(curve.little_share)) < 0).all()
        assert (cost.expected(curve.little_share) <= cost.peak).all()

    def _above_chord(self, router: Router) -> float:
        """Return the minimum of the curve minus the chord, in units of its spread under random routing (a bridge)."""
        judged = self.answers().take(np.arange(1200)[JUDGED])
        score = router.score(self.seen()[JUDGED]).numpy()
        curve = sweep(score, judged.little_right, judged.big_right)
        line = chord(judged.little_right.mean(), judged.big_right.mean(), curve.little_share)
        gain = judged.big_right.astype(float) - judged.little_right
        return float((curve.accuracy - line).min() / (gain.std() / np.sqrt(len(judged))))
